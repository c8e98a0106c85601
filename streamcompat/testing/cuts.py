"""Where to cut: the offsets at which code that expects whole bodies usually fails.

The rule: fewer cuts come first, and among equally many the most error-prone ones, so that the first cuts that
make a difference are also the clearest to show.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

Cuts = tuple[int, ...]

SHORT: Final = 8
"""Bytes up to which every way of cutting is tried: at most 2 to the power of 7 ways."""
_SINGLE: Final = 192
"""Bytes up to which every offset is tried with a single cut."""
_PAIRS: Final = 24
_BYTEWISE: Final = 512
_FEW: Final = 16
"""Ways of cutting below which no way has more pieces than there are ways: each piece costs time."""

# Around a line's end or a separator, after a backslash or a percent sign, within a boundary or a number.
_EDGES: Final = re.compile(rb"\r\n|\n|[\"\\%&=:,{}\[\];]|--[-\w]+|\b[0-9a-fA-F]+\b|\b(?:true|false|null)\b")
_CONTINUED: Final = re.compile(rb"[\x80-\xbf]")
"""A byte of a UTF-8 sequence after its first one (RFC 3629 §3)."""


def interesting(data: bytes) -> list[int]:
    """The most error-prone offsets within the data, without duplicates.

    Offsets inside a UTF-8 sequence come first, then those inside CR LF, then those around and inside the
    delimiters of text, chunked bodies, forms, multipart bodies and JSON.
    """
    found: dict[int, None] = {}
    for match in _CONTINUED.finditer(data, 1):
        found[match.start()] = None
    for match in re.finditer(rb"\r\n", data):
        found[match.start() + 1] = None
    for match in _EDGES.finditer(data):
        start, end = match.span()
        for offset in (start, start + 1, (start + end) // 2, end):
            found[offset] = None
    return [offset for offset in found if 0 < offset < len(data)]


def plain(data: bytes, most: int = 3) -> list[int]:
    """At most `most` offsets between two letters or digits of ASCII: a cut there divides nothing special."""
    found = (at for at in range(1, len(data)) if data[at - 1 : at + 1].isalnum())
    return list(itertools.islice(found, most))


def every(size: int) -> Iterator[Cuts]:
    """Every way of cutting `size` bytes, the fewest cuts first."""
    for count in range(size):
        yield from itertools.combinations(range(1, size), count)


def candidates(data: bytes, most: int = 300) -> Iterator[Cuts]:
    """At most `most` ways of cutting the data that are worth a try, the fewest cuts first.

    For short data, every way. Otherwise one cut at each offset (for long data, at the interesting offsets and
    some others), pairs of cuts at interesting offsets, and single bytes. Where only a few ways are wanted,
    the last ones cut at many interesting offsets, and into as many pieces of the same size.
    """
    ways = every(len(data)) if len(data) <= SHORT else _of_long(data)
    next(ways, None)  # skip the uncut data
    if most < _FEW < len(data):
        several = [
            tuple(sorted(interesting(data)[:most])),
            pieces_of(len(data), len(data) // max(most, 1) + 1),
        ]
        yield from itertools.islice(ways, max(most - 2, 0))
        yield from several[:most]
        return
    yield from itertools.islice(ways, max(most - 1, 0))
    if len(data) > SHORT and most > 0:
        yield pieces_of(len(data), 1 if len(data) <= _BYTEWISE else len(data) // _BYTEWISE + 1)


def _of_long(data: bytes) -> Iterator[Cuts]:
    yield ()
    sharp = interesting(data)
    step = max(len(data) // _SINGLE, 1)
    for offset in dict.fromkeys([*sharp[: 2 * _SINGLE], 1, len(data) - 1, *range(1, len(data), step)]):
        yield (offset,)
    some = _spread(sharp or range(1, len(data)), _PAIRS)
    yield from itertools.combinations(sorted(some), 2)


def pieces_of(total: int, size: int) -> Cuts:
    """The cuts that give pieces of `size` bytes."""
    return tuple(range(size, total, size))


def _spread(offsets: Sequence[int], most: int) -> list[int]:
    """At most `most` of the offsets, evenly spaced."""
    step = max(len(offsets) // most, 1)
    return list(offsets[::step][:most])
