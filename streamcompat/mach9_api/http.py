"""Mach9's channels: one for the request's body, one for the response's."""

from __future__ import annotations

from collections.abc import Awaitable, Sized
from typing import TYPE_CHECKING, Any, NoReturn

from streamcompat.kernel.request.streams import RequestStream
from streamcompat.serving.protocol import HttpProtocol
from streamcompat_engine import ClientDisconnected, Exchange

__all__ = ["BodyChannel", "HttpProtocol", "ReplyChannel"]

ChannelMessage = dict[str, Any]

_SANICS = (
    "request.stream.{}() is Sanic's: write `message = await request.stream.receive()` in an app of Mach9; "
    "the body ends where message['more_content'] is False"
)
_WRITE = "channel.write() is Sanic's: write `await channel.send(bytes)` in an app of Mach9"


class BodyChannel(RequestStream):
    """`request.stream`: the body, message by message."""

    __slots__ = ()

    async def receive(self) -> ChannelMessage:
        """The next message: `content` (bytes), `more_content`, `closed`.

        A piece of the body has `more_content` True. After the last piece every message is without content and
        has `more_content` False; `closed` is True if the client disconnected before the end of the body.
        """
        try:
            content = await self._receive()
        except ClientDisconnected:
            return {"content": b"", "closed": True, "more_content": False}
        if content is None:
            return {"content": b"", "closed": False, "more_content": False}
        return {"content": content, "closed": False, "more_content": True}

    if not TYPE_CHECKING:

        @property
        def get(self) -> NoReturn:  # in place of the queue's: who reads for Sanic waits for a `None` for ever
            """AttributeError that says what to write."""
            raise AttributeError(_SANICS.format("get"))

        def __getattr__(self, name: str) -> NoReturn:
            """AttributeError; for Sanic's words one that says what to write."""
            if name in ("get", "read"):
                raise AttributeError(_SANICS.format(name))
            return super().__getattribute__(name)


class ReplyChannel:
    """The channel on which a streaming function sends the response's body.

    Attributes:
        exchange: the engine's.
    """

    __slots__ = ("_write", "exchange")

    def __init__(self, exchange: Exchange) -> None:
        self.exchange: Exchange = exchange
        self._write = exchange.write

    def send(self, content: bytes) -> Awaitable[None]:
        """Sends one chunk of bytes, or of any buffer; an empty chunk, or anything else without a length,
        sends nothing.

        The chunk is queued at once; awaiting the result waits for a slow client.

        Raises: TypeError: `content` is not bytes or a buffer; ClientDisconnected: the client is gone.
        """
        if content.__class__ is not bytes:
            content = _buffer(content)
        return self._write(content)

    if not TYPE_CHECKING:

        def __getattr__(self, name: str) -> NoReturn:
            """AttributeError; for Sanic's word one that says what to write."""
            if name == "write":
                raise AttributeError(_WRITE)
            return super().__getattribute__(name)


def _buffer(content: Any) -> bytes:
    if isinstance(content, Sized) and not len(content):  # the original asked for the length first
        return b""
    if isinstance(content, str):
        raise TypeError("channel.send() takes bytes, not str: pass text.encode()")
    try:
        return bytes(memoryview(content))
    except TypeError:
        kind = type(content).__name__
        raise TypeError(f"channel.send() takes bytes, not {kind}: pass str(value).encode()") from None
