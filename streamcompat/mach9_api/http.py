"""Mach9's channels: the request's body on one side, the response's on the other."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from streamcompat.kernel.request.streams import RequestStream
from streamcompat_engine import ClientDisconnected, Exchange

__all__ = ["BodyChannel", "ReplyChannel"]

ChannelMessage = dict[str, Any]


class BodyChannel(RequestStream):
    """`request.stream`: the body, message by message."""

    __slots__ = ()

    async def receive(self) -> ChannelMessage:
        """The next message: `content` (bytes), `more_content`, `closed`.

        A piece of the body has `more_content` True. The end has no content and `more_content` False,
        every time; `closed` is True if it is the client's and not the body's.
        """
        try:
            content = await self._receive()
        except ClientDisconnected:
            return {"content": b"", "closed": True, "more_content": False}
        if content is None:
            return {"content": b"", "closed": False, "more_content": False}
        return {"content": content, "closed": False, "more_content": True}

    async def get(self) -> ChannelMessage:
        """`receive`."""
        return await self.receive()


class ReplyChannel:
    """What a streaming function sends its response's body to."""

    __slots__ = ("_write",)

    def __init__(self, exchange: Exchange) -> None:
        self._write = exchange.write

    def send(self, content: bytes) -> Awaitable[None]:
        """Sends one chunk of bytes, or of any buffer; nothing for an empty one.

        It is queued at once; awaiting what is returned waits for a slow client.

        Raises: TypeError: `content` is text or anything else; ClientDisconnected: the client is gone.
        """
        if content.__class__ is not bytes:
            content = _buffer(content)
        return self._write(content)


def _buffer(content: Any) -> bytes:
    if isinstance(content, str):
        raise TypeError("channel.send() takes bytes, not str: pass text.encode()")
    try:
        return bytes(memoryview(content))
    except TypeError:
        kind = type(content).__name__
        raise TypeError(f"channel.send() takes bytes, not {kind}: pass str(value).encode()") from None
