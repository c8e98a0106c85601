"""A WebSocket of an ASGI server, as the engine's exchange and the engine's `WebSocket` are for a handler.

The rule: the server frames, pings and shakes hands; here are whole messages. What waits for the handler is
bounded by the app's settings, and above it nothing is asked for.
"""

from __future__ import annotations

import functools
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, Self

import anyio

from streamcompat.asgi.exchange import ASGIExchange, refuse
from streamcompat.asgi.scope import ASGIMessage, Scope, request_head
from streamcompat_engine import (
    READY,
    REASONS,
    Accepted,
    ClientDisconnected,
    RequestHead,
    ResponseStateError,
    WebSocketSettings,
    check_close,
    check_control,
)

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


def _size(message: str | bytes) -> int:
    """In bytes, as it was on the wire."""
    return len(message) if isinstance(message, bytes) or message.isascii() else len(message.encode())


class Frame(bytes):
    """What stands for the frame of a message until the server makes it; empty itself."""

    content: str | bytes

    def __new__(cls, content: str | bytes) -> Self:
        self = super().__new__(cls)
        self.content = content
        return self


class MessageSocket:
    """One WebSocket of a server's; what is not said here is said by the engine's `WebSocketCore`."""

    def __init__(self, accepted: Accepted, settings: WebSocketSettings) -> None:
        self.subprotocol = accepted.subprotocol
        self.closed = False
        self.code: int | None = None
        self.reason = ""
        self.pings = _Answered()
        self.settings = settings
        self.wake: Callable[[], None] = lambda: None
        self.send: Callable[[ASGIMessage], None] = lambda message: None
        self._messages: deque[tuple[str | bytes, int]] = deque()
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
        most, size = self.settings.message_size, _size(message)
        if most is not None and size > most:
            self.close(_TOO_BIG, REASONS[_TOO_BIG])
        elif not self.closed:
            self._messages.append((message, size))
            self._waiting += size
            self.wake()

    def end(self, code: int, reason: str) -> None:
        """The client has closed, or is gone."""
        if not self.closed:
            self.closed, self.code, self.reason = True, code, reason
            self.wake()

    def take(self) -> str | bytes | None:
        if not self._messages:
            return None
        message, size = self._messages.popleft()
        self._waiting -= size
        return message

    def message(self, data: str | bytes) -> Frame:
        return Frame(data)

    def ping(self, payload: bytes | None) -> tuple[bytes, bytes]:
        """The server pings by itself; this one passes for answered."""
        check_control(payload or b"")
        return payload or b"", b""

    def pong(self, payload: bytes) -> bytes:
        """The server answers pings by itself."""
        check_control(payload)
        return b""

    def close(self, code: int, reason: str) -> None:
        check_close(code, reason)
        if not self.closed:
            self.send(
                {"type": "websocket.close", "code": 1000 if code == _NO_STATUS else code, "reason": reason}
            )
            self.end(code, reason)


class WebSocketExchange(ASGIExchange):
    """The exchange of a handshake, and of the WebSocket that becomes of it."""

    def __init__(self, scope: Scope, *rest: Any) -> None:
        super().__init__(scope, *rest)
        self.head = _handshake(scope)
        self.scheme = {"wss": "https"}.get(scope.get("scheme", "ws"), "http")
        self._body_ended = self._watched = True  # what is received are messages
        self._core: MessageSocket | None = None
        self._answers = _REFUSAL in (scope.get("extensions") or {})
        self._changed = anyio.Event()

    # ---- what a connection asks of the engine's exchange ----

    def switch(self, accepted: Accepted, settings: WebSocketSettings) -> MessageSocket:
        """Accepts the handshake."""
        if self.disconnected:
            raise ClientDisconnected
        if self.committed:
            raise ResponseStateError("the connection cannot leave HTTP any more")
        core = self._core = MessageSocket(accepted, settings)
        core.wake, core.send = self._wake_readers, self._put_message
        self.status, self.committed, self.reading_paused = 101, True, True
        self.write = self._write_frame
        self._put_message({"type": "websocket.accept", "subprotocol": core.subprotocol, "headers": []})
        self._group.start_soon(self._listen)
        return core

    def over(self) -> None:
        super().over()
        self.write = functools.partial(refuse, ResponseStateError("the exchange is over"))

    def proceed(self) -> None:
        """A message was taken, or the WebSocket was told to close."""
        self._wake_writers()

    async def changed(self) -> None:
        """Waits until something has happened to the WebSocket."""
        await self._changed.wait()

    def _write_frame(self, data: bytes) -> Awaitable[None]:
        core = self._core
        assert core is not None
        if core.closed:
            raise ClientDisconnected
        if not isinstance(data, Frame):
            return READY  # of a ping or pong, which is the server's
        content = data.content
        self.bytes_sent += _size(content)
        message = {"type": "websocket.send", "text" if isinstance(content, str) else "bytes": content}
        self._put_message(message)
        return self._bounded(self._cost(message))

    # ---- its own ----

    def _wake_readers(self) -> None:
        changed, self._changed = self._changed, anyio.Event()
        changed.set()
        self._wake_writers()

    def _put_message(self, message: ASGIMessage) -> None:
        if not self.disconnected:
            self._queue.append(message)
            self._queued += self._cost(message)
            self._queue_changed(True)

    @staticmethod
    def _cost(message: ASGIMessage) -> int:
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

    def _refusal(self) -> Iterator[ASGIMessage]:
        """Without the extension a handshake can only be refused, which is a 403."""
        for message in self._queue:
            if not message["type"].startswith("http.response"):
                yield message
            elif self._answers:
                yield {**message, "type": "websocket." + message["type"]}
            elif message["type"] == "http.response.start":
                yield {"type": "websocket.close", "code": 1000}


def _handshake(scope: Scope) -> RequestHead:
    """The head of the request, as the engine reads a handshake."""
    kept = [(name, value) for name, value in scope["headers"] if bytes(name).lower() not in _SETTLED]
    spoken = ", ".join(scope.get("subprotocols") or ())
    subprotocols = [(b"sec-websocket-protocol", spoken.encode())] if spoken else []
    settled = {"method": "GET", "http_version": "1.1", "headers": [*kept, *_HANDSHAKE, *subprotocols]}
    return request_head({**scope, **settled})
