"""Sanic's responses."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from streamcompat.datastructures import Headers
from streamcompat.kernel.jsontext import json_dumps
from streamcompat.kernel.response import response as kernel
from streamcompat.kernel.response.files import Location, announced, file_headers, pieces, read
from streamcompat.kernel.response.formats import Event as Event
from streamcompat.kernel.response.itemmakers import ItemMakers
from streamcompat.kernel.response.items import ItemResponse, ItemWriter
from streamcompat.kernel.response.makers import Makers
from streamcompat.kernel.response.response import BaseHTTPResponse, GivenHeaders, to_bytes
from streamcompat.kernel.statuses import COMMON_STATUS_CODES, STATUS_CODES
from streamcompat.sanic_api import versions
from streamcompat.sanic_api.exceptions import ServerError
from streamcompat.sanic_api.overridden import warn_of_overridden
from streamcompat_engine import Exchange, ResponseStateError

__all__ = [
    "ALL_STATUS_CODES",
    "COMMON_STATUS_CODES",
    "STATUS_CODES",
    "BaseHTTPResponse",
    "HTTPResponse",
    "ResponseStream",
    "StreamingHTTPResponse",
    "empty",
    "file",
    "file_stream",
    "html",
    "json",
    "json_dumps",
    "raw",
    "redirect",
    "stream",
    "text",
]

ALL_STATUS_CODES = STATUS_CODES
"""The name of STATUS_CODES before 0.7."""

StreamingFn = Callable[[Any], Awaitable[Any]]


def _keep_alive(keep_alive: bool, timeout: int | None) -> list[tuple[str, str]]:
    return [("Keep-Alive", str(timeout))] if keep_alive and timeout is not None else []


class Sendable:
    """The methods of responses since 21.6, to send a response that `await request.respond(...)` has begun."""

    __slots__ = ()

    begun: Exchange | None
    body: Any

    async def send(self, data: Any = None, end_stream: bool | None = None) -> None:
        """Sends one chunk: text as UTF-8, bytes, or anything else as the text of its `str()`. Ends the body
        if `end_stream` is true, or if called without arguments.

        The first call sends the head, also without data. Where it has no data and the response was made
        with a body, it sends that body and ends it. A second end does nothing.

        Raises: RuntimeError: the response has not been begun; ServerError: the body has ended;
            ClientDisconnected: the client is gone.
        """
        begun = self.begun
        if begun is None:
            raise RuntimeError("send() works only on a response that `await request.respond(...)` has begun")
        chunk = b"" if data is None else to_bytes(data)
        ends = bool(end_stream) or (data is None and end_stream is None)
        if not chunk:
            if ends and begun.finished:
                return
            if self.body and not begun.committed:
                chunk, ends = to_bytes(self.body), True
        try:
            await begun.write(chunk)
        except ResponseStateError as error:
            if begun.finished:
                message = "Response stream was ended, no more response data is allowed to be sent."
                raise ServerError(message) from error
            raise
        if ends:
            begun.finish()

    async def eof(self) -> None:
        """Ends the body, as `send(end_stream=True)`; a second call does nothing."""
        await self.send(end_stream=True)

    async def __aenter__(self) -> Callable[..., Awaitable[None]]:
        """`send`, until the end of the block ends the body."""
        return self.send

    async def __aexit__(self, *_: object) -> None:
        await self.eof()


class HTTPResponse(Sendable, kernel.HTTPResponse):
    """A response whose whole body is known when it is made."""

    __slots__ = ()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overridden(cls, "HTTPResponse")

    def hides_type(self) -> bool:
        return super().hides_type() or not versions.before(21, 3)

    def type_of_nothing(self) -> str | None:
        return None if not versions.before(19, 12) else super().type_of_nothing()

    def output(
        self, version: str = "1.1", keep_alive: bool = False, keep_alive_timeout: int | None = None
    ) -> bytes:
        """The whole response as bytes, as Sanic's own server wrote it."""
        body = to_bytes(self.body)
        connection = [
            ("Connection", "keep-alive" if keep_alive else "close"),
            *_keep_alive(keep_alive, keep_alive_timeout),
        ]
        length = ("Content-Length", str(len(body)))
        return self.head_text(version, connection, length, b"UNKNOWN RESPONSE") + body


