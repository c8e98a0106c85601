"""The HTTP/1.1 protocol of one connection, sans-IO: bytes and times in; bytes, events and deadlines out.

The reading side is a state machine; `states` has its states and steps. The exchange drives the writing side:
`respond` or `start`, writes, `finish` (see `writer`). `exchange_done` says that the application has returned.
The next exchange begins once the reader is in AHEAD, at that time or after DRAIN. `persistence` decides
whether the connection is kept.

The rule: nothing here raises because of a peer's bytes, reads a clock, or waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import ClientDisconnected, EngineError, ProtocolError, RequestTimeout, ResponseStateError
from ..events import (
    ConnectionEvent,
    Fields,
    RequestHead,
    RequestReceived,
    RequestRejected,
    ResponseOverdue,
    WebSocketFailed,
)
from ..exchange.inbound import Inbound
from ..exchange.response import FINISHED
from ..limits import Limits, Timeouts
from .body import ChunkedBody, LengthBody, body_lane
from .deadlines import Awaited, Deadlines, earlier
from .gate import HeadGate
from .heads import parse_head
from .known import fits, known_head, remember
from .outbound import Outbound
from .persistence import Persistence
from .states import AHEAD, BODY, CLOSED, DRAIN, HEAD, LINGER, SWITCHED, TRANSITIONS, Ending, Reader, Step
from .writer import Expect, Standing, Writer, Written

if TYPE_CHECKING:
    from ..websocket.protocol import WebSocket


class Connection:
    """The server's side of one HTTP/1.1 connection.

    Args:
        limits, timeouts: see `limits`.
        now: seconds on the driver's clock, here and in every method that takes it.
        standing: returns the fields of every response that does not have them by itself.

    Attributes:
        reader: the state of the reading side.
        ending: how the connection ends.
        at_eof: the peer will send nothing more.
        lost: the error if nothing can be sent to the peer any more, or `None`.
        head: the head of the request that is being served, or `None`.
        inbound: the body of that request on its way in, or `None` if it has none.
        websocket: the WebSocket that the connection was switched to, or `None`.
        deadlines: the deadlines of the peer and of the application.
        persistence: whether the connection is kept.
        writer: the writing side, with the queue of byte strings for the wire.
    """

    __slots__ = (
        "_ahead", "_body", "_discarded", "_events", "_first", "_gate", "_limits", "_looks_up", "at_eof",
        "deadlines", "ending", "head", "inbound", "lost", "persistence", "reader", "websocket", "writer"
    )  # fmt: skip

    def __init__(self, limits: Limits, timeouts: Timeouts, now: float, standing: Standing) -> None:
        seconds = timeouts.keep_alive
        self.persistence: Persistence = Persistence()
        kept_for = int(seconds) if timeouts.tell_keep_alive and seconds is not None else None
        self.writer: Writer = Writer(standing, kept_for, self.persistence)
        self.deadlines: Deadlines = Deadlines(timeouts, now)
        self.reader: Reader = HEAD
        self.ending: Ending = Ending.NONE
        self.at_eof: bool = False
        self.lost: EngineError | None = None
        self.head: RequestHead | None = None
        self.inbound: Inbound | None = None
        self.websocket: WebSocket | None = None
        self._limits = limits
        self._gate = HeadGate(limits)
        self._looks_up = fits(limits)
        self._events: list[ConnectionEvent] = []
        self._body: LengthBody | ChunkedBody | None = None
        self._ahead: bytes | bytearray = b""
        self._discarded = 0  # bytes read and dropped in DRAIN or LINGER
        self._first = True  # no request has come yet

    def _move(self, step: Step) -> None:
        self.reader = TRANSITIONS[self.reader][step]

    # ---- in ----

    @property
    def want_read(self) -> bool:
        """Whether the driver should read from the peer now."""
        reader = self.reader
        if reader is HEAD:
            return True
        if reader is AHEAD:
            return len(self._ahead) < self._limits.pipelined
        if reader is BODY:
            assert self.inbound is not None
            return not (self.inbound.full or self.inbound.error or self.behind)
        if reader is SWITCHED and self.websocket is not None:
            return self.websocket.want_read
        if reader is LINGER:
            return self.head is None  # a running exchange is answered first
        return reader is DRAIN and not self.behind

    @property
    def behind(self) -> bool:
        """Whether bytes of a body wait to be parsed, by `receive_data`, once others have had their turn."""
        body = self._body
        return body is not None and body.behind != b"" and (self.reader is BODY or self.reader is DRAIN)

    @property
    def idle(self) -> bool:
        """Whether no request is being received or served."""
        return self.reader is HEAD and self.head is None and self._gate.empty

    @property
    def closed(self) -> bool:
        """Whether the driver must close the connection after the queue has left."""
        return self.reader is CLOSED

    def events(self) -> list[ConnectionEvent]:
        """Take the events since the last call."""
        events, self._events = self._events, []
        return events

    def receive_data(self, data: bytes, now: float) -> None:
        """Take bytes from the peer: at least one, or none to go on with those that are `behind`."""
        reader = self.reader
        if reader is BODY or reader is DRAIN:
            self._receive_body(data, now)
        elif reader is HEAD:
            is_new = self._gate.untouched
            if (is_new or self._gate.empty) and not self._first:
                self.deadlines.since = self.deadlines.began = now
            self._receive_head(data, now, is_new)
        elif reader is AHEAD:
            if self._ahead and isinstance(self._ahead, bytes):
                self._ahead = bytearray(self._ahead)
            self._ahead += data
        elif reader is SWITCHED and self.websocket is not None:
            self.websocket.receive_data(data, now)
            self._end_websocket(now)
        elif reader is LINGER:
            self._discarded += len(data)
            self.deadlines.heard = now
            if self._discarded > self._limits.linger_size and self.head is None:
                self._move(Step.ENDS)

    def receive_eof(self, now: float) -> None:
        """The peer has closed its sending side; a running exchange is still answered."""
        while self.behind:
            self._receive_body(b"", now)
        self.at_eof = True
        if self.reader is BODY or self.reader is DRAIN:
            assert self.inbound is not None
            self.persistence.end_after_response()
            self.inbound.fail(ClientDisconnected("the client left in the middle of its body"))
            if self.reader is DRAIN:
                self._close(now)
        elif self.reader is SWITCHED and self.websocket is not None:
            self.websocket.connection_lost()
            self._end_websocket(now)
        elif self.head is None:
            self._move(Step.ENDS)

    def connection_lost(self, error: EngineError | None = None) -> None:
        """The connection is closed in both directions: make reads and writes raise.

        Args:
            error: the error that they raise; by default ClientDisconnected.
        """
        self.at_eof = True
        self._move(Step.ENDS)
        self.deadlines.stalled(0.0, False)
        if self.lost is None:
            self.lost = error or ClientDisconnected()
        if self.inbound is not None:
            self.inbound.fail(self.lost)
        if self.writer.outbound is not None:
            self.writer.outbound.close_chunk()  # counts the queued chunks, so before the queue is cleared
            self.writer.outbound.fail(self.lost)
        if self.websocket is not None:
            self.websocket.connection_lost()
        self.writer.queue.clear()

    def _receive_head(self, data: bytes, now: float, is_new: bool = True) -> None:
        wire, rest, gate = b"", b"", self._gate
        head = known_head(data) if self._looks_up and is_new else None  # nothing of it has come before
        if head is None:
            try:
                gathered = gate.feed(data)
                if gathered is None:
                    return
                wire, rest = gathered
                head = parse_head(wire)
            except ProtocolError as error:
                self._reject(error.status, error.reason, now, wire.startswith(b"HEAD ") or gate.asks_head)
                return
            remember(head)
        self.head = head
        self._first = False
        self.persistence.request_begins(head.keep_alive)
        self.writer.expect = Expect.DUE if head.expect_continue else Expect.NONE
        self.deadlines.since = self.deadlines.headed = now
        self._events.append(RequestReceived(head))
        if head.chunked or head.content_length:
            self._body = body_lane(head, self._limits)
            self.inbound = Inbound(self._limits.inbound_high, self._limits.inbound_low)
            self._move(Step.BODY_FOLLOWS)
            if rest:
                self._receive_body(rest, now)
        else:
            self._move(Step.NO_BODY)
            self._ahead = rest

    def _receive_body(self, data: bytes, now: float) -> None:
        inbound, body = self.inbound, self._body
        assert inbound is not None and body is not None
        self.writer.expect = Expect.NONE  # RFC 9110 §10.1.1: no 100 once the body has begun
        draining = self.reader is DRAIN
        pieces: list[bytes] = []
        error: ProtocolError | None = None
        rest: bytes | None = None
        try:
            rest = body.feed(data, pieces)
        except ProtocolError as broken:
            error = broken
        if draining:  # the time to drain does not restart
            self._discarded += len(data)
            self.deadlines.heard = now
        else:
            self.deadlines.since = now
            if pieces:
                inbound.feed(pieces)
        if error is not None:
            self.persistence.end_after_response()
            inbound.fail(error)
            self._move(Step.BODY_BREAKS)
            if draining:
                self._close(now, drained=True)
        elif rest is not None:
            self._move(Step.BODY_ENDS)
            self._ahead = rest
            inbound.end(body.trailers)
            if draining:
                self._next(now)
        elif draining and self._discarded > self._limits.drain_size:
            self._close(now, drained=True)

    def _reject(self, status: int, reason: str, now: float, is_head: bool) -> None:
        """Answer with an error of the protocol, and close."""
        self.writer.write_error(status, reason, is_head)
        self._events.append(RequestRejected(status, reason))
        self._close(now)

    # ---- the response ----

    def send_continue(self) -> None:
        """The application reads the body: send a 100 to a client that waits for it."""
        if self.writer.expect is Expect.DUE:
            self.writer.expect = Expect.NONE
            self.writer.send_continue(self._can_drain(later=True))

    def start(
        self, status: int, fields: Sequence[tuple[bytes, bytes]], reason: bytes | None, written: Written
    ) -> Outbound:
        """Prepare a streamed response; another may take its place until its head is committed.

        Raises: InvalidHeader; ResponseStateError.
        """
        outbound = self.writer.start(self.head, status, fields, reason, written, self._can_drain(later=True))
        if self.lost is not None:
            outbound.fail(self.lost)
        return outbound

    def respond(
        self, status: int, fields: Sequence[tuple[bytes, bytes]], reason: bytes | None, body: bytes
    ) -> None:
        """Queue a whole response.

        Raises: InvalidHeader; ResponseStateError; BodyLengthError: the declared Content-Length is another.
        """
        self.writer.respond(
            self.head, status, fields, reason, body, self.reader is AHEAD or self._can_drain()
        )
        if self.lost is not None:
            self.writer.queue.clear()

    # ---- another protocol ----

    def switch(self, websocket: WebSocket, fields: Fields, written: Written, now: float) -> Outbound:
        """Answer 101 and leave HTTP; bytes that have arrived after the request belong to the WebSocket.

        Raises: InvalidHeader; ClientDisconnected; ResponseStateError: it was answered, or has an unread body.
        """
        if self.lost is not None:
            raise self.lost
        outbound = self.writer.outbound
        if self.writer.responded or self.reader is not AHEAD or (outbound is not None and outbound.committed):
            raise ResponseStateError("the connection cannot leave HTTP any more")
        outbound = self.writer.switch(fields, written)
        self.websocket = websocket
        self._move(Step.SWITCHES)
        websocket.opened(self.writer.queue, now)
        if self._ahead:
            websocket.receive_data(bytes(self._ahead), now)
            self._ahead = b""
        if self.at_eof:
            websocket.connection_lost()
        self._end_websocket(now)
        return outbound

    def resume_websocket(self, now: float) -> None:
        """The application has taken messages, or closes: parse the bytes that wait."""
        if self.reader is SWITCHED and self.websocket is not None:
            self.websocket.resumed(now)
            self._end_websocket(now)

    def _end_websocket(self, now: float) -> None:
        """End the connection once the WebSocket is closed, even if its handler is still running."""
        websocket, outbound = self.websocket, self.writer.outbound
        assert websocket is not None and outbound is not None
        if not websocket.closed:
            return
        if websocket.failure is not None:
            self._events.append(WebSocketFailed(*websocket.failure))
        outbound.fail(ResponseStateError("the WebSocket is closed"))
        outbound.state = FINISHED
        self.head = None
        self._close(now)

    # ---- ends ----

    def _can_drain(self, later: bool = False) -> bool:
        if self.reader is not BODY or self.writer.expect is Expect.DUE:
            return self.reader is AHEAD
        assert self._body is not None
        remaining = self._body.remaining
        return later or remaining is None or remaining <= self._limits.drain_size

    def exchange_done(self, now: float) -> None:
        """The application has returned: end the exchange, and the connection if it is not kept."""
        self.head = None
        if self.reader is CLOSED:
            return
        if self.writer.response.state is not FINISHED:
            self.cut(now)
        elif not self.persistence.lasts(self.reader is AHEAD or self._can_drain()):
            self._close(now)
        elif self.reader is AHEAD:
            self._next(now)
        else:
            assert self.inbound is not None
            self._move(Step.LEFT)
            self._discarded = self.inbound.size
            self.inbound.clear()
            self.deadlines.since = now

    def _next(self, now: float) -> None:
        """Begin the next request, with the bytes of it that have already arrived."""
        ahead, self._ahead = self._ahead, b""
        self.head = self.inbound = self._body = None
        self.writer.next_request()
        self.deadlines.exchange_over()
        self._move(Step.NEXT)
        self.deadlines.since = now
        if ahead:
            self.deadlines.began = now
            self._receive_head(bytes(ahead), now)
        if self.reader is HEAD and (self.at_eof or self.persistence.closes_idle):
            self._move(Step.ENDS)
        elif self.reader is BODY and self.at_eof:
            self.receive_eof(now)  # the peer closed before this request was parsed

    def _close(self, now: float, drained: bool = False) -> None:
        """End the connection so that the peer gets the queued bytes and not a reset; `drained` in vain."""
        if self.ending is Ending.HALF_CLOSE:  # already, by a WebSocket before its handler returned
            return
        # Unread bytes make a close a reset. A client whose last request this was sends no more.
        quiet = self.persistence.client_closes and self.reader is AHEAD and not self._ahead
        left = self.deadlines.hurried and (self.reader is HEAD or self.reader is SWITCHED)
        if self.at_eof or quiet or left:
            self._move(Step.ENDS)
        else:
            # RFC 9112 §9.6: close the sending side, read on for a while, then close.
            self._move(Step.LAST_ANSWER)
            self.ending = Ending.HALF_CLOSE
            self._ahead, self._discarded = b"", 0
            if not (drained and self.deadlines.hurried):  # a stop counts both times as one
                self.deadlines.since = now

    def cut(self, now: float) -> None:
        """End the connection after the queue has left; the peer sees that the response is incomplete."""
        if self.ending is Ending.HALF_CLOSE or self.reader is CLOSED:
            return
        error = ResponseStateError("the response was cut")
        reset = self.writer.cut(error)
        if self.inbound is not None:
            self.inbound.fail(error)
        if self.websocket is not None:
            self.websocket.connection_lost()
        self.persistence.end_after_response()
        self.head = None
        if reset:
            self.ending = Ending.RESET
            self._move(Step.ENDS)
        else:
            self._close(now)

    def abort(self) -> None:
        """End the connection at once and drop the queue."""
        self.ending = Ending.ABORT
        self.connection_lost()

    def shutdown(self, drain: bool = False) -> None:
        """Accept no further request: close an idle connection now, and a busy one after its answer.

        Args:
            drain: keep an idle connection for one more request, which may be on its way.
        """
        self.persistence.stop(drain)
        if self.idle and not drain:
            self._move(Step.ENDS)

    def hurry(self, now: float) -> None:
        """The server stops: wait only a moment for a peer that owes a head, or its answer to a Close."""
        self.deadlines.hurry(now)
        if (websocket := self.websocket) is not None:
            websocket.hurry(now)

    # ---- time ----

    def next_deadline(self) -> float | None:
        """When `handle_deadline` must be called at the latest, or `None`."""
        deadlines = self.deadlines
        # While a request without a body is served, nothing of the next one is awaited.
        deadline = None if self.reader is AHEAD else self._read_deadline()
        if deadlines.limits_answers and self._owes_answer():
            deadline = earlier(deadline, deadlines.answer(self.inbound))
        return earlier(deadline, deadlines.write()) if deadlines.stalled_since is not None else deadline

    def _read_deadline(self) -> float | None:
        reader, inbound = self.reader, self.inbound
        if reader is HEAD:
            return self.deadlines.head(self._first or not self._gate.empty)
        if reader is SWITCHED and self.websocket is not None:
            return self.websocket.next_deadline()
        if reader is DRAIN or (reader is LINGER and self.head is None):
            return self.deadlines.read(Awaited.END, 0)
        if reader is BODY:
            assert inbound is not None
            if not inbound.full and inbound.error is None:
                return self.deadlines.read(Awaited.BODY, inbound.received)
        return self.deadlines.read(None, 0)

    def _owes_answer(self) -> bool:
        """Whether the application must still begin its answer."""
        begun = self.writer.outbound is not None or self.writer.response.state is FINISHED
        return not (self.head is None or begun or self.lost is not None)

    def handle_deadline(self, now: float) -> None:
        """Act on the deadlines that have passed at `now`; do nothing if they have moved."""
        stalled = self.deadlines.write()
        if stalled is not None and now >= stalled:
            self.abort()
            return
        if self.reader is SWITCHED and self.websocket is not None:
            self.websocket.handle_deadline(now)
            self._end_websocket(now)
            return
        if self._owes_answer() and self.deadlines.is_overdue(now, self.inbound):
            self._events.append(ResponseOverdue())
        deadline = self._read_deadline()
        if deadline is None or now < deadline:
            return
        if self.reader is HEAD:
            if self._gate.empty:
                self._move(Step.ENDS)  # without an answer, because there is no request
            else:
                self._reject(408, "the request's head did not arrive in time", now, self._gate.asks_head)
        elif self.reader is LINGER:
            self._move(Step.ENDS)
        elif self.reader is DRAIN:
            self._close(now, drained=True)
        elif self.writer.expect is not Expect.NONE:
            if self.writer.expect is Expect.SENT:
                self.writer.expect = Expect.NONE
            self.deadlines.excused(now)
        else:
            assert self.inbound is not None
            self.persistence.end_after_response()
            self.inbound.fail(RequestTimeout())
