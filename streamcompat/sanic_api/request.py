"""Sanic's request, and its body as a stream."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import Any

from streamcompat import request as kernel
from streamcompat.datastructures import File, RequestParameters
from streamcompat.forms import parse_multipart_form
from streamcompat.request import DEFAULT_CONTENT_TYPE as DEFAULT_HTTP_CONTENT_TYPE
from streamcompat.streams import RequestStream

__all__ = [
    "DEFAULT_HTTP_CONTENT_TYPE",
    "File",
    "Request",
    "RequestParameters",
    "StreamQueue",
    "parse_multipart_form",
]


class Request(kernel.Request):
    """One request; the server's own are filled without this constructor, unless a subclass has one."""

    __slots__ = ()

    def __init__(
        self,
        url_bytes: bytes,
        headers: Mapping[str, str],
        version: str = "1.1",
        method: str = "GET",
        transport: Any = None,
    ) -> None:
        super().__init__()
        self._by_hand(method, url_bytes, version, headers, transport)


class StreamQueue(RequestStream):
    """`request.stream`: the body, piece by piece."""

    __slots__ = ()

    def get(self) -> Coroutine[Any, Any, bytes | None]:
        """The next piece, never empty; `None` at the end, every time.

        First lets go out what a response on the same exchange has written, so that a handler that echoes
        without awaiting its writes holds no more than a piece.

        Raises: ClientDisconnected: the client is gone and the body is cut.
        """
        if self._exchange.status is None:
            return self._receive()
        return self._drain_and_receive()

    async def _drain_and_receive(self) -> bytes | None:
        await self._exchange.drain()
        return await self._receive()

    # Its name since 18.12.
    read = get