class StreamingHTTPResponse(Sendable, BaseHTTPResponse):
    """A response whose body `streaming_fn(response)` writes with `write` or `send` while it is sent.

    Attributes:
        chunked: as given, since 19.12. It changes `get_headers` only: a body is sent by its Content-Length
            where `headers` have one, and else in chunks to a client that knows them.
    """

    __slots__ = ("_write", "chunked", "streaming_fn")

    is_stream = True

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overridden(cls, "StreamingHTTPResponse")

    def __init__(
        self,
        streaming_fn: StreamingFn,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str | None = "text/plain",
        chunked: bool = True,
    ) -> None:
        super().__init__(status, headers, content_type)
        self.streaming_fn: StreamingFn = streaming_fn
        self.chunked: bool = chunked
        self._write: Callable[[bytes], Awaitable[None]] = _not_started

    def write(self, data: Any) -> Awaitable[None]:
        """Writes one chunk: text as UTF-8, bytes, or anything else as the text of its `str()`. An empty chunk
        writes nothing.

        The chunk is queued at once. Awaiting the result waits for a slow client; if it is not awaited, the
        call itself waits, inside a streaming function.

        Raises: ClientDisconnected: the client is gone; RuntimeError: the response is not being sent.
        """
        if data.__class__ is not bytes:
            data = to_bytes(data)
        return self._write(data)

    def produce(self, exchange: Exchange) -> Any:
        self.begun: Exchange | None = exchange
        self._write = exchange.write
        return self.streaming_fn(self)

    def get_headers(
        self, version: str = "1.1", keep_alive: bool = False, keep_alive_timeout: int | None = None
    ) -> bytes:
        """The head as bytes, as Sanic's own server wrote it."""
        connection = _keep_alive(keep_alive, keep_alive_timeout)
        framing = ("Transfer-Encoding", "chunked") if self.chunked else None
        return self.head_text(version, connection, framing, b"UNKNOWN RESPONSE")


ResponseStream = StreamingHTTPResponse
"""The name of what `stream` returns, in 21.12."""


def _not_started(data: bytes) -> Awaitable[None]:
    raise RuntimeError("write() works inside the streaming function, while the response is being sent")


_makers = Makers(HTTPResponse, ":/%#?&=@[]!$&'()*+,;")
json: Final = _makers.json
text: Final = _makers.text
raw: Final = _makers.raw
redirect: Final = _makers.redirect


def html(body: Any, status: int = 200, headers: GivenHeaders = None) -> HTTPResponse:
    """A response with HTML: text, bytes, or what has `__html__` or `_repr_html_`."""
    if body.__class__ is not str:
        render = getattr(body, "__html__", None) or getattr(body, "_repr_html_", None)
        if render is not None:
            body = render()
    return _makers.html(body, status, headers)


def empty(status: int = 204, headers: GivenHeaders = None) -> HTTPResponse:
    """A response without body and content type."""
    return HTTPResponse(None, status, headers, None)


def encode_json_with(dumps: Callable[..., str]) -> None:
    """Lets `json` encode with `dumps` in this process, as `Sanic(dumps=...)` since 21.12."""
    _makers.dumps = dumps


def stream(
    streaming_fn: StreamingFn,
    status: int = 200,
    headers: GivenHeaders = None,
    content_type: str = "text/plain; charset=utf-8",
    chunked: bool = True,
) -> StreamingHTTPResponse:
    """A response that streams what `streaming_fn(response)` writes."""
    return StreamingHTTPResponse(streaming_fn, status, headers, content_type, chunked)


class ItemsWriter(ItemWriter):
    """What a function gets that writes its items by `response.write(item)`, awaited or not."""

    __slots__ = ()

    def write(self, item: Any) -> Awaitable[None]:
        """Writes one item; waits for a slow client as `StreamingHTTPResponse.write` does.

        Raises: TypeError, ValueError: it cannot be encoded; ClientDisconnected: the client is gone.
        """
        return self.put(item)


def _of_items(items: ItemResponse, status: int, headers: Headers, content_type: str) -> StreamingHTTPResponse:
    """A response that streams items: of `sse`, `jsonlines`, `csv_rows` or `download`."""
    return StreamingHTTPResponse(
        lambda response: items.produce(response.begun), status, headers, content_type
    )


# Not in `__all__`: the originals have none of them, and `import *` may not hide an app's own names.
_item_makers = ItemMakers(_of_items, ItemsWriter)
sse: Final = _item_makers.sse
jsonlines: Final = _item_makers.jsonlines
csv_rows: Final = _item_makers.csv_rows
download: Final = _item_makers.download


@versions.before_08("mime_type", "headers", "filename", "_range")
async def file(
    location: Location,
    status: int = 200,
    mime_type: str | None = None,
    headers: GivenHeaders = None,
    filename: str | None = None,
    _range: Any = None,
) -> HTTPResponse:
    """A response with a file that is read at once; OSError if it cannot be read."""
    fields, kind = file_headers(location, mime_type, headers, filename, _range)
    return HTTPResponse(None, status, fields, kind, await read(location, _range, announced(fields)))


@versions.before_08("chunk_size", "mime_type", "headers", "filename", "_range")
async def file_stream(
    location: Location,
    status: int = 200,
    chunk_size: int = 4096,
    mime_type: str | None = None,
    headers: GivenHeaders = None,
    filename: str | None = None,
    _range: Any = None,
    *,
    chunked: bool = True,
) -> StreamingHTTPResponse:
    """A response that streams a file, `chunk_size` bytes at a time."""
    fields, kind = file_headers(location, mime_type, headers, filename, _range)

    async def write(response: StreamingHTTPResponse) -> None:
        async for piece in pieces(location, _range, chunk_size, announced(fields)):
            await response.write(piece)

    return StreamingHTTPResponse(write, status, fields, kind, chunked)
