"""One way to run an application's exchange on every implementation of the contract.

The rule: a test sees the exchange and the client's end of it, and cannot tell what is between them.
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import anyio
import anyio.abc
import anyio.lowlevel
import h11

from streamcompat.asgi import ASGI
from streamcompat.testing.observed import Observed, ObservedExchange
from streamcompat_engine import (
    Exchange,
    Limits,
    MemorySession,
    Service,
    Timeouts,
    VirtualClock,
)
from tests.support.engine_server import PATIENCE, Client, serve
from tests.support.exchanges import request_to


class ClientEnd(Protocol):
    """What an application may let its client do while it runs."""

    async def send(self, piece: bytes) -> None:
        """Send one chunk of the request's body."""

    async def end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """End the request's body."""

    async def leave(self) -> None:
        """Vanish."""

    async def read(self) -> None:
        """Begin to read the response, where the client did not from the start."""


App = Callable[[Exchange, ClientEnd], Awaitable[None]]


@dataclass
class Request:
    """What the client begins with.

    Attributes:
        chunked: a chunked body follows, by the client's end.
        reads: it reads the response from the start.
    """

    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    chunked: bool = False
    body: bytes = b""
    version: str = "1.1"
    reads: bool = True

    def wire(self) -> bytes:
        fields = [("Host", "test"), *self.headers]
        if self.chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        elif self.body:
            fields.append(("Content-Length", str(len(self.body))))
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields)
        return f"{self.method} / HTTP/{self.version}\r\n{lines}\r\n".encode() + self.body


@dataclass
class Answer:
    """What the client was given.

    Attributes:
        chunks: as they were written; HTTP does not keep their bounds with a Content-Length.
        whole: the response has its end.
    """

    status: int = 0
    headers: dict[bytes, bytes] = field(default_factory=dict)
    chunks: list[bytes] = field(default_factory=list)
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    whole: bool = False

    @property
    def body(self) -> bytes:
        return b"".join(self.chunks)


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)


def _last(trailers: Sequence[tuple[bytes, bytes]]) -> bytes:
    return b"0\r\n" + b"".join(name + b": " + value + b"\r\n" for name, value in trailers) + b"\r\n"


# ---- real sockets ----


class _SocketEnd:
    def __init__(self, client: Client, reads: bool) -> None:
        self.client = client
        self.reading = threading.Event()
        self.left = False
        if reads:
            self.reading.set()

    async def send(self, piece: bytes) -> None:
        self.client.send(_chunk(piece))

    async def end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.client.send(_last(trailers))

    async def leave(self) -> None:
        self.left = True
        self.client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.client.socket.close()
        self.reading.set()

    async def read(self) -> None:
        self.reading.set()


def _over_sockets(driver: str, app: App, request: Request, logged: Sequence[str]) -> Answer:
    ends: list[_SocketEnd] = []
    ready, done = threading.Event(), threading.Event()

    async def run(exchange: Exchange) -> None:
        await anyio.to_thread.run_sync(ready.wait, PATIENCE)
        try:
            await app(exchange, ends[0])
        finally:
            done.set()
            ends[0].reading.set()

    with serve(run, driver, send_buffer=16 * 1024, logged=logged) as served:
        client = served.connect(receive_buffer=16 * 1024)
        end = _SocketEnd(client, request.reads)
        ends.append(end)
        ready.set()
        client.send(request.wire())
        assert end.reading.wait(PATIENCE)
        answer = Answer()
        if not end.left:
            raw = client.response_or_cut(request.method)
            answer = Answer(raw.status, raw.headers, raw.chunks, raw.trailers, raw.complete)
        assert done.wait(PATIENCE)
        client.close()
        served.until_empty()
    return answer


# ---- in memory ----


