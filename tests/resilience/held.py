"""`python -m tests.resilience.held DRIVER [tls]`: the site of `tests.support.holding`, with a long grace.

It prints where it listens.
"""

from __future__ import annotations

import logging
import ssl
import sys
from typing import Any

import trustme

from streamcompat_engine import Lifespan, Server, ServerConfig
from tests.support.holding import site


class Announcing(Lifespan):
    """Says where the server listens."""

    def listening(self, addresses: list[str]) -> None:
        print(addresses[0], flush=True)  # noqa: T201


def main(driver: Any, *tls: str) -> None:
    """Serve until SIGTERM, over TLS where a second argument says so."""
    logging.disable(logging.CRITICAL)
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    uvloop = driver == "uvloop"
    config = ServerConfig(
        port=0, driver="asyncio" if uvloop else driver, uvloop=uvloop, grace=60.0, ssl=context
    )
    Server(site.handle, config, lifespan=Announcing()).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
