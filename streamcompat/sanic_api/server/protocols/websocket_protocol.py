"""The name of Sanic's protocol of WebSockets, since 21.9."""

from streamcompat.sanic_api.websocket import WebSocketProtocol

__all__ = ["WebSocketProtocol"]