class _MemoryEnd:
    def __init__(self, session: MemorySession, reads: bool) -> None:
        self.peer = session.client
        self.reading = anyio.Event()
        if reads:
            self.reading.set()

    async def send(self, piece: bytes) -> None:
        await self.peer.send(_chunk(piece))

    async def end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        await self.peer.send(_last(trailers))

    async def leave(self) -> None:
        self.peer.disconnect()

    async def read(self) -> None:
        self.reading.set()


def _in_memory(observed: bool, app: App, request: Request) -> Answer:
    answer = Answer()

    async def main() -> None:
        done = anyio.Event()

        async def run(exchange: Exchange) -> None:
            seen = ObservedExchange(exchange, Observed(), session.unsent) if observed else exchange
            try:
                await app(seen, end)
            finally:
                end.reading.set()
                done.set()

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                service = Service(run, Limits(), Timeouts())
                session = MemorySession(service, VirtualClock(), group, window=16 * 1024)
                end = _MemoryEnd(session, request.reads)
                await session.client.send(request.wire())
                await end.reading.wait()
                parser = h11.Connection(h11.CLIENT)
                parser.send(h11.Request(method=request.method, target="/", headers=[("Host", "test")]))
                parser.send(h11.EndOfMessage())
                await _read(answer, parser, session)
                await done.wait()
                session.client.disconnect()

    anyio.run(main)
    return answer


async def _read(answer: Answer, parser: h11.Connection, session: MemorySession) -> None:
    fresh = True
    while True:
        try:
            event = parser.next_event()
        except h11.RemoteProtocolError:
            return  # cut
        if event is h11.NEED_DATA:
            parser.receive_data(await session.client.receive())
        elif isinstance(event, h11.Response):
            answer.status, answer.headers = event.status_code, dict(event.headers)
        elif isinstance(event, h11.Data):
            if fresh or not answer.chunks:
                answer.chunks.append(bytes(event.data))
            else:
                answer.chunks[-1] += event.data
            fresh = event.chunk_end
        elif isinstance(event, h11.EndOfMessage):
            answer.trailers, answer.whole = list(event.headers), True
            return
        elif isinstance(event, h11.ConnectionClosed):
            return


# ---- behind an ASGI server ----


