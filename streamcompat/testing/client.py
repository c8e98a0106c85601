"""A client in the same process as the app, with the real engine between the two and no socket.

The rule: every byte goes through the engine's own connection, so that what a test sees is what a server
does. Nothing happens by itself: bytes leave when the client sends them, the response is taken when the
client reads it, and time passes when the client says so.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Sequence,
)
from types import TracebackType
from typing import Any, Final, Self

import anyio
import anyio.abc
import anyio.lowlevel

from streamcompat.serving import Servable
from streamcompat.testing import wire
from streamcompat.testing.observed import Observed, ObservedExchange
from streamcompat.testing.response import Response, ResponseReader
from streamcompat_engine import ClientDisconnected, Exchange, Lifespan, Limits, Timeouts
from streamcompat_engine.drivers.memory import MemoryPeer, MemorySession, VirtualClock
from streamcompat_engine.service import Service

Content = str | bytes | Iterable[bytes] | AsyncIterable[bytes] | None
EngineApp = Callable[[Exchange], Awaitable[None]]

WINDOW: Final = 64 * 1024
"""Bytes that the network holds for a client that does not read, as many as a small socket buffer does."""
PATIENCE: Final = 10.0
TURNS: Final = 16
"""Turns of the event loop in which everybody who can run is taken to have run."""


class Client:
    """Sends requests to an app; an async context manager, on asyncio or trio.

    Args:
        app: of either flavour, a site, or a coroutine function that takes the engine's exchange.
        limits, timeouts: in place of the app's own.
        window: bytes that the network holds for a client that does not read.
        patience: real seconds that any one wait may take; then TimeoutError. The app's own sleeps and
            threads run in real time, so it is a guard against a test that hangs, not a timeout.
        keep: note the pieces that handlers read; off for bodies that should not stay in memory.

    Attributes:
        clock: on which the engine's timeouts run; `advance` moves it.
        keep: as given; counts from the next request on.
    """

    def __init__(
        self,
        app: Servable | EngineApp,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        window: int = WINDOW,
        patience: float = PATIENCE,
        keep: bool = True,
    ) -> None:
        self.app = app
        self.clock = VirtualClock()
        self.patience = patience
        self._window = window
        self.keep = keep
        if isinstance(app, Servable):
            config = app.server_config()
            limits, timeouts = limits or config.limits, timeouts or config.timeouts
            self._handle: Callable[[Any], Awaitable[None]] = app.handle
            overdue: EngineApp | None = app.overdue
        else:
            self._handle, overdue = app, None
        self._service = Service(self._serve, limits or Limits(), timeouts or Timeouts(), overdue)
        self._connections: dict[MemoryPeer, Connection] = {}
        self._tasks: anyio.abc.TaskGroup | None = None
        self._lifespan = Lifespan()
        self._loop: Any = None

    # ---- its life ----

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise RuntimeError("the client is in use already")
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        if isinstance(self.app, Servable):
            self._lifespan = self.app.lifespan()
        await self._lifespan.before_start(self._loop)
        self._tasks = await anyio.create_task_group().__aenter__()
        try:
            await self._lifespan.after_start(self._loop)
        except BaseException as error:
            await self.__aexit__(type(error), error, error.__traceback__)
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        tasks, self._tasks = self._tasks, None
        assert tasks is not None
        try:
            with anyio.CancelScope(shield=True):
                await self._lifespan.before_stop(self._loop)
                for connection in list(self._connections.values()):
                    connection.disconnect()
                await self.settle()
                self._service.stop()
                self._service.cancel()
                await self.settle()
                self._service.abort()
        finally:
            tasks.cancel_scope.cancel()
            try:
                await tasks.__aexit__(None, None, None)
            finally:
                with anyio.CancelScope(shield=True):
                    await self._lifespan.after_stop(self._loop)

    @property
    def limits(self) -> Limits:
        """Those of the engine."""
        return self._service.limits

    @property
    def stall_limit(self) -> float:
        """Seconds after which the server has given up a client that does not read, if it ever does."""
        # Its looks at the client are a second apart.
        return (self._service.timeouts.write_stall or 0.0) + 3.0

    async def settle(self) -> None:
        """Let everybody run who can, until all wait for bytes, for room or for the clock."""
        for _ in range(TURNS):
            await anyio.lowlevel.checkpoint()

    async def advance(self, seconds: float) -> None:
        """Let time pass on the engine's clock: what falls due on the way happens, in its order."""
        await self.settle()
        self.clock.advance(seconds)
        await self.settle()

    async def shut_down(self) -> None:
        """Tell the server to stop: idle connections close, the others do once they have answered."""
        self._service.stop()
        await self.settle()

    async def _serve(self, exchange: Exchange) -> None:
        connection = self._connections[exchange.transport]
        observed = Observed(self.keep)
        connection.exchanges.append(observed)
        try:
            await self._handle(ObservedExchange(exchange, observed, connection._session.unsent))
        except BaseException as error:
            observed.error = error
            raise
        finally:
            observed.ended = True

    # ---- requests ----

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """A connection, for what the client's other methods do not do: pipelining, raw bytes, keeping it."""
        connection = self._connect()
        try:
            yield connection
        finally:
            await connection.aclose()

    def _connect(self) -> Connection:
        if self._tasks is None:
            raise RuntimeError("use the client in `async with`")
        session = MemorySession(self._service, self.clock, self._tasks, self._window)
        connection = self._connections[session.client] = Connection(self, session)
        return connection

    @contextlib.asynccontextmanager
    async def stream(
        self,
        method: str,
        target: str,
        *,
        headers: wire.Headers = (),
        content: Content = None,
        chunks: Sequence[int] | None = None,
        cuts: Sequence[int] = (),
    ) -> AsyncIterator[Stream]:
        """A request on a connection of its own, whose response is read piece by piece.

        The body is sent while the response is read, if `content` has one; else `send` and `finish` of the
        stream send it. At the end of the block the client is gone.

        Args:
            content: bytes and text are framed by Content-Length. Iterables of bytes are chunked: each item
                is an HTTP chunk, and leaves by itself. Without any, the body of a POST, PUT or PATCH is
                chunked, and the others have none. A Content-Length or Transfer-Encoding among `headers`
                is believed and decides instead.
            chunks: offsets into the body (bytes or text) at which it is cut into HTTP chunks; `()` for a
                single one.
            cuts: offsets at which the network cuts what is sent. They count from the first byte after the
                head, in bytes as they go on the wire; 0 lies between head and body, negative ones in the
                head. Without any, head and body arrive together.
        """
        stream = await self.open(method, target, headers=headers, content=content, chunks=chunks, cuts=cuts)
        try:
            yield stream
        finally:
            await stream.aclose()

    async def open(
        self,
        method: str,
        target: str,
        *,
        headers: wire.Headers = (),
        content: Content = None,
        chunks: Sequence[int] | None = None,
        cuts: Sequence[int] = (),
    ) -> Stream:
        """As `stream`, for those who call the stream's `aclose` themselves."""
        body = _Body(method, headers, content, chunks)
        head = wire.request_head(method, target, headers, body.length, body.chunked)
        stream = Stream(self._connect(), method, wire.Cutter(cuts, -len(head)), body.chunked)
        if content is None:
            await stream.send_raw(head)
        else:
            stream._begin_sending(head, body)
        return stream

    async def request(self, method: str, target: str, **options: Any) -> Response:
        """The whole response to a request; `options` are those of `stream`.

        Raises: TimeoutError: it does not come; InvalidResponse.
        """
        options.setdefault("content", b"" if method in wire.WITH_BODY else None)
        async with self.stream(method, target, **options) as stream:
            return await stream.response()

    async def send(self, request: wire.Request, cuts: Sequence[int] = ()) -> Response:
        """The whole response to a request that was made before; `cuts` as for `stream`."""
        async with self.start(request, cuts) as stream:
            return await stream.response()

    @contextlib.asynccontextmanager
    async def start(self, request: wire.Request, cuts: Sequence[int] = ()) -> AsyncIterator[Stream]:
        """As `stream`, for a request that was made before: its bytes are sent, cut at `cuts`."""
        head = request.head()
        cutter = wire.Cutter(cuts, -len(head))
        stream = Stream(self._connect(), request.method, cutter, request.chunks is not None)
        stream._begin_sending(head + request.framed(), None)
        try:
            yield stream
        finally:
            await stream.aclose()

    async def get(self, target: str, **options: Any) -> Response:
        """`request` with GET."""
        return await self.request("GET", target, **options)

    async def head(self, target: str, **options: Any) -> Response:
        """`request` with HEAD."""
        return await self.request("HEAD", target, **options)

    async def options(self, target: str, **options: Any) -> Response:
        """`request` with OPTIONS."""
        return await self.request("OPTIONS", target, **options)

    async def delete(self, target: str, **options: Any) -> Response:
        """`request` with DELETE."""
        return await self.request("DELETE", target, **options)

    async def post(self, target: str, **options: Any) -> Response:
        """`request` with POST."""
        return await self.request("POST", target, **options)

    async def put(self, target: str, **options: Any) -> Response:
        """`request` with PUT."""
        return await self.request("PUT", target, **options)

    async def patch(self, target: str, **options: Any) -> Response:
        """`request` with PATCH."""
        return await self.request("PATCH", target, **options)


