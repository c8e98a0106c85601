"""The matrix: each check on each server, in each flavour. `make test-servers` runs it.

What `KNOWN` says of a server must be so: a check that is said to fail, and holds, fails here.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.checks import CHECKS
from tests.servers.known import KNOWN, UNSTEADY
from tests.servers.running import KINDS, Kind, Running, run

FLAVOURS = ("sanic", "mach9")


SERVERS = [pytest.param((kind, one), id=f"{kind.name}-{one}") for kind in KINDS for one in FLAVOURS]


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest) -> Iterator[Running]:
    kind: Kind
    kind, flavour = request.param
    if kind.missing:
        pytest.skip(f"{kind.name} needs {', '.join(kind.missing)}")
    with run(kind, flavour) as running:
        yield running


@pytest.mark.parametrize("name", CHECKS.by_name)
def test_matrix(server: Running, name: str) -> None:
    if server.kind.http2 and name in CHECKS.only_http1:
        pytest.skip("says nothing of HTTP/2")
    fault = KNOWN.get(server.kind.name, {}).get(name)
    try:
        CHECKS.by_name[name](server)
    except Exception:
        if fault is None:
            raise
        return
    assert fault is None or (server.kind.name, name) in UNSTEADY, f"it holds now: {fault}"
