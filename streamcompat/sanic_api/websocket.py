"""Sanic's WebSockets, and the handshake that a library does in a route of its own."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from streamcompat.kernel.websocket.connection import ConnectionClosed, InvalidHandshake, WebSocketConnection
from streamcompat.kernel.websocket.routes import upgrade

if TYPE_CHECKING:
    from streamcompat.kernel.request.request import BaseRequest

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
    """For `app.run(protocol=WebSocketProtocol)`, which is accepted without effect; and what
    `request.transport.get_protocol()` returns, for libraries that do a handshake in a route of their own."""

    async def websocket_handshake(
        self, request: BaseRequest, subprotocols: Collection[str] | None = None
    ) -> WebSocketConnection:
        """Answers the request with 101. The connection is closed when the handler returns; its response is
        dropped.

        Raises: InvalidUsage: the request is not a handshake; SanicException of 426: another version than 13.
        """
        return await upgrade(request, subprotocols or ())


class RequestTransport:
    """`request.transport`: that of the connection, whose type depends on the driver, but for the protocol."""

    __slots__ = ("_transport",)

    def __init__(self, transport: Any) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RequestTransport) and self._transport is other._transport

    def __hash__(self) -> int:
        return hash(self._transport)

    def get_protocol(self) -> WebSocketProtocol:
        """What does the handshake of a WebSocket, in any route."""
        return WebSocketProtocol()
