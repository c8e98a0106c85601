"""The class of a handler's `ws`, by its name since 21.9 behind an ASGI server."""

from streamcompat.sanic_api.websocket import WebSocketConnection

__all__ = ["WebSocketConnection"]
