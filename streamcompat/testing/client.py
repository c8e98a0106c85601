"""A client in the same process as the app, with the real engine between them and no socket.

The rule: every byte goes through the engine's own connection, so a test sees what a real server does. The
client controls everything: it decides when bytes are sent, when the response is read, and when time passes.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
from collections.abc import (
    AsyncIterator,
    Iterator,
    Mapping,
    Sequence,
)
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import anyio
import anyio.abc
import anyio.lowlevel

from streamcompat.serving.servable import Servable
from streamcompat.testing import wire
from streamcompat.testing.applications import AnyApp, EngineApp, prepare, served
from streamcompat.testing.connection import WINDOW, Body, Connection, Content, Stream
from streamcompat.testing.cookies import Cookies
from streamcompat.testing.observed import Observed, ObservedExchange
from streamcompat.testing.response import Response
from streamcompat.testing.user_agent import Auth, Files, UserAgent, call
from streamcompat_engine import (
    Exchange,
    Lifespan,
    Limits,
    MemoryPeer,
    MemoryTransport,
    Observer,
    Service,
    Timeouts,
    VirtualClock,
)

if TYPE_CHECKING:
    from streamcompat.testing.websocket import WebSocket

PATIENCE: Final = 10.0
TURNS: Final = 16
"""Event loop iterations after which every ready task is assumed to have run, for a loop that cannot tell."""


class Client:
    """Sends requests to an app; an async context manager, on asyncio or trio.

    Args:
        app: an app of either flavour, a site, an ASGI application, or a coroutine function that takes the
            engine's exchange.
        limits, timeouts: used instead of the app's own.
        window: bytes that the network holds for a client that does not read.
        patience: real seconds that one wait may take before it raises TimeoutError. It protects a test
            against hanging; it is not one of the engine's timeouts. The app's own sleeps and threads run in
            real time.
        keep: record the pieces that handlers read and write; turn it off for bodies that should not stay in
            memory.
        cookies: by name, sent by `request`.
        auth: (user, password) that `request` sends by Basic.
    Raises: TypeError: `app` is not an app.

    Attributes:
        clock: the clock of the engine's timeouts; `advance` moves it.
        keep: as given; a change applies from the next request on.
    """

    def __init__(
        self,
        app: AnyApp,
        *,
        limits: Limits | None = None,
        timeouts: Timeouts | None = None,
        window: int = WINDOW,
        patience: float = PATIENCE,
        keep: bool = True,
        cookies: Mapping[str, str] | None = None,
        auth: Auth = None,
    ) -> None:
        self._served = servable = served(app)
        self._agent = UserAgent(cookies, auth)
        self.app = app
        self.clock: VirtualClock = VirtualClock()
        self.patience = patience
        self._window = window
        self.keep = keep
        if isinstance(servable, Servable):
            config = servable.server_config()
            limits, timeouts = limits or config.limits, timeouts or config.timeouts
            handle: EngineApp = servable.handle
            overdue: EngineApp | None = servable.overdue
            observer: Observer | None = servable.observer()
        else:
            handle, overdue, observer = servable, None, None
        limits, timeouts = limits or Limits(), timeouts or Timeouts()
        self._service = Service(functools.partial(self._serve, handle), limits, timeouts, overdue, observer)
        self._connections: dict[MemoryPeer, Connection] = {}
        self._tasks: anyio.abc.TaskGroup | None = None
        self._lifespan = Lifespan()
        self._loop: Any = None

    @contextlib.contextmanager
    def without_access_log(self) -> Iterator[None]:
        """Log no request of the block: what a test runner keeps of a log is not the app's."""
        service = self._service
        observer, service.observer = service.observer, None
        try:
            yield
        finally:
            service.observer = observer

    # ---- start and stop ----

    async def __aenter__(self) -> Self:
        if self._tasks is not None:
            raise RuntimeError("the client is already in use")
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            self._loop = None
        if isinstance(self._served, Servable):
            prepare(self._served)
            self._lifespan = self._served.lifespan()
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
        """The engine's limits."""
        return self._service.limits

    @property
    def stall_limit(self) -> float:
        """Seconds after which the server has closed the connection of a client that does not read."""
        # The engine checks for a stall once per second.
        return (self._service.timeouts.write_stall or 0.0) + 3.0

    async def settle(self) -> None:
        """Let every ready task run, until all tasks wait for bytes, for buffer space or for the clock."""
        # Only asyncio's own loops (not uvloop, not trio) have this queue of callbacks that are ready to run.
        ready = getattr(self._loop, "_ready", None)
        if ready is None:
            for _ in range(TURNS):
                await anyio.lowlevel.checkpoint()
            return
        for _ in range(TURNS):
            await asyncio.sleep(0)
            if not ready:  # the loop has also looked at its timers and sockets, and none was due
                return

    async def advance(self, seconds: float) -> None:
        """Advance the engine's clock; timers that fall due fire in their order."""
        await self.settle()
        self.clock.advance(seconds)
        await self.settle()

    async def shut_down(self) -> None:
        """Tell the server to stop: idle connections close now, the others after their response."""
        self._service.stop()
        await self.settle()

    async def _serve(self, handle: EngineApp, exchange: Exchange) -> None:
        connection = self._connections[exchange.transport]
        observed = Observed(self.keep)
        connection.exchanges.append(observed)
        try:
            await handle(ObservedExchange(exchange, observed, connection._session.unsent))
        except BaseException as error:
            observed.error = error
            raise
        finally:
            observed.ended = True

    # ---- requests ----

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """Open a connection, for what the other methods do not offer: pipelining, raw bytes, keep-alive."""
        connection = self._connect()
        try:
            yield connection
        finally:
            await connection.aclose()

    def _connect(self) -> Connection:
        if self._tasks is None:
            raise RuntimeError("use the client in an `async with` block")
        transport = MemoryTransport(self._service, self.clock, self._tasks, self._window)
        connection = self._connections[transport.client] = Connection(self, transport)
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
        """Send a request on a new connection, and read the response piece by piece.

        If `content` is given, the body is sent while the response is read; otherwise the caller sends the
        body with the stream's `send` and `finish`. The client disconnects at the end of the block.

        Args:
            content: bytes and text are framed by Content-Length. Iterables of bytes are chunked: each item
                is one HTTP chunk and is sent separately. Without content, the body of a POST, PUT or PATCH
                is chunked, and other methods have no body. A Content-Length or Transfer-Encoding in
                `headers` takes precedence over all of this.
            chunks: offsets into the body (bytes or text) at which it is split into HTTP chunks; `()` for a
                single chunk.
            cuts: offsets at which the network cuts the sent bytes. They count bytes on the wire from the
                first byte after the head: 0 is between head and body, and negative offsets are in the head.
                Without cuts, head and body arrive together.
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
        """Like `stream`, but the caller must call `aclose` of the returned stream."""
        body = Body(method, headers, content, chunks)
        head = wire.request_head(method, target, headers, body.length, body.chunked)
        stream = Stream(self._connect(), method, wire.Cutter(cuts, -len(head)), body.chunked)
        if content is None:
            await stream.send_raw(head)
        else:
            stream._begin_sending(head, body)
        return stream

    @contextlib.asynccontextmanager
    async def websocket(
        self, target: str, *, headers: wire.Headers = (), subprotocols: Sequence[str] = ()
    ) -> AsyncIterator[WebSocket]:
        """Open a WebSocket, on a new connection, which is dropped at the end of the block.

        Args:
            subprotocols: those that the client offers.
        Raises: WebSocketRejected: the app answers otherwise; TimeoutError.
        """
        socket = await self.open_websocket(target, headers=headers, subprotocols=subprotocols)
        try:
            yield socket
        finally:
            await socket.connection.aclose()

    async def open_websocket(
        self, target: str, *, headers: wire.Headers = (), subprotocols: Sequence[str] = ()
    ) -> WebSocket:
        """Like `websocket`, but the caller must call `aclose` of the socket's connection."""
        from streamcompat.testing.websocket import WebSocket  # it costs time that few tests need

        socket = WebSocket(self._connect())
        try:
            await socket.open(target, headers, subprotocols)
        except BaseException:
            await socket.connection.aclose()
            raise
        return socket

    async def request(
        self,
        method: str,
        target: str,
        *,
        headers: wire.Headers = (),
        content: Content = None,
        json: Any = None,
        data: Mapping[str, Any] | None = None,
        files: Files | None = None,
        auth: Auth = None,
        cookies: Mapping[str, str] | None = None,
        follow_redirects: bool = False,
        chunks: Sequence[int] | None = None,
        cuts: Sequence[int] = (),
    ) -> Response:
        """Send a request and return the whole response, whose cookies are kept for the next requests.

        Args:
            headers, content, chunks, cuts: as for `stream`.
            json: a value that becomes the content.
            data: the fields of a form; a list for a field that comes several times.
            files: makes the form a multipart one: by the name of the field the content, (file name, content)
                or (file name, content, content type). A content is bytes, text or an open file.
            auth: (user, password) for this request.
            cookies: by name, for this request.
            follow_redirects: within the app, 20 at the most. The responses on the way are in `history`.
        Raises: TimeoutError: the response does not arrive; InvalidResponse; TooManyRedirects;
            TypeError: there are two contents.
        """
        sent = call(method, target, headers, content, json, data, files, chunks, cuts)
        return await self._agent.request(self.stream, sent, auth, cookies, follow_redirects)

    @property
    def cookies(self) -> Cookies:
        """The cookies that `request` keeps."""
        return self._agent.cookies

    async def send(self, request: wire.Request, cuts: Sequence[int] = ()) -> Response:
        """Send a `Request` and return the whole response; `cuts` as for `stream`."""
        async with self.start(request, cuts) as stream:
            return await stream.response()

    @contextlib.asynccontextmanager
    async def start(self, request: wire.Request, cuts: Sequence[int] = ()) -> AsyncIterator[Stream]:
        """Like `stream`, for a `Request`: its bytes are sent, cut at `cuts`."""
        head = request.head()
        cutter = wire.Cutter(cuts, -len(head))
        stream = Stream(self._connect(), request.method, cutter, request.chunks is not None)
        try:
            await stream._send_whole(head + request.framed())
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
