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
"""The class of a handler's `ws`, by the name of the websockets library's class in Sanic."""


class WebSocketProtocol:
    """For `app.run(protocol=WebSocketProtocol)`, which is accepted without effect."""
