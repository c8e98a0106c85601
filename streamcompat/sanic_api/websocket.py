"""Sanic's WebSockets."""

from streamcompat.kernel.websocket.connection import ConnectionClosed, InvalidHandshake, WebSocketConnection

__all__ = [
    "ConnectionClosed",
    "InvalidHandshake",
    "WebSocketCommonProtocol",
    "WebSocketConnection",
    "WebSocketProtocol",
]

WebSocketCommonProtocol = WebSocketConnection
"""What a handler gets as `ws`, by the name that Sanic took it from the websockets library with."""


class WebSocketProtocol:
    """For `app.run(protocol=WebSocketProtocol)`, which is accepted and not needed."""
