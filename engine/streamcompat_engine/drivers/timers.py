"""Timers, for drivers whose event loop has none.

The rule: all connections of a server share one heap, so that a timer needs no task. Cancelled timers are at
most half of the heap, so that closed connections are soon forgotten.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
from collections.abc import Callable
from typing import Final

import anyio

_SPARE: Final = 64
"""Cancelled timers that may stay in the heap whatever their share."""

logger: Final = logging.getLogger("streamcompat.engine")


class Timer:
    """One scheduled call."""

    __slots__ = ("_heap", "callback", "when")

    def __init__(self, when: float, callback: Callable[[], None], heap: TimerHeap) -> None:
        self.when: float = when
        self.callback: Callable[[], None] | None = callback
        self._heap = heap

    def cancel(self) -> None:
        """Drop the call, unless it has happened."""
        if self.callback is not None:
            self.callback = None
            self._heap.count_cancelled()


class TimerHeap:
    """Timers, ordered by when they are due."""

    def __init__(self) -> None:
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._cancelled = 0

    def __len__(self) -> int:
        return len(self._timers)

    @property
    def next(self) -> float:
        """When the first timer is due; `math.inf` if there is none."""
        return self._timers[0][0] if self._timers else math.inf

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Schedule a call at `when` seconds."""
        timer = Timer(when, callback, self)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def pop(self) -> Callable[[], None] | None:
        """Remove the first timer.

        Returns: its callback; `None` if it was cancelled.
        """
        timer = heapq.heappop(self._timers)[2]
        callback, timer.callback = timer.callback, None  # a later cancel must not be counted
        if callback is None:
            self._cancelled -= 1
        return callback

    def count_cancelled(self) -> None:
        """A timer was cancelled: remove the cancelled ones when they are too many."""
        self._cancelled += 1
        if self._cancelled > _SPARE and self._cancelled * 2 > len(self._timers):
            self._timers = [entry for entry in self._timers if entry[2].callback is not None]
            heapq.heapify(self._timers)
            self._cancelled = 0


class Timers(TimerHeap):
    """Timers on the clock of anyio's event loop, while `run` runs."""

    def __init__(self) -> None:
        super().__init__()
        self._changed = anyio.Event()

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        if when < self.next:
            self._changed.set()
        return super().call_at(when, callback)

    async def run(self) -> None:
        """Call the timers when they are due; does not return."""
        while True:
            with anyio.CancelScope(deadline=self.next):
                await self._changed.wait()
            self._changed = anyio.Event()
            now = anyio.current_time()
            while self.next <= now:
                callback = self.pop()
                if callback is not None:
                    try:
                        callback()
                    except Exception:
                        logger.exception("a timer failed; the other timers go on")
