"""Requests as bytes, and a small application that handles them without a loop, a socket or a clock.

Only this module of the tests reads private attributes of the engine: to count the bytes that it holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from streamcompat_engine import EngineError, Fields, Limits, RequestHead, Timeouts
from streamcompat_engine.events import RequestReceived, RequestRejected
from streamcompat_engine.exchange.inbound import Inbound
from streamcompat_engine.exchange.suspension import READY, Ready
from streamcompat_engine.http1.connection import Connection
from streamcompat_engine.http1.outbound import Outbound
from streamcompat_engine.http1.states import Reader

DATE = b"Thu, 01 Jan 1970 00:00:00 GMT"
CHUNKED = b"Transfer-Encoding: chunked"

DEFAULT = Limits()
TIMES = Timeouts()
SMALL = Limits(
    request_line=64,
    head_fields=160,
    field_count=6,
    chunk_extension=16,
    chunk_extensions=40,
    extended_chunks=4,
    trailer_fields=80,
    trailer_count=3,
    inbound_high=512,
    inbound_low=128,
    pipelined=256,
    drain_size=256,
    linger_size=1024,
)
"""Limits that a small request can reach."""


# ---- what a client sends ----


def request(
    line: bytes = b"GET / HTTP/1.1", *fields: bytes, host: bytes | None = b"h", body: bytes = b""
) -> bytes:
    """A request with these lines; `host=None` omits Host."""
    lines = [line, *([] if host is None else [b"Host: " + host]), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def post(body: bytes, *fields: bytes) -> bytes:
    """A request with a body framed by Content-Length."""
    return request(b"POST / HTTP/1.1", b"Content-Length: %d" % len(body), *fields, body=body)


def upload(body: bytes, *fields: bytes) -> bytes:
    """A request with a chunked body; `body` is already framed."""
    return request(b"POST / HTTP/1.1", CHUNKED, *fields, body=body)


def chunks(*pieces: bytes, trailers: bytes = b"", last: bytes = b"0") -> bytes:
    """A body in chunked coding."""
    return (
        b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces)
        + last
        + b"\r\n"
        + trailers
        + b"\r\n"
    )


def cut(data: bytes, *positions: int) -> list[bytes]:
    """The non-empty pieces of the data, cut at these positions."""
    ends = sorted({position for position in positions if 0 < position < len(data)})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True) if start < end]


def bytewise(data: bytes) -> list[bytes]:
    """The data, byte by byte."""
    return [data[index : index + 1] for index in range(len(data))]


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""The interim response for which a client with `Expect: 100-continue` waits."""
EXPECTING = request(b"POST / HTTP/1.1", b"Content-Length: 5", b"Expect: 100-continue")
"""The head of an upload whose client waits for `CONTINUE` before it sends the body."""


# ---- a connection ----


def connect(limits: Limits = DEFAULT, timeouts: Timeouts = TIMES, now: float = 0.0) -> Connection:
    """A new connection."""
    return Connection(limits, timeouts, now, lambda: ((b"Date", DATE),))


def serving(wire: bytes, limits: Limits = SMALL) -> Connection:
    """A connection that has received these bytes and serves their first request."""
    connection = connect(limits)
    connection.receive_data(wire, 0.0)
    (event,) = connection.events()
    assert isinstance(event, RequestReceived)
    assert connection.head is event.head
    return connection


def respond(connection: Connection, body: bytes = b"ok", status: int = 200) -> None:
    connection.respond(status, (), None, body)


def done(connection: Connection, body: bytes = b"ok") -> None:
    """Respond and end the exchange."""
    respond(connection, body)
    connection.exchange_done(0.0)


def no_wait(added: int) -> Ready:
    """The callback after a write, for writers that never wait."""
    return READY


def start(connection: Connection, status: int = 200, *fields: tuple[bytes, bytes]) -> Outbound:
    """Start a streamed response whose writers never wait."""
    return connection.start(status, fields, None, no_wait)


