"""Runs an application's exchange on every implementation of the contract.

The rule: a test sees only the exchange and the client's end of it, and not the implementation between them.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import anyio
import anyio.abc
import anyio.lowlevel
import uvicorn

from streamcompat.asgi import ASGI
from streamcompat.testing.observed import Observed, ObservedExchange
from streamcompat_engine import (
    Exchange,
    Limits,
    MemoryTransport,
    Observer,
    ServerConfig,
    Service,
    Timeouts,
    VirtualClock,
)
from tests.support.clients import PATIENCE, Client, connect
from tests.support.exchanges import request_to
from tests.support.responses import Response, ResponseReader
from tests.support.servers import SOCKETS, serve


class ClientEnd(Protocol):
    """The actions of the client that an application can trigger while it runs."""

    async def send(self, piece: bytes) -> None:
        """Send one chunk of the request's body."""

    async def end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """End the request's body."""

    async def leave(self) -> None:
        """Disconnect."""

    async def read(self) -> None:
        """Start to read the response, if the client has not read from the start."""


App = Callable[[Exchange, ClientEnd], Awaitable[None]]


@dataclass
class Request:
    """The request that the client sends first.

    Attributes:
        chunked: a chunked body follows, which the client's end sends.
        reads: the client reads the response from the start.
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
        self.client.reset()
        self.reading.set()

    async def read(self) -> None:
        self.reading.set()


def _over_sockets(driver: str, app: App, request: Request, logged: Sequence[str]) -> Response:
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
        answer = Response()
        if not end.left:
            answer = client.response_or_cut(request.method)
        assert done.wait(PATIENCE)
        client.close()
        served.until_empty()
    return answer


# ---- in memory ----


class _MemoryEnd:
    def __init__(self, transport: MemoryTransport, reads: bool) -> None:
        self.peer = transport.client
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


def _in_memory(observed: bool, app: App, request: Request) -> Response:
    reader = ResponseReader(request.method)

    async def main() -> None:
        done = anyio.Event()

        async def run(exchange: Exchange) -> None:
            seen = ObservedExchange(exchange, Observed(), transport.session.unsent) if observed else exchange
            try:
                await app(seen, end)
            finally:
                end.reading.set()
                done.set()

        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                service = Service(run, Limits(), Timeouts())
                transport = MemoryTransport(service, VirtualClock(), group, window=16 * 1024)
                end = _MemoryEnd(transport, request.reads)
                await transport.client.send(request.wire())
                await end.reading.wait()
                while not reader.over:
                    reader.feed(await transport.client.receive())
                await done.wait()
                transport.client.disconnect()

    anyio.run(main)
    return reader.response


# ---- behind an ASGI server ----


class ASGIServer:
    """A minimal ASGI server for one request; it checks that messages have the order of the specification.

    Attributes:
        sent: the messages from the application.
    """

    def __init__(self, request: Request) -> None:
        self.request = request
        self.sent: list[dict[str, Any]] = []
        self.gone = False
        self.answer = Response()
        self._to_app, self._from_client = anyio.create_memory_object_stream[dict[str, Any]](1000)
        self._reading = anyio.Event()
        if request.reads:
            self._reading.set()
        self._state = "start"
        if not request.chunked:
            self._to_app.send_nowait({"type": "http.request", "body": request.body, "more_body": False})

    @property
    def of_request(self) -> dict[str, Any]:
        """The extension that promises a message with the request's trailers."""
        return {"http.request.trailers": {}} if self.request.chunked else {}

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
            "extensions": {"http.response.trailers": {}} | self.of_request,
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
            self.answer.status, self.answer.fields = message["status"], list(message["headers"])
        elif kind == "http.response.trailers":
            self.answer.trailers += message["headers"]
        elif message["body"]:
            self.answer.chunks.append(message["body"])
        self.answer.complete = self._state == "end"
        if self.answer.complete:
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
        fields = [list(field) for field in trailers]
        self.server._to_app.send_nowait({"type": "http.request.trailers", "headers": fields})


@dataclass
class _Bare:
    """The part of a Servable that ASGI needs."""

    run: App
    end: ClientEnd

    def observer(self) -> Observer:
        return Observer()

    def server_config(self) -> ServerConfig:
        return ServerConfig()

    async def handle(self, exchange: Exchange, root_path: str = "") -> None:
        try:
            await self.run(exchange, self.end)
        finally:
            await self.end.read()


def _behind_asgi(app: App, request: Request) -> Response:
    async def main() -> Response:
        server = ASGIServer(request)
        with anyio.fail_after(PATIENCE):
            bare: Any = _Bare(app, _ASGIEnd(server))
            await ASGI(bare)(server.scope, server.receive, server.send)
        server._to_app.close()
        server._from_client.close()
        return server.answer

    return anyio.run(main)


@contextlib.contextmanager
def under_uvicorn(app: Any, **settings: Any) -> Iterator[Client]:
    """A connection to uvicorn on a real socket, with small buffers."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, lifespan="off", loop="asyncio", **settings
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([sock],), daemon=True)
        thread.start()
        try:
            with connect(socket.AF_INET, sock.getsockname(), receive_buffer=16 * 1024) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join(PATIENCE)
            assert not thread.is_alive()


def _behind_uvicorn(app: App, request: Request) -> Response:
    ready, done = threading.Event(), threading.Event()
    ends: list[_SocketEnd] = []

    async def run(exchange: Exchange, _: ClientEnd) -> None:
        await anyio.to_thread.run_sync(ready.wait, PATIENCE)
        try:
            await app(exchange, ends[0])
        finally:
            done.set()
            ends[0].reading.set()

    # The end of the client is known only once there is a connection.
    bare: Any = _Bare(run, _Unread())
    with under_uvicorn(ASGI(bare), http="h11") as client:
        end = _SocketEnd(client, request.reads)
        ends.append(end)
        ready.set()
        client.send(request.wire())
        assert end.reading.wait(PATIENCE)
        answer = Response()
        if not end.left:
            answer = client.response_or_cut(request.method)
        assert done.wait(PATIENCE)
    return answer


class _Unread:
    """A client's end that is not there yet."""

    async def send(self, piece: bytes) -> None:
        raise NotImplementedError

    async def end(self, trailers: Sequence[tuple[bytes, bytes]] = ()) -> None:
        raise NotImplementedError

    async def leave(self) -> None:
        raise NotImplementedError

    async def read(self) -> None:
        pass


# ---- the fake exchange of the tests ----


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


def _by_hand(app: App, request: Request) -> Response:
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
    bodiless = request.method == "HEAD" or exchange.status in (204, 205, 304)
    return Response(
        exchange.status or 0,
        fields=[(name.lower(), value) for name, value in exchange.headers],
        chunks=[] if bodiless else list(body),
        trailers=list(exchange.sent_trailers),
        complete=exchange.finished and not exchange.aborted and not exchange.disconnected,
    )


IMPLEMENTATIONS = (*SOCKETS, "memory", "observed", "asgi", "uvicorn", "fake")


def converse(
    implementation: str, app: App, request: Request | None = None, logged: Sequence[str] = ()
) -> Response:
    """Run one exchange of `app`. A failed assertion in the app fails the test.

    Args:
        logged: a part of each warning that a server over sockets logs.
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
    elif implementation == "uvicorn":
        answer = _behind_uvicorn(run, request)
    elif implementation == "fake":
        answer = _by_hand(run, request)
    else:
        answer = _in_memory(implementation == "observed", run, request)
    if failures:
        raise failures[0]
    return answer
