"""Bounded caches of request heads: the latest heads without a body, looked up by their bytes as a whole.

The rule: a cache only saves work. What is found there is what the gate and h11 said of the same bytes, under
limits that allow it too.
"""

from __future__ import annotations

from typing import Final, TypeVar

from ..events import RequestHead
from ..limits import Limits

K = TypeVar("K")
T = TypeVar("T")

SIZE: Final = 2048
"""Longer heads, and longer blocks of fields, are not kept, in bytes."""
FIELDS: Final = 32
"""Heads of more fields are not kept; browsers send about twenty."""
COUNT: Final = 256
"""The most entries of each cache, which takes at most 3 MiB then."""

heads: Final[dict[bytes, RequestHead]] = {}


def keep(cache: dict[K, T], key: K, value: T) -> None:
    """Add an entry; of a full cache the others are dropped."""
    if len(cache) >= COUNT:
        cache.clear()
    cache[key] = value


def fits(limits: Limits) -> bool:
    """Whether these limits allow every head that is kept."""
    return min(limits.request_line, limits.head_fields) >= SIZE and limits.field_count >= FIELDS


def known_head(data: bytes) -> RequestHead | None:
    """The head that is all of these bytes, if it is kept."""
    return heads.get(data) if len(data) <= SIZE else None


def remember(head: RequestHead) -> None:
    """Keep a head that has passed the gate, unless it is long, or a body follows it."""
    if len(head.wire) <= SIZE and len(head.headers) <= FIELDS and not head.has_body:
        keep(heads, head.wire, head)
