"""A WebSocket of an ASGI server, as the engine's exchange and the engine's `WebSocket` are for a handler.

The rule: the server frames, pings and shakes hands; here are whole messages. What waits for the handler is
bounded by the app's settings, and above it nothing is asked for.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final, Self

from streamcompat.asgi.scope import ASGIMessage, Receive, Scope, Send
from streamcompat.asgi.service import ASGIService
from streamcompat.asgi.slot import ASGISlot
from streamcompat.asgi.tasks import Tasks
from streamcompat_engine import (
    FINISHED,
    READY,
    REASONS,
    Accepted,
    Body,
    End,
    EngineError,
    Fields,
    ReceivedMessages,
    ResponseStateError,
    Wakeup,
    WebSocketCore,
    WebSocketSettings,
    check_close,
    check_control,
    replace,
)

_NO_STATUS, _ABNORMAL, _TOO_BIG = 1005, 1006, 1009
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
    """The pings that wait for an answer: none, since ASGI has no message for a ping and none is sent."""

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


class MessageSocket(ReceivedMessages):
    """One WebSocket of a server's; what is not said here is said by the engine's `WebSocketCore`.

    Args:
        send: sends a message to the server.
        ended: called once it is closed.
    """

    closed: bool
    code: int | None
    reason: str

    def __init__(
        self,
        accepted: Accepted,
        settings: WebSocketSettings,
        send: Callable[[ASGIMessage], None],
        ended: Callable[[], None],
    ) -> None:
        super().__init__(accepted.subprotocol, settings)
        self.pings: _Answered = _Answered()
        self._most = settings.message_size
        self._send = send
        self._ended = ended

    @property
    def open(self) -> bool:
        return not self.closed

    @property
    def full(self) -> bool:
        """Whether no more messages may be asked for; see `ReceivedMessages`."""
        return self._full

    def put(self, message: str | bytes) -> None:
        """A message has come."""
        size = _size(message)
        if self._most is not None and size > self._most:
            self.close(_TOO_BIG, REASONS[_TOO_BIG])
        elif not self.closed:
            self._deliver(message, size)

    def end(self, code: int, reason: str) -> None:
        """Either side has closed, or the client is gone."""
        if not self.closed:
            self.closed, self.code, self.reason = True, code, reason
            self._ended()
            self._changed()

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
            self._send(
                {"type": "websocket.close", "code": 1000 if code == _NO_STATUS else code, "reason": reason}
            )
            self.end(code, reason)


class Frames(Body):
    """What goes to the client once the handshake is accepted: whole messages, framed by the server."""

    def __init__(self, slot: HandshakeSlot, core: MessageSocket) -> None:
        super().__init__(None, slot.written)
        self._slot = slot
        self._core = core

    def _put_head(self) -> None:
        self._slot.put({"type": "websocket.accept", "subprotocol": self._core.subprotocol, "headers": []}, 0)

    def _put_chunk(self, data: bytes) -> None:
        """A ping or pong, which is the server's."""

    def _put_end(self, trailers: Fields) -> None:
        """The core closes."""

    def write(self, data: bytes) -> Awaitable[None]:
        self._check_open()
        if not isinstance(data, Frame):
            return READY
        content = data.content
        size = _size(content)
        self._sent += size
        self._slot.put(
            {"type": "websocket.send", "text" if isinstance(content, str) else "bytes": content}, size
        )
        return self._written(size)


class HandshakeSlot(ASGISlot):
    """The slot of a handshake, and of the WebSocket that becomes of it."""

    _watched = True  # what is received are messages
    _core: MessageSocket | None = None
    _room: Wakeup | None = None  # for who waits until messages may be asked for

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, tasks: Tasks, service: ASGIService
    ) -> None:
        super().__init__(_handshake(scope), receive, send, tasks, service)

    @property
    def scheme(self) -> str:
        return {"wss": "https"}.get(super().scheme, "http")

    @property
    def reading_paused(self) -> bool:
        """Once there are messages: whoever takes one says so by `proceed`."""
        return self._core is not None

    def wakeup(self) -> Wakeup:
        return self.tasks.event()

    def switch(
        self, accepted: Accepted, settings: WebSocketSettings, wake: Callable[[], None]
    ) -> tuple[WebSocketCore, Body]:
        if self._lost is not None:
            raise self._lost
        try:
            replace(self._response)
        except ResponseStateError:
            raise ResponseStateError("the connection cannot leave HTTP any more") from None
        self._answer_has_begun()
        core = MessageSocket(accepted, settings, lambda message: self.put(message, 0), self._closed)
        core.wake, self._core = wake, core
        body = self._response = Frames(self, core)
        body.commit()
        self.tasks.spawn(self._listen)
        return core, body

    def proceed(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    def _tell(self, error: EngineError) -> None:
        super()._tell(error)
        if self._core is not None:
            self._core.end(_ABNORMAL, "")

    def _closed(self) -> None:
        """The WebSocket is closed, by either side, and with it the response is whole."""
        if self._lost is None and isinstance(self._response, Body):
            self._response.fail(ResponseStateError("the WebSocket is closed"))
            self._response.state = FINISHED

    def _end(self) -> End:
        # A client that is gone once the WebSocket is closed has all of it.
        return End.WHOLE if self._core is not None and self.responded else super()._end()

    async def _listen(self) -> None:
        core = self._core
        assert core is not None
        while not core.closed:
            if core.full:
                room = self._room = self.tasks.event()
                await room.wait()
                continue
            message = await self._receive()
            if message["type"] == "websocket.receive":
                text = message.get("text")
                core.put(message["bytes"] if text is None else text)
            elif message["type"] == "websocket.disconnect":
                core.end(message.get("code") or _NO_STATUS, message.get("reason") or "")

    def _worded(self, *messages: ASGIMessage) -> tuple[ASGIMessage, ...]:
        """In the words for a handshake; without the extension it can only be refused, which is a 403."""
        if not self._extends(_REFUSAL):
            return ({"type": "websocket.close", "code": 1000},)
        return tuple({**message, "type": f"websocket.{message['type']}"} for message in messages)

    def put(self, message: ASGIMessage, size: int) -> None:
        kind = message["type"]
        if kind.startswith("websocket."):
            super().put(message, size)
        elif self._extends(_REFUSAL) or kind == "http.response.start":
            for worded in self._worded(message):
                super().put(worded, size)


def _handshake(scope: Scope) -> Scope:
    """The scope as of the request that the engine reads as a handshake."""
    kept = [(name, value) for name, value in scope["headers"] if bytes(name).lower() not in _SETTLED]
    spoken = ", ".join(scope.get("subprotocols") or ())
    subprotocols = [(b"sec-websocket-protocol", spoken.encode())] if spoken else []
    settled = {"method": "GET", "http_version": "1.1", "headers": [*kept, *_HANDSHAKE, *subprotocols]}
    return {**scope, **settled}
