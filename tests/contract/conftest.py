"""What every test of the contract may use."""

from __future__ import annotations

import pytest

from tests.support.implementations import IMPLEMENTATIONS
from tests.support.servers import needs


@pytest.fixture(params=[pytest.param(name, marks=needs(name)) for name in IMPLEMENTATIONS])
def implementation(request: pytest.FixtureRequest) -> str:
    return str(request.param)
