"""Mach9's responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from streamcompat.datastructures import Headers
from streamcompat.kernel.cookies import Cookie, CookieJar
from streamcompat.kernel.jsontext import json_dumps
from streamcompat.kernel.response import response as kernel
from streamcompat.kernel.response.files import Location, announced, file_headers, read
from streamcompat.kernel.response.formats import Event as Event
from streamcompat.kernel.response.itemmakers import ItemMakers
from streamcompat.kernel.response.items import ItemResponse, ItemWriter
from streamcompat.kernel.response.makers import Makers
from streamcompat.kernel.response.response import GivenHeaders, to_bytes
from streamcompat.kernel.statuses import COMMON_STATUS_CODES
from streamcompat.kernel.statuses import STATUS_CODES as ALL_STATUS_CODES
from streamcompat.mach9_api.http import ReplyChannel
from streamcompat.mach9_api.websocket import WebsocketResponse, websocket
from streamcompat_engine import Exchange

__all__ = [
    "ALL_STATUS_CODES",
    "COMMON_STATUS_CODES",
    "Cookie",
    "CookieJar",
    "HTTPResponse",
    "StreamHTTPResponse",
    "WebsocketResponse",
    "file",
    "html",
    "json",
    "json_dumps",
    "raw",
    "redirect",
    "stream",
    "text",
    "websocket",
]

Handler = Callable[[Any], Awaitable[Any]]


class HTTPResponse(kernel.HTTPResponse):
    """A response whose whole body is known when it is made."""

    __slots__ = ()

    @property
    def headers(self) -> Headers:
        """The header fields, by case-insensitive name, including the content type."""
        first = self._headers.__class__ is not Headers
        headers = super().headers
        if first and self.content_type is not None and self.status != 304:
            headers.setdefault("Content-Type", self.content_type)
        return headers

    @headers.setter
    def headers(self, headers: GivenHeaders) -> None:
        self._headers = headers

    def get_message(self, more_content: bool = False) -> dict[str, Any]:
        """The response as the message that Mach9's own server expected."""
        return {
            "status": self.status,
            "content": to_bytes(self.body),
            "headers": [[name, value] for name, value in self.wire_headers()],
            "more_content": more_content,
        }


class StreamHTTPResponse(HTTPResponse):
    """A response whose body `handler(channel)` sends while the response is sent."""

    __slots__ = ("handler",)

    is_stream = True

    def __init__(
        self,
        handler: Handler,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str | None = "text/plain",
    ) -> None:
        super().__init__(None, status, headers, content_type)
        self.handler: Handler = handler

    def produce(self, exchange: Exchange) -> Any:
        return self.handler(ReplyChannel(exchange))


_makers = Makers(HTTPResponse, None)
json: Final = _makers.json
text: Final = _makers.text
raw: Final = _makers.raw
html: Final = _makers.html
redirect: Final = _makers.redirect


def stream(
    handler: Handler,
    status: int = 200,
    headers: GivenHeaders = None,
    content_type: str = "text/plain; charset=utf-8",
) -> StreamHTTPResponse:
    """A response that streams what `handler(channel)` sends."""
    return StreamHTTPResponse(handler, status, headers, content_type)


class ItemChannel(ItemWriter):
    """The channel on which a function sends its items by `await channel.send(item)`."""

    __slots__ = ()

    def send(self, item: Any) -> Awaitable[None]:
        """Sends one item; awaiting the result waits for a slow client.

        Raises: TypeError, ValueError: it cannot be encoded; ClientDisconnected: the client is gone.
        """
        return self.put(item)


def _of_items(items: ItemResponse, status: int, headers: Headers, content_type: str) -> StreamHTTPResponse:
    """A response that streams items: of `sse`, `jsonlines`, `csv_rows` or `download`."""
    return StreamHTTPResponse(lambda channel: items.produce(channel.exchange), status, headers, content_type)


# Not in `__all__`: the originals have none of them, and `import *` may not hide an app's own names.
_item_makers = ItemMakers(_of_items, ItemChannel)
sse: Final = _item_makers.sse
jsonlines: Final = _item_makers.jsonlines
csv_rows: Final = _item_makers.csv_rows
download: Final = _item_makers.download


async def file(
    location: Location, mime_type: str | None = None, headers: GivenHeaders = None, _range: Any = None
) -> HTTPResponse:
    """A response with a file that is read at once; OSError if it cannot be read."""
    fields, kind = file_headers(location, mime_type, headers, None, _range)
    return HTTPResponse(None, 200, fields, kind, await read(location, _range, announced(fields)))
