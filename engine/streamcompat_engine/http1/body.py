"""The inbound body lane: it takes a request's body out of the received bytes, mostly without h11.

The rule: h11 decided the framing from the head, and judges everything that is not plain. A plain chunk (a
hexadecimal size, CRLF, the data, CRLF) is cut out here. A chunk with an extension, or a trailer section, is
bounded and checked by the gate's rules and then given to h11. The lane rejects what h11 rejects, and for
everything that it accepts, h11 gives the same body.
"""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable
from typing import Final

import h11

from ..errors import ProtocolError
from ..events import Fields, RequestHead
from ..limits import Limits
from .gate import FORBIDDEN_TRAILERS, FieldGate
from .heads import primed

_SMALL: Final = 4096
"""Pieces that arrived together are joined if they are shorter than this on average, in bytes."""
_TURN: Final = 10 * 1024
"""Chunks that are parsed in one turn of the loop, in some 4 ms. A read of 256 KiB may have four times as
many, and some loops read several times in a turn."""
_MAX_SIZE_DIGITS: Final = 15  # below 2**60

_next_size: Final = re.compile(rb"\r\n([0-9A-Fa-f]{1,15})\r\n").match
_known_sizes: Final[dict[bytes, int]] = {}
"""Cache of CRLF, size line, CRLF to the size. Without it, a flood of tiny chunks of alternating sizes would
cost three times as much. It is bounded, also against sizes written in many ways (zeros, upper case)."""
_tiny_sizes: Final = {b"\r\n%x\r\n" % size: size for size in range(1, 16)}
"""The same for sizes of one digit, whose end need not be searched."""
_KNOWN_COUNT: Final = 4096
_LONGEST: Final = _MAX_SIZE_DIGITS + 4
_first_size: Final = re.compile(rb"([0-9A-Fa-f]{1,15})\r\n").match
_QUOTED: Final = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_TOKEN: Final = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_size_line: Final = re.compile(
    # RFC 9112 §7.1.1, without its "bad white space".
    rb"([0-9A-Fa-f]{1,15})((?:;" + _TOKEN + rb"(?:=(?:" + _TOKEN + rb"|" + _QUOTED + rb"))?)*)\r\n"
).fullmatch


class LengthBody:
    """A body framed by Content-Length."""

    __slots__ = ("remaining",)

    trailers: Fields = ()
    behind = b""

    def __init__(self, length: int) -> None:
        self.remaining: int | None = length

    def feed(self, data: bytes, pieces: list[bytes]) -> bytes | None:
        """Append the body's bytes to `pieces`; data that is all body is not copied.

        Returns: the bytes after the body, or `None` while the body is incomplete.
        """
        assert self.remaining is not None
        left = self.remaining - len(data)
        if left > 0:
            self.remaining = left
            pieces.append(data)
            return None
        if left == 0:
            pieces.append(data)
            rest = b""
        else:
            pieces.append(data[: self.remaining])
            rest = data[self.remaining :]
        self.remaining = 0
        return rest


