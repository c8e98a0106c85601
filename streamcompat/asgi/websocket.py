"""A WebSocket of an ASGI server, as the engine's exchange and the engine's `WebSocket` are for a handler.

The rule: the server frames, pings and shakes hands; here are whole messages. What waits for the handler is
bounded by the app's settings, and above it nothing is asked for.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import anyio

from streamcompat.asgi.exchange import ASGIExchange, Message, request_head
from streamcompat_engine import Accepted, Fields, RequestHead, WebSocketSettings, check_close

_COST: Final = 128
_NO_STATUS, _TOO_BIG = 1005, 1009
_REFUSAL: Final = "websocket.http.response"
"""The extension of ASGI by which a handshake is answered as any other request."""

# What a server has settled with the client before it asks the app; over HTTP/2 there is no such thing.
_HANDSHAKE: Final = (
    (b"connection", b"Upgrade"),
    (b"upgrade", b"websocket"),
    (b"sec-websocket-version", b"13"),
    (b"sec-websocket-key", b"AAAAAAAAAAAAAAAAAAAAAA=="),
)
_SETTLED: Final = {name for name, _ in _HANDSHAKE} | {
    b"sec-websocket-extensions",
    b"sec-websocket-protocol",
    b"content-length",
    b"transfer-encoding",
}


class _Answered(dict[bytes, object]):
    """The pings without an answer: there is none, as no ping is sent. ASGI has no word for it."""

    def __missing__(self, payload: bytes) -> object:
        return object()


class MessageSocket:
    """What a handler's connection needs of the engine's `WebSocket`; see there for what is not said here."""

    def __init__(self, accepted: Accepted, settings: WebSocketSettings) -> None:
        self.subprotocol = accepted.subprotocol
        self.closed = False
        self.code: int | None = None
        self.reason = ""
        self.pings = _Answered()
        self.settings = settings
        self.wake: Callable[[], None] = lambda: None
        self.send: Callable[[Message], None] = lambda message: None
        self._messages: deque[str | bytes] = deque()
        self._waiting = 0

    @property
    def open(self) -> bool:
        return not self.closed

    @property
    def full(self) -> bool:
        """Whether as many messages, or bytes of them, wait as the settings allow."""
        most, size = self.settings.waiting_messages, self.settings.waiting_bytes
        return (most is not None and len(self._messages) >= most) or (
            size is not None and self._waiting >= size
        )

    def put(self, message: str | bytes) -> None:
        """A message has come."""
        most = self.settings.message_size
        if most is not None and len(message) > most:
            self.close(_TOO_BIG, "")
        elif not self.closed:
            self._messages.append(message)
            self._waiting += len(message)
            self.wake()

    def end(self, code: int, reason: str) -> None:
        """The client has closed, or is gone."""
        if not self.closed:
            self.closed, self.code, self.reason = True, code, reason
            self.wake()

    def take(self) -> str | bytes | None:
        if not self._messages:
            return None
        message = self._messages.popleft()
        self._waiting -= len(message)
        return message

    def message(self, data: str | bytes) -> Message:
        """What `write` of the exchange takes."""
        return {"type": "websocket.send", "text" if isinstance(data, str) else "bytes": data}

    def ping(self, payload: bytes | None) -> tuple[bytes, None]:
        """The server pings by itself; this one passes for answered."""
        return payload or b"", None

    def pong(self, payload: bytes) -> None:
        """The server answers pings by itself."""

    def close(self, code: int, reason: str) -> None:
        check_close(code, reason)
        if not self.closed:
            self.send(
                {"type": "websocket.close", "code": 1000 if code == _NO_STATUS else code, "reason": reason}
            )
            self.end(code, reason)


class WebSocketExchange(ASGIExchange):
    """The exchange of a handshake, and of the WebSocket that becomes of it."""

    websocket = MessageSocket

    def __init__(self, scope: Message, *rest: Any) -> None:
        super().__init__(scope, *rest)
        self.head = _handshake(scope)
        self.scheme = {"wss": "https"}.get(scope.get("scheme", "ws"), "http")
        self._body_ended = self._watched = True  # what is received are messages
        self._core: MessageSocket | None = None
        self._answers = _REFUSAL in (scope.get("extensions") or {})
        self._changed = anyio.Event()

    # ---- what a connection asks of the engine's exchange ----

    def switch(self, core: Any, headers: Fields, on_stop: Callable[[], None]) -> None:
        """Accepts the handshake; `write` then takes messages. `on_stop` is not called: a server that stops
        closes its WebSockets."""
        self._core = core
        core.wake, core.send = self._wake_readers, self._put_message
        self.status, self.committed, self.finished = 101, True, True
        self._put_message({"type": "websocket.accept", "subprotocol": core.subprotocol, "headers": []})
        self._group.start_soon(self._listen)

    @property
    def reading_paused(self) -> bool:
        """True: whoever takes a message says so by `proceed`."""
        return True

    def proceed(self) -> None:
        """A message was taken, or the WebSocket was told to close."""
        self._wake_writers()

    async def changed(self) -> None:
        """Waits until something has happened to the WebSocket."""
        await self._changed.wait()

    def cancel(self) -> None:
        self.scope.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return True  # on trio nothing else is a cancellation
        return task is None or task.cancelling() > 0

    def write(self, data: Any) -> Awaitable[None]:
        if self._core is None:
            return super().write(data)
        if data is not None:
            self._put_message(data)
        return self._bounded(0 if data is None else self._cost(data))

    # ---- its own ----

    def _wake_readers(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
        self._wake_writers()

    def _put_message(self, message: Message) -> None:
        if not self.disconnected:
            self._queue.append(message)
            self._queued += self._cost(message)
            self._queue_changed(True)

    @staticmethod
    def _cost(message: Message) -> int:
        return _COST + len(message.get("body") or message.get("text") or message.get("bytes") or b"")

    async def _listen(self) -> None:
        core = self._core
        assert core is not None
        while not core.closed:
            if core.full:
                await self._room.wait()
                continue
            message = await self._receive()
            if message["type"] == "websocket.receive":
                text = message.get("text")
                core.put(message["bytes"] if text is None else text)
            elif message["type"] == "websocket.disconnect":
                core.end(message.get("code") or _NO_STATUS, message.get("reason") or "")

    async def _flush(self) -> None:
        """As for any other response, but in the words for one to a handshake."""
        if self._core is None:
            self._queue = deque(self._refusal())
        await super()._flush()

    def _refusal(self) -> Iterator[Message]:
        """Without the extension a handshake can only be refused, which is a 403."""
        for message in self._queue:
            if not message["type"].startswith("http.response"):
                yield message
            elif self._answers:
                yield {**message, "type": "websocket." + message["type"]}
            elif message["type"] == "http.response.start":
                yield {"type": "websocket.close", "code": 1000}


def _handshake(scope: Message) -> RequestHead:
    """The head of the request, as the engine reads a handshake."""
    kept = [(name, value) for name, value in scope["headers"] if bytes(name).lower() not in _SETTLED]
    spoken = ", ".join(scope.get("subprotocols") or ())
    subprotocols = [(b"sec-websocket-protocol", spoken.encode())] if spoken else []
    settled = {"method": "GET", "http_version": "1.1", "headers": [*kept, *_HANDSHAKE, *subprotocols]}
    return request_head({**scope, **settled})
