"""The ways of delivering a response that pay: where clients that expect whole pieces usually fail.

The rule: each kind of place comes early, however often the others occur, and the same response is always
delivered in the same ways and order.
"""

from __future__ import annotations

import itertools
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeVar

from streamcompat.testing import cuts as cutting
from streamcompat.testing.canned import CannedResponse, Delivery
from streamcompat.testing.cuts import Cuts

T = TypeVar("T")

MOST: Final = 400
"""Ways of cutting one response: all single cuts, as segments and as chunks, for up to some 180 bytes."""
LOST: Final = 64
"""Places at which the connection is lost."""
_LOOKED_AT: Final = 256 * 1024
"""Bytes of a long response in which error-prone places are looked for."""
_BYTEWISE: Final = 256
"""Segments of a response that arrives in the smallest pieces. More bytes come in larger pieces."""
_LONG_PAUSE: Final = 0.05
_PAIRS: Final = 8

_KINDS: Final = (
    re.compile(rb"[\xc0-\xff][\x80-\xbf]+"),  # a UTF-8 sequence
    re.compile(
        rb"\\(?:u[0-9a-fA-F]{4}(?:\\u[0-9a-fA-F]{4})?|.)"
    ),  # an escape in a JSON string, or a surrogate pair
    re.compile(rb"(?:\r\n|\n|\r){2,}"),  # the end of an event
    re.compile(rb"\r\n"),
    re.compile(
        rb"\x00\x00\xff\xff|\x1f\x8b........", re.DOTALL
    ),  # the end of a flushed block, the head of gzip
    re.compile(rb"--[-\w]{3,}"),  # the boundary of a part
    re.compile(rb"\[DONE\]|\b(?:true|false|null|data|event|id|retry)\b|-?\d[\d.eE+-]+"),
    re.compile(rb"[0-9a-fA-F]{2,}(?=\r\n)"),  # the size of a chunk
)
"""What must not be divided. Every offset inside of it is a place to cut."""


def sharp(data: bytes) -> list[int]:
    """The most error-prone offsets inside the data, the kinds of places in turn, without duplicates."""
    data = data[:_LOOKED_AT]
    inside = [
        [at for match in kind.finditer(data) for at in range(match.start() + 1, match.end())]
        for kind in _KINDS
    ]
    edges = cutting.interesting(data)
    return list(dict.fromkeys(_in_turn([*inside, edges, cutting.plain(data)])))


def offsets(data: bytes) -> list[int]:
    """Every offset inside short data, and a few hundred inside longer data, the most error-prone first."""
    return list(dict.fromkeys([*sharp(data)[:MOST], *range(1, len(data), len(data) // MOST + 1)]))


def cut(response: CannedResponse, most: int = MOST) -> Iterator[Delivery]:
    """At most `most` ways in which the whole response can arrive, other than at once."""
    yield from itertools.islice(dict.fromkeys(_ways(response)), most)


def lost(response: CannedResponse, most: int = LOST) -> Iterator[Delivery]:
    """At most `most` places, all of which lie after the head, at which the connection can be lost."""
    framed = response.framed()
    places = list(range(len(framed)))
    if len(framed) > most:
        spread = places[:: len(framed) // (most // 2) + 1]
        places = sorted({*sharp(framed)[: most // 2], *spread})
    yield from (Delivery(lost_at=at) for at in places)


def _ways(response: CannedResponse) -> Iterator[Delivery]:
    framed, content = response.framed(), response.content()
    chunked = response.framing == "chunked" and framed != content
    yield Delivery(bytewise(framed))
    if chunked:
        yield Delivery(chunks=bytewise(content))
    yield Delivery((0,))
    singles = [Delivery((at,)) for at in offsets(framed)]
    ends = offsets(content)
    yield from (Delivery(one.cuts, pause=_LONG_PAUSE) for one in singles[:2])
    chunks = [Delivery(chunks=(at,)) for at in ends] if chunked else []
    yield from (Delivery((-at,)) for at in (1, 2, 3, 4, 10, 30))  # inside the head
    yield from _in_turn([singles, chunks, _several(response, content, ends)])


def _several(response: CannedResponse, content: bytes, ends: Sequence[int]) -> Iterator[Delivery]:
    """Several cuts at once: all ways for short content, and otherwise pairs of the most error-prone ones."""
    if len(content) <= cutting.SHORT:
        ways: Iterable[Cuts] = cutting.every(len(content))
    else:
        ways = itertools.combinations(sorted(ends[:_PAIRS]), 2)
    for way in ways:
        yield Delivery(tuple(response.offset(at) for at in way))


def bytewise(data: bytes) -> Cuts:
    """The cuts into the smallest pieces that do not take too long."""
    return cutting.pieces_of(len(data), len(data) // _BYTEWISE + 1)


def _in_turn(lists: Iterable[Iterable[T]]) -> Iterator[T]:
    """An item of each, then another one of each, until the last of them ends."""
    waiting = deque(iter(one) for one in lists)
    while waiting:
        for item in waiting[0]:
            yield item
            waiting.rotate(-1)
            break
        else:
            waiting.popleft()
