"""One connection's protocol, sans-IO: bytes and times in; bytes, events and deadlines out.

Theory of operation. The reading side moves through

    HEAD ──► BODY ──► AHEAD ──► HEAD …          every state ──► LINGER ──► CLOSED
                        └─────► SWITCHED

HEAD gathers a request head; BODY feeds the inbound pipe; AHEAD holds what a pipelining client sent too
early; SWITCHED hands what comes to a WebSocket, which ends the connection when it is closed; LINGER reads and
drops after the connection's last answer. The writing side is the exchange's:
`respond` or `start`, writes, `finish` (see `writer`). `exchange_done` says that the application has
returned; when the reader is in AHEAD by then, or gets there by a bounded drain, the next exchange begins.

The rule: nothing here raises on what a peer sends, reads a clock, or waits.
"""

from __future__ import annotations

import enum
import functools
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from ..errors import ClientDisconnected, EngineError, ProtocolError, RequestTimeout, ResponseStateError
from ..events import Event, Fields, RequestReceived, RequestRejected, ResponseOverdue, WebSocketFailed
from ..limits import Limits, Timeouts
from .body import ChunkedBody, LengthBody
from .deadlines import Awaited, Deadlines
from .gate import HeadGate
from .heads import UNTIL_CLOSE, parse_head, primed
from .pipes import Inbound
from .writer import Writer

if TYPE_CHECKING:
    from ..websocket.protocol import WebSocket


class Reader(enum.Enum):
    """Where the reading side is; see the module's theory of operation."""

    HEAD = enum.auto()
    BODY = enum.auto()
    AHEAD = enum.auto()
    SWITCHED = enum.auto()
    LINGER = enum.auto()
    CLOSED = enum.auto()


HEAD, BODY, AHEAD, SWITCHED, LINGER, CLOSED = Reader


