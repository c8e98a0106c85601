"""Routes that serve a file, or the files below a folder.

The rule: what is served lies below the folder once all dots, encodings and links are resolved; whatever else
is asked for is not there. A file is opened once, folder by folder and through no link, and that descriptor is
served: whoever swaps a file or a folder for a link in the meantime gains nothing.
"""

from __future__ import annotations

import io
import os
import sys
from email.utils import formatdate
from mimetypes import guess_type
from urllib.parse import unquote

import anyio

from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.request.request import DEFAULT_CONTENT_TYPE, BaseRequest
from streamcompat.kernel.response.files import (
    ContentRange,
    FileResponse,
    Location,
    OpenFile,
    Range,
    range_segments,
    satisfiable_ranges,
)
from streamcompat.kernel.response.response import BaseHTTPResponse
from streamcompat.kernel.routes.views import Handler

LARGE = 1024 * 1024
"""Files of this many bytes and more are sent in pieces; the threshold of the originals."""
_ATTEMPTS = 3  # at a path that changes between being resolved and being opened

if sys.platform != "win32":
    # A folder that may be entered need not be readable.
    _FOLDER = os.O_DIRECTORY | (os.O_PATH if sys.platform == "linux" else os.O_RDONLY)


def file_handler(
    file_or_directory: Location,
    use_modified_since: bool,
    use_content_range: bool,
    stream_large_files: bool | int,
    content_type: str | None,
) -> Handler:
    """The handler of a static route; its parameter `file_uri` is the path below a folder."""
    root = os.path.abspath(file_or_directory)
    large = LARGE if isinstance(stream_large_files, bool) else stream_large_files

    async def static(request: BaseRequest, file_uri: str | None = None) -> BaseHTTPResponse:
        dialect = request.app.dialect
        relative = None if file_uri is None else _relative(file_uri, dialect)
        file = None if relative == "" else await anyio.to_thread.run_sync(_find, root, relative)
        if file is None:
            raise dialect.file_not_found("File not found", path=file_or_directory, relative_url=file_uri)
        headers: dict[str, str] = {}
        if use_modified_since:
            headers["Last-Modified"] = formatdate(int(file.stats.st_mtime), usegmt=True)
            # RFC 9110 §13.1.3: ignored beside If-None-Match, which no file here can match without an ETag.
            since = request.headers.get("If-Modified-Since")
            if since == headers["Last-Modified"] and "If-None-Match" not in request.headers:
                file.close()
                return dialect.response(status=304, headers=headers)
        kind = _type_of(content_type or guess_type(relative or root)[0], dialect)
        segments: list[bytes | Range] = []
        status = 200
        if file.size is not None:
            headers["Content-Length"] = str(file.size)
            if use_content_range:
                headers["Accept-Ranges"] = "bytes"
                if ranges := _asked_for(request, file, file.size, headers):
                    fields, segments = range_segments(ranges, file.size, kind)
                    headers |= fields
                    status = 206
        if request.method == "HEAD":
            file.close()
            return dialect.response(status=status, headers=headers, content_type=kind)
        response = FileResponse(file, status, headers, kind, segments)
        if file.size is None or int(headers["Content-Length"]) >= large:
            return response
        body = await response.content()
        headers["Content-Length"] = str(len(body))
        return dialect.response(status=status, headers=headers, content_type=kind, body_bytes=body)

    return static


def _type_of(kind: str | None, dialect: Dialect) -> str:
    """The content type that is sent for a type that was told or guessed."""
    if not dialect.text_files_are_utf8:
        return kind or "text/plain"
    if kind is None:
        return DEFAULT_CONTENT_TYPE
    is_text = kind.startswith("text/") or kind == "application/javascript"
    return f"{kind}; charset=utf-8" if is_text and "charset=" not in kind else kind


def _asked_for(
    request: BaseRequest, file: OpenFile, size: int, headers: dict[str, str]
) -> list[Range] | None:
    """The ranges that the client gets; `None` for the whole file. Raises the flavour's ContentRangeError
    where the file has none of them."""
    field = request.headers.get("Range")
    # RFC 9110 §14.2: for GET alone; §13.1.5: of the file that the client has a part of, where it asks.
    if field is None or request.method != "GET":
        return None
    if request.headers.get("If-Range") not in (None, headers.get("Last-Modified")):
        return None
    ranges = satisfiable_ranges(field, size)
    if ranges == []:
        # The error has a traceback, which would keep the file open.
        file.close()
        # One range out of a field that has none: it raises what the app's handlers know.
        ContentRange(request, file.stats, request.app.dialect)
    return ranges


def _find(root: str, relative: str | None) -> OpenFile | None:
    """The file `root`, or the one at a path below that folder; `None` for anything else, for a path that none
    can have, and where a link leads out of the folder."""
    for _ in range(_ATTEMPTS):
        try:
            if relative is None:
                file = OpenFile(io.FileIO(root, opener=_opened))
            else:
                folder = os.path.realpath(root)
                resolved = os.path.realpath(os.path.join(folder, relative), strict=True)
                if not _contains(folder, resolved):
                    return None
                try:
                    file = _open_below(folder, os.path.relpath(resolved, folder).split(os.sep))
                except OSError:
                    continue
        except (OSError, ValueError):
            return None
        return file if file.regular else None
    return None


def _open_below(root: str, names: list[str]) -> OpenFile:
    """Opens a file below a folder, through no link: OSError where there is one."""

    def opener(_path: str, flags: int) -> int:
        if sys.platform == "win32":  # has no open relative to a folder; the caller has resolved the links
            return os.open(os.path.join(root, *names), flags)
        folder = os.open(root, _FOLDER)
        try:
            for name in names[:-1]:
                inner = os.open(name, _FOLDER | os.O_NOFOLLOW, dir_fd=folder)
                os.close(folder)
                folder = inner
            return _opened(names[-1], flags | os.O_NOFOLLOW, folder)
        finally:
            os.close(folder)

    return OpenFile(io.FileIO(names[-1], opener=opener))


def _opened(path: str, flags: int, folder: int | None = None) -> int:
    if sys.platform == "win32":
        return os.open(path, flags)
    # Not waiting: else a FIFO waits for a writer, which may never come.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, dir_fd=folder)


def _contains(root: str, location: str) -> bool:
    return location.startswith(root.rstrip(os.sep) + os.sep)


def _relative(file_uri: str, dialect: Dialect) -> str:
    """The path below the folder that is asked for; empty where it names a folder."""
    if "../" in file_uri:
        raise dialect.invalid_usage("Invalid URL")
    # With `unquote_path` the router has decoded the path already.
    path = file_uri if dialect.unquote_path else unquote(file_uri)
    if path.rpartition("/")[2] in ("", ".", ".."):
        return ""
    # As if the folder were the root of all.
    return os.path.normpath("/" + path).lstrip("/")
