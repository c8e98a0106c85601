"""Files as responses: whole, or a range of their bytes (RFC 9110 §14).

The rule: the loop never waits for a disk, and a file of any size is sent in pieces of one size.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Mapping
from mimetypes import guess_type
from typing import Any, Protocol

import anyio

from streamcompat.datastructures import Headers
from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.response import BaseHTTPResponse, GivenHeaders
from streamcompat_engine import Exchange

Location = str | os.PathLike[str]
PIECE = 64 * 1024
"""Bytes that are read at once."""


class Sized(Protocol):
    """What a range needs of `os.stat_result`."""

    @property
    def st_size(self) -> int: ...


class ContentRange:
    """The range that a request asks for.

    Attributes:
        start, end: the first and the last byte, both included.
        size: in bytes.
        total: the size of the whole in bytes.
        headers: the fields of the response.

    Raises, when it is made: the flavour's HeaderNotFound: the request has no Range;
    ContentRangeError: it is none, or not one of this file; InvalidRangeType: its unit is not `bytes`.
    """

    def __init__(self, request: BaseRequest, stats: Sized, dialect: Dialect) -> None:
        self.total = stats.st_size
        field = request.headers.get("Range")
        if field is None:
            raise dialect.header_not_found("Range Header Not Found")
        unit, _, value = (part.strip() for part in field.partition("="))
        if unit != "bytes":
            raise dialect.invalid_range_type(f"{unit} is not a valid Range Type", self)
        first, _, last = (part.strip() for part in value.partition("-"))
        for part in (first, last):
            if part and not (part.isascii() and part.isdigit()):
                raise dialect.content_range_error(f"'{part}' is invalid for Content Range", self)
        if first:
            self.start = _position(first)
            self.end = min(_position(last), self.total - 1) if last else self.total - 1
        elif last:
            # The last bytes, as many as there are.
            self.start = max(self.total - _position(last), 0)
            self.end = self.total - 1
        else:
            raise dialect.content_range_error("Invalid for Content Range parameters", self)
        self.size = self.end - self.start + 1
        if self.size <= 0:
            raise dialect.content_range_error("Invalid for Content Range parameters", self)
        self.headers = {"Content-Range": f"bytes {self.start}-{self.end}/{self.total}"}

    def __bool__(self) -> bool:
        return self.size > 0


def _position(digits: str) -> int:
    """A position in a file; every number of more than 18 digits is past the end of any."""
    return int(digits.lstrip("0")[:19] or "0")


def file_headers(
    location: Location,
    mime_type: str | None,
    headers: GivenHeaders,
    filename: str | None = None,
    part: Any = None,
) -> tuple[Headers, str]:
    """The header fields and the content type of a file's response."""
    fields = Headers(headers or {})
    if filename:
        fields.setdefault("Content-Disposition", f'attachment; filename="{filename}"')
    if part is not None:
        fields["Content-Range"] = f"bytes {part.start}-{part.end}/{part.total}"
    return fields, mime_type or guess_type(filename or os.path.basename(location))[0] or "text/plain"


async def pieces(location: Location, part: Any = None, size: int = PIECE) -> AsyncIterator[bytes]:
    """The file's bytes, or those of a range, in pieces of `size`; OSError when it cannot be read."""
    async with await anyio.open_file(location, "rb") as source:
        left: int | None = None
        if part is not None:
            await source.seek(part.start)
            left = part.size
        while left is None or left > 0:
            piece = await source.read(size if left is None else min(size, left))
            if not piece:
                break
            if left is not None:
                left -= len(piece)
            yield piece


async def read(location: Location, part: Any = None) -> bytes:
    """All of it at once; OSError when it cannot be read."""
    return b"".join([piece async for piece in pieces(location, part)])


class FileResponse(BaseHTTPResponse):
    """A file that is sent in pieces, with its length."""

    __slots__ = ("location", "part")

    is_stream = True

    def __init__(
        self, location: Location, status: int, headers: Mapping[str, Any], content_type: str, part: Any = None
    ) -> None:
        super().__init__(status, headers, content_type)
        self.location = location
        self.part = part

    async def content(self) -> bytes:
        """All of it at once; OSError when it cannot be read."""
        return await read(self.location, self.part)

    async def produce(self, exchange: Exchange) -> None:
        async for piece in pieces(self.location, self.part):
            await exchange.write(piece)
