"""What a ported app calls where a rule of Sanic's cannot be written down: `content` for reads, `encoded`
for writes.

`streamcompat port` puts them in; an app of Mach9's may as well use them by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from streamcompat.response import to_bytes
from streamcompat_engine import ClientDisconnected

__all__ = ["content", "encoded"]


def content(message: Mapping[str, Any]) -> bytes | None:
    """The content of what `await request.stream.receive()` gave, as Sanic's `get()` gives it.

    Returns: a piece of the body, never empty; None at its end.
    Raises: ClientDisconnected: the client is gone and the body is cut.
    """
    if message["more_content"]:
        piece: bytes = message["content"]
        return piece
    if message["closed"]:
        raise ClientDisconnected
    return None


def encoded(data: Any) -> bytes:
    """The bytes that Sanic's `response.write(data)` sends, for `await channel.send(...)`.

    Text as UTF-8, bytes and other buffers as they are, anything else as the text that `str` makes of it.
    """
    return to_bytes(data)
