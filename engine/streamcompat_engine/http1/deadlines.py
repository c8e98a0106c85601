"""When a connection's peer, or its application, has had its time, sans-IO: plain numbers in and out.

The rule: a time runs only while the one that it is for is waited for, and whoever acts on its end asks
anew whether it has come.
"""

from __future__ import annotations

import enum
import math
from typing import Final

from ..limits import Timeouts

_LOOKS: Final = 4
"""How often within `Timeouts.response` it is looked whether the application reads its request's body."""


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
        began: when the present request's head began to arrive.
        headed: when it was complete.
    """

    __slots__ = (
        "_answer_looked",
        "_answer_off",
        "_answer_since",
        "_gather_due",
        "_idle",
        "_own",
        "_paused_at",
        "_rate",
        "_rate_since",
        "_stalled_since",
        "_taken",
        "_timeouts",
        "_waited",
        "began",
        "headed",
        "since",
    )

    def __init__(self, timeouts: Timeouts, now: float) -> None:
        self._timeouts = timeouts
        self.since = self.began = self.headed = now
        self._stalled_since: float | None = None
        self._paused_at: float | None = None  # the driver does not read since
        self._own = True
        self.exchange_over()

    def exchange_over(self) -> None:
        """What held for this exchange alone is over."""
        if self._own:
            self._own = False  # nothing below has been changed
            self._idle = self._timeouts.body_idle
            self._rate: int | None = None  # the least one that holds
            self._rate_since = 0.0
            self._gather_due = math.inf
            self._answer_off = False
            self._answer_since = self._answer_looked = -math.inf
            self._taken = 0  # at the last look
            self._waited = False

    # ---- the peer's sending ----

    def pace(self, idle: float | None, rate: int | None) -> None:
        """This exchange's body has times of its own.

        Args:
            idle: in place of `body_idle`; `math.inf` for none, `None` to leave it.
            rate: the least bytes a second, whoever reads the body; 0 for none, `None` to leave it.
        """
        self._own = True
        if idle is not None:
            self._idle = None if idle == math.inf else idle
        if rate is not None:
            self._rate = rate
            self._rate_since = self.headed

    def gather(self, now: float) -> None:
        """The engine gathers this body by itself: a least rate holds from now on, beside the idle time."""
        self._own = True
        if self._rate is None:
            self._rate = self._timeouts.body_rate
        self._rate_since = now
        if self._paused_at is not None:
            self._paused_at = now
        if self._timeouts.request is not None:
            # What the application took in between is not the peer's.
            self._gather_due = now + self._timeouts.request - (self.headed - self.began)

    def excused(self, now: float) -> None:
        """Until now it was the peer that waited, for the application to read."""
        self.since = now
        if self._rate:
            self._rate_since = max(self._rate_since, now)

    def reading_paused(self, now: float) -> None:
        """The driver stops reading, which the peer is not to blame for."""
        self._paused_at = now

    def reading_resumed(self, now: float) -> None:
        """The driver reads again."""
        self.since = now
        if self._paused_at is not None:
            pause, self._paused_at = now - self._paused_at, None
            self._rate_since += pause
            self._gather_due += pause

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
            # A fast beginning does not pay for a long silence.
            due = self._gather_due if self._idle is None else min(self._gather_due, self.since + self._idle)
            if self._rate:
                due = min(due, self._rate_since + timeouts.body_grace + received / self._rate)
            return None if due == math.inf else due
        if awaited is Awaited.REQUEST:
            seconds = timeouts.keep_alive
        elif awaited is Awaited.HEAD:
            seconds = timeouts.head
        else:
            seconds = timeouts.linger
        return None if seconds is None else self.since + seconds

    # ---- the peer's taking ----

    def stalled(self, now: float, still: bool) -> None:
        """Whether bytes wait that the peer has not taken, with none taken since the last call."""
        if not still:
            self._stalled_since = None
        elif self._stalled_since is None:
            self._stalled_since = now

    def write(self) -> float | None:
        """When the peer must have taken some of what waits for it, or `None`."""
        stall = self._timeouts.write_stall
        return None if self._stalled_since is None or stall is None else self._stalled_since + stall

    # ---- the application's answer ----

    def answer(self, more: bool, taken: int) -> float | None:
        """When the application must have begun its answer, or be looked at, or `None`.

        Args:
            more: there is more of the request's body for it to take.
            taken: bytes of the body that it has taken.
        """
        seconds = self._timeouts.response
        if seconds is None or self._answer_off:
            return None
        since = max(self.headed, self._answer_since)
        if more or self._waited or taken != self._taken:
            return min(since + seconds, max(self.headed, self._answer_looked) + seconds / _LOOKS)
        return since + seconds

    def look_at_answer(self, now: float, waits: bool, taken: int) -> bool:
        """A deadline of `answer` has come: begin anew where the body moves.

        Args:
            waits: the application waits for more of the body.
            taken: as for `answer`.
        Returns: whether it is too late with its answer; no deadline follows.
        """
        seconds = self._timeouts.response
        assert seconds is not None
        self._own = True
        if waits or self._waited or taken != self._taken:
            self._answer_since, self._taken = now, taken
        self._answer_looked, self._waited = now, waits
        self._answer_off = now >= max(self.headed, self._answer_since) + seconds
        return self._answer_off

    def answer_begins(self, now: float, taken: int) -> None:
        """The application's time for its answer begins only now; `taken` as for `answer`."""
        self._own = True
        self._answer_off = self._waited = False
        self._answer_since, self._taken = now, taken
