"""Routes of WebSockets: how a request becomes one, and how its handler ends.

The rule: before the 101 an error becomes an HTTP error page; after it, a close code. The connection closes
with 1000 if the handler returns, 1011 if it fails, and 1001 if the server stops it.
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
    ResponseStateError,
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
    """The response that upgrades the request to a WebSocket.

    Args:
        serve: called with the connection; an awaitable result is awaited.
        subprotocols: the subprotocols that the route supports.
        accept: `False` refuses the handshake with 403.
    """

    def __init__(self, serve: Serve, subprotocols: Collection[str] = (), accept: bool = True) -> None:
        self.serve = serve
        self.subprotocols = subprotocols
        self.accept = accept

    def opened(self, request: BaseRequest, connection: WebSocketConnection) -> None:
        """Called when the connection is made; a facade may override it."""

    async def answer(
        self, request: BaseRequest, exchange: Exchange, failed: Callable[[Exception], Awaitable[object]]
    ) -> None:
        """Does the handshake and serves the connection to its end.

        Args:
            failed: called with an exception of the handler.
        Raises: an exception of the flavour, before anything is sent: 400 or 426 for a request that is not a
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
            # As in the originals, a handler may end because something that it awaits was cancelled.
            if not isinstance(error, asyncio.CancelledError):
                raise
        connection._running = False
        await connection.close(GOING_AWAY if connection._stopping else code)


async def upgrade(request: BaseRequest, subprotocols: Collection[str] = ()) -> WebSocketConnection:
    """Does the handshake within a handler of any route. `end_upgraded` ends the connection with the handler.

    Raises: an exception of the flavour, before anything is sent: 400 or 426 for a request that is not a
        handshake.
    """
    exchange = request._exchange
    connection = WebSocketResponse(lambda _: None, subprotocols)._connect(request.app, exchange)
    # The handler is not the connection's own: it is told by its next use of it, and not cancelled.
    exchange.when_stopping(connection.leave)
    request._upgraded = connection
    return connection


async def end_upgraded(connection: WebSocketConnection, error: Exception) -> bool:
    """Closes the connection of `upgrade`: what its handler returned is dropped, as the originals do.

    Args:
        error: why no response was sent.
    Returns: whether the handler failed.
    """
    failed = not (isinstance(error, (ConnectionClosed, ResponseStateError)) or _only_closed(error))
    await connection.close(_INTERNAL_ERROR if failed else NORMAL)
    return failed


def _only_closed(error: Exception) -> bool:
    """Whether a task group of the handler failed only because the connection is closed."""
    return isinstance(error, ExceptionGroup) and error.split(ConnectionClosed)[1] is None


def _refusal(app: App, error: ProtocolError) -> HTTPException:
    """The flavour's exception for a request that is not a handshake."""
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
    """Whether an application serves its WebSocket routes; registering one enables them."""

    websocket_enabled: bool = False

    def enable_websocket(self, enable: bool = True) -> None:
        """Enables or disables the WebSocket routes."""
        self.websocket_enabled = enable


def upgrading(handler: Handler, subprotocols: Collection[str]) -> Handler:
    """A request handler that upgrades the request to a WebSocket and calls `handler` with it."""

    # wraps() keeps the handler's signature, which `binding` inspects.
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
