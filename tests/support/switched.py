"""Applications that switch from HTTP to a WebSocket."""

from __future__ import annotations

from collections.abc import Callable

from streamcompat_engine import (
    Exchange,
    ProtocolError,
    WebSocket,
    WebSocketSettings,
    accept,
    read_handshake,
)

SETTINGS = WebSocketSettings(ping_interval=None)


def nothing() -> None:
    pass


def switch(
    exchange: Exchange, settings: WebSocketSettings = SETTINGS, on_stop: Callable[[], None] = nothing
) -> WebSocket:
    accepted = accept(read_handshake(exchange.head), None, settings.deflate, settings.message_size)
    websocket = exchange.switch(accepted, settings)
    assert isinstance(websocket, WebSocket)
    exchange.when_stopping(on_stop)
    return websocket


async def receive(exchange: Exchange, websocket: WebSocket) -> str | bytes | None:
    """The next message; `None` once the WebSocket is closed."""
    while (message := websocket.take()) is None:
        if websocket.closed:
            return None
        await exchange.changed()
    if exchange.reading_paused:
        exchange.proceed()
    return message


async def echo(exchange: Exchange, settings: WebSocketSettings = SETTINGS) -> None:
    """Send every message back; respond to an invalid handshake with its error."""
    if exchange.head.target == b"/http":
        exchange.respond(200, (), b"http")
        return
    try:
        websocket = switch(exchange, settings)
    except ProtocolError as error:
        exchange.respond(error.status, (), error.reason.encode())
        return
    while (message := await receive(exchange, websocket)) is not None:
        if websocket.open:
            await exchange.write(websocket.message(message))
