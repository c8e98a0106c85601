"""Mach9's WebSockets: the messages that come on one side, the channel for the answers on the other."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

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
"""A WebSocket by the name of the class that Mach9 made its own from."""

ChannelMessage = dict[str, Any]


class WebSocketProtocol:
    """The class of Mach9's own server, for those who only name it."""


class MessageChannel(RequestStream):
    """`request.stream` of a WebSocket's route: what the client sends, message by message."""

    __slots__ = ("_connection", "_order", "_path")

    def __init__(self, request: Any) -> None:
        super().__init__(request._exchange)
        self._path = request.path
        self._connection: WebSocketConnection | None = None
        self._order = 0

    async def get(self) -> ChannelMessage:
        """The next message: on `channel` "websocket.receive", with `text` or `bytes`; at the end, every time,
        on "websocket.disconnect", with `code`.

        Raises: RuntimeError: the WebSocket is not accepted yet.
        """
        if self._connection is None:
            raise RuntimeError("a WebSocket is read in the function that is given to websocket()")
        try:
            data = await self._connection.recv()
        except ConnectionClosed as closed:
            return self._message("websocket.disconnect", code=closed.code)
        return self._message(
            "websocket.receive",
            text=data if isinstance(data, str) else None,
            bytes=data if isinstance(data, bytes) else None,
        )

    async def receive(self) -> ChannelMessage:
        """`get`."""
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
    """What a WebSocket's function is called with."""

    __slots__ = ("_connection",)

    def __init__(self, connection: WebSocketConnection) -> None:
        self._connection = connection

    async def send(self, content: str | bytes | None, close: bool = False) -> None:
        """Sends one message, nothing where it is `None` or empty, and closes the WebSocket where asked to.

        Raises: TypeError: neither text nor bytes; ConnectionClosed.
        """
        if content:
            await self._connection.send(content)
        if close:
            await self._connection.close()


class WebsocketResponse(WebSocketResponse):
    """The answer that makes a WebSocket of the request and calls `handler(channel)`.

    `accept=False` refuses it.
    """

    def __init__(self, handler: Callable[[ReplyChannel], Any], accept: bool = True) -> None:
        super().__init__(self._serve, accept=accept)
        self.handler = handler

    def get_message(self) -> dict[str, Any]:
        """The answer as the message that Mach9's own server took."""
        return {"accept": self.accept}

    def _serve(self, connection: WebSocketConnection) -> Any:
        return self.handler(ReplyChannel(connection))

    def opened(self, request: Any, connection: WebSocketConnection) -> None:
        stream = request.stream
        if not isinstance(stream, MessageChannel):
            stream = request.stream = MessageChannel(request)
        stream._connection = connection


def websocket(handler: Callable[[ReplyChannel], Any], accept: bool = True) -> WebsocketResponse:
    """Makes a WebSocket of the request; `handler(channel)` serves it."""
    return WebsocketResponse(handler, accept)


def messages(handler: Handler) -> Handler:
    """A handler that finds the WebSocket's messages in `request.stream`."""

    # Its signature is the handler's, which says what it is called with.
    @functools.wraps(handler)
    def call(*arguments: Any, **parameters: Any) -> Any:
        request = arguments[-1]
        request.stream = MessageChannel(request)
        return handler(*arguments, **parameters)

    return marked_websocket(call)
