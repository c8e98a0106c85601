"""What is fuzzed: the head, the chunked body, a whole connection with all that can happen to it, and the
frames of a WebSocket, compressed and not.

The invariant: a peer's bytes give typed protocol errors and nothing else, an application's calls give the
engine's errors and nothing else; what is held is bounded; a verdict does not depend on the cut.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Iterator
from typing import Final

from streamcompat_engine import (
    EngineError,
    ProtocolError,
    RequestHead,
    Timeouts,
    WebSocket,
    WebSocketSettings,
    accept,
)
from streamcompat_engine.events import Fields, RequestReceived, ResponseOverdue
from streamcompat_engine.http1.body import ChunkedBody
from streamcompat_engine.http1.connection import Connection
from streamcompat_engine.http1.gate import HeadGate
from streamcompat_engine.http1.heads import parse_head, primed
from streamcompat_engine.http1.outbound import Outbound
from streamcompat_engine.websocket.handshake import Handshake
from tests.support.frames import Frame, closing, frames
from tests.support.wire import SMALL, connect, held, most_held, no_wait, request, take_all

_POST: Final = parse_head(request(b"POST / HTTP/1.1", b"Transfer-Encoding: chunked"))
_READ: Final = 256
_TIMES: Final = (0.0, 0.5, 2.0, 5.0, 10.0, 30.0, 60.0, 1e6)
_FIELDS: Final = (
    (b"A", b"b"),
    (b"Content-Length", b"5"),
    (b"Connection", b"close, x"),
    (b"Date", b"x"),
    (b"A", b"b\r\nc"),
    (b"Set-Cookie", b"a=b"),
)


def _pieces(data: bytes) -> tuple[bytes, list[bytes]]:
    """The first byte says how the rest is cut: into equal pieces, or in two."""
    if not data:
        return b"", []
    how, rest = data[0], data[1:]
    step = how & 0x3F or 1
    if how & 0x80:
        return rest, [piece for piece in (rest[:step], rest[step:]) if piece]
    return rest, [rest[start : start + step] for start in range(0, len(rest), step)]


def _gate(pieces: list[bytes]) -> tuple[int | None, list[RequestHead], bytes]:
    """The status of a refusal, the heads, and what is left."""
    heads: list[RequestHead] = []
    gate = HeadGate(SMALL)
    rest = b""
    try:
        for piece in pieces:
            rest = piece
            while rest and (gathered := gate.feed(rest)) is not None:
                wire, rest = gathered
                heads.append(parse_head(wire))
                assert heads[-1].wire == wire
            rest = b""
    except ProtocolError as error:
        return error.status, heads, b""
    return None, heads, rest


def head(data: bytes) -> None:
    """The gate and the parser of heads, one head behind the other."""
    whole, pieces = _pieces(data)
    told = _gate(pieces)
    assert told[0] in (None, 400, 413, 414, 417, 431, 501, 505)
    assert told == _gate([whole] if whole else [])


def _body(pieces: list[bytes]) -> tuple[int | None, bytes, Fields, bytes | None]:
    body = ChunkedBody(SMALL, functools.partial(primed, _POST))
    cut: list[bytes] = []
    rest: bytes | None = None
    status = None
    try:
        for piece in pieces:
            if rest is None:
                rest = body.feed(piece, cut)
            else:
                rest += piece
    except ProtocolError as error:
        status = error.status
    assert all(cut)
    return status, b"".join(cut), body.trailers, rest


def chunked(data: bytes) -> None:
    """A body in chunked coding."""
    whole, pieces = _pieces(data)
    told = _body(pieces)
    assert told[0] in (None, 400, 431)
    assert told == _body([whole] if whole else [])


class _Application:
    """Calls everything that an application, a driver or a clock may call, as the bytes say."""

    def __init__(self) -> None:
        self.connection: Connection = connect(SMALL, Timeouts(request=20.0, response=8.0))
        self.now = 0.0
        self.head: RequestHead | None = None
        self.writer: Outbound | None = None
        self.paused = 0
        self.calls: list[Callable[[int], object]] = [
            self.respond,
            self.start,
            self.write,
            self.grant,
            self.finish,
            self.done,
            self.read,
            self.limit,
            self.take,
            self.time,
            self.eof,
            self.slow,
            self.stop,
            self.cut,
            self.lose,
            self.abort,
        ]

    def receive(self, data: bytes) -> None:
        connection = self.connection
        if connection.at_eof:
            return
        self.paused = 0 if connection.want_read else self.paused + 1
        if self.paused <= 1:  # a driver stops reading after one read at the most
            connection.receive_data(data, self.now)

    def respond(self, how: int) -> None:
        status = (200, 204, 304, 404, 500, 99, 1000, 206)[how & 7]
        self.connection.respond(status, _FIELDS[how >> 5 : (how >> 5) + (how >> 3 & 3)], None, b"hello")

    def start(self, how: int) -> None:
        fields = _FIELDS[how >> 5 : (how >> 5) + (how >> 3 & 3)]
        self.writer = self.connection.start((200, 204, 304, 500)[how & 3], fields, None, no_wait)

    def write(self, how: int) -> None:
        if self.writer is not None:
            self.writer.write(b"w" * (how * 40 if how & 1 else how >> 4))

    def grant(self, how: int) -> None:
        if self.writer is not None:
            self.writer.grant(how << 4)

    def finish(self, how: int) -> None:
        self.connection.writer.finish(_FIELDS[: how & 3] if how & 4 else ())

    def done(self, how: int) -> None:
        if self.head is not None:
            self.head = None
            self.connection.exchange_done(self.now)

    def read(self, how: int) -> None:
        self.connection.send_continue()
        if self.connection.inbound is not None:
            assert all(take_all(self.connection.inbound))

    def limit(self, how: int) -> None:
        if self.head is not None and self.connection.inbound is not None:
            self.connection.inbound.limit = how
            deadlines = self.connection.deadlines
            if how & 1:
                deadlines.gather(self.now)
            if how & 2:
                deadlines.pace((None, 0.5, 30.0, math.inf)[how >> 2 & 3], (None, 0, 10, 500)[how >> 4 & 3])
            if how & 0x40:
                deadlines.answer_begins(self.now, self.connection.inbound.taken)

    def take(self, how: int) -> None:
        self.connection.writer.data_to_send()

    def time(self, how: int) -> None:
        self.now += _TIMES[how & 7]
        self.connection.handle_deadline(self.now)
        due = self.connection.next_deadline()
        assert due is None or due > self.now, "a driver would call again at once, for ever"

    def eof(self, how: int) -> None:
        if not self.connection.at_eof:
            self.connection.receive_eof(self.now)

    def slow(self, how: int) -> None:
        if self.connection.lost is None:
            self.connection.deadlines.stalled(self.now, bool(how & 1))

    def stop(self, how: int) -> None:
        self.connection.shutdown(bool(how & 1))

    def cut(self, how: int) -> None:
        if self.head is not None:
            self.connection.cut(self.now)

    def lose(self, how: int) -> None:
        self.connection.connection_lost()

    def abort(self, how: int) -> None:
        self.connection.abort()

    def look(self) -> None:
        """What holds after every call."""
        for event in self.connection.events():
            if isinstance(event, RequestReceived):
                assert self.head is None
                self.head = event.head
            elif isinstance(event, ResponseOverdue):
                assert self.head is not None
                assert self.connection.writer.outbound is None
        assert held(self.connection) <= most_held(SMALL, _READ)
        if self.connection.closed:
            assert not self.connection.want_read


def _operations(data: bytes) -> Iterator[tuple[int, bytes]]:
    """A byte below 0xF0 is the length of a read that follows; from there on it is a call with one byte."""
    position = 0
    while position < len(data):
        kind = data[position]
        size = 1 if kind >= 0xF0 else kind
        yield kind, data[position + 1 : position + 1 + size]
        position += 1 + size


def connection(data: bytes) -> None:
    """A connection, its peer, its application, its driver and its clock."""
    application = _Application()
    for kind, argument in _operations(data):
        if kind < 0xF0:
            if argument:
                application.receive(argument)
        else:
            with contextlib.suppress(EngineError):
                application.calls[kind - 0xF0](argument[0] if argument else 0)
        application.look()


_SOCKET: Final = WebSocketSettings(message_size=600, waiting_messages=4, waiting_bytes=800)
_DEFLATE: Final = ((("server_max_window_bits", "9"), ("client_max_window_bits", "9")),)


def _frames(pieces: list[bytes], deflate: bool) -> tuple[list[str | bytes], list[Frame], int | None]:
    """The messages, what is sent, and the code that it ends with.

    Of a frame that is broken in several ways, which of them is found first may depend on the cut.
    """
    shaken = Handshake(b"", (), _DEFLATE if deflate else ())
    accepted = accept(shaken, None, True, _SOCKET.message_size)
    socket, queue = WebSocket(accepted, _SOCKET), []  # type: WebSocket, list[bytes]
    socket.opened(queue, 0.0)
    messages: list[str | bytes] = []
    for piece in pieces:
        socket.receive_data(piece, 0.0)
        while True:
            waiting = list(iter(socket.take, None))
            assert len(waiting) <= 4
            assert all(len(message) <= 600 for message in waiting)
            messages += waiting
            if socket.want_read or socket.closed:
                break
            socket.resumed(0.0)
    assert not socket.closed or socket.next_deadline() is None
    assert socket.failure is None or socket.closed
    sent = frames(b"".join(queue))
    if socket.failure is not None:
        sent[-1] = closing(1002)
    return messages, sent, socket.code


def websocket(data: bytes) -> None:
    """A WebSocket's frames; whether they may be compressed is a bit of the first byte, which also cuts."""
    whole, pieces = _pieces(data)
    deflate = bool(data and data[0] & 0x40)
    assert _frames(pieces, deflate) == _frames([whole] if whole else [], deflate)


TARGETS: Final[dict[str, Callable[[bytes], None]]] = {
    "head": head,
    "chunked": chunked,
    "connection": connection,
    "websocket": websocket,
}
