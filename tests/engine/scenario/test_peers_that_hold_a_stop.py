"""Peers that do nothing more hold a stop only for a moment, on each driver, over TLS, and with workers.

All peers are there at once: the server ends once the slowest of them has let it go. What a stop does wait
for, the requests that run, is in `test_shutdown`.
"""

from __future__ import annotations

import contextlib
import importlib.util
import signal
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from streamcompat_engine.exchange.origin import Origins
from tests.support.clients import PATIENCE, Client, parse_address
from tests.support.commands import serve_program
from tests.support.holding import (
    HANDSHAKES,
    LONG,
    NEVER,
    PEERS,
    PREFACES,
    Peer,
    Wrap,
    bring,
    patient,
    site,
)
from tests.support.servers import DRIVERS, every_driver, serve_app


def held(driver: str, peers: dict[str, Peer], wrap: Wrap | None = None, **given: Any) -> None:
    """Serve these peers, and stop; fails unless the server ends while they are there."""
    with (
        patient(),
        contextlib.ExitStack() as stack,
        serve_app(site, driver, timeouts=NEVER, grace=LONG, **given) as url,
    ):
        bring(peers, *parse_address(url), stack, wrap)


@every_driver
def test_over_tcp(driver: str) -> None:
    held(driver, PEERS)


@every_driver
def test_over_tls(driver: str) -> None:
    """Half of a handshake, and what is silent once it is done; none of them answers the server's farewell."""
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    def over_tls(client: Client) -> Client:
        return Client(trusting.wrap_socket(client.socket, server_hostname="127.0.0.1"))

    held(driver, PEERS, over_tls, ssl=context)
    held(driver, HANDSHAKES, ssl=context)


@pytest.mark.skipif(
    importlib.util.find_spec("proxyprotocol") is None,
    reason="proxy-protocol, of the extra of this name, is not installed",
)
@every_driver
def test_behind_a_proxy_that_speaks_the_proxy_protocol(driver: str) -> None:
    held(driver, PREFACES, proxy_protocol=Origins(("127.0.0.1",)))


WORKERS = """
import sys
from streamcompat.serving.servable import worker_config, worker_lifespan
from streamcompat_engine import ServerConfig, Workers
from tests.support.holding import LONG, NEVER, patient, site
from tests.support.servers import settings

config = settings(sys.argv[1], grace=LONG, timeouts=NEVER)

def serve(link):
    lifespan = worker_lifespan(config, site.lifespan(access_log=False), link)
    with patient():
        site.make_server(worker_config(config, link), lifespan).run()
    print("ended", flush=True)
    return 0

workers = Workers(config, 2, serve, lambda addresses: print(addresses[0], flush=True))
with workers.bound():
    sys.exit(workers.run())
"""


@pytest.mark.parametrize(
    "driver",
    [DRIVERS[0], *(pytest.param(*one.values, marks=[pytest.mark.long, *one.marks]) for one in DRIVERS[1:])],
)
def test_of_two_workers(driver: str, tmp_path: Path) -> None:
    """By themselves: a worker that is killed says nothing at its end."""
    with serve_program(tmp_path, WORKERS, driver) as program, contextlib.ExitStack() as stack:
        bring(PEERS, *program.address, stack)
        program.process.send_signal(signal.SIGTERM)
        assert [program.line(), program.line()] == ["ended", "ended"]
        assert program.process.wait(PATIENCE) == 0
