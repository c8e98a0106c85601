"""Text, lines and JSON out of a request's stream, however the network has cut it.

The rule: what is given out depends on the bytes alone, never on how they came; and nothing is held but the
piece that is being read and the end of what is not yet complete, which is bounded. These are iterators and no
generators: one that is left in the middle has nothing to clean up.
"""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterable, Callable
from typing import Any, Final, Self

from streamcompat.kernel.jsontext import json_loads

__all__ = ["LineTooLong", "decoder", "json_lines", "lines", "text"]

MAX_LINE: Final = 64 * 1024
"""The most bytes of a line; 64 KiB as in asyncio's StreamReader."""


class LineTooLong(ValueError):
    """A line has more bytes than allowed."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a line is longer than {limit} bytes")
        self.limit = limit


def decoder(encoding: str = "utf-8", errors: str = "strict") -> codecs.IncrementalDecoder:
    """A decoder for a body that comes in pieces: `decoder.decode(piece)` for each of them, and
    `decoder.decode(b"", final=True)` at the end, which raises UnicodeDecodeError for half a character.

    Args:
        errors: as for `bytes.decode`.
    """
    return codecs.getincrementaldecoder(encoding)(errors)


class text:
    """The body as text, piece by piece, for `async for`; a character that was cut comes with the piece that
    ends it.

    Args:
        stream: `request.stream` of either flavour, or any other iterable of bytes.
        encoding, errors: as for `bytes.decode`.
    Raises: UnicodeDecodeError; what reading the stream raises.
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
    """The body's lines as bytes, for `async for`, without their ends, which are LF or CR LF; a last one
    without an end counts.

    Args:
        stream: `request.stream` of either flavour, or any other iterable of bytes.
        max_line: bytes that a line may have, its end not counted.
    Raises: LineTooLong; what reading the stream raises.
    """

    def __init__(self, stream: AsyncIterable[bytes], max_line: int = MAX_LINE) -> None:
        self._pieces = aiter(stream)
        self._max = max_line
        self._whole: list[bytes] = []  # in reverse
        self._held: list[bytes] = []  # of the line that has not ended
        self._size = 0

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while not self._whole:
            # One more byte may be the CR of the end.
            if self._size > self._max + 1:
                raise LineTooLong(self._max)
            try:
                self._split(await anext(self._pieces))
            except StopAsyncIteration:
                if not self._held:
                    raise
                return self._checked(self._taken(b""))
        return self._checked(self._whole.pop().removesuffix(b"\r"))

    def _split(self, piece: bytes) -> None:
        first, *rest = piece.split(b"\n")
        if rest:
            self._whole = [self._taken(first), *rest[:-1]][::-1]
            first = rest[-1]
        if first:
            self._held.append(first)
            self._size += len(first)

    def _taken(self, end: bytes) -> bytes:
        """The line that is held and now ends so."""
        line = b"".join([*self._held, end]) if self._held else end
        self._held, self._size = [], 0
        return line

    def _checked(self, line: bytes) -> bytes:
        if len(line) > self._max:
            raise LineTooLong(self._max)
        return line


class json_lines:
    """The values of a body of JSON lines (application/x-ndjson), one a line, for `async for`; empty lines
    are skipped.

    Args:
        stream, max_line: as for `lines`.
        loads: reads the JSON of a line.
    Raises: ValueError: a line is no JSON; LineTooLong; what reading the stream raises.
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
