"""Requests as bytes, and a small application to give them to, with no loop, no socket and no clock.

The only module of these tests that looks behind the engine's names: to count what a connection holds.
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
"""Limits that a request of a few bytes can reach."""


# ---- what a client sends ----


def request(
    line: bytes = b"GET / HTTP/1.1", *fields: bytes, host: bytes | None = b"h", body: bytes = b""
) -> bytes:
    """A request of these lines; `host=None` leaves Host out."""
    lines = [line, *([] if host is None else [b"Host: " + host]), *fields]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def post(body: bytes, *fields: bytes) -> bytes:
    """A request with a body framed by its length."""
    return request(b"POST / HTTP/1.1", b"Content-Length: %d" % len(body), *fields, body=body)


def upload(body: bytes, *fields: bytes) -> bytes:
    """A request with a chunked body, given as it goes on the wire."""
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
    """The data in pieces, none of them empty."""
    ends = sorted({position for position in positions if 0 < position < len(data)})
    return [data[start:end] for start, end in zip([0, *ends], [*ends, len(data)], strict=True) if start < end]


def bytewise(data: bytes) -> list[bytes]:
    """The data, byte by byte."""
    return [data[index : index + 1] for index in range(len(data))]


CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""What a client waits for that expects it."""
EXPECTING = request(b"POST / HTTP/1.1", b"Content-Length: 5", b"Expect: 100-continue")
"""The head of an upload whose client waits to be told to send it."""


# ---- a connection ----


def connect(limits: Limits = DEFAULT, timeouts: Timeouts = TIMES, now: float = 0.0) -> Connection:
    """A new connection."""
    return Connection(limits, timeouts, now, lambda: DATE)


def serving(wire: bytes, limits: Limits = SMALL) -> Connection:
    """A connection that has received this and serves the first request of it."""
    connection = connect(limits)
    connection.receive_data(wire, 0.0)
    (event,) = connection.events()
    assert isinstance(event, RequestReceived)
    assert connection.head is event.head
    return connection


def respond(connection: Connection, body: bytes = b"ok", status: int = 200) -> None:
    connection.respond(status, (), None, body)


def done(connection: Connection, body: bytes = b"ok") -> None:
    """Answer and end the exchange."""
    respond(connection, body)
    connection.exchange_done(0.0)


def no_wait(added: int) -> Ready:
    """What is called after a write, for writers that never wait."""
    return READY


def start(connection: Connection, status: int = 200, *fields: tuple[bytes, bytes]) -> Outbound:
    """Start a streamed response whose writers never wait."""
    return connection.start(status, fields, None, no_wait)


def take_all(inbound: Inbound) -> list[bytes]:
    """Every piece that waits."""
    return list(iter(inbound.take, None))


def sent(connection: Connection) -> bytes:
    """What the connection wants to send, in one."""
    return b"".join(connection.writer.data_to_send())


def gathered(connection: Connection) -> bytes:
    """The bytes of a head that are waiting for its end, or of requests that are waiting for their turn."""
    gate = connection._gate
    fields = b"" if gate._fields is None else bytes(gate._fields._buffer)
    return bytes(gate._line) + fields + connection._ahead


def held(connection: Connection) -> int:
    """All the peer's bytes that the connection holds."""
    body, size = connection._body, len(gathered(connection))
    for name in ("_line", "_last_line"):
        size += len(getattr(body, name, b""))
    trailers = getattr(body, "_trailer_gate", None)
    judge = getattr(body, "_judge", None)
    size += 0 if trailers is None else len(trailers._buffer)
    size += 0 if judge is None else len(judge.trailing_data[0])
    return size + (0 if connection.inbound is None else connection.inbound.size)


def most_held(limits: Limits, read: int) -> int:
    """The most that a connection may hold while the peer's bytes come `read` at a time.

    A whole body may wait, and behind it what came too early; each may be exceeded by a read, and by one
    more that was on its way when reading was to pause.
    """
    head = limits.request_line + limits.head_fields + 2
    body = limits.inbound_high + limits.chunk_extension + 32 + limits.trailer_fields
    return max(head, body + limits.pipelined) + 4 * read


# ---- an application ----


@dataclass
class Seen:
    """One request, as an application saw it."""

    head: RequestHead
    body: bytes = b""
    trailers: Fields = ()
    ended: bool = False
    error: tuple[type[EngineError], str] | None = None


@dataclass
class Peer:
    """Plays both the driver and an application that answers each request once its body has ended.

    Attributes:
        seen: the requests.
        rejected: status and reason of what the engine refused by itself.
        sent: all that went on the wire.
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
        """Take the events and serve what can be served."""
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
        """Read what has come of the body; tells whether nothing more will."""
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
    """Give the pieces to a new connection and its application."""
    peer = Peer(connect(limits))
    for piece in pieces:
        peer.receive(piece)
    return peer


def ending(connection: Connection) -> bool:
    """Whether nothing more of the peer's will be served."""
    return connection.reader in (Reader.LINGER, Reader.CLOSED)
