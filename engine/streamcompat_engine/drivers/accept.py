"""Accepting connections, for every driver.

The rule: a server that runs out of descriptors or buffers neither spins nor floods its log: it waits for a
second, says so once, and goes on; the connections wait in the system's queue meanwhile.
"""

from __future__ import annotations

import errno
import logging
import socket
from typing import Final

from .service import Service

BACK_OFF: Final = 1.0
"""Seconds without accepting once the system has nothing left; as in asyncio."""
_EXHAUSTED: Final = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)

logger: Final = logging.getLogger("streamcompat.engine")


class Exhausted(Exception):
    """The system has no descriptor or no buffer for another connection."""


def accept(sock: socket.socket, service: Service, now: float) -> socket.socket | None:
    """The next connection, non-blocking; `None` where none waits, or it has left again.

    Args:
        now: seconds on the driver's clock.
    Raises: Exhausted: try again after `BACK_OFF`; it is logged.
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
