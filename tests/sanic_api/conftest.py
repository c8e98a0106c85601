"""What every test of the Sanic API may use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from streamcompat.sanic_api import compat


@pytest.fixture(autouse=True)
def release_afterwards() -> Iterator[None]:
    """A test may choose another release: the next one has the usual one again."""
    yield
    compat("0.8")
