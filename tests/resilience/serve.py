"""`python -m tests.resilience.serve DRIVER KEEP_ALIVE SEND_BUFFER`: the site; it prints where it listens."""

from __future__ import annotations

import logging
import socket
import sys
from typing import Any

from streamcompat_engine import Lifespan, Server, ServerConfig, Timeouts
from tests.resilience.apps import site


class Announcing(Lifespan):
    """The site's own lifespan, which also says where the server listens."""

    def __init__(self) -> None:
        inner = site.lifespan(access_log=False)
        self.before_start = inner.before_start  # type: ignore[method-assign]
        self.after_stop = inner.after_stop  # type: ignore[method-assign]

    def listening(self, addresses: list[str]) -> None:
        print(addresses[0], flush=True)  # noqa: T201


def main(driver: Any, keep_alive: str, send_buffer: str) -> None:
    """Serve until SIGTERM.

    Args:
        driver: `uvloop` is the asyncio driver on it, `asyncio` the same without it.
        keep_alive: seconds.
        send_buffer: bytes that the system takes for a client that does not read; 0 for what it likes.
    """
    logging.disable(logging.CRITICAL)
    sock = socket.create_server(("127.0.0.1", 0), backlog=2048)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if int(send_buffer):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, int(send_buffer))  # its connections inherit it
    config = ServerConfig(
        sockets=(sock,),
        driver="asyncio" if driver == "uvloop" else driver,
        uvloop=driver == "uvloop",
        timeouts=Timeouts(keep_alive=float(keep_alive)),
        grace=1.0,
    )
    Server(site.handle, config, lifespan=Announcing()).run()


if __name__ == "__main__":
    main(*sys.argv[1:])
