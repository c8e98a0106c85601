"""An in-memory exchange that keeps the engine's contract; the kernel's tests pass it to apps.

The peer accepts all writes. The test scripts what goes wrong on the connection.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import anyio
import anyio.lowlevel

from streamcompat_engine import (
    Accepted,
    BodyLengthError,
    BodyTooLarge,
    ClientDisconnected,
    End,
    InvalidHeader,
    OnDisconnect,
    ProtocolError,
    ResponseStateError,
    WebSocketCore,
    WebSocketSettings,
    cancels,
    check_fields,
    check_trailers,
)

T = TypeVar("T")
Fields = Sequence[tuple[bytes, bytes]]
_NOT_STARTED = "the response has not been started"
_REPLACED = "another response has taken this one's place"


@dataclass
class Head:
    """A request's head, with the attributes of `RequestHead`."""

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    http_version: str = "1.1"
    raw_path: bytes = b""
    query: bytes = b""
    host: str | None = None
    client: str = ""


class _Done:
    """The awaitable that a write returns; counts when it is awaited."""

    def __init__(self, exchange: FakeExchange) -> None:
        self.exchange = exchange

    def __await__(self) -> Generator[Any, Any, None]:
        self.exchange.awaited += 1
        return None
        yield


@dataclass
class FakeExchange:
    """A request and its response, with the interface of `streamcompat_engine.Exchange`.

    Attributes:
        pieces: the body; an exception among the pieces is raised when it is read.
        chunks: the chunks of the streamed response.
        log: the calls in order: `"start"`, `"drain"`, `"finish"`, `"abort"`, `"respond"`, `"run"`.
        fail_write: the error that writes raise.
        sent_trailers: the trailers of the response.
    """

    head: Head
    pieces: list[Any] = field(default_factory=list)
    peer: tuple[Any, ...] | None = ("192.0.2.1", 5000)
    sockname: Any = ("192.0.2.2", 80)
    scheme: str = "http"
    transport: Any = None
    on_disconnect: OnDisconnect = "raise"
    body_limit: int | None = None
    context: Any = None
    began: float = 0.0
    first_byte: float | None = None

    status: int | None = None
    headers: Fields = ()
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    trailers: tuple[tuple[bytes, bytes], ...] = ()
    sent_trailers: Fields = ()
    log: list[str] = field(default_factory=list)
    committed: bool = False
    finished: bool = False
    aborted: bool = False
    disconnected: bool = False
    reading_paused: bool = False
    awaited: int = 0
    fail_write: Exception | None = None
    _open: bool = False  # more of the body may arrive
    _received: int = 0
    _taken: int = 0
    _responded: int = 0
    _streams: bool = False
    _replaced: bool = False
    _over: bool = False
    _error: Exception | None = None
    _changed: anyio.Event | None = None
    _scope: anyio.CancelScope | None = None

    # The actions of the client

    def open_body(self) -> None:
        """More of the body may arrive, until `put_end`."""
        self._open = True

    def put(self, piece: bytes) -> None:
        self.pieces.append(piece)
        self._wake()

    def put_end(self, trailers: tuple[tuple[bytes, bytes], ...]) -> None:
        self._open, self.trailers = False, trailers
        self._wake()

    def leave(self) -> None:
        self.disconnected = True
        self._error = None if self.on_disconnect == "ignore" else ClientDisconnected()
        if self._open:
            self._open = False
            self.pieces.append(ClientDisconnected())
        if self.on_disconnect == "cancel":
            self.cancel()
        self._wake()

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None

    async def until_cancelled(self, function: Coroutine[Any, Any, None]) -> None:
        """Run the application in a scope that `cancel` cancels."""
        with anyio.CancelScope() as self._scope:
            await function

    # The contract

    def cancel(self) -> None:
        if self._scope is not None and not self._over:
            self._scope.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        return cancels(error)

    def over(self) -> None:
        """The application has returned."""
        self._over = self.finished = True
        self.context = None

    @property
    def body_complete(self) -> bool:
        return not self.pieces and not self._open

    @property
    def bytes_sent(self) -> int:
        return self._responded or sum(map(len, self.chunks))

    @property
    def chunks_sent(self) -> int:
        return len(self.chunks) or int(self._responded > 0)

    @property
    def bytes_received(self) -> int:
        return self._received + sum(len(piece) for piece in self.pieces if isinstance(piece, bytes))

    @property
    def chunks_received(self) -> int:
        return self._taken + sum(isinstance(piece, bytes) for piece in self.pieces)

    def pace(self, idle: float | None = None, rate: int | None = None) -> None:
        """No effect: this exchange has no timeouts."""

    def _check_limit(self) -> None:
        declared = dict(self.head.headers).get(b"content-length", b"0")
        if self.body_limit is not None and max(self._received, int(declared)) > self.body_limit:
            raise BodyTooLarge(self.body_limit)

    async def receive(self) -> bytes | None:
        await anyio.lowlevel.checkpoint()
        self._check_limit()
        while not self.pieces:
            if not self._open:
                return None
            self._changed = anyio.Event()
            await self._changed.wait()
        if isinstance(self.pieces[0], Exception):
            raise self.pieces[0]
        piece = bytes(self.pieces.pop(0))
        self._received += len(piece)
        self._taken += 1
        self._check_limit()
        return piece

    async def read_body(self, limit: int | None = None) -> bytes:
        if limit is not None:
            self.body_limit = limit
        body = b""
        while (piece := await self.receive()) is not None:
            body += piece
        return body

    def start(self, status: int, headers: Sequence[tuple[bytes, bytes]], reason: bytes | None = None) -> None:
        self._check_head(status, headers)
        self._streams, self._replaced = True, False
        self.status, self.headers = status, list(headers)
        self.log.append("start")

    def _check_head(self, status: int, headers: Fields) -> None:
        if self._over:
            raise ResponseStateError("the exchange is over")
        if self.finished or self.aborted:
            raise ResponseStateError("the response is finished")
        if self.committed:
            raise ResponseStateError("the response has begun")
        if not 200 <= status <= 999:
            raise InvalidHeader(f"not the status of a final response: {status}")
        check_fields(headers)
        for name, value in headers:
            if name.lower() == b"transfer-encoding":
                raise InvalidHeader("only the server may set Transfer-Encoding")
            if name.lower() == b"content-length" and not value.isdigit():
                raise InvalidHeader(f"not a Content-Length: {value!r}")

    @property
    def _bodiless(self) -> bool:
        return self.head.method == "HEAD" or self.status in (204, 205, 304)

    def _declared(self) -> int | None:
        declared = self.field("content-length")
        return None if declared is None or self._bodiless else int(declared)

    @property
    def write(self) -> Callable[[bytes], Awaitable[None]]:
        return functools.partial(self._write, self.headers)

    def _write(self, response: Fields, data: bytes) -> Awaitable[None]:
        if response is not self.headers:
            raise ResponseStateError(_REPLACED)
        if not self._streams:
            raise ResponseStateError(_REPLACED if self._replaced else _NOT_STARTED)
        if not isinstance(data, bytes):
            raise TypeError(f"a chunk is bytes, not {type(data).__name__}; encode it first")
        if self.fail_write is not None:
            raise self.fail_write
        self._check_writable()
        declared = self._declared()
        if declared is not None and self.bytes_sent + len(data) > declared:
            raise BodyLengthError(f"more bytes than the Content-Length of {declared}")
        self.committed = True
        if data:
            self.chunks.append(data)
        return _Done(self)

    def _check_writable(self) -> None:
        if self._error is not None:
            raise self._error
        if self.finished:
            raise ResponseStateError("the response is finished")

    def commit(self) -> None:
        self.write(b"")

    @property
    def blocked(self) -> bool:
        """Always True, so that every caller drains and the log shows it."""
        return True

    async def drain(self) -> None:
        self.log.append("drain")
        if self._error is not None:
            raise self._error

    async def run(self, function: Coroutine[Any, Any, T]) -> T:
        self.log.append("run")
        return await function

    def finish(self, trailers: Fields = ()) -> None:
        if self._over:
            raise ResponseStateError("the exchange is over")
        if not self._streams:
            raise ResponseStateError(_NOT_STARTED)
        check_trailers(trailers)
        self._check_writable()
        declared = self._declared()
        if declared is not None and declared != self.bytes_sent:
            raise BodyLengthError(f"{self.bytes_sent} bytes where Content-Length says {declared}")
        self.log.append("finish")
        self.committed = self.finished = True
        if declared is None and not self._bodiless:
            self.sent_trailers = trailers

    def respond(
        self, status: int, headers: Sequence[tuple[bytes, bytes]], body: bytes, reason: bytes | None = None
    ) -> None:
        assert type(body) is bytes
        self._check_head(status, headers)
        declared = {name.lower(): value for name, value in headers}.get(b"content-length")
        bodiless = self.head.method == "HEAD" or status in (204, 205, 304)
        if declared is not None and int(declared) != len(body) and not bodiless:
            raise BodyLengthError(f"{len(body)} bytes where Content-Length says {int(declared)}")
        self._replaced, self._streams = self._streams or self._replaced, False
        self.status, self.headers = status, list(headers)
        self.log.append("respond")
        self.body, self._responded = body, len(body)
        self.committed = self.finished = True

    def hint(self, fields: Fields) -> None:
        if self._over:
            raise ResponseStateError("the exchange is over")
        check_fields(fields)
        if not self.committed:
            self.log.append("hint")

    def abort(self) -> None:
        self.log.append("abort")
        self.aborted = True
        self._error = ResponseStateError("the response was cut")

    def switch(self, accepted: Accepted, settings: WebSocketSettings) -> WebSocketCore:
        raise ProtocolError(501, "there is no connection to switch")

    def when_stopping(self, tell: Callable[[], None]) -> None:
        """No effect: this server never stops."""

    async def changed(self) -> None:
        """Returns at once: there is no WebSocket."""

    def wake(self) -> None:
        """No effect: nobody waits."""

    def proceed(self) -> None:
        """No effect: reading is never paused."""

    def field(self, name: str) -> str | None:
        """The value of a response field; the last one if it is repeated."""
        return {key.decode().lower(): value.decode() for key, value in self.headers}.get(name)

    @property
    def text(self) -> str:
        """The response's body, however it was sent."""
        return (self.body or b"".join(self.chunks)).decode()


def request_to(
    method: str, target: str, *pieces: Any, headers: dict[str, str] | None = None, **attributes: Any
) -> FakeExchange:
    """An exchange with this request; `pieces` are its body."""
    raw = target.encode()
    path, _, query = raw.partition(b"?")
    fields = {"host": "test.example", **(headers or {})}
    head = Head(
        method,
        raw,
        tuple((name.lower().encode(), value.encode()) for name, value in fields.items()),
        raw_path=path,
        query=query,
        host=fields["host"],
    )
    return FakeExchange(head, list(pieces), **attributes)


async def ask(app: Any, method: str, target: str, *pieces: Any, **rest: Any) -> FakeExchange:
    """The exchange after `app` has handled it."""
    exchange = request_to(method, target, *pieces, **rest)
    await app.handle(exchange)
    end = End.LEFT if exchange.disconnected else End.CUT if exchange.aborted else End.WHOLE
    app.observer().ended(exchange, end, 0.0)
    return exchange
