"""Calls that are due at a time, for drivers whose event loop has none of its own.

The rule: one heap for all connections of a server, so that a timer costs a connection no task.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
from collections.abc import Callable
from typing import Final

import anyio

logger: Final = logging.getLogger("streamcompat.engine")


class Timer:
    """One call that is due at a time."""

    __slots__ = ("callback", "when")

    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        """Never call."""
        self.callback = None


class TimerHeap:
    """Timers in the order of their times."""

    def __init__(self) -> None:
        self._timers: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()

    @property
    def next(self) -> float:
        """When the first one is due; `math.inf` where there is none."""
        return self._timers[0][0] if self._timers else math.inf

    def call_at(self, when: float, callback: Callable[[], None]) -> Timer:
        """Call back at this time."""
        timer = Timer(when, callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def pop(self) -> Timer:
        """Take the first one."""
        return heapq.heappop(self._timers)[2]


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
        """Call what falls due; does not return."""
        while True:
            with anyio.CancelScope(deadline=self.next):
                await self._changed.wait()
            self._changed = anyio.Event()
            now = anyio.current_time()
            while self.next <= now:
                callback = self.pop().callback
                if callback is not None:
                    try:
                        callback()
                    except Exception:
                        logger.exception("a timer failed, and no other with it")
