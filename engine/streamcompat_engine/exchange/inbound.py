"""The inbound pipe: the bytes of a request body on their way to a handler, for every protocol.

The rule: a pipe never waits, it only says how full it is; the exchange does the waiting.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Final

from ..errors import BodyTooLarge, EngineError
from ..events import Fields

_PIECE_COST: Final = 64
"""Bytes that a piece counts at least, however short, so that the number of tiny pieces is bounded too."""


class Inbound:
    """The bytes of a request body, from the connection to a handler.

    Attributes:
        size: bytes that wait.
        received: bytes that have arrived in all.
        chunks: pieces that have arrived in all.
        high: reading should pause above this many waiting bytes.
        low: reading should resume at or below this many.
        full: reading should pause; true from above `high` until `low`.
        ended: the whole body has arrived.
        error: why the body will never be complete; bytes that arrived before can still be taken.
        trailers: the trailer fields, once `ended`.
        wake: called after each change while a reader waits, else `None`.
    """

    __slots__ = (
        "_limit",
        "_pieces",
        "chunks",
        "ended",
        "error",
        "full",
        "high",
        "low",
        "received",
        "size",
        "trailers",
        "wake",
    )

    def __init__(self, high: int, low: int) -> None:
        self._pieces: deque[bytes] = deque()
        self.size: int = 0
        self.received: int = 0
        self.chunks: int = 0
        self.high: int = high
        self.low: int = low
        self.full: bool = False
        self._limit: int | None = None
        self.ended: bool = False
        self.error: EngineError | None = None
        self.trailers: Fields = ()
        self.wake: Callable[[], None] | None = None

    @property
    def limit(self) -> int | None:
        """The most bytes that may arrive; if more arrive, or already have, the error is BodyTooLarge."""
        return self._limit

    @limit.setter
    def limit(self, limit: int | None) -> None:
        self._limit = limit
        if limit is not None and self.received > limit:
            self.clear()
            self.ended = False
            self.fail(BodyTooLarge(limit))

    @property
    def taken(self) -> int:
        """Bytes that have been taken, or dropped, in all."""
        return self.received - self.size

    def feed(self, pieces: list[bytes]) -> None:
        """Add non-empty pieces."""
        size = sum(map(len, pieces))
        self.received += size
        self.chunks += len(pieces)
        if self._limit is not None and self.received > self._limit:
            self.fail(BodyTooLarge(self._limit))
        if self.error is not None:
            return
        self._pieces += pieces
        self.size += size
        if self.size > self.high or len(self._pieces) * _PIECE_COST > self.high:
            self.full = True
        if self.wake is not None:
            self.wake()

    def end(self, trailers: Fields) -> None:
        """The body is complete, unless it has failed before."""
        if self.error is None:
            self.trailers = trailers
            self.ended = True
            if self.wake is not None:
                self.wake()

    def fail(self, error: EngineError) -> None:
        """The body will never be complete; the first error is kept."""
        if self.error is None and not self.ended:
            self.error = error
            if self.wake is not None:
                self.wake()

    def take(self) -> bytes | None:
        """The next piece, or `None` if none waits: then see `ended` and `error`."""
        if not self._pieces:
            return None
        piece = self._pieces.popleft()
        self.size -= len(piece)
        if self.full and self.size <= self.low and len(self._pieces) * _PIECE_COST <= self.low:
            self.full = False
        return piece

    def clear(self) -> None:
        """Drop the bytes that wait."""
        self._pieces.clear()
        self.size = 0
        self.full = False
