"""Where to cut: the offsets at which code that was written for whole bodies goes wrong.

The rule: fewer cuts come first, and among as many those that hurt most often, so that the first that
shows a difference is the one to show to a person.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

Cuts = tuple[int, ...]

SHORT: Final = 8
"""Bytes up to which every way of cutting is tried: 2 to the power of 7 at most."""
_SINGLE: Final = 192
"""Bytes up to which a cut is tried at every offset."""
_PAIRS: Final = 24
_BYTEWISE: Final = 512

# Around a line's end or a separator, after a backslash or a percent sign, within a boundary or a number.
_EDGES: Final = re.compile(rb"\r\n|\n|[\"\\%&=:,{}\[\];]|--[-\w]+|\b[0-9a-fA-F]+\b|\b(?:true|false|null)\b")


def interesting(data: bytes) -> list[int]:
    """Offsets, each within the data, at which a cut most often does harm; each once.

    First those inside a UTF-8 sequence, then inside CR LF, then around and within what structures text,
    chunked bodies, forms, multipart bodies and JSON.
    """
    found: dict[int, None] = {}
    for offset in range(1, len(data)):
        if data[offset] & 0xC0 == 0x80:
            found[offset] = None
    for match in re.finditer(rb"\r\n", data):
        found[match.start() + 1] = None
    for match in _EDGES.finditer(data):
        start, end = match.span()
        for offset in (start, start + 1, (start + end) // 2, end):
            found[offset] = None
    return [offset for offset in found if 0 < offset < len(data)]


def every(size: int) -> Iterator[Cuts]:
    """Every way of cutting `size` bytes, the fewest cuts first."""
    for count in range(size):
        yield from itertools.combinations(range(1, size), count)


def candidates(data: bytes, most: int = 300) -> Iterator[Cuts]:
    """Ways of cutting the data that are worth a try, at most `most`, the fewest cuts first.

    Every way where the data is short. Else one cut at each offset (at the interesting ones and some others
    where the data is long), pairs of interesting ones, and single bytes.
    """
    ways = every(len(data)) if len(data) <= SHORT else _of_long(data)
    next(ways, None)  # uncut
    yield from itertools.islice(ways, most - 1)
    if len(data) > SHORT:
        yield pieces_of(len(data), 1 if len(data) <= _BYTEWISE else len(data) // _BYTEWISE + 1)


def _of_long(data: bytes) -> Iterator[Cuts]:
    yield ()
    sharp = interesting(data)
    step = max(len(data) // _SINGLE, 1)
    for offset in dict.fromkeys([*sharp[: 2 * _SINGLE], 1, len(data) - 1, *range(1, len(data), step)]):
        yield (offset,)
    some = _spread(sharp or list(range(1, len(data))), _PAIRS)
    yield from itertools.combinations(sorted(some), 2)


def pieces_of(total: int, size: int) -> Cuts:
    """The cuts that leave pieces of `size` bytes."""
    return tuple(range(size, total, size))


def _spread(offsets: Sequence[int], most: int) -> list[int]:
    """At most `most` of them, from all over."""
    step = max(len(offsets) // most, 1)
    return list(offsets[::step][:most])
