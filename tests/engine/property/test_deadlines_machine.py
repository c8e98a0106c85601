"""The times of requests under everything that moves them, held against a reading of `Timeouts` of its own.

What holds: a peer, or an application, that is late is told so when its time is over, once, and not before;
what one request asked for does not hold for the next; and a driver that does what is due is not called again
at once, for ever.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streamcompat_engine import RequestTimeout, Timeouts
from streamcompat_engine.events import RequestReceived, ResponseOverdue
from streamcompat_engine.http1.states import Reader
from tests.support.wire import SMALL, connect, request, start, take_all

SIZE = 5000
HEAD = request(b"POST / HTTP/1.1", b"Content-Length: %d" % SIZE)
TIMES = [
    Timeouts(response=4.0),
    Timeouts(response=4.0, request=20.0, body_idle=3.0),
    Timeouts(response=40.0, request=8.0),
]


@dataclass
class Times:
    """What the times of one request are reckoned from.

    Attributes:
        headed: when its head was whole.
        arrived: when something of its body came last, or could come again.
        idle: the most seconds between two arrivals.
        rate: the least bytes a second, or none, from `rated` on.
        gathered: when the engine began to gather the body by itself.
        moved: when the application took something of the body, or had waited for it, or was to begin its
            answer.
        overdue: it has been told that it is late.
    """

    headed: float
    arrived: float
    idle: float
    rate: int | None = None
    rated: float = 0.0
    gathered: float = math.inf
    moved: float = -math.inf
    overdue: bool = False


class DeadlinesMachine(RuleBasedStateMachine):
    @initialize(timeouts=st.sampled_from(TIMES))
    def begin(self, timeouts: Timeouts) -> None:
        self.now = 0.0
        self.timeouts = timeouts
        self.connection = connect(SMALL, timeouts, self.now)
        self.request_comes()

    def request_comes(self) -> None:
        connection = self.connection
        assert connection.reader is Reader.HEAD
        connection.receive_data(HEAD, self.now)
        (event,) = connection.events()
        assert isinstance(event, RequestReceived)
        assert connection.inbound is not None
        self.inbound = connection.inbound
        self.left = SIZE  # of the body
        self.paused_at: float | None = None
        self.waits_since: float | None = None
        self.times = Times(self.now, self.now, self.timeouts.body_idle or math.inf)

    def after(self) -> None:
        """Pause and go on as a driver does."""
        connection, times = self.connection, self.times
        if connection.reader is not Reader.BODY:
            return
        if self.paused_at is None and not connection.want_read:
            self.paused_at = self.now
            connection.deadlines.reading_paused(self.now)
        elif self.paused_at is not None and connection.want_read:
            times.arrived = self.now
            times.rated += self.now - self.paused_at  # for which the peer is not to blame
            times.gathered += self.now - self.paused_at
            self.paused_at = None
            connection.deadlines.reading_resumed(self.now)

    @property
    def answers(self) -> bool:
        """Whether the application has begun its answer."""
        return self.connection.writer.responded or self.connection.writer.outbound is not None

    # ---- the peer ----

    @precondition(lambda self: self.connection.want_read and self.connection.reader is Reader.BODY)
    @rule(size=st.sampled_from([1, 300, 700]))
    def body_arrives(self, size: int) -> None:
        size = min(size, self.left)
        self.left -= size
        self.times.arrived = self.now
        self.connection.receive_data(b"x" * size, self.now)
        self.after()

    @precondition(lambda self: self.connection.want_read and self.left > 700)
    @rule(seconds=st.sampled_from([4.0, 60.0]))
    def application_is_the_slow_side(self, seconds: float) -> None:
        self.body_arrives(700)
        self.time_goes_by(seconds, True)
        self.application_reads()

    # ---- the clock ----

    @rule(seconds=st.sampled_from([0.1, 0.5, 1.0, 2.5, 4.0, 9.0, 60.0]), punctual=st.booleans())
    def time_goes_by(self, seconds: float, punctual: bool) -> None:
        """A timer may come late."""
        end = self.now + seconds
        while punctual and (due := self.connection.next_deadline()) is not None and due <= end:
            self.now = max(self.now, due)
            self.timer()
        self.now = end
        self.timer()

    def timer(self) -> None:
        connection, inbound = self.connection, self.inbound
        failed = inbound.error is not None
        connection.handle_deadline(self.now)
        due = connection.next_deadline()
        assert due is None or due > self.now
        if inbound.error is not None and not failed:
            assert isinstance(inbound.error, RequestTimeout)
            assert connection.reader is Reader.BODY and not inbound.full
            assert self.body_is_late()
        for event in connection.events():
            assert isinstance(event, ResponseOverdue)
            self.answer_is_late()
        self.after()

    def body_is_late(self) -> bool:
        times = self.times
        if self.now >= times.arrived + times.idle:
            return True
        if (
            times.rate
            and self.now >= times.rated + self.timeouts.body_grace + self.inbound.received / times.rate
        ):
            return True
        return self.now >= times.gathered + (self.timeouts.request or math.inf)

    def answer_is_late(self) -> None:
        assert self.timeouts.response is not None
        assert not self.answers
        assert self.waits_since is None
        assert not self.times.overdue
        assert self.now >= max(self.times.headed, self.times.moved) + self.timeouts.response
        self.times.overdue = True

    # ---- the application ----

    @rule()
    def application_reads(self) -> None:
        if take_all(self.inbound):
            self.times.moved = self.now
        self.after()

    @rule()
    def application_waits(self) -> None:
        """For more of the body; or it does so no longer, which counts to a quarter of the time."""
        if self.waits_since is None:
            self.inbound.wake = lambda: None
            self.waits_since = self.now
        else:
            assert self.timeouts.response is not None
            quarter = self.timeouts.response / 4
            if self.now >= self.waits_since + quarter:
                self.times.moved = max(self.times.moved, self.now - quarter)
            self.inbound.wake = self.waits_since = None

    @rule(idle=st.sampled_from([None, 0.3, 30.0, math.inf]), rate=st.sampled_from([None, 0, 10, 500]))
    def application_sets_a_pace(self, idle: float | None, rate: int | None) -> None:
        self.connection.deadlines.pace(idle, rate)
        if idle is not None:
            self.times.idle = idle
        if rate is not None:
            self.times.rate, self.times.rated = rate, self.times.headed

    @rule()
    def engine_gathers_the_body(self) -> None:
        self.connection.deadlines.gather(self.now)
        if self.times.rate is None:
            self.times.rate = self.timeouts.body_rate
        self.times.rated = self.times.gathered = self.now
        if self.paused_at is not None:
            self.paused_at = self.now

    @rule()
    def answer_is_to_begin(self) -> None:
        """As once a body that was gathered is whole."""
        self.connection.deadlines.answer_begins(self.now, self.inbound.taken)
        self.times.moved, self.times.overdue = self.now, False

    @precondition(lambda self: not self.answers)
    @rule()
    def application_starts(self) -> None:
        start(self.connection)

    @precondition(lambda self: self.answers or self.times.overdue or self.inbound.error)
    @rule()
    def application_answers_and_another_request_comes(self) -> None:
        if self.connection.writer.outbound is None:
            start(self.connection)
        while self.inbound.error is None and self.left:
            take_all(self.inbound)
            self.after()
            self.body_arrives(SIZE)
        self.connection.writer.finish(())
        self.connection.writer.data_to_send()
        self.connection.exchange_done(self.now)
        if self.connection.reader is not Reader.HEAD:  # it is not kept after a body that was late
            self.connection = connect(SMALL, self.timeouts, self.now)
        self.request_comes()

    # ---- what holds ----

    @invariant()
    def nobody_waits_longer_than_the_times_say(self) -> None:
        connection, times = self.connection, self.times
        due = connection.next_deadline()
        if connection.reader is Reader.BODY and connection.want_read and times.idle < math.inf:
            assert due is not None
            assert due <= times.arrived + times.idle
        if not self.answers and not times.overdue:
            assert self.timeouts.response is not None
            assert due is not None
            assert due <= self.now + self.timeouts.response


class TestDeadlines(DeadlinesMachine.TestCase):
    settings = settings(max_examples=120, stateful_step_count=40)


@pytest.mark.long
class TestDeadlinesAtLength(DeadlinesMachine.TestCase):
    settings = settings(max_examples=5_000, stateful_step_count=40)
