"""One request and its response, as an application sees them.

The rule: an exchange is the only place where an application waits for its peer, in either direction, and
every wait ends: with data, with room, or with the error that says why neither will come.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..errors import BodyTooLarge, ResponseStateError, WriteBufferFull
from ..events import Fields, RequestHead
from ..http1.pipes import Outbound
from ..websocket.protocol import WebSocket
from .contract import OnDisconnect
from .response import not_started
from .suspension import READY, drive, wait

if TYPE_CHECKING:
    from ..drivers.service import Event
    from ..drivers.session import Session
    from ..limits import WebSocketSettings
    from ..websocket.handshake import Accepted

T = TypeVar("T")

_RUN: Final = 8
"""Flushes that a handler may cause without ever waiting before it must yield to the loop."""
_PIECES: Final = 4096
"""Byte strings in the queue that are flushed however small they are; a chunk takes two."""
_CHUNK_COST: Final = 128
"""What a dropped chunk counts for beside its bytes: about what it takes in memory."""


class HTTPExchange:
    """One request and its response on a connection of the engine's.

    What is not said here is said by `contract.Exchange`.
    """

    __slots__ = (
        "_dropped",
        "_flushes",
        "_inbound",
        "_on_disconnect",
        "_outbound",
        "_readers",
        "_on_stop",
        "_responded",
        "_session",
        "context",
        "head",
        "status",
        "write",
    )

    def __init__(self, session: Session, head: RequestHead) -> None:
        self.head = head
        self._on_disconnect: OnDisconnect = "raise"
        self.status: int | None = None
        self.context: Any = None
        self.write: Callable[[bytes], Awaitable[None]] = not_started
        self._session = session
        self._inbound = session.connection.inbound
        self._outbound: Outbound | None = None
        self._flushes = 0
        self._dropped = 0  # bytes of writes since the peer is slow that nobody awaits, so far
        self._readers: list[Event] = []
        self._responded = 0
        self._on_stop: Callable[[], None] | None = None

    # ---- the connection ----

    @property
    def on_disconnect(self) -> OnDisconnect:
        return self._on_disconnect

    @on_disconnect.setter
    def on_disconnect(self, value: OnDisconnect) -> None:
        self._on_disconnect = value
        if self.disconnected and not self._over:
            self._session.disconnect_late()

    @property
    def peer(self) -> tuple[Any, ...] | None:
        """The client's (host, port, ...), or `None` on a Unix socket."""
        return self._session.peer

    @property
    def sockname(self) -> Any:
        """The server's own address of this connection."""
        return self._session.sockname

    @property
    def scheme(self) -> str:
        """`"http"`, or `"https"` over TLS."""
        return self._session.scheme

    @property
    def transport(self) -> Any:
        """The driver's own transport or stream."""
        return self._session.transport

    @property
    def reading_paused(self) -> bool:
        """Whether the peer has to wait, since too much of what it sent waits here."""
        return self._session.reading_paused

    @property
    def disconnected(self) -> bool:
        """Whether the client is known to be gone."""
        return self._session.connection.at_eof

    # ---- the request's body ----

    @property
    def body_complete(self) -> bool:
        """Whether the whole body has been received and read."""
        inbound = self._inbound
        return inbound is None or (inbound.ended and not inbound.size)

    @property
    def body_limit(self) -> int | None:
        """The most bytes that the body may have; reading a longer one raises BodyTooLarge."""
        return None if self._inbound is None else self._inbound.limit

    @body_limit.setter
    def body_limit(self, limit: int | None) -> None:
        if self._inbound is not None:
            self._inbound.limit = limit
            if limit is not None and (self.head.content_length or 0) > limit:
                self._inbound.fail(BodyTooLarge(limit))

    def pace(self, idle: float | None = None, rate: int | None = None) -> None:
        """Give this request's body times of its own.

        Args:
            idle: seconds between two arrivals, in place of `Timeouts.body_idle`; `math.inf` for no limit.
            rate: the least bytes a second, after `Timeouts.body_grace`, while the client may send; 0 for
                none, in place of `Timeouts.body_rate` where the engine gathers the body.
        """
        if self._inbound is not None and not self._over:
            self._session.connection.deadlines.pace(idle, rate)
            self._session.consider_reading()

    @property
    def trailers(self) -> Fields:
        """The request's trailer fields, after the end of its body."""
        return () if self._inbound is None else self._inbound.trailers

    async def receive(self) -> bytes | None:
        """The next piece of the body, never empty; `None` at its end, every time.

        The first call answers `Expect: 100-continue`.

        Raises: ClientDisconnected: the body is cut; BodyTooLarge; RequestTimeout; ProtocolError: its
            framing is broken.
        """
        inbound = self._inbound
        if inbound is None:
            return None
        piece = inbound.take()
        if piece is None:
            piece = await self._wait_for_piece()
        if inbound.size <= inbound.low and self._session.reading_paused:
            self._session.consider_reading()
        return piece

    async def _wait_for_piece(self) -> bytes | None:
        inbound, session = self._inbound, self._session
        assert inbound is not None
        if not inbound.received and inbound.error is None and not self._over:
            session.connection.send_continue()
            session.flush()
        while (piece := inbound.take()) is None:
            if inbound.ended:
                return None
            if inbound.error is not None:
                raise inbound.error
            event = session.event()
            self._readers.append(event)
            inbound.wake = self._wake_readers
            try:
                await event.wait()
            finally:
                self._readers.remove(event)
                if not self._readers:
                    inbound.wake = None
        return piece

    def _wake_readers(self) -> None:
        for event in self._readers:
            event.set()

    async def read_body(self, limit: int | None = None) -> bytes:
        """The whole body.

        Args:
            limit: in bytes.
        Raises: as `receive`.
        """
        if self._inbound is None:
            return b""
        if limit is not None:
            self.body_limit = limit
        if not self._inbound.ended and not self._over:
            self._session.connection.deadlines.gather(self._session.now())
            self._session.consider_reading()
        pieces: list[bytes] = []
        while (piece := await self.receive()) is not None:
            pieces.append(piece)
        if not self._over:
            self._session.connection.deadlines.answer_begins(self._session.now(), self._inbound.taken)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    # ---- the response ----

    @property
    def committed(self) -> bool:
        """Whether the response's head is on its way, so that no other can take its place."""
        return self.finished or (self._outbound is not None and self._outbound.committed)

    @property
    def finished(self) -> bool:
        """Whether the response is complete."""
        return self._over or self._session.connection.writer.responded

    @property
    def _over(self) -> bool:
        """Whether the application has returned: the connection may serve another exchange by now."""
        return self._session.exchange is not self

    def _own_session(self) -> Session:
        """The session, while it serves this exchange; a task that outlives its handler has none."""
        if self._over:
            raise ResponseStateError("the exchange is over")
        return self._session

    @property
    def bytes_sent(self) -> int:
        """Body bytes of the response written so far."""
        return self._responded if self._outbound is None else self._outbound.sent

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, reason: bytes | None = None
    ) -> None:
        """Send a whole response. Content-Length is added where `headers` do not have it.

        Raises: InvalidHeader; BodyLengthError; ResponseStateError.
        """
        session = self._own_session()
        session.connection.respond(status, headers, reason, body)
        self.status = status
        self._outbound, self._responded = None, len(body)
        session.flush()

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None = None) -> None:
        """Begin a streamed response.

        Its head leaves with the first chunk, with `commit` or with `finish`; until then `start` or
        `respond` may be called instead of it. The body is counted where `headers` declare a
        Content-Length, else chunked, or ended by closing for a client of HTTP/1.0.

        Raises: InvalidHeader; ResponseStateError.
        """
        session = self._own_session()
        self._outbound = session.connection.start(status, headers, reason, self._queued)
        if self.on_disconnect == "ignore":
            self._outbound.ignore()
        self.status = status
        self.write = self._outbound.write

    def commit(self) -> None:
        """Send the response's head now."""
        self.write(b"")

    def finish(self, trailers: Fields = ()) -> None:
        """End the streamed response.

        Raises: BodyLengthError: fewer bytes than declared; InvalidHeader; ResponseStateError;
            ClientDisconnected.
        """
        session = self._own_session()
        session.connection.writer.finish(trailers)
        session.flush()

    def abort(self) -> None:
        """Give the response up: what was written still leaves, then the connection closes without an end
        of the body, so that the client sees that it is cut."""
        if not self._over:
            self._session.connection.cut(self._session.now())
            self._session.advance()

    # ---- another protocol ----

    def switch(self, accepted: Accepted, settings: WebSocketSettings) -> WebSocket:
        """Answer 101 and hand the connection over."""
        session = self._own_session()
        connection = session.connection
        websocket = WebSocket(accepted, settings)
        websocket.wake = self._wake_readers
        websocket.later = session.go_on_later
        connection.switch(websocket, accepted.fields, self._queued, session.now())
        assert connection.writer.outbound is not None
        self._outbound = connection.writer.outbound
        self.write = self._outbound.write
        self.status = 101
        session.advance()
        return websocket

    def when_stopping(self, tell: Callable[[], None]) -> None:
        self._on_stop = tell
        if self._session.service.stopping:
            self.server_stops()

    def server_stops(self) -> None:
        """The server stops: tell whoever has taken the connection over."""
        tell, self._on_stop = self._on_stop, None
        if tell is not None:
            tell()

    async def changed(self) -> None:
        """Wait until something has happened to the WebSocket."""
        event = self._session.event()
        self._readers.append(event)
        try:
            await event.wait()
        finally:
            self._readers.remove(event)

    def proceed(self) -> None:
        """Go on with a WebSocket whose messages were taken, or which was told to close."""
        if not self._over:
            session = self._session
            session.connection.resume_websocket(session.now())
            session.advance()

    def cancel(self) -> None:
        """Cancel the application."""
        if not self._over:
            self._session.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        """Within the application: whether this error cancels it, and is not of its own making."""
        return self._session.is_cancelled(error)

    def over(self) -> None:
        """The application has returned: let go of what refers back here, so that nothing of a request waits
        for the garbage collector."""
        self.context = None
        if self._outbound is not None:
            self._outbound.release()

    # ---- waiting ----

    @property
    def blocked(self) -> bool:
        """Whether `drain` would wait or raise now."""
        outbound = self._outbound
        return self._session.blocked or (outbound is not None and outbound.error is not None)

    async def drain(self) -> None:
        """Wait until the peer has taken enough of what was written.

        Raises: ClientDisconnected.
        """
        session = self._session
        while session.blocked:
            self._flushes = 0
            await session.writable()
        if self._outbound is not None and self._outbound.error is not None:
            raise self._outbound.error

    def _queued(self, added: int) -> Awaitable[None]:
        session, limits = self._session, self._session.limits
        session.queued += added
        if session.blocked:
            cost = added + _CHUNK_COST
            self._dropped += cost
            if self._dropped > limits.outbound_hard:
                error = WriteBufferFull(
                    f"{limits.outbound_hard} bytes wait for a slow client and the writes are not awaited"
                )
                session.connection.connection_lost(error)
                session.connection.abort()
                session.advance()
                raise error
            return wait(functools.partial(self._awaited, cost))
        self._dropped = 0
        if session.queued >= limits.flush_size or len(session.connection.writer.queue) >= _PIECES:
            blocked = session.flush()
            self._flushes += 1
            if blocked:
                return wait(self.drain)
            if self._flushes >= _RUN:
                self._flushes = 0
                return wait(session.checkpoint)
        else:
            session.schedule_flush()
            if added and self._outbound is not None:
                self._outbound.grant(limits.flush_size - session.queued)
        return READY

    async def _awaited(self, cost: int) -> None:
        """A write that was queued while the peer was slow, and was not dropped after all."""
        self._dropped = max(self._dropped - cost, 0)
        await self.drain()

    async def run(self, function: Coroutine[Any, Any, T]) -> T:
        """Run a streaming function so that its dropped writes can wait for the peer.

        Without greenlet it is simply awaited.
        """
        return await drive(function, self._session.service.stacks)
