"""Peers that leave at once, told to their sessions a few in each turn of the loop.

The rule: however many peers leave in one turn, the loop serves the others between a bounded number of them.
Each departure wakes a handler, and ten thousand handlers that end in one turn hold the loop for half a
second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final

AT_ONCE: Final = 64
"""Departures that are told in one turn of the loop: with their handlers, some milliseconds of work."""


class Departures:
    """The departures that a loop has still to tell, the oldest first."""

    def __init__(self) -> None:
        self._told = 0  # in this turn
        self._waiting: deque[Callable[[], object]] = deque()

    def tell(self, step: Callable[[], object], call_soon: Callable[..., Any]) -> None:
        """Call `step` now, or in a later turn if many have left in this one.

        Args:
            step: tells a session that its peer has left; steps are called in the order in which they came.
            call_soon: runs a callback in the loop's next turn.
        """
        if self._told >= AT_ONCE or self._waiting:
            self._waiting.append(step)
            return
        if not self._told:
            call_soon(self._turn, call_soon)
        self._told += 1
        step()

    def _turn(self, call_soon: Callable[..., Any]) -> None:
        """A new turn has begun: tell the next of those that wait."""
        waiting = self._waiting
        self._told = min(AT_ONCE, len(waiting))
        if self._told:
            call_soon(self._turn, call_soon)
        for _ in range(self._told):
            waiting.popleft()()
