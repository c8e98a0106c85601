"""When a connection's peer has had its time, sans-IO: plain numbers in, plain numbers out.

The rule: a time runs only while the peer is the one that is waited for, and whoever acts on its end asks
anew whether it has come.
"""

from __future__ import annotations

import enum

from .limits import Timeouts


class Awaited(enum.Enum):
    """What the reading side waits for."""

    REQUEST = enum.auto()
    HEAD = enum.auto()
    BODY = enum.auto()
    END = enum.auto()


class Deadlines:
    """The times of one connection.

    Args:
        timeouts: see `limits`.
        now: seconds on the driver's clock, here and in every method that takes it.

    Attributes:
        since: when the reading side's present wait began.
    """

    __slots__ = ("_gathering", "_stalled_since", "_timeouts", "since")

    def __init__(self, timeouts: Timeouts, now: float) -> None:
        self._timeouts = timeouts
        self.since = now
        self._gathering: float | None = None  # when the engine began to gather a body by itself
        self._stalled_since: float | None = None

    def gather(self, now: float) -> None:
        """The engine gathers this body by itself: a least rate holds from now on, beside the idle time."""
        self._gathering = now

    def exchange_over(self) -> None:
        """The body and what held for it alone are over."""
        self._gathering = None

    def reading_resumed(self, now: float) -> None:
        """The driver reads again after a pause, which the peer is not to blame for."""
        self.since = now

    def stalled(self, now: float, still: bool) -> None:
        """Whether bytes wait that the peer has not taken, with none taken since the last call."""
        if not still:
            self._stalled_since = None
        elif self._stalled_since is None:
            self._stalled_since = now

    def read(self, awaited: Awaited | None, received: int) -> float | None:
        """When what is awaited is due, or `None`.

        Args:
            received: bytes of the body so far.
        """
        timeouts = self._timeouts
        seconds: float | None
        if awaited is None:
            return None
        if awaited is Awaited.BODY:
            seconds = timeouts.body_idle
            if self._gathering is not None and timeouts.body_rate is not None:
                due = self._gathering + timeouts.body_grace + received / timeouts.body_rate
                # A fast beginning does not pay for a long silence.
                return due if seconds is None else min(due, self.since + seconds)
        elif awaited is Awaited.REQUEST:
            seconds = timeouts.keep_alive
        elif awaited is Awaited.HEAD:
            seconds = timeouts.head
        else:
            seconds = timeouts.linger
        return None if seconds is None else self.since + seconds

    def write(self) -> float | None:
        """When the peer must have taken some of what waits for it, or `None`."""
        stall = self._timeouts.write_stall
        return None if self._stalled_since is None or stall is None else self._stalled_since + stall
