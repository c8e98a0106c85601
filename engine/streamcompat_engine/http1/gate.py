"""The gate in front of h11: strict checks on bytes, in both directions.

The rule: the verdict depends only on the bytes, never on how they were split. One expression checks a head
that arrives in one piece. Any other head is checked line by line as it arrives, by the same grammar and in
the order of the bytes, so that both ways give the same verdict.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import InvalidHeader, ProtocolError
from ..limits import Limits

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # RFC 9110 §5.6.2
_VALUE = rb"[^\x00-\x08\x0a-\x1f\x7f]*"  # RFC 9110 §5.5: no control but HTAB
_REQUEST_LINE = _TOKEN + rb" [\x21-\x7e]+ HTTP/[0-9]\.[0-9]\r\n"  # RFC 9112 §3
_FIELD_LINE = _TOKEN + rb":" + _VALUE + rb"\r\n"  # RFC 9112 §5.1: no space before the colon

_is_head = re.compile(_REQUEST_LINE + rb"(?:" + _FIELD_LINE + rb")*+\r\n").fullmatch
_is_request_line = re.compile(_REQUEST_LINE).fullmatch
_is_field_line = re.compile(_FIELD_LINE).fullmatch
_is_token = re.compile(_TOKEN).fullmatch
_is_value = re.compile(_VALUE).fullmatch
_TCHAR = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")


FORBIDDEN_TRAILERS = frozenset(
    # RFC 9110 §6.5.1: framing, routing, request modifiers, authentication, content coding.
    b"transfer-encoding content-length host trailer te connection keep-alive upgrade expect max-forwards "
    b"cache-control range pragma authorization proxy-authorization proxy-authenticate www-authenticate "
    b"cookie set-cookie content-encoding content-type content-range age date expires location "
    b"retry-after vary warning if-match if-none-match if-modified-since if-unmodified-since if-range".split()
)


class FieldGate:
    """Gathers one section of field lines, including its empty line, in a bounded buffer.

    Args:
        max_bytes: the most bytes of all field lines together.
        max_count: the most field lines.
        what: the name of the section in messages.
    """

    __slots__ = ("_buffer", "_checked", "_count", "_max_bytes", "_max_count", "_searched", "_what")

    def __init__(self, max_bytes: int, max_count: int, what: str) -> None:
        self._buffer = bytearray()
        self._max_bytes = max_bytes
        self._max_count = max_count
        self._what = what
        self._checked = 0  # the end of the last line that was checked
        self._searched = 0  # there is no LF between `_checked` and here
        self._count = 0

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add bytes.

        Returns: the section with its empty line, and the bytes after it; `None` while it is incomplete.
        Raises: ProtocolError (400; 431 over a limit).
        """
        buffer = self._buffer
        buffer += data
        while True:
            start = self._checked
            stop = buffer.find(b"\n", self._searched) + 1
            self._searched = stop or len(buffer)
            size = self._searched - start
            if stop and size == 2 and buffer[start] == 0x0D:
                section, rest = bytes(buffer[:stop]), bytes(buffer[stop:])
                buffer.clear()  # do not hold the rest twice
                return section, rest
            if size > 1 or (size and buffer[start] != 0x0D):  # more than a part of the empty line
                if self._count >= self._max_count and buffer[start] != 0x0D:
                    raise ProtocolError(431, f"more than {self._max_count} {self._what} fields")
                # An incomplete line counts with its missing LF.
                if start + size + (not stop) > self._max_bytes:
                    raise ProtocolError(431, f"{self._what} fields over {self._max_bytes} bytes")
            if not stop:
                return None
            if not _is_field_line(buffer, start, stop):
                raise ProtocolError(400, f"a malformed {self._what} field line")
            self._count += 1
            self._checked = stop


