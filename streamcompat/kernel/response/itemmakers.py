"""The functions `sse`, `jsonlines` and `csv_rows`, of each flavour and for ASGI applications.

The rule: the functions differ in the word by which a function sends an item, and in nothing else.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

from streamcompat.datastructures import Headers
from streamcompat.kernel.jsontext import json_dumps
from streamcompat.kernel.response.formats import (
    CSV_TYPE,
    EVENTS_TYPE,
    JSON_LINES_TYPE,
    CSVRows,
    Events,
    JSONLines,
    attachment_headers,
    events_headers,
    lines_headers,
)
from streamcompat.kernel.response.items import ItemResponse, ItemWriter, Source, checked_source
from streamcompat.kernel.response.response import GivenHeaders

R = TypeVar("R")


class ItemMakers(Generic[R]):
    """`sse`, `jsonlines` and `csv_rows` of a flavour.

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
        """
        items = ItemResponse(checked_source(source), Events, self._writer, heartbeat, commits=True)
        return self._make(items, status, events_headers(headers), EVENTS_TYPE)

    def jsonlines(
        self,
        source: Source,
        status: int = 200,
        headers: GivenHeaders = None,
        content_type: str = JSON_LINES_TYPE,
        dumps: Callable[[Any], str] = json_dumps,
    ) -> R:
        """A response that streams values as JSON Lines: the JSON of one value on each line.

        Args:
            source: an iterable or asynchronous iterable of values, or a function that gets a writer: it sends
                them, or yields them.
            dumps: makes one line of a value.
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
        return self._make(items, status, attachment_headers(headers, filename), CSV_TYPE)