class _Body:
    """A request's body as the caller gave it.

    Attributes:
        chunked: what is sent of it is framed in HTTP chunks.
        length: what Content-Length is to say, where nothing else frames it.
        is_bytes: it is here, whole.
    """

    def __init__(
        self, method: str, headers: wire.Headers, content: Content, chunks: Sequence[int] | None
    ) -> None:
        self._content = content.encode() if isinstance(content, str) else content
        self._chunks = chunks
        self.is_bytes = isinstance(self._content, bytes | bytearray | memoryview)
        if chunks is not None and not self.is_bytes:
            raise ValueError("`chunks` are offsets into bytes: an iterable's items are chunks already")
        declared = wire.declared_framing(headers)
        if declared is not None:
            self.chunked = declared == "chunked"
        elif content is None:
            self.chunked = method in wire.WITH_BODY
        else:
            self.chunked = chunks is not None or not self.is_bytes
        self.length = len(self._content) if self.is_bytes and not self.chunked else None  # type: ignore[arg-type]

    async def pieces(self) -> AsyncGenerator[bytes, None]:
        """Its parts: what leaves together, before any cut."""
        content = self._content
        if isinstance(content, AsyncIterable):
            iterator = aiter(content)
            try:
                async for item in iterator:
                    yield item
            finally:
                if isinstance(iterator, AsyncGenerator):
                    await iterator.aclose()
        elif content is not None and not isinstance(content, bytes | bytearray | memoryview):
            for item in content:
                yield item

    def whole(self) -> bytes:
        """All of it as it goes on the wire, where it is bytes."""
        body = bytes(self._content)  # type: ignore[arg-type]
        if not self.chunked:
            return body
        return b"".join(map(wire.chunk, wire.cut(body, self._chunks or ()))) + wire.LAST_CHUNK


