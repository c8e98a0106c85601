"""Files as responses: whole, or ranges of their bytes (RFC 9110 §14).

The rule: a file is opened once, and what that descriptor has is served, whatever the file's name leads to
later. As much is sent as it had then and never more; where less is there, the response is cut. The loop never
waits for a disk, and a file of any size is sent in pieces of one size.
"""

from __future__ import annotations

import io
import os
import re
import secrets
import stat
from collections.abc import AsyncIterator, Mapping, Sequence
from mimetypes import guess_type
from typing import Any, Final, NamedTuple, Protocol

import anyio

from streamcompat.datastructures import Headers
from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.response import BaseHTTPResponse, GivenHeaders
from streamcompat_engine import Exchange

Location = str | os.PathLike[str]
PIECE = 64 * 1024
"""Bytes that are read at once."""
MOST_RANGES = 200
"""Ranges that one request may ask for; as in Apache httpd. With more, the whole file is sent."""


class FileShrunk(OSError):
    """A file has fewer bytes than it had when it was opened."""


class Sized(Protocol):
    """The attribute of `os.stat_result` that a range needs."""

    @property
    def st_size(self) -> int: ...


class FileRange(Protocol):
    """A range of a file: its first and its last byte, how many they are, and the size of the file."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def size(self) -> int: ...
    @property
    def total(self) -> int: ...


class ContentRange:
    """The range of a file that a request asks for.

    Attributes:
        start, end: the first and the last byte, both included.
        size: the size of the range in bytes.
        total: the size of the file in bytes.
        headers: header fields for the response.

    The constructor raises the flavour's HeaderNotFound: the request has no Range; ContentRangeError: it is
    malformed, or not within the file; InvalidRangeType: its unit is not `bytes`.
    """

    def __init__(self, request: BaseRequest, stats: Sized, dialect: Dialect) -> None:
        self.total: int = stats.st_size
        field = request.headers.get("Range")
        if field is None:
            raise dialect.header_not_found("Range Header Not Found")
        unit, _, value = (part.strip() for part in field.partition("="))
        # RFC 9110 §14.1: a range unit has no case.
        if unit.lower() != "bytes":
            raise dialect.invalid_range_type(f"{unit} is not a valid Range Type", self)
        self.start: int
        self.end: int
        try:
            self.start, self.end = _byte_range(value, self.total)
        except ValueError as error:
            raise dialect.content_range_error(str(error), self) from None
        self.size: int = self.end - self.start + 1
        if self.size <= 0:
            raise dialect.content_range_error("Invalid for Content Range parameters", self)
        self.headers: dict[str, str] = {"Content-Range": f"bytes {self.start}-{self.end}/{self.total}"}

    def __bool__(self) -> bool:
        return self.size > 0


def _byte_range(value: str, total: int) -> tuple[int, int]:
    """The first and the last byte of `2-5`, `2-` or `-5`; the last before the first where the file has none
    of them. ValueError where it is no range."""
    first, _, last = (part.strip() for part in value.partition("-"))
    for part in (first, last):
        if part and not (part.isascii() and part.isdigit()):
            raise ValueError(f"'{part}' is invalid for Content Range")
    if first:
        return _position(first), min(_position(last), total - 1) if last else total - 1
    if last:
        # The last bytes, as many as there are.
        return max(total - _position(last), 0), total - 1
    raise ValueError("Invalid for Content Range parameters")


def _position(digits: str) -> int:
    """A position in a file; a number of more than 18 digits is past the end of any file."""
    return int(digits.lstrip("0")[:19] or "0")


class Range(NamedTuple):
    """Bytes of a file: from `start`, `size` of them."""

    start: int
    size: int


def satisfiable_ranges(field: str, total: int) -> list[Range] | None:
    """The ranges of a Range field that a file of `total` bytes has, in their order.

    `None` where the field is to be ignored: its unit is unknown (RFC 9110 §14.2), it has a satisfiable range
    beside one that is malformed, more than `MOST_RANGES`, several that ask for more than the whole, or the
    last bytes of an empty file, which are satisfiable but cannot be told (§14.1.2, §14.4).
    """
    unit, _, value = field.partition("=")
    if unit.strip().lower() != "bytes" or value.count(",") >= MOST_RANGES:
        return None
    ranges: list[Range] = []
    malformed = False
    for member in value.split(","):
        # RFC 9110 §5.6.1.2: empty members of a list are ignored.
        if not member.strip():
            continue
        try:
            start, end = _byte_range(member, total)
        except ValueError:
            malformed = True
        else:
            if start <= end:
                ranges.append(Range(start, end - start + 1))
            elif not total and _last_bytes(member):
                return None
    if ranges and (malformed or (len(ranges) > 1 and sum(part.size for part in ranges) > total)):
        return None
    return ranges


_last_bytes: Final = re.compile(r"\s*-\s*0*[1-9]").match
"""`-5`, but not `-0`, which no file has."""


def file_headers(
    location: Location,
    mime_type: str | None,
    headers: GivenHeaders,
    filename: str | None = None,
    part: FileRange | None = None,
) -> tuple[Headers, str]:
    """The header fields and the content type of a file's response."""
    fields = Headers(headers or {})
    if filename:
        # RFC 9110 §5.6.4: a quote as it is would end the string, and what follows be a parameter.
        quoted = filename.replace("\\", "\\\\").replace('"', '\\"')
        fields.setdefault("Content-Disposition", f'attachment; filename="{quoted}"')
    if part is not None:
        fields["Content-Range"] = f"bytes {part.start}-{part.end}/{part.total}"
    return fields, mime_type or guess_type(filename or os.path.basename(location))[0] or "text/plain"


