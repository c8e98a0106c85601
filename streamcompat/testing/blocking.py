"""The in-memory client for synchronous tests.

The rule: every method waits for the same method of a `Client` that runs in an event loop in another thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from streamcompat.testing import wire
from streamcompat.testing.applications import AnyApp, served
from streamcompat.testing.client import Client
from streamcompat.testing.connection import Stream
from streamcompat.testing.cookies import Cookies
from streamcompat.testing.observed import Observed
from streamcompat.testing.response import Response
from streamcompat.testing.virtual_time import BlockingLoop

if TYPE_CHECKING:
    from streamcompat.testing.websocket import WebSocket

T = TypeVar("T")


class TestClient:
    """`Client` without `await`. Outside of a `with` block, each request starts and stops the app.

    The app's own sleeps take no time: while a method waits and only a timer can end the wait, the loop's
    clock jumps to it. With threads or sockets of the app, time is real.

    Args:
        app, options: as for `Client`.
        backend: `"asyncio"` or `"trio"`.
    Raises: TypeError: `app` is not an app.
    """

    __test__ = False  # pytest would collect a class of this name

    def __init__(self, app: AnyApp, *, backend: str = "asyncio", **options: Any) -> None:
        served(app)  # raises for what is none
        self.app = app
        self._backend = backend
        self._options = options
        self._stack: contextlib.ExitStack | None = None
        self._loop: BlockingLoop | None = None
        self._client: Client | None = None

    def __enter__(self) -> Self:
        if self._stack is not None:
            raise RuntimeError("the client is already in use")
        with contextlib.ExitStack() as stack:
            loop = stack.enter_context(BlockingLoop(self._backend))
            client = loop.enter(Client(self.app, **self._options))
            self._loop, self._client = loop, client
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        stack, self._stack = self._stack, None
        assert stack is not None
        stack.close()
        self._loop = self._client = None

    @property
    def client(self) -> Client:
        """The underlying client, for its attributes. Call its methods only in the thread of its loop."""
        if self._client is None:
            raise RuntimeError("use the client in a `with` block")
        return self._client

    @property
    def cookies(self) -> Cookies:
        """See `Client.cookies`."""
        return self.client.cookies

    def call(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Call a coroutine function in the app's event loop and return its result."""
        if self._loop is None:
            raise RuntimeError("use the client in a `with` block")
        return self._loop.call(function, *arguments)

    @contextlib.contextmanager
    def _running(self) -> Iterator[Client]:
        if self._client is not None:
            yield self._client
        else:
            with self:
                yield self.client

    def request(self, method: str, target: str, **options: Any) -> Response:
        """See `Client.request`."""
        with self._running() as client:
            return self.call(lambda: client.request(method, target, **options))

    def send(self, request: wire.Request, cuts: Sequence[int] = ()) -> Response:
        """See `Client.send`."""
        with self._running() as client:
            return self.call(client.send, request, cuts)

    @contextlib.contextmanager
    def stream(self, method: str, target: str, **options: Any) -> Iterator[BlockingStream]:
        """See `Client.stream`. The thread of the app's loop iterates over an iterable `content`."""
        with self._running() as client:
            stream = self.call(lambda: client.open(method, target, **options))
            try:
                yield BlockingStream(self, stream)
            finally:
                self.call(stream.aclose)

    @contextlib.contextmanager
    def websocket(self, target: str, **options: Any) -> Iterator[BlockingWebSocket]:
        """See `Client.websocket`."""
        with self._running() as client:
            socket = self.call(lambda: client.open_websocket(target, **options))
            try:
                yield BlockingWebSocket(self, socket)
            finally:
                self.call(socket.connection.aclose)

    def settle(self) -> None:
        """See `Client.settle`."""
        self.call(self.client.settle)

    def advance(self, seconds: float) -> None:
        """See `Client.advance`."""
        self.call(self.client.advance, seconds)

    def shut_down(self) -> None:
        """See `Client.shut_down`."""
        self.call(self.client.shut_down)

    def get(self, target: str, **options: Any) -> Response:
        """`request` with GET."""
        return self.request("GET", target, **options)

    def head(self, target: str, **options: Any) -> Response:
        """`request` with HEAD."""
        return self.request("HEAD", target, **options)

    def options(self, target: str, **options: Any) -> Response:
        """`request` with OPTIONS."""
        return self.request("OPTIONS", target, **options)

    def delete(self, target: str, **options: Any) -> Response:
        """`request` with DELETE."""
        return self.request("DELETE", target, **options)

    def post(self, target: str, **options: Any) -> Response:
        """`request` with POST."""
        return self.request("POST", target, **options)

    def put(self, target: str, **options: Any) -> Response:
        """`request` with PUT."""
        return self.request("PUT", target, **options)

    def patch(self, target: str, **options: Any) -> Response:
        """`request` with PATCH."""
        return self.request("PATCH", target, **options)