class ASGIServer:
    """A bare ASGI server with one request; it checks what it is sent by the order of the specification.

    Attributes:
        messages: for the application.
        sent: by it.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.sent: list[dict[str, Any]] = []
        self.gone = False
        self.answer = Answer()
        self._to_app, self._from_client = anyio.create_memory_object_stream[dict[str, Any]](1000)
        self._reading = anyio.Event()
        if request.reads:
            self._reading.set()
        self._state = "start"
        if not request.chunked:
            self._to_app.send_nowait({"type": "http.request", "body": request.body, "more_body": False})

    @property
    def scope(self) -> dict[str, Any]:
        fields = [("Host", "test"), *self.request.headers]
        if self.request.chunked:
            fields.append(("Transfer-Encoding", "chunked"))
        elif self.request.body:
            fields.append(("Content-Length", str(len(self.request.body))))
        return {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": self.request.version,
            "method": self.request.method,
            "scheme": "http",
            "path": "/",
            "query_string": b"",
            "headers": [(name.lower().encode(), value.encode()) for name, value in fields],
            "client": ("192.0.2.1", 5000),
            "server": ("192.0.2.2", 80),
            "extensions": {"http.response.trailers": {}},
        }

    async def receive(self) -> dict[str, Any]:
        return await self._from_client.receive()

    async def send(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            assert self._state == "start", self.sent
            self._state, self._trailers = "body", message.get("trailers", False)
        elif kind == "http.response.body":
            assert self._state == "body", self.sent
            if not message["more_body"]:
                self._state = "trailers" if self._trailers else "end"
        else:
            assert kind == "http.response.trailers" and self._state == "trailers", message
            self._state = "end"
        await self._reading.wait()
        if self.gone:
            raise OSError("the client is gone")
        self.sent.append(message)
        if kind == "http.response.start":
            self.answer.status, self.answer.headers = message["status"], dict(message["headers"])
        elif kind == "http.response.trailers":
            self.answer.trailers += message["headers"]
        elif message["body"]:
            self.answer.chunks.append(message["body"])
        self.answer.whole = self._state == "end"
        if self.answer.whole:
            self._to_app.send_nowait({"type": "http.disconnect"})

    # The client's end

    async def _client(self, piece: bytes, more: bool) -> None:
        self._to_app.send_nowait({"type": "http.request", "body": piece, "more_body": more})

    async def leave(self) -> None:
        self.gone = True
        self._to_app.send_nowait({"type": "http.disconnect"})
        self._reading.set()

    async def read(self) -> None:
        self._reading.set()


class _ASGIEnd:
    def __init__(self, server: ASGIServer) -> None:
        self.server = server
        self.leave, self.read = server.leave, server.read

    async def send(self, piece: bytes) -> None:
        await self.server._client(piece, True)

    async def end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        await self.server._client(b"", False)


@dataclass
class _Bare:
    """As much of a Servable as ASGI needs."""

    run: App
    end: ClientEnd

    async def handle(self, exchange: Exchange, root_path: str = "") -> None:
        try:
            await self.run(exchange, self.end)
        finally:
            await self.end.read()


def _behind_asgi(app: App, request: Request) -> Answer:
    async def main() -> Answer:
        server = ASGIServer(request)
        with anyio.fail_after(PATIENCE):
            bare: Any = _Bare(app, _ASGIEnd(server))
            await ASGI(bare)(server.scope, server.receive, server.send)
        server._to_app.close()
        server._from_client.close()
        return server.answer

    return anyio.run(main)


# ---- the tests' own ----


class _FakeEnd:
    def __init__(self, exchange: Any) -> None:
        self.exchange = exchange

    async def send(self, piece: bytes) -> None:
        self.exchange.put(piece)

    async def end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        self.exchange.put_end(tuple(trailers))

    async def leave(self) -> None:
        self.exchange.leave()

    async def read(self) -> None:
        pass


def _by_hand(app: App, request: Request) -> Answer:
    exchange = request_to(
        request.method, "/", *([request.body] if request.body else []), headers=dict(request.headers)
    )
    if request.chunked:
        exchange.open_body()

    async def main() -> None:
        await exchange.until_cancelled(app(exchange, _FakeEnd(exchange)))
        exchange.over()

    anyio.run(main)
    body = [exchange.body] if exchange.body else exchange.chunks
    bodiless = request.method == "HEAD" or exchange.status in (204, 304)
    return Answer(
        exchange.status or 0,
        {name.lower(): value for name, value in exchange.headers},
        [] if bodiless else list(body),
        list(exchange.sent_trailers),
        exchange.finished and not exchange.aborted and not exchange.disconnected,
    )


SOCKETS = ("asyncio", "uvloop", "anyio", "trio")
IMPLEMENTATIONS = (*SOCKETS, "memory", "observed", "asgi", "fake")


def converse(
    implementation: str, app: App, request: Request | None = None, logged: Sequence[str] = ()
) -> Answer:
    """Run one exchange of `app`; what the app raises, but for what the contract lets through, fails the test.

    Args:
        logged: parts of the warnings that a server over sockets logs.
    """
    request = request or Request()
    failures: list[BaseException] = []

    async def run(exchange: Exchange, end: ClientEnd) -> None:
        try:
            await app(exchange, end)
        except AssertionError as failure:
            failures.append(failure)
            exchange.abort()

    if implementation in SOCKETS:
        answer = _over_sockets(implementation, run, request, logged)
    elif implementation == "asgi":
        answer = _behind_asgi(run, request)
    elif implementation == "fake":
        answer = _by_hand(run, request)
    else:
        answer = _in_memory(implementation == "observed", run, request)
    if failures:
        raise failures[0]
    return answer
