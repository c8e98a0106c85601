"""One WebSocket of an ASGI application: `receive` and `send` over an exchange of the engine's.

The rule: the handshake is answered once the application says how. From then on every `receive` ends, with a
message or with `websocket.disconnect`.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Final

from anyio.lowlevel import cancel_shielded_checkpoint, checkpoint

from streamcompat.asgi_api.errors import ClientGone, UnexpectedMessage, gone, is_of_the_client
from streamcompat.asgi_api.http import give_up
from streamcompat.asgi_api.messages import Message, checked_status, response_fields
from streamcompat_engine import (
    EngineError,
    Exchange,
    Fields,
    ResponseStateError,
    WebSocketCore,
    accept,
    chunk_of,
    read_handshake,
)

if TYPE_CHECKING:
    from streamcompat.asgi_api.app import ASGIApp

_NORMAL: Final = 1000
_GOING_AWAY: Final = 1001
_ABNORMAL: Final = 1006
_FAILED: Final = 1011
_RUN: Final = 64 * 1024
"""Bytes of messages that are received without a turn for other tasks: as many as wait for the application."""
_RUN_OUT: Final = 256 * 1024
"""The same of those that are sent. Compressed, thousands of them may be too few to wait for the client."""
_OVERHEAD: Final = 2 * 1024
"""What a message counts beside its bytes: so 32 empty ones make a run."""
_OURS: Final = frozenset(
    {b"connection", b"content-length", b"transfer-encoding", b"upgrade"}
    | {b"sec-websocket-" + name for name in (b"accept", b"extensions", b"protocol", b"version")}
)
"""Fields of the answer to a handshake that only the server may set."""


class Stage(enum.Enum):
    """How far the WebSocket has come; the value says what may be sent next."""

    HANDSHAKE = "websocket.accept, websocket.close or websocket.http.response.start"
    OPEN = "websocket.send or websocket.close"
    DENIAL = "websocket.http.response.body"
    CLOSED = "nothing more, as the WebSocket is closed"


HANDSHAKE, OPEN, DENIAL, CLOSED = Stage


class WebSocketCycle:
    """One WebSocket, from its handshake to its end.

    Attributes:
        app: the application that answers.
        handshake: the client's part of it.
    """

    _endpoint = None
    """For log lines, which name the route of a flavour's request."""

    def __init__(self, app: ASGIApp, exchange: Exchange) -> None:
        self.app = app
        self.handshake: Final = read_handshake(exchange.head)
        self._exchange = exchange
        self._stage = HANDSHAKE
        self._core: WebSocketCore | None = None
        self._connected = False  # websocket.connect was given
        self._told = False  # of the disconnect
        self._received = 0  # of the present run of messages
        self._sent = 0
        self._denial: tuple[int, Fields] | None = None

    # ---- for log lines ----

    @property
    def method(self) -> str:
        """The method of the handshake."""
        return self._exchange.head.method

    @property
    def path(self) -> str:
        """The path of the handshake as it came, percent-encoded, for the log."""
        return self._exchange.head.raw_path.decode("latin-1")

    @property
    def url(self) -> str:
        """The address of the WebSocket, for the log."""
        scheme = "wss" if self._exchange.scheme == "https" else "ws"
        return f"{scheme}://{self._exchange.head.host or ''}{self._exchange.head.target.decode('latin-1')}"

    # ---- in ----

    async def receive(self) -> Message:
        """The next message for the application."""
        if not self._connected:
            self._connected = True
            return {"type": "websocket.connect"}
        exchange = self._exchange
        while self._core is None and not (exchange.disconnected or exchange.finished):
            await exchange.changed()
        core = self._core
        if core is not None:
            message = await self._next(core)
            if message is not None:
                kind = "text" if isinstance(message, str) else "bytes"
                return {"type": "websocket.receive", kind: message}
        if self._told:
            # A loop that goes on asking must not hold up the server. A caller that only polls cancels it.
            await cancel_shielded_checkpoint()
        self._told = True
        code = _ABNORMAL if core is None or core.code is None else core.code
        return {
            "type": "websocket.disconnect",
            "code": code,
            "reason": "" if core is None else core.reason,
        }

    async def _next(self, core: WebSocketCore) -> str | bytes | None:
        """The next message of the client's; `None` once the WebSocket is closed."""
        exchange = self._exchange
        if self._received >= _RUN:
            self._received = 0
            await checkpoint()
        while (message := core.take()) is None:
            if core.closed or exchange.context is None:
                return None
            self._received = 0
            await exchange.changed()
        self._received += len(message) + _OVERHEAD
        if exchange.reading_paused:
            exchange.proceed()
        return message

    # ---- out ----

    async def send(self, message: Message) -> None:
        """A message of the application's.

        Raises: UnexpectedMessage; ClientGone; ValueError: a code, reason, subprotocol or field that may not
            be sent; TypeError: a message that is neither text nor bytes.
        """
        try:
            kind, stage = message["type"], self._stage
        except (KeyError, TypeError):
            raise UnexpectedMessage(self._stage.value, message) from None
        try:
            if stage is OPEN:
                if kind == "websocket.send":
                    await self._send(message)
                    return
                if kind == "websocket.close":
                    self._close(message.get("code", _NORMAL), message.get("reason") or "")
                    return
            elif stage is HANDSHAKE:
                if kind == "websocket.accept":
                    self._accept(message)
                    return
                if kind == "websocket.close":
                    self._refuse(403, (), b"")
                    return
                if kind == "websocket.http.response.start":
                    self._denial = (
                        checked_status(message["status"]),
                        response_fields(message.get("headers", ())),
                    )
                    self._stage = DENIAL
                    return
            elif stage is DENIAL and kind == "websocket.http.response.body":
                await self._deny(message)
                return
        except EngineError as error:
            raise gone(error) from None
        raise UnexpectedMessage(stage.value, message)

    def _accept(self, message: Message) -> None:
        subprotocol = message.get("subprotocol")
        if subprotocol is not None and subprotocol not in self.handshake.subprotocols:
            raise ValueError(f"the client does not offer the subprotocol {subprotocol!r}")
        settings = self.app.websocket_settings
        accepted = accept(self.handshake, subprotocol, settings.deflate, settings.message_size)
        fields = response_fields(message.get("headers") or ())
        for name, _ in fields:
            if name.lower() in _OURS:
                raise ValueError(f"only the server may set {name.decode('latin-1')}")
        self._core = self._exchange.switch(accepted._replace(fields=(*accepted.fields, *fields)), settings)
        self._stage = OPEN
        self._exchange.wake()  # a task of the application's may wait for the first message
        self._exchange.when_stopping(self._go_away)

    async def _send(self, message: Message) -> None:
        text, data = message.get("text"), message.get("bytes")
        if (text is None) == (data is None):
            raise ValueError("websocket.send needs either text or bytes, and not both")
        payload: str | bytes
        if data is not None:
            payload = chunk_of(data)
        elif isinstance(text, str):
            payload = text
        else:
            raise TypeError(f"text is a str, not {type(text).__name__}")
        core = self._core
        assert core is not None
        if not core.open:
            raise ClientGone("the WebSocket is closed")
        try:
            await self._exchange.write(core.message(payload))
        except ResponseStateError:
            raise ClientGone("the WebSocket is closed") from None
        self._sent += len(payload) + _OVERHEAD
        if self._sent >= _RUN_OUT:
            self._sent = 0
            await checkpoint()

    def _close(self, code: int, reason: str) -> None:
        core = self._core
        assert core is not None
        core.close(code, reason)
        self._stage = CLOSED
        self._exchange.proceed()

    def _refuse(self, status: int, fields: Fields, body: bytes) -> None:
        self._exchange.respond(status, fields, body)
        self._stage = CLOSED
        self._exchange.wake()

    async def _deny(self, message: Message) -> None:
        exchange, denial = self._exchange, self._denial
        body, more = message.get("body", b""), message.get("more_body", False)
        if denial is not None and not more:
            self._refuse(*denial, chunk_of(body))  # with a length, which every client can read
            return
        if denial is not None:
            exchange.start(*denial)
            self._denial = None
        waits = exchange.write(body)
        if not more:
            exchange.finish()
            self._stage = CLOSED
            exchange.wake()
        await waits

    # ---- the end ----

    def _go_away(self) -> None:
        """The server stops."""
        core = self._core
        if core is not None and core.open:
            core.close(_GOING_AWAY, "")
            self._exchange.proceed()

    async def returned(self) -> None:
        """The application has returned: close, and wait for the client's Close."""
        core, stage = self._core, self._stage
        self._stage = CLOSED
        if core is not None:
            await self._end(core, _NORMAL)
        elif stage is not CLOSED:
            if self._told or self._exchange.disconnected:
                self._exchange.abort()
                return
            self.app.log.error("%s returned without an answer to the handshake", self._shown())
            give_up(self._exchange)

    async def failed(self, error: BaseException) -> None:
        """The application has raised."""
        core = self._core
        self._stage = CLOSED
        # A framework that is told of the end, and ends by an exception, has not failed.
        if not is_of_the_client(error) and not (self._told and _says_so(error)):
            self.app.log.error("%s failed", self._shown(), exc_info=error)
        if core is not None:
            await self._end(core, _FAILED)
        elif self._exchange.disconnected:
            self._exchange.abort()
        else:
            give_up(self._exchange)

    async def _end(self, core: WebSocketCore, code: int) -> None:
        core.close(code, "")
        self._exchange.proceed()
        while not core.closed:
            await self._exchange.changed()

    def _shown(self) -> str:
        return f"WebSocket {self.path}"


def _says_so(error: BaseException) -> bool:
    """Whether an exception says by its name that the WebSocket is closed, such as Starlette's."""
    return "disconnect" in type(error).__name__.lower()
