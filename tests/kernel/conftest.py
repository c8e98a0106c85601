"""The apps that the kernel's tests work on."""

from __future__ import annotations

from typing import Any

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import exceptions as mach9_exceptions
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import exceptions as sanic_exceptions
from streamcompat.sanic_api import response as sanic_response


@pytest.fixture
def app() -> Sanic:
    return Sanic("app", load_env=False)


@pytest.fixture
def mach9() -> Mach9:
    return Mach9("app", load_env=False)


@pytest.fixture(
    params=[(Sanic, sanic_response, sanic_exceptions), (Mach9, mach9_response, mach9_exceptions)],
    ids=["sanic", "mach9"],
)
def flavour(request: pytest.FixtureRequest) -> tuple[Any, Any, Any]:
    """(app, response module, exceptions module), of each flavour."""
    kind, response, exceptions = request.param
    return kind("app", load_env=False), response, exceptions
