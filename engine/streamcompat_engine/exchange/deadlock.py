"""A response that deadlocks with its own request, sans-IO.

Many clients send a whole request before they read a byte of its response. An application that writes while it
reads then waits for its client, which waits for the application to read on.

The rule: back-pressure gives way only where it would hold forever. The application waits for room to write,
its request's body is stopped because it does not read, and for a moment neither side has moved a byte.
"""

from __future__ import annotations

from typing import Final

from .inbound import Inbound

MOMENT: Final = 1.0
"""Seconds without a byte in either direction, after which the two sides are taken to wait for each other. A
client that only reads slowly takes something within it."""


class Deadlock:
    """Watches one connection or request for a deadlock; the owner calls `holds` about once a `MOMENT`.

    Attributes:
        since: since when both sides have waited and no byte has moved; `None` if one of them does not wait.
    """

    __slots__ = ("_moved", "since")

    def __init__(self) -> None:
        self.since: float | None = None
        self._moved = (0, 0)

    def holds(self, now: float, inbound: Inbound | None, sent: int) -> bool:
        """Whether both sides have waited for each other for a moment.

        Args:
            now: seconds, on any clock that does not go back.
            inbound: the request's body if the application stops it and waits for room to write; else `None`.
            sent: bytes of the response that the peer has taken.
        """
        if inbound is None:
            self.since = None
            return False
        moved = (sent, inbound.taken)
        if self.since is None or moved != self._moved:
            self.since, self._moved = now, moved
        return now >= self.since + MOMENT
