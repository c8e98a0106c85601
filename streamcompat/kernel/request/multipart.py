"""Multipart bodies (RFC 2046 §5.1, RFC 7578) as events, from bytes that arrive in any pieces.

The rule: the boundary grammar is python-multipart's business; here its callbacks become events, and what a
part's header may hold is bounded. Bytes of a part are passed on, never gathered.
"""

from __future__ import annotations

import logging
from typing import Final, NamedTuple

from python_multipart.multipart import MultipartParser, parse_options_header

from streamcompat.datastructures import Headers

HEADER_SIZE: Final = 8 * 1024
"""Bytes of one part's header fields; what nginx and Apache give a request line."""


class TooMuch(Exception):
    """A part's header is longer than allowed, or there are too many parts."""


class PartHead(NamedTuple):
    """A part begins.

    Attributes:
        name: of the form's field; `None` where the part has none.
        filename: as the client sent it, which may hold anything; `None` for a plain field.
        content_type: without its parameters; `text/plain` where the part says nothing (RFC 7578 §4.4).
        charset: of a text; `utf-8` where the part says nothing.
        headers: every field of the part.
    """

    name: str | None
    filename: str | None
    content_type: str
    charset: str
    headers: Headers


# The parser logs each broken body before it raises; what is logged of it is up to those who catch that.
_silent: Final = logging.Logger(f"{__name__}.silent", logging.CRITICAL + 1)

Event = PartHead | bytes | None
"""A part begins; some of its content, never empty; the part ends."""


class PartsParser:
    """The events of one body.

    Args:
        content_type: of the request; ValueError where it is no multipart or has no boundary.
        most: parts that may come; `None` for any number.

    Attributes:
        complete: the last boundary has come.
    """

    def __init__(self, content_type: str, most: int | None = None) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if not kind.startswith(b"multipart/"):
            raise ValueError("the body is not multipart")
        if not boundary:
            raise ValueError("a multipart content type without a boundary")
        self.complete = False
        self._delimiter = b"\r\n--" + boundary
        self._preamble: bytes | None = b"\r\n"  # what may be the start of the first delimiter
        self._passed = 0
        self._left = most
        self._events: list[Event] = []
        self._parser = parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._head,
                "on_part_data": self._content,
                "on_part_end": self._end,
                "on_end": self._last,
            },
        )
        parser.logger = _silent

    def feed(self, data: bytes) -> list[Event]:
        """The events of further bytes; what follows the last boundary is ignored.

        Raises: ValueError: it is no multipart; TooMuch.
        """
        if self._preamble is not None:
            data = self._passed_by(self._preamble, data)
        if data and not self.complete:
            self._parser.write(data)
        events, self._events = self._events, []
        return events

    def close(self) -> None:
        """The body has ended; ValueError where its boundary is missing, or the last of them."""
        if not self.complete:
            which = "boundary" if self._preamble is not None else "last boundary"
            raise ValueError(f"a multipart body without its {which}")

    def _passed_by(self, kept: bytes, data: bytes) -> bytes:
        """What follows the preamble, which RFC 2046 §5.1.1 has us ignore and the parser does not know."""
        whole = kept + data
        start = whole.find(self._delimiter)
        before = self._passed + (start - len(kept) if start >= 0 else len(data) - len(self._delimiter))
        if before > HEADER_SIZE:
            raise ValueError("a multipart body that does not begin with its boundary")
        if start < 0:
            self._passed += len(data)
            self._preamble = whole[-len(self._delimiter) :]
            return b""
        self._preamble = None
        return whole[start + 2 :]

    # ---- called by the parser ----

    def _begin(self) -> None:
        if self._left is not None:
            if self._left == 0:
                raise TooMuch("too many parts")
            self._left -= 1
        self._size = 0
        self._name = bytearray()
        self._value = bytearray()
        self._fields: list[tuple[bytes, bytes]] = []

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._name += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._count(end - start)
        self._value += data[start:end]

    def _count(self, size: int) -> None:
        self._size += size
        if self._size > HEADER_SIZE:
            raise TooMuch("a part's header is too long")

    def _header_end(self) -> None:
        self._fields.append((bytes(self._name).lower(), bytes(self._value)))
        self._name.clear()
        self._value.clear()

    def _head(self) -> None:
        headers = dict(self._fields)
        _, disposition = parse_options_header(headers.get(b"content-disposition"))
        kind, options = parse_options_header(headers.get(b"content-type", b"text/plain"))
        self._events.append(
            PartHead(
                _text(disposition.get(b"name")),
                _text(disposition.get(b"filename")),
                kind.decode("latin-1"),
                options.get(b"charset", b"utf-8").decode("latin-1"),
                Headers.from_wire(self._fields),
            )
        )

    def _content(self, data: bytes, start: int, end: int) -> None:
        self._events.append(data[start:end])

    def _end(self) -> None:
        self._events.append(None)

    def _last(self) -> None:
        self.complete = True


def _text(raw: bytes | None) -> str | None:
    """A name as text; `None` for an empty one."""
    if not raw:
        return None
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")
