"""An exchange in memory, by the engine's contract: what the kernel's tests hand to an app.

It waits for nobody: the body's pieces are there, and the peer takes everything. What goes wrong on a
connection is scripted by the test.
"""

from __future__ import annotations

from collections.abc import Awaitable, Coroutine, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from streamcompat_engine import BodyLengthError, BodyTooLarge, InvalidHeader, ResponseStateError

Fields = Sequence[tuple[bytes, bytes]]


@dataclass
class Head:
    """A request's head, as `RequestHead`."""

    method: str
    target: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    http_version: str = "1.1"
    raw_path: bytes = b""
    query: bytes = b""
    host: str | None = None


class _Done:
    """What a write returns; counts whether it was awaited."""

    def __init__(self, exchange: FakeExchange) -> None:
        self.exchange = exchange

    def __await__(self) -> Generator[Any, Any, None]:
        self.exchange.awaited += 1
        return None
        yield


@dataclass
class FakeExchange:
    """A request to be answered.

    Attributes:
        pieces: the body; an exception among them is raised in its place.
        chunks: of the streamed response.
        log: what was done, in order: `"start"`, `"drain"`, `"finish"`, `"abort"`, `"respond"`, `"run"`.
        fail_write: raised by the next write.
    """

    head: Head
    pieces: list[Any] = field(default_factory=list)
    peer: tuple[Any, ...] | None = ("192.0.2.1", 5000)
    scheme: str = "http"
    transport: Any = None
    on_disconnect: str = "raise"
    body_limit: int | None = None

    status: int | None = None
    headers: Fields = ()
    body: bytes = b""
    chunks: list[bytes] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    committed: bool = False
    finished: bool = False
    aborted: bool = False
    awaited: int = 0
    fail_write: Exception | None = None

    @property
    def body_complete(self) -> bool:
        return not self.pieces

    @property
    def bytes_sent(self) -> int:
        return sum(map(len, self.chunks))

    async def receive(self) -> bytes | None:
        if not self.pieces:
            return None
        if isinstance(self.pieces[0], Exception):
            raise self.pieces[0]
        return bytes(self.pieces.pop(0))

    async def read_body(self, limit: int | None = None) -> bytes:
        body = b""
        while (piece := await self.receive()) is not None:
            body += piece
            if limit is not None and len(body) > limit:
                raise BodyTooLarge(limit)
        return body

    def start(self, status: int, headers: Fields, reason: bytes | None = None) -> None:
        self._head(status, headers)
        self.log.append("start")

    def _head(self, status: int, headers: Fields) -> None:
        if self.committed:
            raise ResponseStateError("committed")
        for name, value in headers:
            if any(byte in b"\r\n\0" for byte in name + value):
                raise InvalidHeader("a control character")
        self.status = status
        self.headers = list(headers)

    def write(self, data: bytes) -> Awaitable[None]:
        assert type(data) is bytes, "the facades encode"
        if self.fail_write is not None:
            raise self.fail_write
        if self.status is None:
            raise ResponseStateError("not started")
        self.committed = True
        if data:
            self.chunks.append(data)
        return _Done(self)

    @property
    def blocked(self) -> bool:
        """Always, so that who asks drains and the log says so."""
        return True

    async def drain(self) -> None:
        self.log.append("drain")

    async def run(self, function: Coroutine[Any, Any, Any]) -> Any:
        self.log.append("run")
        return await function

    def finish(self, trailers: Fields = ()) -> None:
        declared = self.field("content-length")
        if declared is not None and int(declared) != self.bytes_sent:
            raise BodyLengthError("too few")
        self.log.append("finish")
        self.committed = self.finished = True

    def respond(self, status: int, headers: Fields, body: bytes, reason: bytes | None = None) -> None:
        assert type(body) is bytes
        self._head(status, headers)
        self.log.append("respond")
        self.body = body
        self.committed = self.finished = True

    def abort(self) -> None:
        self.log.append("abort")
        self.aborted = True

    def field(self, name: str) -> str | None:
        """The value of a response field; the last one's."""
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
    """The exchange after `app` has answered it."""
    exchange = request_to(method, target, *pieces, **rest)
    await app.handle(exchange)
    return exchange
