"""Text, lines and JSON from a request's stream, however the network has split it.

The rule: the results depend on the bytes alone, never on how they were split. Only the current piece and an
incomplete rest are held, and the rest is bounded. These are iterators, not generators: one that is abandoned
in the middle has nothing to clean up.
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterable, Callable
from typing import Any, Final, Self

from streamcompat.kernel.jsontext import json_loads

__all__ = ["LineTooLong", "decoder", "json_lines", "lines", "text"]

MAX_LINE: Final = 64 * 1024
"""The maximum length of a line in bytes; 64 KiB as in asyncio's StreamReader."""


class LineTooLong(ValueError):
    """A line has more bytes than allowed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a line is longer than {limit} bytes")
        self.limit = limit


def decoder(encoding: str = "utf-8", errors: str = "strict") -> codecs.IncrementalDecoder:
    """A decoder for a body that arrives in pieces: call `decoder.decode(piece)` for each, and
    `decoder.decode(b"", final=True)` at the end, which raises UnicodeDecodeError for an incomplete character.

    Args:
        errors: as for `bytes.decode`.
    """
    return codecs.getincrementaldecoder(encoding)(errors)


class text:
    """The body as text, piece by piece, for `async for`; a character that was split comes with the piece that
    completes it.

    Args:
        stream: `request.stream` of either flavour, or any other iterable of bytes.
        encoding, errors: as for `bytes.decode`.
    Raises: UnicodeDecodeError, and whatever reading the stream raises.
    """

    def __init__(self, stream: AsyncIterable[bytes], encoding: str = "utf-8", errors: str = "strict") -> None:
        self._pieces = aiter(stream)
        self._decode = decoder(encoding, errors).decode
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._ended:
            try:
                piece = await anext(self._pieces)
            except StopAsyncIteration:
                self._ended = True
                piece = b""
            if part := self._decode(piece, self._ended):
                return part
        raise StopAsyncIteration


class lines:
    """The body's lines as bytes, for `async for`, without their line ends (LF or CR LF); the last line needs
    no line end.

    Args:
        stream: `request.stream` of either flavour, or any other iterable of bytes.
        max_line: the maximum length of a line in bytes, without its line end.
    Raises: LineTooLong, and whatever reading the stream raises.
    """

    def __init__(self, stream: AsyncIterable[bytes], max_line: int = MAX_LINE) -> None:
        self._pieces = aiter(stream)
        self._max = max_line
        self._complete: list[bytes] = []  # lines, in reverse
        self._partial: list[bytes] = []  # the pieces of the line that has not ended
        self._size = 0  # bytes in _partial

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._complete:
            # One more byte may be the CR of the line end.
            if self._size > self._max + 1:
                raise LineTooLong(self._max)
            try:
                self._split(await anext(self._pieces))
            except StopAsyncIteration:
                if not self._partial:
                    raise
                return self._checked(self._complete_line(b""))
        return self._checked(self._complete.pop().removesuffix(b"\r"))

    def _split(self, piece: bytes) -> None:
        first, *rest = piece.split(b"\n")
        if rest:
            self._complete = [self._complete_line(first), *rest[:-1]][::-1]
            first = rest[-1]
        if first:
            self._partial.append(first)
            self._size += len(first)

    def _complete_line(self, end: bytes) -> bytes:
        """The partial line with its last piece."""
        line = b"".join([*self._partial, end]) if self._partial else end
        self._partial, self._size = [], 0
        return line

    def _checked(self, line: bytes) -> bytes:
        if len(line) > self._max:
            raise LineTooLong(self._max)
        return line


class json_lines:
    """The values of a body of JSON lines (application/x-ndjson), one per line, for `async for`; blank lines
    are skipped.

    Args:
        stream, max_line: as for `lines`.
        loads: parses the JSON of a line.
    Raises: ValueError: a line is not JSON; LineTooLong; and whatever reading the stream raises.
    """

    def __init__(
        self,
        stream: AsyncIterable[bytes],
        max_line: int = MAX_LINE,
        loads: Callable[[bytes], Any] = json_loads,
    ) -> None:
        self._lines = lines(stream, max_line)
        self._loads = loads

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        while not (line := await anext(self._lines)).strip():
            pass
        return self._loads(line)