class BlockingWebSocket:
    """`WebSocket` without `await`."""

    def __init__(self, client: TestClient, socket: WebSocket) -> None:
        self._client = client
        self._socket = socket

    @property
    def subprotocol(self) -> str | None:
        """The one that the app has chosen, or `None`."""
        return self._socket.subprotocol

    @property
    def seen(self) -> Observed:
        """What the handler has done so far."""
        return self._socket.seen

    def send(self, message: str | bytes, fragments: Sequence[int] = (), cuts: Sequence[int] = ()) -> None:
        """See `WebSocket.send`."""
        self._client.call(self._socket.send, message, fragments, cuts)

    def send_raw(self, data: bytes) -> None:
        """See `WebSocket.send_raw`."""
        self._client.call(self._socket.send_raw, data)

    def ping(self, payload: bytes = b"") -> None:
        """See `WebSocket.ping`."""
        self._client.call(self._socket.ping, payload)

    def receive(self) -> str | bytes:
        """See `WebSocket.receive`."""
        return self._client.call(self._socket.receive)

    def close(self, code: int = 1000, reason: str = "") -> None:
        """See `WebSocket.close`."""
        self._client.call(self._socket.close, code, reason)

    def disconnect(self) -> None:
        """Drop the connection without a Close."""

        async def call() -> None:
            self._socket.connection.disconnect()
            await self._client.client.settle()

        self._client.call(call)


class BlockingStream:
    """`Stream` without `await`. Each call returns when no task in the app's loop is ready to run."""

    def __init__(self, client: TestClient, stream: Stream) -> None:
        self._client = client
        self._stream = stream

    @property
    def received(self) -> Response:
        """The part of the response that was read so far."""
        return self._stream.received

    @property
    def seen(self) -> Observed:
        """What the handler has done so far."""
        return self._stream.seen

    @property
    def unread(self) -> int:
        """Bytes that the server has sent and the client has not read."""
        return self._stream.unread

    @property
    def outbound_held(self) -> int:
        """Bytes of the response that the server holds because the network takes no more."""
        return self._stream.outbound_held

    @property
    def inbound_held(self) -> int:
        """Bytes of the request's body that the server holds for the handler."""
        return self._stream.inbound_held

    @property
    def reading_paused(self) -> bool:
        """Whether the server has paused reading, so that `send` waits."""
        return self._stream.connection.reading_paused

    def send(self, data: bytes) -> None:
        """See `Stream.send`."""
        self._client.call(self._stream.send, data)

    def send_raw(self, data: bytes) -> None:
        """See `Stream.send_raw`."""
        self._client.call(self._stream.send_raw, data)

    def finish(self) -> None:
        """See `Stream.finish`."""
        self._client.call(self._stream.finish)

    def half_close(self) -> None:
        """See `Stream.half_close`."""
        self._then_settle(self._stream.half_close)

    def disconnect(self) -> None:
        """See `Stream.disconnect`."""
        self._then_settle(self._stream.disconnect)

    def _then_settle(self, function: Callable[[], None]) -> None:
        async def call() -> None:
            function()
            await self._client.client.settle()

        self._client.call(call)

    def receive(self) -> bytes | None:
        """See `Stream.receive`."""
        return self._client.call(self._stream.receive)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self.receive, None)

    def head(self) -> Response:
        """See `Stream.head`."""
        return self._client.call(self._stream.head)

    def response(self) -> Response:
        """See `Stream.response`."""
        return self._client.call(self._stream.response)