class Connection:
    """One connection to the server.

    Attributes:
        exchanges: what is known of the handlers of its requests, in their order.
    """

    def __init__(self, client: Client, session: MemorySession) -> None:
        self.client = client
        self.exchanges: list[Observed] = []
        self._session = session
        self._peer = session.client
        self._reader = ResponseReader()

    # ---- what the client does ----

    async def send(self, data: bytes) -> None:
        """Send bytes that arrive together, then let the server work; waits while it does not read.

        Raises: ClientDisconnected: the connection is closed; TimeoutError.
        """
        with anyio.fail_after(self.client.patience):
            await self._peer.send(data)
        await self.client.settle()

    async def receive(self, most: int = WINDOW) -> bytes:
        """Bytes that the server has sent, at most `most`; `b""` once it has closed. Raises TimeoutError."""
        with anyio.fail_after(self.client.patience):
            return await self._peer.receive(most)

    async def response(self, method: str = "GET") -> Response:
        """The next response, which answers a request with this method."""
        reader = self._reader
        reader.begin(method)
        while not reader.done:
            if reader.next_piece() is None and not reader.done:
                reader.feed(await self.receive())
        return reader.response

    def half_close(self) -> None:
        """Close the client's sending side."""
        self._peer.send_eof()

    def disconnect(self) -> None:
        """Vanish."""
        self._peer.disconnect()

    async def aclose(self) -> None:
        """Vanish, and let the server notice."""
        self.disconnect()
        self.client._connections.pop(self._peer, None)
        with anyio.CancelScope(shield=True):
            await self.client.settle()

    # ---- what can be asserted of it ----

    @property
    def open(self) -> bool:
        """Neither side has closed it."""
        return self._session in self._session.service.sessions and not self._peer.at_eof

    @property
    def ended(self) -> bool:
        """The server has closed its sending side; what it sent before can still be read."""
        return self._peer.at_eof

    @property
    def reset(self) -> bool:
        """The server has closed it without sending all that it had."""
        return self._peer.reset

    @property
    def unread(self) -> int:
        """Bytes that the server has sent and the client has not read."""
        return self._peer.waiting

    @property
    def outbound_held(self) -> int:
        """Bytes of responses that wait in the server, beyond what the network holds."""
        return self._session.unsent()

    @property
    def inbound_held(self) -> int:
        """Bytes of the running request's body that wait in the server for the handler."""
        inbound = self._session.connection.inbound
        return 0 if inbound is None else inbound.size

    @property
    def reading_paused(self) -> bool:
        """The server does not read, so that `send` waits."""
        return self._session.reading_paused


