"""Routes of WebSockets: how a request becomes one, and how its handler ends.

The rule: until the 101 whatever goes wrong is an HTTP error page; after it, a close code. A handler that
returns closes with 1000, one that fails with 1011, one that the server stops with 1001.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable, Collection
from inspect import isawaitable
from typing import TYPE_CHECKING

import anyio

from streamcompat.kernel.config import Config
from streamcompat.kernel.exceptions import HTTPException
from streamcompat.kernel.websocket.connection import GOING_AWAY, NORMAL, ConnectionClosed, WebSocketConnection
from streamcompat_engine import (
    Exchange,
    ProtocolError,
    WebSocketSettings,
    accept,
    read_handshake,
)

if TYPE_CHECKING:
    from streamcompat.kernel.app import App
    from streamcompat.kernel.request.request import BaseRequest
    from streamcompat.kernel.routes.views import Handler

Serve = Callable[[WebSocketConnection], object]
_INTERNAL_ERROR = 1011


class WebSocketResponse:
    """The answer that makes a WebSocket of the request.

    Args:
        serve: called with the connection; what it gives is awaited.
        subprotocols: that the route speaks.
        accept: `False` refuses the handshake with 403.
    """

    def __init__(self, serve: Serve, subprotocols: Collection[str] = (), accept: bool = True) -> None:
        self.serve = serve
        self.subprotocols = subprotocols
        self.accept = accept

    def opened(self, request: BaseRequest, connection: WebSocketConnection) -> None:
        """The connection is made; for a facade."""

    async def answer(
        self, request: BaseRequest, exchange: Exchange, failed: Callable[[Exception], Awaitable[object]]
    ) -> None:
        """Shakes hands and serves the connection to its end.

        Args:
            failed: told of what the handler raises.
        Raises: an exception of the flavour, before anything was sent: 400 or 426 for a request that is no
            handshake, 403 for one that is refused.
        """
        app = request.app
        connection = self._connect(app, exchange)
        self.opened(request, connection)
        app.websocket_tasks.add(connection)
        try:
            await self._run(connection, exchange, failed)
        finally:
            app.websocket_tasks.discard(connection)

    def _connect(self, app: App, exchange: Exchange) -> WebSocketConnection:
        settings = websocket_settings(app.config)
        try:
            handshake = read_handshake(exchange.head)
        except ProtocolError as error:
            raise _refusal(app, error) from error
        if not self.accept:
            raise app.dialect.base("Forbidden", 403)
        spoken = (name for name in handshake.subprotocols if name in self.subprotocols)
        accepted = accept(handshake, next(spoken, None), settings.deflate, settings.message_size)
        connection = WebSocketConnection(exchange, exchange.switch(accepted, settings))
        exchange.when_stopping(connection.cancel)
        return connection

    async def _run(
        self,
        connection: WebSocketConnection,
        exchange: Exchange,
        failed: Callable[[Exception], Awaitable[object]],
    ) -> None:
        code = NORMAL
        try:
            if not connection._stopping:
                connection._running = True
                result = self.serve(connection)
                if isawaitable(result):
                    await result
        except ConnectionClosed:
            pass
        except Exception as error:
            connection._running = False
            if not _only_closed(error):
                code = _INTERNAL_ERROR
                await failed(error)
        except BaseException as error:
            connection._running = False
            if exchange.is_cancelled(error):
                with anyio.CancelScope(shield=True):
                    await connection.close(GOING_AWAY)
                raise
            # As in the originals, a handler may end by what it awaits being cancelled.
            if not isinstance(error, asyncio.CancelledError):
                raise
        connection._running = False
        await connection.close(GOING_AWAY if connection._stopping else code)


def _only_closed(error: Exception) -> bool:
    """Whether a task group of the handler's failed for nothing but that the connection is closed."""
    return isinstance(error, ExceptionGroup) and error.split(ConnectionClosed)[1] is None


def _refusal(app: App, error: ProtocolError) -> HTTPException:
    """A request that is no handshake, in the flavour's words."""
    message = app.dialect.bad_handshake
    if error.status != 426:
        return app.dialect.invalid_usage(message)
    refusal = app.dialect.base(message, 426)
    # RFC 6455 §4.4, RFC 9110 §15.5.22
    refusal.headers = {"Sec-WebSocket-Version": "13", "Upgrade": "websocket", "Connection": "Upgrade"}
    return refusal


def websocket_settings(config: Config) -> WebSocketSettings:
    """What an application's settings say of WebSockets; numbers may be text, as from the environment."""

    def number(key: str) -> float | None:
        value = config.get(key)
        return None if value is None else float(value)

    def size(key: str) -> int | None:
        value = config.get(key)
        return None if value is None else int(value)

    return WebSocketSettings(
        message_size=size("WEBSOCKET_MAX_SIZE"),
        waiting_messages=size("WEBSOCKET_MAX_QUEUE"),
        waiting_bytes=size("WEBSOCKET_READ_LIMIT"),
        deflate=bool(config.get("WEBSOCKET_DEFLATE", True)),
        ping_interval=number("WEBSOCKET_PING_INTERVAL"),
        ping_timeout=number("WEBSOCKET_PING_TIMEOUT"),
    )


class WebSocketSwitch:
    """Whether an application serves its routes of WebSockets; registering one switches it on."""

    websocket_enabled = False

    def enable_websocket(self, enable: bool = True) -> None:
        """Switches it on or off."""
        self.websocket_enabled = enable


def upgrading(handler: Handler, subprotocols: Collection[str]) -> Handler:
    """A handler of requests that makes WebSockets for `handler`."""

    # Its signature is the handler's, which says what it is called with.
    @functools.wraps(handler)
    def upgrade(*arguments: object, **parameters: object) -> WebSocketResponse:
        return WebSocketResponse(
            lambda connection: handler(*arguments, connection, **parameters), subprotocols
        )

    return marked_websocket(upgrade)


def marked_websocket(handler: Handler) -> Handler:
    """Marks a handler whose route switches the application's WebSockets on."""
    vars(handler)["is_websocket"] = True
    return handler
