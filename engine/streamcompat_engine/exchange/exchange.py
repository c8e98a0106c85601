"""One request and its response, as an application sees them.

The rule: an application waits for its peer only here, in either direction, and every wait ends: with data,
with room to write, or with an error. An exchange knows its slot and its flow, and nothing of the connection
behind them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import anyio.lowlevel

from ..errors import BodyTooLarge, EngineError, ResponseStateError
from ..events import Fields, RequestHead
from .contract import OnDisconnect, WebSocketCore
from .flow import Flow, Wakeup
from .inbound import Inbound
from .observer import Direction, Guarded
from .response import Body, not_started
from .suspension import drive
from .watched import WatchedWebSocket

if TYPE_CHECKING:
    from ..limits import WebSocketSettings
    from ..websocket.handshake import Accepted

T = TypeVar("T")

_OVER: Final = "the exchange is over"


class Slot(Protocol):
    """The place of one exchange: what its connection, or its server, does for it, and for nobody else.

    Attributes:
        head, inbound: the request; `inbound` is `None` if it has no body.
        flow: the back-pressure of the writing side.
        over: the application has returned; the connection may already serve another exchange.
        began: when the head was complete, in seconds on the driver's clock.
        observer: the observer of the server's exchanges, or `None`.
    """

    head: RequestHead
    inbound: Inbound | None
    flow: Flow
    over: bool
    began: float
    observer: Guarded | None

    @property
    def peer(self) -> tuple[Any, ...] | None: ...
    @property
    def sockname(self) -> Any: ...
    @property
    def scheme(self) -> str: ...
    @property
    def transport(self) -> Any: ...
    @property
    def disconnected(self) -> bool: ...
    @property
    def responded(self) -> bool: ...
    @property
    def reading_paused(self) -> bool: ...
    @property
    def stopping(self) -> bool: ...
    @property
    def stacks(self) -> list[Any]: ...
    @property
    def unsent(self) -> int: ...

    def wakeup(self) -> Wakeup:
        """A new Wakeup."""

    def consider_reading(self) -> None:
        """The fill or the time limits of `inbound` have changed: pause or resume reading."""

    def send_continue(self) -> None:
        """The application reads the body: send a 100 to a client that waits for it."""

    def pace(self, idle: float | None, rate: int | None) -> None:
        """See `contract.RequestSide.pace`."""

    def gather(self) -> None:
        """The engine gathers the body from now on: start the limits for that."""

    def answer_begins(self) -> None:
        """The body is complete: the application's time for its answer begins."""

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None, body: bytes
    ) -> None:
        """Queue a whole response and send it."""

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None) -> Body:
        """Prepare a streamed response."""

    def finish(self, trailers: Fields) -> None:
        """Queue the end of a streamed response and send it."""

    def hint(self, fields: Fields) -> None:
        """See `contract.ResponseSide.hint`."""

    def cut(self) -> None:
        """Cut the response."""

    def switch(
        self, accepted: Accepted, settings: WebSocketSettings, wake: Callable[[], None]
    ) -> tuple[WebSocketCore, Body]:
        """Answer the handshake; the body takes the WebSocket's frames.

        Args:
            wake: called when something has happened to the WebSocket.
        """

    def proceed(self) -> None:
        """Continue after messages of the WebSocket were taken, or after it was told to close."""

    def policy_changed(self) -> None:
        """The application has said what a disconnect does to it; there may have been one already."""

    def cancel(self) -> None:
        """Cancel the application."""

    def is_cancelled(self, error: BaseException) -> bool:
        """See `contract.Peer.is_cancelled`."""