class ChunkedBody:
    """A body in chunked coding (RFC 9112 §7.1).

    Args:
        limits: the limits of extensions and trailers.
        judge: makes an h11 connection that has read the request's head; called at most once, and only if
            some part is not plain.

    Attributes:
        behind: bytes that were received and are not parsed yet, since others should have their turn of the
            loop first; they go before those of the next `feed`, which may have none.
    """

    __slots__ = (
        "_crlf_due",
        "_extended",
        "_extensions",
        "_in_chunk",
        "_judge",
        "_last_line",
        "_limits",
        "_line",
        "_make_judge",
        "_separator",
        "_size",
        "_to_judge",
        "_trailer_gate",
        "behind",
        "trailers",
    )

    remaining: int | None = None

    def __init__(self, limits: Limits, judge: Callable[[], h11.Connection]) -> None:
        self._limits = limits
        self._make_judge = judge
        self._judge: h11.Connection | None = None
        self._in_chunk = 0  # data bytes of a plain chunk that are still to come
        self._to_judge = 0  # bytes of a chunk that go to h11, including its last CRLF
        self._crlf_due = False  # a plain chunk's data has ended, its CRLF has not been seen
        # The last CRLF, size line, CRLF and its size: most chunks have the same size as the one before. At
        # first any consistent pair.
        self._separator = b"\r\n1\r\n"
        self._size = 1
        self._line = bytearray()  # a size line that is not plain or is incomplete
        self._last_line = b""  # a size line that h11 has not been given yet
        self._extensions = 0
        self._extended = 0  # chunks that had an extension
        self._trailer_gate: FieldGate | None = None
        self.behind: bytes = b""
        self.trailers: Fields = ()

    def feed(self, data: bytes, pieces: list[bytes]) -> bytes | None:
        """Append the body's bytes to `pieces`: one piece for each chunk, small ones joined.

        Returns: the bytes after the body, or `None` while the body is incomplete or bytes of it are `behind`.
        Raises: ProtocolError.
        """
        if self.behind:
            data, self.behind = self.behind + data, b""
        if self._in_chunk >= len(data):
            self._in_chunk -= len(data)
            self._crlf_due = not self._in_chunk
            pieces.append(data)
            return None
        if not (self._in_chunk or self._crlf_due or self._line or self._to_judge or self._trailer_gate):
            # A peer that sends one chunk at a time is often read one chunk at a time.
            matched = _first_size(data)
            if matched is not None and data.endswith(b"\r\n"):
                size, start = int(matched[1], 16), matched.end()
                if size and start + size + 2 == len(data):
                    pieces.append(data[start:-2])
                    return None
        cut: list[bytes] = []
        try:
            rest = self._cut(data, cut)
        finally:  # the handler gets the data before an error too
            if len(cut) > 1 and sum(map(len, cut)) < _SMALL * len(cut):
                pieces.append(b"".join(cut))
            else:
                pieces += cut
        return rest

    def _cut(self, data: bytes, cut: list[bytes]) -> bytes | None:
        position, end = 0, len(data)
        while position < end:
            if self._in_chunk:
                start, position = position, min(end, position + self._in_chunk)
                cut.append(data[start:position])
                self._in_chunk -= position - start
                self._crlf_due = not self._in_chunk
                continue
            if self._to_judge:
                position = self._through_judge(data, position, cut)
                continue
            if self._trailer_gate is not None:
                return self._trailer_section(data[position:])
            if not self._line:
                position = self._plain_chunks(data, position, cut)
                if position == end:
                    return None
                if len(cut) >= _TURN:
                    self.behind = data[position:]
                    return None
            position = self._size_line(data, position)
        return None

    def _plain_chunks(self, data: bytes, position: int, cut: list[bytes]) -> int:
        """Cut out plain chunks, up to something else, the end of the data or the end of the turn.

        Returns: the position reached; the end of the data if it ends within a chunk.
        """
        end, crlf_due, separator, size = len(data), self._crlf_due, self._separator, self._size
        for _ in itertools.repeat(None, _TURN - len(cut)):
            if crlf_due and data.startswith(separator, position):
                start = position + len(separator)
            elif crlf_due and size < 16 and (known := _tiny_sizes.get(line := data[position : position + 5])):
                separator, size = line, known
                start = position + 5
            elif crlf_due and (
                known := _known_sizes.get(
                    line := data[position : data.find(b"\n", position + 3, position + _LONGEST) + 1]
                )
            ):
                separator, size = line, known
                start = position + len(line)
            else:
                matched = _next_size(data, position) if crlf_due else _first_size(data, position)
                if matched is None or not (size := int(matched[1], 16)):
                    break
                separator = matched[0] if crlf_due else b"\r\n" + matched[0]
                start = matched.end()
                if len(_known_sizes) >= _KNOWN_COUNT:
                    _known_sizes.clear()
                _known_sizes[separator] = size
            position = start + size
            if position > end:
                if start < end:
                    cut.append(data[start:])
                self._in_chunk = position - end
                crlf_due, position = False, end
                break
            cut.append(data[start:position])
            crlf_due = True
            if position == end:
                break
        self._crlf_due, self._separator, self._size = crlf_due, separator, size
        return position

    def _size_line(self, data: bytes, position: int) -> int:
        """Gather a size line, and the CRLF before it, up to its LF; parse it when it is complete.

        Returns: the position reached.
        """
        line = self._line
        stop = data.find(b"\n", position) + 1 or len(data)
        room = self._limits.chunk_extension + _MAX_SIZE_DIGITS + 4 - len(line)
        line += data[position : min(stop, position + room + 1)]
        if self._crlf_due:
            if not b"\r\n".startswith(line[:2]):
                raise ProtocolError(400, "a chunk's data is longer than its size")
            if len(line) < 2:
                return stop
            del line[:2]
            self._crlf_due = False
        whole = line[-1:] == b"\n"
        if len(line) + (not whole) > self._limits.chunk_extension + _MAX_SIZE_DIGITS + 2:
            raise ProtocolError(400, "a chunk's size line is too long")
        if whole:
            self._parse_size_line(bytes(line))
            line.clear()
        return stop

    def _parse_size_line(self, line: bytes) -> None:
        matched = _size_line(line)
        if matched is None:
            raise ProtocolError(400, "a malformed chunk size")
        size, extension = int(matched[1], 16), matched[2]
        if extension:
            self._extended += 1
            if self._extended > self._limits.extended_chunks:
                raise ProtocolError(400, f"more than {self._limits.extended_chunks} chunks with extensions")
        self._extensions += len(extension)
        if len(extension) > self._limits.chunk_extension:
            raise ProtocolError(400, f"a chunk extension over {self._limits.chunk_extension} bytes")
        if self._extensions > self._limits.chunk_extensions:
            raise ProtocolError(400, f"chunk extensions over {self._limits.chunk_extensions} bytes")
        if not size:
            self._last_line = line
            self._trailer_gate = FieldGate(self._limits.trailer_fields, self._limits.trailer_count, "trailer")
        elif extension:
            self._to_judge = size + 2
            self._last_line = line
        else:
            self._in_chunk = size

    def _through_judge(self, data: bytes, position: int, cut: list[bytes]) -> int:
        part = data[position : position + self._to_judge]
        self._to_judge -= len(part)
        line, self._last_line = self._last_line, b""  # already checked, so h11 gets it together with data
        self._ask(line + part, cut)
        return position + len(part)

    def _trailer_section(self, data: bytes) -> bytes | None:
        assert self._trailer_gate is not None
        done = self._trailer_gate.feed(data)
        if done is None:
            return None
        section, rest = done
        for line in section.split(b"\r\n"):
            if (name := line.partition(b":")[0].lower()) in FORBIDDEN_TRAILERS:
                raise ProtocolError(400, f"{name.decode()} as a trailer")
        if section != b"\r\n" or self._last_line.lstrip(b"0") != b"\r\n":
            self._ask(self._last_line + section, [])
        return rest

    def _ask(self, data: bytes, cut: list[bytes]) -> None:
        """Give h11 the next bytes of the body, and take the data and the trailers from it.

        Raises: ProtocolError: h11 rejects the bytes; the data before the fault is in `cut`.
        """
        if self._judge is None:
            self._judge = self._make_judge()
        try:
            self._judge.receive_data(data)
            while (event := self._judge.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
                if type(event) is h11.Data:
                    cut.append(bytes(event.data))
                elif type(event) is h11.EndOfMessage:
                    self.trailers = tuple(event.headers)
                    break
        except h11.RemoteProtocolError as error:
            # h11's message quotes the received bytes, which depends on how they were split.
            raise ProtocolError(error.error_status_hint, "a malformed chunk") from None


def body_lane(head: RequestHead, limits: Limits) -> LengthBody | ChunkedBody:
    """The lane of the body that follows this head, which must have one."""
    if head.chunked:
        return ChunkedBody(limits, functools.partial(primed, head))
    assert head.content_length is not None
    return LengthBody(head.content_length)
