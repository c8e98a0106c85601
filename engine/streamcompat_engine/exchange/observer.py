"""The interface for watching exchanges: for an access log, metrics or an inspector.

The rule: an observer only watches. It is called in the event loop, but for `stands_still`, so it must be
quick. Its exceptions are logged, once for each method, and change nothing. Without an observer nothing is
called.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
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


@dataclass(frozen=True, slots=True)
class Levels:
    """What a server holds at one moment.

    Attributes:
        connections: those that are open, and those that have ended before their application.
        exchanges: those whose application is running.
        websockets: those of them that are WebSockets.
        buffered_in: bytes of request bodies that no application has read yet.
        buffered_out: bytes of responses that no client has taken yet, as far as this process holds them.
        lag: seconds by which the event loop was late, at worst since the levels before.
    """

    connections: int
    exchanges: int
    websockets: int
    buffered_in: int
    buffered_out: int
    lag: float


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
        """The application has read or written a piece, of a WebSocket a message; called only if
        `wants_chunks`."""

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

    def progress(self, exchange: Exchange) -> None:
        """An exchange is running; called about once a second for each, in any order."""

    def holds(self, levels: Levels) -> None:
        """What the server holds; called about once a second, after `progress`."""

    def stands_still(self, exchange: Exchange | None, place: str) -> None:
        """The event loop has stood still for a second and still does. Only this is called in another thread.

        Args:
            exchange: the exchange whose own code runs; `None` if it is another task, or unknown.
            place: the line of Python that runs, as `FILE:LINE in FUNCTION`.
        """

    def stood_still(self, exchange: Exchange | None, seconds: float) -> None:
        """The event loop goes on; called in it once for each call of `stands_still`, `exchange` as there."""


class Guarded(Observer):
    """Passes every call on to each of several observers, and logs their exceptions.

    Attributes:
        tells_begun, tells_sent, tells_waits, tells_progress, tells_levels: whether an observer has such a
            method of its own; a call that does nothing would still cost each request.
        tells_standstills: whether one has one for them.
    """

    def __init__(self, *observers: Observer) -> None:
        base = Observer
        kinds = [type(one) for one in observers]
        self.wants_chunks: bool = any(one.wants_chunks for one in observers)
        self.tells_begun: bool = any(kind.begun is not base.begun for kind in kinds)
        self.tells_sent: bool = any(kind.sent is not base.sent for kind in kinds)
        self.tells_waits: bool = any(kind.waits is not base.waits for kind in kinds)
        self.tells_progress: bool = any(kind.progress is not base.progress for kind in kinds)
        self.tells_levels: bool = self.tells_progress or any(kind.holds is not base.holds for kind in kinds)
        self.tells_standstills: bool = any(
            kind.stands_still is not base.stands_still or kind.stood_still is not base.stood_still
            for kind in kinds
        )
        self._observers = observers
        self._ended = [one.ended for one in observers]
        self._failed: set[str] = set()

    def _tell(self, methods: Iterable[Callable[..., None]], *args: object) -> None:
        for method in methods:
            try:
                method(*args)
            except Exception:
                self._log(method)

    def _log(self, method: Callable[..., None]) -> None:
        name = method.__qualname__
        if name not in self._failed:
            self._failed.add(name)
            logger.exception("observer method %s failed; later failures are not logged", name)

    def begun(self, exchange: Exchange) -> None:
        self._tell([one.begun for one in self._observers], exchange)

    def sent(self, exchange: Exchange) -> None:
        self._tell([one.sent for one in self._observers], exchange)

    def waits(self, exchange: Exchange, direction: Direction, on: bool) -> None:
        self._tell([one.waits for one in self._observers], exchange, direction, on)

    def chunk(self, exchange: Exchange, direction: Direction, data: bytes) -> None:
        self._tell([one.chunk for one in self._observers if one.wants_chunks], exchange, direction, data)

    def rejected(self, peer: tuple[Any, ...] | None, status: int, reason: str) -> None:
        self._tell([one.rejected for one in self._observers], peer, status, reason)

    def ended(self, exchange: Exchange, end: End, now: float) -> None:
        for method in self._ended:  # as `_tell`, one call less in every request
            try:
                method(exchange, end, now)
            except Exception:
                self._log(method)

    def progress(self, exchange: Exchange) -> None:
        self._tell([one.progress for one in self._observers], exchange)

    def holds(self, levels: Levels) -> None:
        self._tell([one.holds for one in self._observers], levels)

    def stands_still(self, exchange: Exchange | None, place: str) -> None:
        self._tell([one.stands_still for one in self._observers], exchange, place)

    def stood_still(self, exchange: Exchange | None, seconds: float) -> None:
        self._tell([one.stood_still for one in self._observers], exchange, seconds)


def end_of(lost: EngineError | None, responded: bool, inbound: Inbound | None, at_eof: bool = False) -> End:
    """How an exchange has ended whose application has returned.

    Args:
        lost: why nothing can be sent any more.
        responded: the response is complete.
        at_eof: the client has closed its sending side. As a rule it has left, and the application has heard
            that, and given its response up.
    """
    if lost is not None:
        return End.CUT if isinstance(lost, WriteBufferFull) else End.LEFT
    if responded:
        return End.WHOLE
    gone = inbound is not None and isinstance(inbound.error, ClientDisconnected)
    return End.LEFT if gone or at_eof else End.CUT