def take_all(inbound: Inbound) -> list[bytes]:
    """Take all waiting pieces."""
    return list(iter(inbound.take, None))


def sent(connection: Connection) -> bytes:
    """All bytes that the connection has to send, joined."""
    return b"".join(connection.writer.data_to_send())


def gathered(connection: Connection) -> bytes:
    """The bytes of an incomplete head, and those of pipelined requests that wait for their turn."""
    gate = connection._gate
    fields = b"" if gate._fields is None else bytes(gate._fields._buffer)
    return bytes(gate._line) + fields + connection._ahead


def held(connection: Connection) -> int:
    """The number of the peer's bytes that the connection holds."""
    body, size = connection._body, len(gathered(connection))
    for name in ("_line", "_last_line"):
        size += len(getattr(body, name, b""))
    trailers = getattr(body, "_trailer_gate", None)
    judge = getattr(body, "_judge", None)
    size += 0 if trailers is None else len(trailers._buffer)
    size += 0 if judge is None else len(judge.trailing_data[0])
    return size + (0 if connection.inbound is None else connection.inbound.size)


def most_held(limits: Limits, read: int) -> int:
    """The most bytes that a connection may hold while the peer's bytes arrive `read` at a time.

    A full buffer of the body may wait, and after it pipelined bytes. Each limit may be exceeded by one read,
    and by one more that was on its way when reading was paused.
    """
    head = limits.request_line + limits.head_fields + 2
    body = limits.inbound_high + limits.chunk_extension + 32 + limits.trailer_fields
    return max(head, body + limits.pipelined) + 4 * read


# ---- an application ----


@dataclass
class Seen:
    """One request, as the application received it."""

    head: RequestHead
    body: bytes = b""
    trailers: Fields = ()
    ended: bool = False
    error: tuple[type[EngineError], str] | None = None


@dataclass
class Peer:
    """Acts as the driver and as an application that responds to each request once its body has ended.

    Attributes:
        seen: the requests.
        rejected: status and reason of a request that the engine rejected.
        sent: all bytes that went on the wire.
    """

    connection: Connection
    seen: list[Seen] = field(default_factory=list)
    rejected: tuple[int, str] | None = None
    sent: bytes = b""

    def receive(self, data: bytes, now: float = 0.0) -> None:
        self.connection.receive_data(data, now)
        self.work(now)

    def eof(self, now: float = 0.0) -> None:
        self.connection.receive_eof(now)
        self.work(now)

    def work(self, now: float = 0.0) -> None:
        """Take the events and serve all complete requests."""
        connection = self.connection
        while True:
            for event in connection.events():
                if isinstance(event, RequestRejected):
                    assert self.rejected is None
                    self.rejected = (event.status, event.reason)
                else:
                    assert isinstance(event, RequestReceived)
                    assert connection.head is event.head
                    self.seen.append(Seen(event.head))
            if connection.head is None or not self._read(self.seen[-1]):
                break
            self._answer(self.seen[-1])
            connection.exchange_done(now)
        self.sent += sent(connection)

    def _read(self, seen: Seen) -> bool:
        """Read what has arrived of the body. Returns whether the body is over."""
        inbound = self.connection.inbound
        if inbound is None:
            seen.ended = True
            return True
        seen.body += b"".join(take_all(inbound))
        seen.ended, seen.trailers = inbound.ended, inbound.trailers
        if inbound.error is not None:
            seen.error = (type(inbound.error), str(inbound.error))
        return inbound.ended or inbound.error is not None

    def _answer(self, seen: Seen) -> None:
        self.connection.respond(200, (), None, seen.body)


def feed(pieces: Iterable[bytes], limits: Limits = DEFAULT) -> Peer:
    """Feed the pieces to a new connection and its application."""
    peer = Peer(connect(limits))
    for piece in pieces:
        peer.receive(piece)
    return peer


def ending(connection: Connection) -> bool:
    """Whether the connection will serve no more requests."""
    return connection.reader in (Reader.LINGER, Reader.CLOSED)
