"""The functions `sse`, `jsonlines`, `csv_rows` and `download`, of each flavour and for ASGI applications.

The rule: the functions differ in the word by which a function sends an item, and in nothing else.
"""

from __future__ import annotations

import functools
import os
from collections.abc import AsyncIterator, Callable, Sequence
from inspect import isawaitable
from mimetypes import guess_type
from typing import Any, Generic, TypeVar

import anyio

from streamcompat.datastructures import Headers
from streamcompat.kernel.jsontext import json_dumps
from streamcompat.kernel.response.files import Location, OpenFile, announced, open_file, pieces
from streamcompat.kernel.response.formats import (
    CSV_TYPE,
    EVENTS_TYPE,
    JSON_LINES_TYPE,
    CSVRows,
    Events,
    JSONLines,
    Raw,
    attachment_headers,
    events_headers,
    lines_headers,
)
from streamcompat.kernel.response.items import ItemResponse, ItemWriter, Source, checked_source
from streamcompat.kernel.response.response import GivenHeaders

R = TypeVar("R")
Progress = Callable[[int, int | None], Any]
"""Told the bytes that were sent so far, and all of them, or `None` where the size is not known beforehand."""


class ItemMakers(Generic[R]):
    """`sse`, `jsonlines`, `csv_rows` and `download` of a flavour.

    Args:
        make: makes the flavour's response of items, status, headers and content type.
        writer: what a function gets that sends its items.
    """

    def __init__(
        self, make: Callable[[ItemResponse, int, Headers, str], R], writer: type[ItemWriter]
    ) -> None:
        self._make = make
        self._writer = writer

    def sse(
        self,
        source: Source,
        status: int = 200,
        headers: GivenHeaders = None,
        heartbeat: float | None = 15.0,
    ) -> R:
        """A response that streams server-sent events.

        Args:
            source: an iterable or asynchronous iterable of events, or a function that gets a writer: it sends
                them, or yields them. An event is an `Event`, or the data of one: text, or a value for JSON.
                The writer's `last_event_id` says which event a client had last that connects again.
            headers: by default `Cache-Control: no-store` and `X-Accel-Buffering: no` are among them.
            heartbeat: seconds of silence after which a comment is sent, so that no proxy takes the connection
                for dead; `None` for never. 15 as the HTML standard advises; sent within twice that time.
        Raises: ValueError: `heartbeat` is not above 0.
        """
        if heartbeat is not None and not heartbeat > 0:
            raise ValueError(f"a heartbeat comes after some seconds, or never (None), not after {heartbeat}")
        items = ItemResponse(checked_source(source), Events, self._writer, heartbeat, commits=True)
        return self._make(items, status, events_headers(headers), EVENTS_TYPE)

    def jsonlines(
        self,
        source: Source,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str = JSON_LINES_TYPE,
        dumps: Callable[[Any], str | bytes] = json_dumps,
    ) -> R:
        """A response that streams values as JSON Lines: the JSON of one value on each line.

        Args:
            source: an iterable or asynchronous iterable of values, or a function that gets a writer: it sends
                them, or yields them.
            dumps: makes one line of a value, as text or as bytes in UTF-8.
        """
        form = functools.partial(JSONLines, dumps)
        items = ItemResponse(checked_source(source), form, self._writer)
        return self._make(items, status, lines_headers(headers), content_type)

    def csv_rows(
        self,
        source: Source,
        header: Sequence[str] | None = None,
        status: int = 200,
        headers: GivenHeaders = None,
        filename: str | None = None,
        **parameters: Any,
    ) -> R:
        """A response that streams rows as CSV, in UTF-8.

        Args:
            source: an iterable or asynchronous iterable of rows, or a function that gets a writer: it sends
                them, or yields them. A row is a sequence of values or a mapping.
            header: the names of the columns; by default the keys of the first row, if it is a mapping.
            filename: the name under which a browser saves it.
            parameters: those of `csv.writer`, such as `delimiter=";"`.
        Raises: TypeError: there is no such parameter.
        """
        CSVRows(header, parameters)  # a wrong parameter fails here rather than within the response
        form = functools.partial(CSVRows, header, parameters)
        items = ItemResponse(checked_source(source), form, self._writer)
        return self._make(items, status, attachment_headers(lines_headers(headers), filename), CSV_TYPE)

    async def download(
        self,
        location: Location,
        progress: Progress | None = None,
        filename: str | None = None,
        status: int = 200,
        headers: GivenHeaders = None,
        mime_type: str | None = None,
    ) -> R:
        """A response that streams a file which a browser saves, with its length.

        Args:
            progress: a function, or a coroutine function, that is called after each piece of 64 KiB for which
                there was room: with the bytes sent so far and the size of the file. Its last call has both
                alike if the response was whole; the system may still hold the last bytes of it.
            filename: the name under which a browser saves it; by default the file's own.
        Raises: OSError: the file cannot be opened.
        """
        file = await anyio.to_thread.run_sync(open_file, location)
        name = os.path.basename(os.fspath(location)) if filename is None else filename
        fields = attachment_headers(headers, name)
        if file.size is not None:
            fields.setdefault("Content-Length", str(file.size))
        source = functools.partial(_told, file, announced(fields), progress)
        kind = mime_type or guess_type(name)[0] or "application/octet-stream"
        return self._make(ItemResponse(source, Raw, self._writer), status, fields, kind)


async def _told(
    file: OpenFile, most: int | None, progress: Progress | None, writer: ItemWriter
) -> AsyncIterator[bytes]:
    sent = 0

    async def tell() -> None:
        if progress is not None and isawaitable(answer := progress(sent, file.size)):
            await answer

    try:
        async for piece in pieces(file, most=most):
            yield piece
            sent += len(piece)  # the writer has taken it, and asks for the next one
            await tell()
        if not sent:
            await tell()
    finally:
        file.close()