class HeadGate:
    """Gathers one request head in a bounded buffer.

    Call `feed` with each received piece until it returns a whole head; then the gate takes the next one.
    """

    __slots__ = ("_fields", "_limits", "_line", "_one_look", "_skipped")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._one_look = min(limits.request_line, limits.head_fields)
        self._line = bytearray()
        self._fields: FieldGate | None = None
        self._skipped = False

    @property
    def empty(self) -> bool:
        """Whether nothing of a head has arrived; an ignored empty line does not count."""
        return not self._line

    @property
    def untouched(self) -> bool:
        """Whether nothing at all has arrived since the last head."""
        return not self._line and not self._skipped

    @property
    def asks_head(self) -> bool:
        """Whether the method of an incomplete head is HEAD, so that an error response must have no body."""
        return self._line.startswith(b"HEAD ")

    def feed(self, data: bytes) -> tuple[bytes, bytes] | None:
        """Add bytes.

        Returns: the head with its empty line, and the bytes after it; `None` while it is incomplete.
        Raises: ProtocolError (400, 414, 431, 501).
        """
        if not self._line:
            end = data.find(b"\r\n\r\n") + 4
            if (
                3 < end <= self._one_look
                and data.count(b"\r\n", 0, end) <= self._limits.field_count + 2
                and _is_head(data, 0, end)
            ):
                self._skipped = False
                return (data, b"") if end == len(data) else (data[:end], data[end:])
        return self._feed_line(data) if self._fields is None else self._feed_fields(data)

    def _feed_line(self, data: bytes) -> tuple[bytes, bytes] | None:
        line, searched = self._line, len(self._line)
        line += data
        if not self._skipped and line[:1] == b"\r":
            # RFC 9112 §2.2: one empty line before the request line is ignored.
            if len(line) < 2:
                return None
            if line[1] != 0x0A:
                raise ProtocolError(400, "a bare CR before the request line")
            del line[:2]
            searched = max(searched - 2, 0)
            self._skipped = True
        if line and line[0] not in _TCHAR:
            if line[0] == 0x16:
                raise ProtocolError(400, "a TLS handshake on a plain HTTP port")
            raise ProtocolError(400, "the request line does not begin with a method")
        stop = line.find(b"\n", searched) + 1
        if (stop or len(line) + 1) > self._limits.request_line:
            if line.find(b" ", 0, self._limits.request_line) < 0:
                raise ProtocolError(501, "the method is too long")  # RFC 9112 §3
            raise ProtocolError(414, f"the request line is over {self._limits.request_line} bytes")
        if not stop:
            return None
        if not _is_request_line(line, 0, stop):
            raise ProtocolError(400, "a malformed request line")
        rest = bytes(line[stop:])
        del line[stop:]
        self._fields = FieldGate(self._limits.head_fields, self._limits.field_count, "header")
        return self._feed_fields(rest)

    def _feed_fields(self, data: bytes) -> tuple[bytes, bytes] | None:
        assert self._fields is not None
        done = self._fields.feed(data)
        if done is None:
            return None
        head = bytes(self._line) + done[0]
        self._line.clear()
        self._fields = None
        self._skipped = False
        return head, done[1]


def check_fields(fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Check fields before they are sent.

    Raises: InvalidHeader: a name is not a token, a value has a control byte (RFC 9110 §5.1, §5.5), or one
        of them is not bytes.
    """
    for name, value in fields:
        if not isinstance(name, bytes) or not isinstance(value, bytes):
            raise InvalidHeader(f"a header takes bytes, not {name!r}: {value!r}"[:200])
        if not _is_token(name):
            raise InvalidHeader(f"not a header name: {name[:100]!r}")
        if not _is_value(value):
            raise InvalidHeader(f"a control byte in the value of {name.decode()}: {value[:100]!r}")


def check_trailers(fields: Iterable[tuple[bytes, bytes]]) -> None:
    """Check trailer fields before they are sent.

    Raises: InvalidHeader: as `check_fields`, or a field is not allowed as a trailer (RFC 9110 §6.5.1).
    """
    fields = tuple(fields)
    check_fields(fields)
    for name, _ in fields:
        if name.lower() in FORBIDDEN_TRAILERS:
            raise InvalidHeader(f"{name.decode()} cannot be a trailer")


def check_reason(reason: bytes) -> None:
    """Check a reason phrase before it is sent (RFC 9112 §4).

    Raises: InvalidHeader.
    """
    if not isinstance(reason, bytes) or not _is_value(reason):
        raise InvalidHeader(f"not a reason phrase: {reason[:100]!r}")
