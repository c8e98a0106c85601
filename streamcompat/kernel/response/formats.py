"""How items become the bytes of a stream: server-sent events, JSON Lines, CSV.

The rule: an item is encoded whole before a byte of it is sent, so that one that cannot be encoded leaves what
came before it intact.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol
from urllib.parse import quote

from streamcompat.datastructures import Headers
from streamcompat.kernel.jsontext import json_dumps
from streamcompat.kernel.response.response import GivenHeaders

HEARTBEAT: Final = b":\n\n"
"""A comment, which a reader of events drops (HTML, 9.2.6)."""
EVENTS_TYPE: Final = "text/event-stream"
JSON_LINES_TYPE: Final = "application/x-ndjson"
CSV_TYPE: Final = "text/csv; charset=utf-8"

_BYTES: Final = (bytes, bytearray, memoryview)
_line_ends: Final = re.compile(r"\r\n|\r|\n")


class Format(Protocol):
    """Encodes the items of one response."""

    def encode(self, item: Any, /) -> bytes:
        """The bytes of one item. TypeError or ValueError: it has no such bytes."""

    def end(self) -> bytes:
        """What remains to be sent behind the last item."""


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event.

    Attributes:
        data: text, which may have several lines, also as bytes in UTF-8; or any other value, which is sent as
            JSON. `None` for none: a browser takes the rest and dispatches nothing.
        event: the event's name, also as bytes; a browser's default is `message`.
        id: what a browser sends as Last-Event-ID when it connects again; an empty one resets it.
        retry: milliseconds that a browser waits before it connects again.
        comment: text that every reader drops.
    """

    data: Any = None
    event: str | bytes | None = None
    id: str | int | bytes | None = None
    retry: int | None = None
    comment: str | None = None

    def encode(self) -> bytes:
        """The event as bytes, with the empty line that ends it; nothing of an event without fields.

        Raises: ValueError: a line end in `event` or `id`, a NUL in `id`, a negative `retry`, bytes that are
            not UTF-8; the errors of `json_dumps`.
        """
        lines = [] if self.comment is None else [f": {line}" for line in _line_ends.split(self.comment)]
        if self.event is not None:
            lines.append(f"event: {_one_line('event', _text(self.event))}")
        if self.id is not None:
            lines.append(f"id: {_one_line('id', str(_text(self.id)))}")
        if self.retry is not None:
            if self.retry < 0:
                raise ValueError(f"the retry of an event is milliseconds, not {self.retry}")
            lines.append(f"retry: {int(self.retry)}")
        if self.data is not None:
            data = _text(self.data)
            text = data if isinstance(data, str) else json_dumps(data)
            lines += [f"data: {line}" for line in _line_ends.split(text)]
        return "".join(f"{line}\n" for line in [*lines, ""]).encode() if lines else b""


def _text(value: Any) -> Any:
    return bytes(value).decode() if isinstance(value, _BYTES) else value


def _one_line(name: str, value: str) -> str:
    # HTML, 9.2.6: a reader ignores an id with a NUL.
    if _line_ends.search(value) or (name == "id" and "\0" in value):
        raise ValueError(f"the {name} of an event is one line without NUL, not {value!r}")
    return value


class Events:
    """Server-sent events: each item is an `Event`, or the data of one."""

    def encode(self, item: Any, /) -> bytes:
        return (item if isinstance(item, Event) else Event(item)).encode()

    def end(self) -> bytes:
        return b""


class JSONLines:
    """JSON Lines: each item is a value, on a line of its own."""

    def __init__(self, dumps: Callable[[Any], str | bytes] = json_dumps) -> None:
        self._dumps = dumps

    def encode(self, item: Any, /) -> bytes:
        text = self._dumps(item)
        line = text.encode() if isinstance(text, str) else text
        if b"\n" in line:
            raise ValueError("the JSON of one item has several lines")
        return line + b"\n"

    def end(self) -> bytes:
        return b""


class CSVRows:
    """CSV (RFC 4180): each item is a row, as a sequence of values or as a mapping.

    Args:
        header: the names of the columns, and the keys of mappings; by default those of the first row, if it
            is a mapping.
        parameters: those of `csv.writer`, such as `delimiter`.
    """

    def __init__(self, header: Sequence[str] | None, parameters: Mapping[str, Any]) -> None:
        self._row: Callable[[Iterable[Any]], str] = csv.writer(_Returned(), **parameters).writerow
        self._names = header
        self._has_begun = False

    def encode(self, item: Any, /) -> bytes:
        if isinstance(item, (str, bytes)):
            raise TypeError(f"a row is a sequence of values or a mapping, not {type(item).__name__}")
        if isinstance(item, Mapping):
            if self._names is None:
                if self._has_begun:
                    raise ValueError("a row is a mapping, but the first one was not, and there is no header")
                self._names = list(item)
            if unknown := item.keys() - set(self._names):
                raise ValueError(f"a row has keys that are not in the header: {sorted(map(str, unknown))}")
            item = [item.get(name) for name in self._names]
        if self._has_begun:
            return self._row(item).encode()
        row = self._row(item).encode()
        return self.end() + row

    def end(self) -> bytes:
        """The header, if no row has brought it along."""
        if self._has_begun:
            return b""
        self._has_begun = True
        return b"" if self._names is None else self._row(self._names).encode()


class _Returned:
    """A file for `csv.writer`, whose `writerow` returns what `write` returns."""

    def write(self, text: str) -> str:
        return text


class Raw:
    """Bytes as they are."""

    def encode(self, item: Any, /) -> bytes:
        return bytes(item)

    def end(self) -> bytes:
        return b""


def events_headers(headers: GivenHeaders) -> Headers:
    """The fields of a response with events: no cache keeps it, and nginx passes on each one as it comes."""
    fields = Headers(headers or {})
    fields.setdefault("Cache-Control", "no-store")
    fields.setdefault("X-Accel-Buffering", "no")
    return fields


def lines_headers(headers: GivenHeaders) -> Headers:
    """The fields of a response with lines that are read as they come."""
    fields = Headers(headers or {})
    fields.setdefault("X-Accel-Buffering", "no")
    return fields


def attachment_headers(headers: GivenHeaders, filename: str | None) -> Headers:
    """The fields of a response that a browser saves under that name (RFC 6266 §4.3)."""
    fields = Headers(headers or {})
    if filename is not None:
        plain = re.sub(r'[^ !#-\[\]-~]|[/\\%"]', "_", filename)
        field = f'attachment; filename="{plain}"'
        if plain != filename:
            field += f"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
        fields.setdefault("Content-Disposition", field)
    return fields
