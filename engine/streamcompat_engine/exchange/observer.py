"""The interface for watching exchanges: for an access log, metrics or an inspector.

The rule: an observer only watches. It is called in the event loop, but for `stands_still`, so it must be
quick. Its exceptions are logged, once for each method, and change nothing. Without an observer nothing is
called.
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
    """The response was cut, and the client can see that."""
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
        """One side has begun to wait for the other (`on`), or has stopped waiting.

        Args:
            direction: IN: the client waits, because the application does not read; OUT: the application
                waits, because the client does not read.
        """

    def chunk(self, exchange: Exchange, direction: Direction, data: bytes) -> None:
        """The application has read or written a piece; called only if `wants_chunks`."""

    def rejected(self, peer: tuple[Any, ...] | None, status: int, reason: str) -> None:
        """A request was rejected before it had an exchange.

        Args:
            reason: one line; it may quote what the peer sent.
        """

    def ended(self, exchange: Exchange, end: End, now: float) -> None:
        """The application has returned, and the response is on its way.

        Args:
            now: seconds on the clock of `exchange.began`.
        """

    def stands_still(self, exchange: Exchange | None, place: str) -> None:
        """The event loop has stood still for a second and still does. Only this is called in another thread.

        Args:
            exchange: the exchange whose own code runs; `None` if it is another task, or unknown.
            place: the line of Python that runs, as `FILE:LINE in FUNCTION`.
        """

    def stood_still(self, exchange: Exchange | None, seconds: float) -> None:
        """The event loop goes on; called in it once for each call of `stands_still`, `exchange` as there."""


class Guarded(Observer):
    """Passes every call on to an observer, and logs its exceptions.

    Attributes:
        tells_begun, tells_sent, tells_waits: whether the observer has such a method of its own; a call that
            does nothing would still cost each request.
        tells_standstills: whether it has one for them.
    """

    def __init__(self, observer: Observer) -> None:
        self.wants_chunks: bool = observer.wants_chunks
        kind = type(observer)
        self.tells_begun: bool = kind.begun is not Observer.begun
        self.tells_sent: bool = kind.sent is not Observer.sent
        self.tells_waits: bool = kind.waits is not Observer.waits
        self.tells_standstills: bool = (
            kind.stands_still is not Observer.stands_still or kind.stood_still is not Observer.stood_still
        )
        self._observer = observer
        self._failed: set[str] = set()

    def _tell(self, method: Callable[..., None], *args: object) -> None:
        try:
            method(*args)
        except Exception:
            self._log(method.__name__)

    def _log(self, name: str) -> None:
        if name not in self._failed:
            self._failed.add(name)
            logger.exception("observer method %s failed; later failures are not logged", name)

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
        try:  # as `_tell`, one call less in every request
            self._observer.ended(exchange, end, now)
        except Exception:
            self._log("ended")

    def stands_still(self, exchange: Exchange | None, place: str) -> None:
        self._tell(self._observer.stands_still, exchange, place)

    def stood_still(self, exchange: Exchange | None, seconds: float) -> None:
        self._tell(self._observer.stood_still, exchange, seconds)


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