class Connection(Writer):
    """The server's side of one HTTP/1.1 connection.

    Args:
        limits, timeouts: see `limits`.
        now: seconds on the driver's clock, here and in every method that takes it.
        date: gives the value of Date for a response head.

    Attributes:
        reader: where the reading side is.
        inbound: the request's body on the way in, or `None` where it has none.
        deadlines: of the waits for the peer.
        half_close: the driver closes its sending side after what is queued.
        aborted: the driver closes the connection at once and drops what is queued.
        reset: the driver closes, after what is queued, with a reset.
        at_eof: nothing more will come from the peer.
        websocket: what the connection was switched to, or `None`.
        head, outbound, queue, responded, lost: see `Writer`.
    """

    __slots__ = (
        "_ahead",
        "_body",
        "_draining",
        "_dropped",
        "_events",
        "_first",
        "_gate",
        "_limits",
        "_peer_closes",
        "_closes_idle",
        "aborted",
        "at_eof",
        "deadlines",
        "half_close",
        "inbound",
        "reader",
        "reset",
        "websocket",
    )

    def __init__(self, limits: Limits, timeouts: Timeouts, now: float, date: Callable[[], bytes]) -> None:
        seconds = timeouts.keep_alive
        super().__init__(date, int(seconds) if timeouts.tell_keep_alive and seconds is not None else None)
        self.deadlines = Deadlines(timeouts, now)
        self._limits = limits
        self._gate = HeadGate(limits)
        self._events: list[Event] = []
        self.reader = HEAD
        self.inbound: Inbound | None = None
        self.half_close = False
        self.aborted = False
        self.reset = False
        self.at_eof = False
        self._body: LengthBody | ChunkedBody | None = None
        self._ahead: bytes | bytearray = b""
        self._peer_closes = False  # it has said that this request is its last
        self._closes_idle = False  # no next request is waited for
        self._draining = False
        self._dropped = 0
        self._first = True  # no request has come yet
        self.websocket: WebSocket | None = None

    # ---- in ----

    @property
    def want_read(self) -> bool:
        """Whether the driver should read from the peer now."""
        reader = self.reader
        if reader is BODY:
            inbound = self.inbound
            assert inbound is not None
            return self._draining or not (inbound.full or inbound.error)
        if reader is AHEAD:
            return len(self._ahead) < self._limits.pipelined
        if reader is SWITCHED and self.websocket is not None:
            return self.websocket.want_read
        if reader is LINGER:
            return self.head is None  # a request in its exchange is answered first
        return reader is HEAD

    @property
    def idle(self) -> bool:
        """Whether no request is being received or served."""
        return self.reader is HEAD and self.head is None and self._gate.empty

    @property
    def closed(self) -> bool:
        """Whether the driver closes the connection after what is queued."""
        return self.reader is CLOSED

    def events(self) -> list[Event]:
        """Take what has happened since the last call."""
        events, self._events = self._events, []
        return events

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes that the peer sent, not empty."""
        reader = self.reader
        if reader is BODY:
            self._receive_body(data, now)
        elif reader is HEAD:
            if self._gate.empty and not self._first:
                self.deadlines.since = self.deadlines.began = now
            self._receive_head(data, now)
        elif reader is AHEAD:
            if self._ahead and isinstance(self._ahead, bytes):
                self._ahead = bytearray(self._ahead)
            self._ahead += data
        elif reader is SWITCHED and self.websocket is not None:
            self.websocket.receive_data(data, now)
            self._end_websocket(now)
        elif reader is LINGER:
            self._dropped += len(data)
            if self._dropped > self._limits.linger_size and self.head is None:
                self.reader = CLOSED

    def receive_eof(self, now: float) -> None:
        """The peer has closed its sending side: what is being answered is still answered."""
        self.at_eof = True
        if self.reader is BODY:
            assert self.inbound is not None
            self._keep_alive = False
            self.inbound.fail(ClientDisconnected("the client left in the middle of its body"))
            if self._draining:
                self._close(now)
        elif self.reader is SWITCHED and self.websocket is not None:
            self.websocket.connection_lost()
            self._end_websocket(now)
        elif self.head is None:
            self.reader = CLOSED

    def connection_lost(self, error: EngineError | None = None) -> None:
        """Nothing can be sent any more either; whoever reads or writes is told.

        Args:
            error: what they get; ClientDisconnected where it is left out.
        """
        self.at_eof = True
        self.reader = CLOSED
        self._draining = False
        self.deadlines.stalled(0.0, False)
        if self.lost is None:
            self.lost = error or ClientDisconnected()
        if self.inbound is not None:
            self.inbound.fail(self.lost)
        if self.outbound is not None:
            self.outbound.close_chunk()  # while the queue still tells what was written
            self.outbound.fail(self.lost)
        if self.websocket is not None:
            self.websocket.connection_lost()
        self.queue.clear()

    def _receive_head(self, data: bytes, now: float) -> None:
        wire = b""
        try:
            gathered = self._gate.feed(data)
            if gathered is None:
                return
            wire, rest = gathered
            head = parse_head(wire)
        except ProtocolError as error:
            self._reject(error.status, error.reason, now, wire.startswith(b"HEAD ") or self._gate.asks_head)
            return
        self.head = head
        self._first = False
        self._keep_alive = head.keep_alive
        self._peer_closes = not head.keep_alive
        self._continue_due = head.expect_continue
        self.deadlines.since = self.deadlines.headed = now
        if head.has_body:
            limits = self._limits
            if head.chunked:
                self._body = ChunkedBody(limits, functools.partial(primed, head))
            else:
                assert head.content_length is not None
                self._body = LengthBody(head.content_length)
            self.inbound = Inbound(limits.inbound_high, limits.inbound_low)
            self.reader = BODY
            self._events.append(RequestReceived(head))
            if rest:
                self._receive_body(rest, now)
        else:
            self.reader = AHEAD
            self._ahead = rest
            self._events.append(RequestReceived(head))

    def _receive_body(self, data: bytes, now: float) -> None:
        inbound, body = self.inbound, self._body
        assert inbound is not None
        assert body is not None
        self._continue_due = self._continued = False  # RFC 9110 §10.1.1: no 100 once the body has begun
        pieces: list[bytes] = []
        error: ProtocolError | None = None
        rest: bytes | None = None
        try:
            rest = body.feed(data, pieces)
        except ProtocolError as broken:
            error = broken
        if self._draining:  # its time does not begin anew
            self._dropped += len(data)
        else:
            self.deadlines.since = now
            if pieces:
                inbound.feed(pieces)
        if error is not None:
            self._keep_alive = False
            inbound.fail(error)
            self.reader = LINGER
            if self._draining:
                self._close(now)
        elif rest is not None:
            self.reader = AHEAD
            self._ahead = rest
            inbound.end(body.trailers)
            if self._draining:
                self._next(now)
        elif self._draining and self._dropped > self._limits.drain_size:
            self._close(now)

    def _reject(self, status: int, reason: str, now: float, is_head: bool) -> None:
        """Answer once with an error of the protocol's own and close."""
        self._write_error(status, reason, is_head)
        self._events.append(RequestRejected(status, reason))
        self._close(now)

    # ---- another protocol ----

    def switch(
        self, websocket: WebSocket, fields: Fields, queued: Callable[[int], Awaitable[None]], now: float
    ) -> None:
        """Answer 101 and leave HTTP; what has come behind the request is the WebSocket's already.

        Raises: InvalidHeader; ResponseStateError: the request was answered, or has a body that is not read;
            ClientDisconnected.
        """
        if self.lost is not None:
            raise self.lost
        if self.responded or self.reader is not AHEAD or (self.outbound and self.outbound.committed):
            raise ResponseStateError("the connection cannot leave HTTP any more")
        self._switch(fields, queued)
        self.websocket = websocket
        self.reader = SWITCHED
        websocket.opened(self.queue, now)
        if self._ahead:
            websocket.receive_data(bytes(self._ahead), now)
            self._ahead = b""
        if self.at_eof:
            websocket.connection_lost()
        self._end_websocket(now)

    def resume_websocket(self, now: float) -> None:
        """The application has taken messages, or closes: go on with what has come."""
        if self.reader is SWITCHED and self.websocket is not None:
            self.websocket.resumed(now)
            self._end_websocket(now)

    def _end_websocket(self, now: float) -> None:
        """End the connection once the WebSocket is closed, whatever its handler still does."""
        websocket, outbound = self.websocket, self.outbound
        assert websocket is not None
        assert outbound is not None
        if not websocket.closed:
            return
        if websocket.failure is not None:
            self._events.append(WebSocketFailed(*websocket.failure))
        outbound.fail(ResponseStateError("the WebSocket is closed"))
        self.responded = True
        self.head = None
        self._close(now)

    # ---- ends ----

    def _can_drain(self, later: bool = False) -> bool:
        if self.reader is AHEAD:
            return True
        if self.reader is not BODY or self._continue_due:
            return False
        assert self._body is not None
        remaining = self._body.remaining
        return later or remaining is None or remaining <= self._limits.drain_size

    def exchange_done(self, now: float) -> None:
        """The application has returned: end the exchange, and the connection where it must end."""
        self.head = None
        if self.aborted or self.reader is CLOSED:
            return
        if not self.responded:
            self.cut(now)
        elif not (self._keep_alive and not self._closes_idle and self._can_drain()):
            self._close(now)
        elif self.reader is AHEAD:
            self._next(now)
        else:
            assert self.inbound is not None
            self._draining = True
            self._dropped = self.inbound.size
            self.inbound.clear()
            self.deadlines.since = now

    def _next(self, now: float) -> None:
        """Begin to wait for the next request, or with what has come of it already."""
        ahead = bytes(self._ahead)
        self.head = self.inbound = self.outbound = self._body = None
        self._ahead = b""
        self.responded = self._draining = self._continue_due = self._continued = False
        self.deadlines.exchange_over()
        self._keep_alive = True
        self.reader = HEAD
        self.deadlines.since = now
        if ahead:
            self.deadlines.began = now
            self._receive_head(ahead, now)
        if self.reader is HEAD and (self.at_eof or self._closes_idle):
            self.reader = CLOSED
        elif self.reader is BODY and self.at_eof:
            self.receive_eof(now)  # its end has been waiting as well

    def _close(self, now: float) -> None:
        """End the connection so that the peer gets what is queued and not a reset."""
        if self.half_close:  # a WebSocket's handler returns later
            return
        # Who said that it sends no more needs no care; any other may have sent something meanwhile.
        quiet = self._peer_closes and self.reader is AHEAD and not self._ahead
        self._draining = False
        if self.at_eof or quiet:
            self.reader = CLOSED
        else:
            # RFC 9112 §9.6: close the sending side, read on for a while, then close.
            self.reader = LINGER
            self.half_close = True
            self._ahead = b""
            self._dropped = 0
            self.deadlines.since = now

    def cut(self, now: float) -> None:
        """End the connection after what is queued, its response visibly unfinished."""
        if self.half_close or self.reader is CLOSED:
            return
        error = ResponseStateError("the response was cut")
        if self.outbound is not None:
            self.outbound.close_chunk()
            self.outbound.fail(error)
            # Without framing only a reset tells the client that more should have come.
            unfinished = self.outbound.committed and not self.outbound.finished
            self.reset = unfinished and self.outbound.head.framing is UNTIL_CLOSE
        if self.inbound is not None:
            self.inbound.fail(error)
        if self.websocket is not None:
            self.websocket.connection_lost()
        self._keep_alive = False
        self.head = None
        if self.reset:
            self.reader = CLOSED
        else:
            self._close(now)

    def abort(self) -> None:
        """End the connection at once and drop what is queued."""
        self.aborted = True
        self.connection_lost()

    def shutdown(self, drain: bool = False) -> None:
        """Accept no further request: an idle connection closes, a busy one after its answer.

        Args:
            drain: instead of being closed, an idle connection may bring one more request, whose answer
                says that it is the last; so no request is lost to a close that it crosses on the way.
        """
        self._stopping = True
        self._closes_idle = self._closes_idle or not drain
        if self.idle and not drain:
            self.reader = CLOSED

    # ---- time ----

    def next_deadline(self) -> float | None:
        """When `handle_deadline` must be called at the latest, or `None`."""
        deadline = self._read_deadline()
        for other in (self.deadlines.write(), self._answer_deadline()):
            if other is not None and (deadline is None or other < deadline):
                deadline = other
        return deadline

    def _read_deadline(self) -> float | None:
        reader, inbound = self.reader, self.inbound
        received = 0
        awaited: Awaited | None = None
        if reader is SWITCHED and self.websocket is not None:
            return self.websocket.next_deadline()
        if reader is HEAD:
            awaited = Awaited.HEAD if self._first or not self._gate.empty else Awaited.REQUEST
        elif self._draining or (reader is LINGER and self.head is None):
            awaited = Awaited.END
        elif reader is BODY:
            assert inbound is not None
            if not inbound.full and inbound.error is None:
                awaited, received = Awaited.BODY, inbound.received
        return self.deadlines.read(awaited, received)

    def _answer_deadline(self) -> float | None:
        if self.head is None or self.responded or self.outbound is not None or self.lost is not None:
            return None
        inbound = self.inbound
        if inbound is None:
            return self.deadlines.answer(False, 0)
        return self.deadlines.answer(not inbound.ended or bool(inbound.size), inbound.taken)

    def handle_deadline(self, now: float) -> None:
        """Do what is due at `now`; nothing where the deadline has moved."""
        stalled = self.deadlines.write()
        if stalled is not None and now >= stalled:
            self.abort()
            return
        if self.reader is SWITCHED and self.websocket is not None:
            self.websocket.handle_deadline(now)
            self._end_websocket(now)
            return
        answer, inbound = self._answer_deadline(), self.inbound
        if answer is not None and now >= answer:
            waits, taken = (False, 0) if inbound is None else (inbound.wake is not None, inbound.taken)
            if self.deadlines.look_at_answer(now, waits, taken):
                self._events.append(ResponseOverdue())
        deadline = self._read_deadline()
        if deadline is None or now < deadline:
            return
        if self.reader is HEAD:
            if self._gate.empty:
                self.reader = CLOSED  # silently, as nobody asked for anything
            else:
                self._reject(408, "the request's head did not arrive in time", now, self._gate.asks_head)
        elif self.reader is LINGER:
            self.reader = CLOSED
        elif self._draining:
            self._close(now)
        elif self._continue_due or self._continued:
            self._continued = False
            self.deadlines.excused(now)
        else:
            assert inbound is not None
            self._keep_alive = False
            inbound.fail(RequestTimeout())
