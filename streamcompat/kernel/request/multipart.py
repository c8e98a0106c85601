"""Multipart bodies (RFC 2046 §5.1, RFC 7578) as events, from bytes that arrive in pieces of any size.

The rule: the events depend on the bytes alone, never on how they were cut; only where a part's content is cut
into pieces follows them. Content is passed on, never gathered; a part's header is gathered, within a bound.
Events are asked for one at a time, so that no body, of however many parts, makes a list of them.
"""

from __future__ import annotations

import re
from enum import Enum, auto
from typing import Final

from streamcompat.datastructures import Headers
from streamcompat.kernel.request.options import parse_options

HEADER_SIZE: Final = 8 * 1024
"""Bytes of one part's header fields, and of what stands before the first part; what nginx and Apache give
a request line."""
BOUNDARY_SIZE: Final = 256
"""Bytes of a boundary; RFC 2046 §5.1.1 allows 70, python-multipart 256."""
PIECE: Final = 64 * 1024
"""Bytes of a part's content that one event has, about."""
_PADDING: Final = 256  # bytes of white space between a boundary and the end of its line

_are_fields: Final = re.compile(rb"(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]++:[^\r\n]*+(?:\r\n|\Z))*+").fullmatch
_field_that_counts: Final = re.compile(rb"(?im)^(content-(?:disposition|type)):([^\r]*)").findall
_REST: Final = rb"(?:--|[ \t]{0,%d}\r\n)" % _PADDING
_rest_of_delimiter: Final = re.compile(_REST).match
_may_be_one: Final = re.compile(rb"-|[ \t]{0,%d}\r?" % _PADDING).fullmatch


class TooMuch(Exception):
    """A part's header is longer than allowed, or there are too many parts or fields."""


class PartHead:
    """A part begins.

    Args:
        block: its header fields, without the empty line; ValueError where they are none.

    Attributes:
        name: of the form's field; `None` where the part has none.
        filename: as the client sent it, which may hold anything; `None` for a plain field.
        has_empty_filename: of a file that nobody chose, as browsers send it.
        content_type: without its parameters; `text/plain` where the part says nothing (RFC 7578 §4.4).
        charset: of a text, as the client named it; `utf-8` where the part says nothing.
    """

    __slots__ = ("_block", "charset", "content_type", "filename", "has_empty_filename", "name")

    def __init__(self, block: bytes) -> None:
        if not _are_fields(block):
            raise ValueError("a part with a malformed header")
        self._block = block
        # Of thousands of fields in a part, these two are all that most handlers need.
        fields = {name.lower(): value.decode("latin-1") for name, value in _field_that_counts(block)}
        disposition = parse_options(fields.get(b"content-disposition", ""))[1]
        self.content_type: str
        self.content_type, options = parse_options(fields.get(b"content-type", "text/plain"))
        self.name: str | None = _text(disposition.get("name"))
        self.filename: str | None = _text(disposition.get("filename"))
        self.has_empty_filename: bool = disposition.get("filename") == ""
        self.charset: str = options.get("charset", "utf-8")

    @property
    def headers(self) -> Headers:
        """Every field of the part, made anew each time."""
        lines = self._block.split(b"\r\n") if self._block else []
        fields = [line.partition(b":") for line in lines]
        return Headers.from_wire([(name.lower(), value.strip(b" \t")) for name, _, value in fields])


class Sign(Enum):
    """An event without content."""

    NEED_DATA = auto()  # nothing more until `feed` is called again
    PART_END = auto()
    BODY_END = auto()  # the last boundary has come, and nothing behind it counts


Event = PartHead | bytes | Sign
"""A part begins; some of its content, never empty; or a sign."""


class _State(Enum):
    PREAMBLE = auto()
    HEAD = auto()
    CONTENT = auto()
    END = auto()


