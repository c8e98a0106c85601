"""Routes that serve a file, or the files below a folder.

The rule: what is served lies below the folder once all dots and encodings are resolved; whatever else is
asked for is not there.
"""

from __future__ import annotations

import os
import stat
from email.utils import formatdate
from mimetypes import guess_type
from typing import Any
from urllib.parse import unquote

import anyio

from streamcompat.kernel.exceptions import HeaderNotFound
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.files import ContentRange, FileResponse, Location
from streamcompat.kernel.routes.views import Handler

LARGE = 1024 * 1024
"""Files of this many bytes and more are sent in pieces; the threshold of the originals."""


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

    async def static(request: BaseRequest, file_uri: str | None = None) -> Any:
        dialect = request.app.dialect
        named = root if file_uri is None else _below(root, file_uri, dialect)
        found = None if named is None else await anyio.to_thread.run_sync(_find, named, root)
        if named is None or found is None:
            raise dialect.file_not_found("File not found", path=file_or_directory, relative_url=file_uri)
        location, stats = found
        headers: dict[str, str] = {}
        if use_modified_since:
            headers["Last-Modified"] = formatdate(int(stats.st_mtime), usegmt=True)
            # RFC 9110 §13.1.3: ignored beside If-None-Match, which no file here can match without an ETag.
            since = request.headers.get("If-Modified-Since")
            if since == headers["Last-Modified"] and "If-None-Match" not in request.headers:
                return dialect.response(status=304, headers=headers)
        part = None
        status = 200
        if use_content_range:
            headers["Accept-Ranges"] = "bytes"
            if request.method == "GET" and _unchanged(request, headers):
                try:
                    part = ContentRange(request, stats, dialect)
                except HeaderNotFound:
                    pass
                else:
                    headers |= part.headers
                    status = 206
        size = stats.st_size if part is None else part.size
        headers["Content-Length"] = str(size)
        kind = content_type or guess_type(named)[0] or "text/plain"
        if request.method == "HEAD":
            return dialect.response(status=status, headers=headers, content_type=kind)
        response = FileResponse(location, status, headers, kind, part)
        if size >= large:
            return response
        body = await response.content()
        return dialect.response(status=status, headers=headers, content_type=kind, body_bytes=body)

    return static


def _unchanged(request: BaseRequest, headers: dict[str, str]) -> bool:
    """Whether the file is the one that the client has a part of, where it asks (RFC 9110 §13.1.5)."""
    return request.headers.get("If-Range") in (None, headers.get("Last-Modified"))


def _find(location: str, root: str) -> tuple[str, os.stat_result] | None:
    """A file without the links that lead to it, and what it is; `None` for anything else, for a path that
    none can have, and where a link leads out of the folder `root`."""
    try:
        resolved = os.path.realpath(location, strict=True)
        if location != root and not _contains(os.path.realpath(root), resolved):
            return None
        stats = os.stat(resolved)
    except (OSError, ValueError):
        return None
    return (resolved, stats) if stat.S_ISREG(stats.st_mode) else None


def _contains(root: str, location: str) -> bool:
    return location.startswith(root.rstrip(os.sep) + os.sep)


def _below(root: str, file_uri: str, dialect: Any) -> str | None:
    """The file of a path below the folder `root`; `None` where it would lie outside."""
    if "../" in file_uri:
        raise dialect.invalid_usage("Invalid URL")
    # The router has undone the encoding already where the dialect has it do so.
    path = file_uri if dialect.unquote_path else unquote(file_uri)
    location = os.path.abspath(os.path.join(root, path.lstrip("/")))
    return location if _contains(root, location) else None
