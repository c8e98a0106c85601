"""Where an exchange can be watched: an access log, metrics, an inspector.

The rule: an observer only looks. It is called in the loop, so it must be quick; what it raises is logged,
once for each of its methods, and changes nothing. Where there is none, nothing is called.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from ..errors import ClientDisconnected, EngineError, WriteBufferFull
from .inbound import Inbound

if TYPE_CHECKING:
    from .contract import Exchange

logger: Final = logging.getLogger("streamcompat.engine")


class Direction(enum.Enum):
    """Which way bytes go: IN from the client, OUT to it."""

    IN = enum.auto()
    OUT = enum.auto()


class End(enum.Enum):
    """How an exchange ended."""

    WHOLE = enum.auto()
    """Its response is complete."""
    CUT = enum.auto()
    """The response was given up, and the client can see that."""
    LEFT = enum.auto()
    """The client left before the response was complete."""


class Observer:
    """Watches the exchanges of a server; each method may be overridden.

    Attributes:
        wants_chunks: whether `chunk` is called. That costs a call for each chunk.
    """

    wants_chunks = False

    def begun(self, exchange: Exchange) -> None:
        """A request's head is complete; `exchange.began` is the time."""

    def sent(self, exchange: Exchange) -> None:
        """The first byte of the response has left; `exchange.first_byte` is the time."""

    def waits(self, exchange: Exchange, direction: Direction, on: bool) -> None:
        """One side waits for the other, or goes on.

        Args:
            direction: IN where the client waits, as the application does not read; OUT where the application
                waits, as the client does not read.
        """

    def chunk(self, exchange: Exchange, direction: Direction, data: bytes) -> None:
        """The application has read or written a piece; only where `wants_chunks`."""

    def rejected(self, peer: tuple[Any, ...] | None, status: int, reason: str) -> None:
        """A request was refused before there was an exchange.

        Args:
            reason: one line; it may quote what the peer sent.
        """

    def ended(self, exchange: Exchange, end: End, now: float) -> None:
        """The application has returned, and the response is on its way.

        Args:
            now: seconds, on the clock of `exchange.began`.
        """


class Guarded(Observer):
    """Passes everything on to an observer, and lets nothing that it raises through."""

    def __init__(self, observer: Observer) -> None:
        self.wants_chunks = observer.wants_chunks
        self._observer = observer
        self._failed: set[str] = set()

    def _tell(self, method: Callable[..., None], *args: object) -> None:
        try:
            method(*args)
        except Exception:
            if method.__name__ not in self._failed:
                self._failed.add(method.__name__)
                logger.exception("%s of an observer failed; more of that is not logged", method.__name__)

    def begun(self, exchange: Exchange) -> None:
        self._tell(self._observer.begun, exchange)

    def sent(self, exchange: Exchange) -> None:
        self._tell(self._observer.sent, exchange)

    def waits(self, exchange: Exchange, direction: Direction, on: bool) -> None:
        self._tell(self._observer.waits, exchange, direction, on)

    def chunk(self, exchange: Exchange, direction: Direction, data: bytes) -> None:
        self._tell(self._observer.chunk, exchange, direction, data)

    def rejected(self, peer: tuple[Any, ...] | None, status: int, reason: str) -> None:
        self._tell(self._observer.rejected, peer, status, reason)

    def ended(self, exchange: Exchange, end: End, now: float) -> None:
        self._tell(self._observer.ended, exchange, end, now)


def end_of(lost: EngineError | None, responded: bool, inbound: Inbound | None) -> End:
    """How an exchange has ended whose application has returned.

    Args:
        lost: why nothing can be sent any more.
        responded: the response is complete.
    """
    if lost is not None:
        return End.CUT if isinstance(lost, WriteBufferFull) else End.LEFT
    if responded:
        return End.WHOLE
    gone = inbound is not None and isinstance(inbound.error, ClientDisconnected)
    return End.LEFT if gone else End.CUT
