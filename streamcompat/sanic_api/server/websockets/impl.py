"""The class of a handler's `ws`, by its name since 21.9."""

from streamcompat.sanic_api.websocket import WebSocketConnection as WebsocketImplProtocol

__all__ = ["WebsocketImplProtocol"]