class OpenFile:
    """A file that is open, and closed with this object at the latest; its methods are for a worker thread.

    Who makes no response of it closes it: a worker thread that has returned it still refers to it.

    Attributes:
        stats: what the file was when it was opened.
        regular: whether it is a regular file, and not a FIFO or a device.
        size: in bytes, `None` where the system does not know it beforehand, as in `/proc`.
    """

    __slots__ = ("_raw", "regular", "size", "stats")

    def __init__(self, raw: io.FileIO) -> None:
        self._raw = raw
        self.stats: os.stat_result = os.fstat(raw.fileno())
        self.regular: bool = stat.S_ISREG(self.stats.st_mode)
        self.size: int | None = self.stats.st_size
        if not self.regular:
            self.size = None
        elif not self.size and raw.read(1):
            self.size = None

    def close(self) -> None:
        self._raw.close()

    __del__ = close

    def read(self, start: int, size: int) -> bytes:
        """Up to `size` bytes; fewer only at the end of the file."""
        if self.regular:
            self._raw.seek(start)
        data = self._raw.read(size) or b""
        while len(data) < size and (more := self._raw.read(size - len(data))):
            data += more
        return data

    def has_shrunk(self) -> bool:
        """Whether it has fewer bytes than when it was opened."""
        return self.regular and os.fstat(self._raw.fileno()).st_size < self.stats.st_size


def open_file(location: Location) -> OpenFile:
    """Opens a file by its name; OSError. For a worker thread."""
    return OpenFile(io.FileIO(os.fspath(location)))


async def pieces(
    file: Location | OpenFile, part: Any = None, size: int = PIECE, most: int | None = None
) -> AsyncIterator[bytes]:
    """The file's bytes, or those of a range, in pieces of `size`: as many as it has when it is opened, and
    not more than `most`.

    Raises: OSError: it cannot be read; FileShrunk: behind the last piece, when others are missing.
    """
    source = file if isinstance(file, OpenFile) else await anyio.to_thread.run_sync(open_file, file)
    at = 0 if part is None else part.start
    left = source.size if part is None else part.size
    if most is not None:
        left = most if left is None else min(left, most)
    while left is None or left > 0:
        piece = await anyio.to_thread.run_sync(source.read, at, size if left is None else min(size, left))
        if not piece:
            if left is not None and (part is not None or await anyio.to_thread.run_sync(source.has_shrunk)):
                raise FileShrunk(f"a file has {left} bytes less than it had when its response began")
            break
        at += len(piece)
        if left is not None:
            left -= len(piece)
        yield piece


async def read(location: Location, part: Any = None, most: int | None = None) -> bytes:
    """All of it at once; raises as `pieces`."""
    return b"".join([piece async for piece in pieces(location, part, most=most)])


def announced(fields: Headers) -> int | None:
    """The bytes that the app's own Content-Length announces."""
    length = str(fields.get("Content-Length", ""))
    return int(length) if length.isascii() and length.isdigit() else None


class FileResponse(BaseHTTPResponse):
    """An open file that is sent in pieces.

    Args:
        segments: what is sent, in order: bytes as they are, and ranges of the file; nothing for all of it.
    """

    __slots__ = ("file", "segments")

    is_stream = True

    def __init__(
        self,
        file: OpenFile,
        status: int,
        headers: Mapping[str, Any],
        content_type: str,
        segments: Sequence[bytes | Range] = (),
    ) -> None:
        super().__init__(status, headers, content_type)
        self.file: OpenFile = file
        self.segments: Sequence[bytes | Range] = segments

    async def content(self) -> bytes:
        """All of it at once; raises as `pieces`, but for a whole file takes what is there."""
        if not self.segments and self.file.size is not None:
            return await anyio.to_thread.run_sync(self.file.read, 0, self.file.size)
        return b"".join([piece async for piece in self._pieces()])

    async def produce(self, exchange: Exchange) -> None:
        async for piece in self._pieces():
            await exchange.write(piece)

    async def _pieces(self) -> AsyncIterator[bytes]:
        for segment in self.segments or (None,):
            if isinstance(segment, bytes):
                yield segment
            else:
                async for piece in pieces(self.file, segment):
                    yield piece


def range_segments(
    ranges: Sequence[Range], total: int, kind: str
) -> tuple[dict[str, str], list[bytes | Range]]:
    """The fields and the body of a 206 with these ranges of a file of that type; the length is among them.

    Several are a multipart/byteranges (RFC 9110 §14.6), one is never (§15.3.7.2).
    """
    named = [f"bytes {start}-{start + size - 1}/{total}" for start, size in ranges]
    if len(ranges) == 1:
        return {"Content-Range": named[0], "Content-Length": str(ranges[0].size)}, list(ranges)
    boundary = secrets.token_hex(16)
    segments: list[bytes | Range] = []
    for part, name in zip(ranges, named, strict=True):
        segments.append(f"\r\n--{boundary}\r\nContent-Type: {kind}\r\nContent-Range: {name}\r\n\r\n".encode())
        segments.append(part)
    segments.append(f"\r\n--{boundary}--\r\n".encode())
    length = sum(len(part) if isinstance(part, bytes) else part.size for part in segments)
    return {
        "Content-Type": f"multipart/byteranges; boundary={boundary}",
        "Content-Length": str(length),
    }, segments