class HTTPExchange:
    """One request and its response, on a connection of the engine's or behind another server.

    `contract.Exchange` documents the members that have no docstring here.
    """

    __slots__ = (
        "_body", "_flow", "_inbound", "_on_disconnect", "_on_stop", "_readers", "_responded", "_slot",
        "_told_the_end", "_watcher", "_websocket",
        "began", "context", "first_byte", "head", "status", "write",
    )  # fmt: skip

    def __init__(self, slot: Slot) -> None:
        self.head: RequestHead = slot.head
        self.status: int | None = None
        self.context: Any = None
        self.write: Callable[[bytes], Awaitable[None]] = not_started
        self._slot = slot
        self._flow = slot.flow
        self._inbound = slot.inbound
        self._body: Body | None = None
        self._on_disconnect: OnDisconnect = "raise"
        self._readers: list[Wakeup] = []
        self._told_the_end = False
        self._responded = 0
        self._on_stop: Callable[[], None] | None = None
        self.began: float = slot.began
        self.first_byte: float | None = None
        watcher = slot.observer
        self._watcher = watcher if watcher is not None and watcher.wants_chunks else None

    # ---- the connection ----

    @property
    def on_disconnect(self) -> OnDisconnect:
        return self._on_disconnect

    @on_disconnect.setter
    def on_disconnect(self, value: OnDisconnect) -> None:
        self._on_disconnect = value
        if not self._slot.over:
            self._slot.policy_changed()

    @property
    def peer(self) -> tuple[Any, ...] | None:
        return self._slot.peer

    @property
    def sockname(self) -> Any:
        return self._slot.sockname

    @property
    def scheme(self) -> str:
        return self._slot.scheme

    @property
    def transport(self) -> Any:
        return self._slot.transport

    @property
    def reading_paused(self) -> bool:
        return self._slot.reading_paused

    @property
    def disconnected(self) -> bool:
        return self._slot.disconnected

    def cancel(self) -> None:
        if not self._slot.over:
            self._slot.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        return self._slot.is_cancelled(error)

    # ---- for observers ----

    @property
    def unread(self) -> int:
        """Bytes of the request's body that wait for the application; see `Limits.inbound_high`."""
        return 0 if self._inbound is None else self._inbound.size

    @property
    def unsent(self) -> int:
        """Bytes that wait for the client; see `Limits.outbound_high`."""
        return self._slot.unsent

    @property
    def failure(self) -> EngineError | None:
        """What reading the request or writing the response has failed with, the reading first; `None` if
        nothing has, and for a WebSocket."""
        if self.status == 101:
            return None
        if self._inbound is not None and self._inbound.error is not None:
            return self._inbound.error
        return None if self._body is None else self._body.error

    @property
    def websocket(self) -> WebSocketCore | None:
        """The WebSocket to which this exchange was switched."""
        return self._websocket if self.status == 101 else None

    # ---- the request's body ----

    @property
    def body_complete(self) -> bool:
        inbound = self._inbound
        return inbound is None or (inbound.ended and not inbound.size)

    @property
    def body_limit(self) -> int | None:
        return None if self._inbound is None else self._inbound.limit

    @body_limit.setter
    def body_limit(self, limit: int | None) -> None:
        if self._inbound is not None:
            self._inbound.limit = limit
            if limit is not None and (self.head.content_length or 0) > limit:
                self._inbound.fail(BodyTooLarge(limit))

    def pace(self, idle: float | None = None, rate: int | None = None) -> None:
        if self._inbound is not None and not self._slot.over:
            self._slot.pace(idle, rate)

    @property
    def bytes_received(self) -> int:
        return 0 if self._inbound is None else self._inbound.received

    @property
    def chunks_received(self) -> int:
        return 0 if self._inbound is None else self._inbound.chunks

    @property
    def trailers(self) -> Fields:
        return () if self._inbound is None else self._inbound.trailers

    async def receive(self) -> bytes | None:
        inbound = self._inbound
        if inbound is None:
            await self._let_others_run()
            return None
        piece = inbound.take()
        if piece is None:
            piece = await self._wait_for_piece(inbound)
        if inbound.size <= inbound.low and self._slot.reading_paused:
            self._slot.consider_reading()
        if self._watcher is not None and piece is not None:
            self._watcher.chunk(self, Direction.IN, piece)
        return piece

    async def _wait_for_piece(self, inbound: Inbound) -> bytes | None:
        slot = self._slot
        if not inbound.received and inbound.error is None and not slot.over:
            slot.send_continue()
        while (piece := inbound.take()) is None:
            if inbound.ended:
                await self._let_others_run()
                return None
            if inbound.error is not None:
                await self._let_others_run()
                raise inbound.error
            if slot.over:
                raise ResponseStateError(_OVER)
            inbound.wake = self.wake
            wakeup = slot.wakeup()
            self._readers.append(wakeup)
            try:  # as `changed`, one coroutine less for each wait
                await wakeup.wait()
            finally:
                self._readers.remove(wakeup)
                if not self._readers:
                    inbound.wake = None
        return piece

    async def _let_others_run(self) -> None:
        """A loop that reads past the end must not hold up the whole server; the first end costs nothing."""
        if self._told_the_end:
            await anyio.lowlevel.checkpoint()
        self._told_the_end = True

    async def read_body(self, limit: int | None = None) -> bytes:
        inbound, slot = self._inbound, self._slot
        if inbound is None:
            return b""
        if limit is not None:
            self.body_limit = limit
        if not inbound.ended and not slot.over:
            slot.gather()
        pieces: list[bytes] = []
        while (piece := await self.receive()) is not None:
            pieces.append(piece)
        if not slot.over:
            slot.answer_begins()
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    # ---- the response ----

    @property
    def committed(self) -> bool:
        return self.finished or (self._body is not None and self._body.committed)

    @property
    def finished(self) -> bool:
        return self._slot.over or self._slot.responded

    def _own_slot(self) -> Slot:
        """The slot, while this exchange has it; a task that outlives its handler has none."""
        if self._slot.over:
            raise ResponseStateError(_OVER)
        return self._slot

    @property
    def bytes_sent(self) -> int:
        return self._responded if self._body is None else self._body.sent

    @property
    def chunks_sent(self) -> int:
        return int(self._responded > 0) if self._body is None else self._body.chunks

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, reason: bytes | None = None
    ) -> None:
        slot = self._slot
        if slot.over:
            raise ResponseStateError(_OVER)
        slot.respond(status, headers, reason, body)
        self.status = status
        self._body, self._responded = None, len(body)

    def hint(self, fields: Fields) -> None:
        self._own_slot().hint(fields)

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None = None) -> None:
        self._body = self._own_slot().start(status, headers, reason)
        if self._on_disconnect == "ignore":
            self._body.ignore()
        self.status = status
        self.write = self._body.write if self._watcher is None else self._watched_write

    def _watched_write(self, data: bytes) -> Awaitable[None]:
        assert self._body is not None
        assert self._watcher is not None
        before = self._body.sent
        waits = self._body.write(data)
        if self._body.sent > before:
            self._watcher.chunk(self, Direction.OUT, bytes(data))
        return waits

    def commit(self) -> None:
        self.write(b"")

    def finish(self, trailers: Fields = ()) -> None:
        self._own_slot().finish(trailers)

    def abort(self) -> None:
        if not self._slot.over:
            self._slot.cut()

    @property
    def blocked(self) -> bool:
        body = self._body
        return self._flow.blocked or (body is not None and body.error is not None)

    async def drain(self) -> None:
        await self._flow.writable()
        if self._body is not None and self._body.error is not None:
            raise self._body.error

    async def run(self, function: Coroutine[Any, Any, T]) -> T:
        return await drive(function, self._slot.stacks)

    # ---- another protocol ----

    def switch(self, accepted: Accepted, settings: WebSocketSettings) -> WebSocketCore:
        before, self.status = self.status, 101
        try:
            websocket, self._body = self._own_slot().switch(accepted, settings, self.wake)
            self._websocket: WebSocketCore = websocket
        except BaseException:
            self.status = before
            raise
        self.write = self._body.write
        return websocket if self._watcher is None else WatchedWebSocket(websocket, self, self._watcher)

    def when_stopping(self, tell: Callable[[], None]) -> None:
        self._on_stop = tell
        if self._slot.stopping:
            self.server_stops()

    def server_stops(self) -> None:
        """The server stops: call the callback of `when_stopping` once."""
        tell, self._on_stop = self._on_stop, None
        if tell is not None:
            tell()

    async def changed(self) -> None:
        wakeup = self._slot.wakeup()
        self._readers.append(wakeup)
        try:
            await wakeup.wait()
        finally:
            self._readers.remove(wakeup)

    def wake(self) -> None:
        for reader in self._readers:
            reader.set()

    def proceed(self) -> None:
        if not self._slot.over:
            self._slot.proceed()

    # ---- the end ----

    def end(self) -> None:
        """The application has returned: break the reference cycles, so that a request does not wait for the
        garbage collector."""
        self._slot.over = True
        self.context = None
        if self._readers:  # of tasks that outlive the application
            self.wake()
        if self._body is not None:
            self._body.release()