class Stream:
    """One request and its response, piece by piece.

    Attributes:
        connection: that carries it.
        received: the response as far as it has been read.
    """

    def __init__(self, connection: Connection, method: str, cutter: wire.Cutter, chunked: bool) -> None:
        self.connection = connection
        self._cutter = cutter
        self._chunked = chunked
        self._reader = connection._reader
        self._reader.begin(method)
        self.received = self._reader.response
        self._sending: anyio.CancelScope | None = None
        self._failure: Exception | None = None  # of the iterable that makes the request's body

    # ---- the request ----

    async def send(self, data: bytes) -> None:
        """Send some of the body, as one HTTP chunk where the body is chunked."""
        await self.send_raw(wire.chunk(data) if self._chunked else data)

    async def finish(self) -> None:
        """End a chunked body; one framed by its length ends with its last byte."""
        if self._chunked:
            await self.send_raw(wire.LAST_CHUNK)

    async def send_raw(self, data: bytes) -> None:
        """Send bytes as they are, cut at the stream's `cuts`.

        Raises: ClientDisconnected: the connection is closed; TimeoutError.
        """
        for piece in self._cutter.feed(data):
            await self.connection.send(piece)

    def _begin_sending(self, head: bytes, body: _Body | None) -> None:
        """Send the head, and the body if it is not in there, while the response is read."""
        tasks = self.connection.client._tasks
        assert tasks is not None
        self._sending = anyio.CancelScope()
        tasks.start_soon(self._send_all, head, body)

    async def _send_all(self, head: bytes, body: _Body | None) -> None:
        assert self._sending is not None
        with self._sending:
            try:
                if body is None:
                    await self.send_raw(head)
                elif body.is_bytes:
                    await self.send_raw(head + body.whole())
                else:
                    await self.send_raw(head)
                    async with contextlib.aclosing(body.pieces()) as pieces:
                        async for piece in pieces:
                            await self.send(piece)
                    await self.finish()
            except ClientDisconnected:
                pass  # a server may answer and close before it has read everything: its answer says why
            except Exception as error:
                self._failure = error
                self.disconnect()

    async def aclose(self) -> None:
        """Vanish, and stop sending. Raises what the iterable of the body has raised."""
        if self._sending is not None:
            self._sending.cancel()
        await self.connection.aclose()
        self._raise_failure()

    def _raise_failure(self) -> None:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def half_close(self) -> None:
        """Close the client's sending side."""
        self.connection.half_close()

    def disconnect(self) -> None:
        """Vanish: the server finds the connection gone."""
        self.connection.disconnect()

    # ---- the response ----

    async def receive(self) -> bytes | None:
        """The next piece of the response's body; `None` at its end, or where it was cut.

        Raises: TimeoutError; InvalidResponse.
        """
        while not self._reader.done:
            piece = self._reader.next_piece()
            if piece:
                return piece
            if piece is None and not self._reader.done:
                await self._feed()
        return None

    async def _feed(self) -> None:
        self._reader.feed(await self.connection.receive())
        self._raise_failure()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        piece = await self.receive()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def head(self) -> Response:
        """The response once its head has come; no status where the server closed without one."""
        while not self._reader.done and not self.received.status:
            if self._reader.next_piece() is None and not self._reader.done:
                await self._feed()
        return self.received

    async def available(self) -> bytes:
        """What has come of the response's body, without waiting for more."""
        await self.connection.client.settle()
        pieces: list[bytes] = []
        while not self._reader.done:
            while (piece := self._reader.next_piece()) is not None:
                pieces.append(piece)
            if self._reader.done or not (self.connection.unread or self.connection.ended):
                break
            await self._feed()
        await self.connection.client.settle()
        return b"".join(pieces)

    async def response(self) -> Response:
        """The response, read to its end."""
        while await self.receive() is not None:
            pass
        return self.received

    # ---- what can be asserted of it ----

    @property
    def seen(self) -> Observed:
        """What is known of the handler; one that has not run has seen nothing."""
        exchanges = self.connection.exchanges
        return exchanges[-1] if exchanges else Observed()

    @property
    def unread(self) -> int:
        """Bytes that the server has sent and the client has not read."""
        return self.connection.unread

    @property
    def outbound_held(self) -> int:
        """Bytes of the response that wait in the server, beyond what the network holds."""
        return self.connection.outbound_held

    @property
    def inbound_held(self) -> int:
        """Bytes of the request's body that wait in the server for the handler."""
        return self.connection.inbound_held