class PartsParser:
    """The events of one body.

    Args:
        content_type: of the request; ValueError where it is no multipart or has no sound boundary.
        most: parts that may come; `None` for any number.
    """

    def __init__(self, content_type: str, most: int | None = None) -> None:
        kind, options = parse_options(content_type)
        boundary = options.get("boundary", "").encode("latin-1")
        if not kind.startswith("multipart/"):
            raise ValueError("the body is not multipart")
        if not boundary:
            raise ValueError("the multipart content type has no boundary")
        if len(boundary) > BOUNDARY_SIZE:
            raise ValueError(f"a boundary of more than {BOUNDARY_SIZE} bytes")
        self._delimiter = b"\r\n--" + boundary
        self._real_delimiter = re.compile(re.escape(self._delimiter) + _REST).search
        self._left = most
        self._state = _State.PREAMBLE
        # The first delimiter may stand without a line before it.
        self._held = b"\r\n"
        self._at = 0  # what of it has been given out

    def feed(self, data: bytes) -> None:
        """Takes further bytes; to be called once `next_event` has said NEED_DATA."""
        self._held = self._held[self._at :] + data
        self._at = 0

    def next_event(self) -> Event:
        """What the bytes so far say next.

        Raises: ValueError: the body is not valid multipart; TooMuch.
        """
        if self._state is _State.CONTENT:
            return self._content()
        if self._state is _State.PREAMBLE and not self._passed_by():
            return Sign.NEED_DATA
        return Sign.BODY_END if self._state is _State.END else self._head()

    def close(self) -> None:
        """The body has ended; ValueError where its boundary is missing, or the last of them."""
        if self._state is not _State.END:
            which = "boundary" if self._state is _State.PREAMBLE else "last boundary"
            raise ValueError(f"the multipart body has no {which}")

    def _passed_by(self) -> bool:
        """Whether the first delimiter has come; RFC 2046 §5.1.1 has us ignore what stands before it."""
        held, delimiter = self._held, self._delimiter
        start = held.find(delimiter)
        while start >= 0 and (after := self._after(start)) < 0:
            start = held.find(delimiter, start + 1)
        certain = start if start >= 0 else len(held) - len(delimiter) + 1
        if certain - 2 > HEADER_SIZE:
            raise ValueError("the multipart body does not begin with its boundary")
        if start < 0 or after == 0:
            return False
        self._begin(after)
        return True

    def _after(self, start: int) -> int:
        """Where the line of the delimiter at `start` ends; 0 if it has not yet come, -1 if it is none."""
        behind = start + len(self._delimiter)
        found = _rest_of_delimiter(self._held, behind)
        if found is not None:
            return found.end()
        return 0 if _may_be_one(self._held, behind) else -1

    def _begin(self, after: int) -> None:
        """Goes on behind a delimiter's line: with a part, unless it was the last one."""
        self._at = after
        # A line ends with LF, the last delimiter with a hyphen.
        self._state = _State.HEAD if self._held[after - 1] == 0x0A else _State.END

    def _head(self) -> Event:
        held, at = self._held, self._at
        if held.startswith(b"\r\n", at):
            end, behind = at, at + 2
        else:
            end = held.find(b"\r\n\r\n", at)
            behind = end + 4
        # Of what has not ended, three bytes may belong to the end.
        if (end if end >= 0 else len(held) - 3) - at > HEADER_SIZE:
            raise TooMuch("a part's header is too long")
        if end < 0:
            return Sign.NEED_DATA
        if self._left is not None:
            if self._left == 0:
                raise TooMuch("too many parts")
            self._left -= 1
        head = PartHead(held[at:end])
        self._at = behind
        self._state = _State.CONTENT
        return head

    def _content(self) -> bytes | Sign:
        held, at, delimiter = self._held, self._at, self._delimiter
        most = at + PIECE
        start = held.find(delimiter, at, most + len(delimiter))
        if start == at and (after := self._after(at)) > 0:
            self._begin(after)
            return Sign.PART_END
        if start >= 0 and self._after(start) < 0:
            # It only looks like one, and so may thousands; what follows looks for those that are.
            found = self._real_delimiter(held, start, most + len(delimiter) + _PADDING + 2)
            start = found.start() if found else -1
        end = start if start >= 0 else min(most, self._sure(at))
        if end == at:
            return Sign.NEED_DATA
        self._at = end
        return held[at:end]

    def _sure(self, at: int) -> int:
        """Up to where what is held, which has no whole delimiter, cannot be the start of one."""
        held, delimiter = self._held, self._delimiter
        start = max(at, len(held) - len(delimiter) - _PADDING - 2)
        while (start := held.find(delimiter, start)) >= 0:
            if self._after(start) == 0:
                return start
            start += 1
        # A boundary has no CR, so only the last CR may begin a delimiter that is cut within it.
        last = held.rfind(b"\r", max(at, len(held) - len(delimiter)))
        return last if last >= 0 and delimiter.startswith(held[last:]) else len(held)


def _text(latin: str | None) -> str | None:
    """A name, which has been read as Latin-1, as text; `None` for an empty one."""
    if not latin:
        return None
    try:
        return latin.encode("latin-1").decode()
    except UnicodeDecodeError:
        return latin
