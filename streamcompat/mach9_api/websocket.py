"""Mach9's WebSockets: one channel for the client's messages, one for those to the client."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import anyio.lowlevel

from streamcompat.kernel.request.streams import RequestStream
from streamcompat.kernel.routes.views import Handler
from streamcompat.kernel.websocket.connection import ConnectionClosed, WebSocketConnection
from streamcompat.kernel.websocket.routes import WebSocketResponse, marked_websocket

__all__ = [
    "ReplyChannel",
    "WebSocketCommonProtocol",
    "WebSocketProtocol",
    "WebsocketResponse",
    "messages",
    "websocket",
]

WebSocketCommonProtocol = WebSocketConnection
"""The class of a WebSocket, by the name of the websockets library's class in Mach9."""

ChannelMessage = dict[str, Any]


class WebSocketProtocol:
    """The name of a class of Mach9's own server, for apps that import it."""


class MessageChannel(RequestStream):
    """`request.stream` on a WebSocket's route: the client's messages."""

    __slots__ = ("_connection", "_order", "_path")

    def __init__(self, request: Any) -> None:
        super().__init__(request._exchange)
        self._path = request.path
        self._connection: WebSocketConnection | None = None
        self._order = 0

    async def get(self) -> ChannelMessage:
        """The next message, with `channel` "websocket.receive" and `text` or `bytes`. After the end every
        message has `channel` "websocket.disconnect" and `code`.

        Raises: RuntimeError: the WebSocket is not accepted yet.
        """
        if self._connection is None:
            raise RuntimeError("a WebSocket can be read only in the function that is given to websocket()")
        try:
            data = await self._connection.recv()
        except ConnectionClosed as closed:
            await anyio.lowlevel.checkpoint()  # a loop that reads on must not hold up the whole server
            return self._message("websocket.disconnect", code=closed.code)
        return self._message(
            "websocket.receive",
            text=data if isinstance(data, str) else None,
            bytes=data if isinstance(data, bytes) else None,
        )

    async def receive(self) -> ChannelMessage:
        """The same as `get`."""
        return await self.get()

    def _message(self, channel: str, **content: Any) -> ChannelMessage:
        self._order += 1
        return {
            "channel": channel,
            "reply_channel": None,
            "path": self._path,
            "order": self._order,
            **content,
        }


class ReplyChannel:
    """The channel that a WebSocket's function gets to send messages."""

    __slots__ = ("_connection",)

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection

    async def send(self, content: str | bytes | None, close: bool = False) -> None:
        """Sends one message, unless it is `None`, or empty with `close`; closes the WebSocket if `close` is
        true.

        Raises: TypeError: `content` is neither text nor bytes; ConnectionClosed.
        """
        if content or not (close or content is None):
            await self._connection.send(content)
        if close:
            await self._connection.close()


class WebsocketResponse(WebSocketResponse):
    """The response that upgrades the request to a WebSocket and calls `handler(channel)`.

    `accept=False` refuses the handshake.
    """

    def __init__(self, handler: Callable[[ReplyChannel], Any], accept: bool = True) -> None:
        super().__init__(self._serve, accept=accept)
        self.handler = handler

    def get_message(self) -> dict[str, Any]:
        """The response as the message that Mach9's own server expected."""
        return {"accept": self.accept}

    def _serve(self, connection: WebSocketConnection) -> Any:
        return self.handler(ReplyChannel(connection))

    def opened(self, request: Any, connection: WebSocketConnection) -> None:
        stream = request.stream
        if not isinstance(stream, MessageChannel):
            stream = request.stream = MessageChannel(request)
        stream._connection = connection


def websocket(handler: Callable[[ReplyChannel], Any], accept: bool = True) -> WebsocketResponse:
    """A response that upgrades the request to a WebSocket; `handler(channel)` serves it."""
    return WebsocketResponse(handler, accept)


def messages(handler: Handler) -> Handler:
    """Wraps a handler so that it reads the WebSocket's messages from `request.stream`."""

    # wraps() keeps the handler's signature, which `kernel.routes.binding` inspects.
    @functools.wraps(handler)
    def call(*arguments: Any, **parameters: Any) -> Any:
        request = arguments[-1]
        request.stream = MessageChannel(request)
        return handler(*arguments, **parameters)

    return marked_websocket(call)
