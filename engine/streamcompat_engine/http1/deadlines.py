"""The deadlines of a connection's peer and of its application, sans-IO: plain numbers in and out.

The rule: a time limit runs only while the connection waits for the side that it limits. Before the caller
acts on a deadline, it asks again whether the deadline still holds.
"""

from __future__ import annotations

import enum
import math
from typing import Final

from ..exchange.inbound import Inbound
from ..limits import HURRY, Timeouts

_ANSWER_CHECKS: Final = 4
"""How often within `Timeouts.response` to check whether the application reads its request's body."""


class Awaited(enum.Enum):
    """What the reading side waits for, after a head."""

    BODY = enum.auto()
    END = enum.auto()


class Deadlines:
    """The deadlines of one connection.

    Args:
        timeouts: see `limits`.
        now: seconds on the driver's clock, here and in every method that takes it.

    Attributes:
        since: when the current wait of the reading side began.
        heard: when bytes arrived last that are read and dropped.
        began: when the head of the current request began to arrive.
        headed: when that head was complete.
        limits_answers: the application has a time for its answer.
        stalled_since: since when the peer has taken none of the bytes that wait for it, or `None`.
    """

    __slots__ = (
        "_answer_checked",
        "_answer_off",
        "_answer_since",
        "_changed",
        "_gather_due",
        "_hurry_due",
        "_idle",
        "_paused_at",
        "_rate",
        "_rate_since",
        "_taken",
        "_timeouts",
        "_waited",
        "began",
        "headed",
        "heard",
        "limits_answers",
        "since",
        "stalled_since",
    )

    def __init__(self, timeouts: Timeouts, now: float) -> None:
        self._timeouts = timeouts
        self.limits_answers: bool = timeouts.response is not None
        self.since: float = now
        self.began: float = now
        self.headed: float = now
        self.heard: float = now
        self.stalled_since: float | None = None
        self._paused_at: float | None = None  # since when the driver does not read
        self._hurry_due: float | None = None  # when a head is due at the latest, as the server stops
        self._changed = True
        self.exchange_over()

    def exchange_over(self) -> None:
        """Reset the deadlines that belong to one exchange."""
        if self._changed:
            self._changed = False  # whether an exchange has set one of the values below
            self._idle = self._timeouts.body_idle
            self._rate: int | None = None  # the minimum rate, if one applies
            self._rate_since = 0.0
            self._gather_due = math.inf
            self._answer_off = False
            self._answer_since = self._answer_checked = -math.inf
            self._taken = 0  # at the last check
            self._waited = False

    @property
    def hurried(self) -> bool:
        """Whether the server stops."""
        return self._hurry_due is not None

    def hurry(self, now: float) -> None:
        """The server stops: the time for a head, or for more bytes that are dropped, is short from now on."""
        if self._hurry_due is None:
            self._hurry_due = now + HURRY

    # ---- the peer's sending ----

    def pace(self, idle: float | None, rate: int | None) -> None:
        """Set the time limits of this exchange's body.

        Args:
            idle: seconds, in place of `body_idle`; `math.inf` for no limit, `None` to leave it.
            rate: the minimum bytes a second, also for a streamed body; 0 for no limit, `None` to leave it.
        """
        self._changed = True
        if idle is not None:
            self._idle = None if idle == math.inf else idle
        if rate is not None:
            self._rate = rate
            self._rate_since = self.headed

    def gather(self, now: float) -> None:
        """The engine gathers this body: from now on a minimum rate applies too, besides the idle time."""
        self._changed = True
        if self._rate is None:
            self._rate = self._timeouts.body_rate
        self._rate_since = now
        if self._paused_at is not None:
            self._paused_at = now
        if self._timeouts.request is not None:
            # The time that the application took before does not count against the peer.
            self._gather_due = now + self._timeouts.request - (self.headed - self.began)

    def excused(self, now: float) -> None:
        """The peer has waited for the application until now: restart its time."""
        self.since = now
        if self._rate:
            self._rate_since = max(self._rate_since, now)

    def reading_paused(self, now: float) -> None:
        """The driver stops reading: the time of the peer stops."""
        self._paused_at = now

    def reading_resumed(self, now: float) -> None:
        """The driver reads again."""
        self.since = now
        if self._paused_at is not None:
            pause, self._paused_at = now - self._paused_at, None
            self._rate_since += pause
            self._gather_due += pause

    def head(self, begun: bool) -> float | None:
        """When the next head is due, or `None`.

        Args:
            begun: it has begun to arrive, or it is the first of its connection.
        """
        seconds = self._timeouts.head if begun else self._timeouts.keep_alive
        due = None if seconds is None else self.since + seconds
        return due if self._hurry_due is None else earlier(due, self._hurry_due)

    def read(self, awaited: Awaited | None, received: int) -> float | None:
        """When the awaited bytes are due, or `None`.

        Args:
            received: bytes of the body so far.
        """
        timeouts = self._timeouts
        if awaited is None:
            return None
        if awaited is Awaited.BODY:
            # A fast start does not excuse a long silence.
            due = self._gather_due if self._idle is None else min(self._gather_due, self.since + self._idle)
            if self._rate:
                due = min(due, self._rate_since + timeouts.body_grace + received / self._rate)
            return None if due == math.inf else due
        heard = max(self.since, self.heard)
        due = min(self.since + timeouts.linger, heard + timeouts.linger_idle)
        if self._hurry_due is None:
            return due
        # A peer that goes on sending has half as long again, however often it sends.
        last = max(self._hurry_due, self.since + HURRY) + HURRY / 2
        return min(due, max(self._hurry_due, heard + HURRY), last)

    # ---- the peer's taking ----

    def stalled(self, now: float, still: bool) -> None:
        """Say whether bytes still wait for the peer, and it has taken none since the last call."""
        if not still:
            self.stalled_since = None
        elif self.stalled_since is None:
            self.stalled_since = now

    def write(self) -> float | None:
        """When the peer must have taken some of the waiting bytes, or `None`."""
        stall = self._timeouts.write_stall
        return None if self.stalled_since is None or stall is None else self.stalled_since + stall

    # ---- the application's answer ----

    def answer(self, inbound: Inbound | None) -> float | None:
        """When the application must have begun its answer, or must be checked, or `None`.

        Args:
            inbound: the request's body; `None` if it has none.
        """
        seconds = self._timeouts.response
        if seconds is None or self._answer_off:
            return None
        since = max(self.headed, self._answer_since)
        if inbound is not None and (
            not inbound.ended or inbound.size or self._waited or inbound.taken != self._taken
        ):
            return min(since + seconds, max(self.headed, self._answer_checked) + seconds / _ANSWER_CHECKS)
        return since + seconds

    def is_overdue(self, now: float, inbound: Inbound | None) -> bool:
        """Check the application: whether it is too late with its answer. Then no deadline follows. Its time
        restarts if it reads the body, or waits for more of it.
        """
        due, seconds = self.answer(inbound), self._timeouts.response
        if due is None or seconds is None or now < due:
            return False
        self._changed = True
        waits, taken = (False, 0) if inbound is None else (inbound.wake is not None, inbound.taken)
        if waits or self._waited or taken != self._taken:
            self._answer_since, self._taken = now, taken
        self._answer_checked, self._waited = now, waits
        self._answer_off = now >= max(self.headed, self._answer_since) + seconds
        return self._answer_off

    def answer_begins(self, now: float, taken: int) -> None:
        """Start the application's time for its answer now.

        Args:
            taken: bytes of the body that it has taken.
        """
        self._changed = True
        self._answer_off = self._waited = False
        self._answer_since, self._taken = now, taken


def earlier(one: float | None, other: float | None) -> float | None:
    """The earlier of two times, of which each may be none."""
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)
