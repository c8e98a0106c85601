"""Accepting connections, for every driver, and what is said of those that bring no TLS.

The rule: a server that runs out of descriptors or buffers neither spins nor floods its log. It logs one line
and pauses for a second; meanwhile the connections wait in the system's queue.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl as tls
from collections.abc import Iterator
from typing import Final

from .service import Service

BACK_OFF: Final = 1.0
"""Seconds of pause when the system has no descriptors or buffers left; as in asyncio."""
_PLAIN: Final = "a client speaks plain HTTP to the port for TLS: it must use https://"
_NO_TLS: Final = {
    "HTTP_REQUEST": _PLAIN,
    "HTTPS_PROXY_REQUEST": _PLAIN,
    "WRONG_VERSION_NUMBER": "a client speaks no TLS to the port for TLS: if it speaks HTTP, it must use https://",
}
"""What is said where OpenSSL finds no TLS. It knows GET, HEAD, POST, PUT and CONNECT; all that it says of a
DELETE it says of SSH, too."""
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

_QUEUED: Final = 4096
"""The most connections that a server accepts after it was told to stop; twice the usual backlog."""

logger: Final = logging.getLogger("streamcompat.engine")


class Exhausted(Exception):
    """The system has no descriptor or no buffer for another connection."""


def accept(sock: socket.socket, service: Service, now: float) -> socket.socket | None:
    """The next connection, non-blocking; `None` if none waits, or if its client has already left.

    Args:
        now: seconds on the driver's clock.
    Raises: Exhausted: try again after `BACK_OFF`; a line was logged.
    """
    try:
        connection, _ = sock.accept()
    except OSError as error:
        if error.errno not in _EXHAUSTED:
            return None
        if service.exhaustion_budget.spend(now) is not None:
            logger.error("cannot accept connections: %s; trying again in %g s", error.strerror, BACK_OFF)
        raise Exhausted from error
    connection.setblocking(False)
    return connection


def accept_rest(sock: socket.socket, service: Service, now: float) -> Iterator[socket.socket]:
    """The connections that wait in the system's queue when the server stops; closing it would reset them.

    Close the listening socket at the end, before the loop runs again.
    """
    with contextlib.suppress(Exhausted):
        for _ in range(_QUEUED):
            connection = accept(sock, service, now)
            if connection is None:
                return
            yield connection


def log_failed_handshake(service: Service, error: OSError, now: float) -> None:
    """Log a client that speaks no TLS to a port for TLS; other failures are the peers' own affair.

    Args:
        now: seconds on the driver's clock.
    """
    if isinstance(error, tls.SSLError) and error.reason in _NO_TLS:
        service.log(_NO_TLS[error.reason], now, logging.INFO)
