"""A connection under everything that a peer, an application, a driver and a clock can do to it, in any order.

What holds whatever happens: a request has at most one final response, and the wire says of each exactly
what its application wrote; states follow each other as the theory of operation says; nothing happens after
a close; what is held is bounded; and nothing but a typed error ever comes out.
"""

from __future__ import annotations

import contextlib
import math
from dataclasses import dataclass

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from streamcompat_engine import (
    BodyLengthError,
    ClientDisconnected,
    EngineError,
    ProtocolError,
    RequestHead,
    ResponseStateError,
    Timeouts,
)
from streamcompat_engine.events import RequestReceived, RequestRejected, ResponseOverdue
from streamcompat_engine.http1.outbound import Outbound
from streamcompat_engine.http1.states import TRANSITIONS, Reader
from tests.support.catalogue import BAD_BODY, BAD_HEAD, GOOD
from tests.support.responses import responses
from tests.support.wire import (
    CHUNKED,
    SMALL,
    chunks,
    connect,
    held,
    most_held,
    post,
    request,
    start,
    take_all,
    upload,
)

READ = 300
"""The most bytes of one read."""


def _reachable(state: Reader) -> set[Reader]:
    """Where one event may lead: it may take several steps of the table."""
    found = {state}
    for _ in Reader:
        found |= {after for known in found for after in TRANSITIONS[known].values()}
    return found


NEXT_STATES = {state: _reachable(state) for state in Reader}

SOUND = [
    request(),
    request(b"HEAD / HTTP/1.1"),
    request(b"GET / HTTP/1.1", b"Connection: close"),
    request(b"GET / HTTP/1.0"),
    request(b"GET / HTTP/1.0", b"Connection: keep-alive"),
    b"\r\n" + request(),
    post(b"hello"),
    post(b"x" * 700),
    post(b"hello", b"Expect: 100-continue"),
    upload(chunks(b"hello", b"x" * 30)),
    upload(chunks(*[b"y" * 50] * 20, trailers=b"T: v\r\n")),
    request(b"POST / HTTP/1.1", CHUNKED, b"Expect: 100-continue", body=chunks(b"hello")),
]
BROKEN = sorted([wire for _, wire in BAD_HEAD.values()] + [upload(body) for *_, body in BAD_BODY.values()])
OTHERS = sorted(GOOD.values())


@dataclass
class Exchange:
    """One request and what its application has done about it."""

    method: str
    written: bytes = b""
    responded: bool = False
    status: int = 0
    overdue: bool = False


class ConnectionMachine(RuleBasedStateMachine):
    @initialize(
        now=st.sampled_from([0.0, 1e6]), calm=st.integers(0, 30), response=st.sampled_from([None, 4.0])
    )
    def begin(self, now: float, calm: int, response: float | None) -> None:
        self.now = now
        self.timeouts = Timeouts(response=response)
        self.calm = calm  # calls until something may go wrong, so that much has happened before
        self.connection = connect(SMALL, self.timeouts, now)
        self.before = Reader.HEAD
        self.stream = b""  # what the client has yet to send
        self.overrun = 0  # reads since the connection asked for a pause
        self.head: RequestHead | None = None  # of the request that the application serves
        self.exchanges: list[Exchange] = []
        self.writers: list[Outbound] = []
        self.rejected = False
        self.stopped = False
        self.wire = b""

    def after(self) -> None:
        """Look at what has happened, as a driver does after every call."""
        connection = self.connection
        self.calm -= 1
        for event in connection.events():
            assert not self.rejected
            if isinstance(event, ResponseOverdue):
                assert self.head is not None
                assert connection.writer.outbound is None
                assert not (self.exchange.responded or self.exchange.overdue)
                self.exchange.overdue = True
                continue
            assert self.head is None
            if isinstance(event, RequestReceived):
                assert connection.head is event.head
                self.head = event.head
                self.exchanges.append(Exchange(event.head.method))
            else:
                assert isinstance(event, RequestRejected)
                self.rejected = True
                bodiless = connection.writer.queue[-1].endswith(b"\r\n\r\n")
                self.exchanges.append(
                    Exchange("HEAD" if bodiless else "GET", responded=True, status=event.status)
                )
                if not bodiless:
                    self.exchanges[-1].written = connection.writer.queue[-1]
        assert connection.reader in NEXT_STATES[self.before], (self.before, connection.reader)
        self.before = connection.reader
        if connection.want_read:
            self.overrun = 0

    @property
    def exchange(self) -> Exchange:
        return self.exchanges[-1]

    # ---- the peer ----

    @precondition(lambda self: self.calm < 0)
    @rule(wire=st.sampled_from(OTHERS) | st.sampled_from(BROKEN) | st.binary(min_size=1, max_size=40))
    def client_asks_oddly(self, wire: bytes) -> None:
        self.stream += wire

    @precondition(lambda self: not self.connection.at_eof and self.overrun < 1)
    @rule(
        wires=st.lists(st.sampled_from(SOUND), min_size=1, max_size=3),
        size=st.integers(1, READ) | st.just(READ),
    )
    def bytes_arrive(self, wires: list[bytes], size: int) -> None:
        """Of these requests, where nothing else is on its way; at most one read more than is asked for."""
        self.stream = self.stream or b"".join(wires)
        if not self.connection.want_read:
            self.overrun += 1
        data, self.stream = self.stream[:size], self.stream[size:]
        self.connection.receive_data(data, self.now)
        self.after()

    @precondition(lambda self: self.calm < 0 and not self.connection.at_eof)
    @rule()
    def input_ends(self) -> None:
        self.connection.receive_eof(self.now)
        self.after()

    @precondition(lambda self: self.calm < 0 and not self.connection.closed)
    @rule()
    def peer_is_gone(self) -> None:
        self.connection.connection_lost()
        self.after()

    # ---- the driver ----

    @rule()
    def queue_leaves(self) -> None:
        self.wire += b"".join(self.connection.writer.data_to_send())

    @rule(seconds=st.sampled_from([0.0, 0.1, 0.5, 2.0, 5.0, 10.0, 60.0, 1e6]))
    def time_goes_by(self, seconds: float) -> None:
        self.now += seconds if self.calm < 0 else min(seconds, 0.1)
        deadline = self.connection.next_deadline()
        before = (self.connection.reader, len(self.connection.writer.queue))
        self.connection.handle_deadline(self.now)
        if deadline is None or deadline > self.now:
            assert before == (self.connection.reader, len(self.connection.writer.queue))
        due = self.connection.next_deadline()
        assert due is None or due > self.now, "a driver would call again at once, for ever"
        self.after()

    @precondition(lambda self: self.connection.lost is None)
    @rule(still=st.booleans())
    def peer_is_slow(self, still: bool) -> None:
        self.connection.deadlines.stalled(self.now, still)

    @precondition(lambda self: self.calm < 0 and not self.connection.closed)
    @rule(drain=st.booleans())
    def server_stops(self, drain: bool) -> None:
        self.stopped = self.stopped or not drain
        self.connection.shutdown(drain)
        self.after()

    # ---- the application ----

    @precondition(lambda self: self.head is not None)
    @rule()
    def application_reads(self) -> None:
        self.connection.send_continue()
        inbound = self.connection.inbound
        if inbound is not None:
            assert all(take_all(inbound))
            assert not (inbound.ended and inbound.error)
        self.after()

    @precondition(lambda self: self.head is not None)
    @rule(gathers=st.booleans(), limit=st.none() | st.sampled_from([0, 4, 100]))
    def application_limits(self, gathers: bool, limit: int | None) -> None:
        if gathers:
            self.connection.deadlines.gather(self.now)
        if self.connection.inbound is not None:
            self.connection.inbound.limit = limit

    @precondition(lambda self: self.head is not None)
    @rule(
        idle=st.sampled_from([None, 0.3, 30.0, math.inf]),
        rate=st.sampled_from([None, 0, 10, 500]),
        answers=st.booleans(),
    )
    def application_has_times_of_its_own(self, idle: float | None, rate: int | None, answers: bool) -> None:
        deadlines, inbound = self.connection.deadlines, self.connection.inbound
        deadlines.pace(idle, rate)
        if answers:
            deadlines.answer_begins(self.now, 0 if inbound is None else inbound.taken)
            self.exchange.overdue = False

    @precondition(lambda self: self.head is not None and self.exchange.overdue)
    @rule()
    def application_is_late_and_answered_for(self) -> None:
        self.application_responds(503, b"late")
        self.application_returns(False)

    @precondition(lambda self: self.head is not None)
    @rule(status=st.sampled_from([200, 204, 304, 500]), body=st.binary(max_size=9))
    def application_responds(self, status: int, body: bytes) -> None:
        with contextlib.suppress(ResponseStateError):
            self.connection.respond(status, ((b"A", b"b"),), None, body)
            self.exchange.responded, self.exchange.status = True, status
            self.exchange.written = b"" if status in (204, 304) else body
        self.after()

    @precondition(lambda self: self.head is not None)
    @rule(status=st.sampled_from([200, 200, 204]), length=st.none() | st.integers(0, 9))
    def application_starts(self, status: int, length: int | None) -> None:
        fields = [] if length is None else [(b"Content-Length", b"%d" % length)]
        with contextlib.suppress(ResponseStateError):
            self.writers.append(start(self.connection, status, *fields))
            self.exchange.status = status

    @precondition(lambda self: self.writers)
    @rule(
        which=st.integers(0, 3),
        sizes=st.lists(st.sampled_from([0, 1, 2, 40, 4096]), min_size=1, max_size=4),
        credit=st.sampled_from([0, 0, 50, 5000]),
    )
    def somebody_writes(self, which: int, sizes: list[int], credit: int) -> None:
        """To the response of the moment, mostly; sometimes to one whose time is over."""
        writer = self.writers[-1 - which % len(self.writers)]
        current = self.head is not None and writer is self.connection.writer.outbound
        before = len(self.connection.writer.queue)
        written = b""
        with contextlib.suppress(ResponseStateError, BodyLengthError, ClientDisconnected):
            for size in sizes:
                writer.write(b"w" * size)
                written += b"w" * size
                if credit and not writer.credit:
                    writer.grant(credit)
        if current:
            self.exchange.written += written
            assert writer.sent == len(self.exchange.written)
        else:
            assert len(self.connection.writer.queue) == before
        self.after()

    @precondition(lambda self: self.head is not None)
    @rule(trailers=st.sampled_from([(), ((b"T", b"v"),)]))
    def application_finishes(self, trailers: tuple[tuple[bytes, bytes], ...]) -> None:
        with contextlib.suppress(ResponseStateError, BodyLengthError, ClientDisconnected):
            self.connection.writer.finish(trailers)
            self.exchange.responded = True
        self.after()

    @precondition(lambda self: self.head is not None)
    @rule(streams=st.booleans(), reads=st.booleans())
    def application_serves(self, streams: bool, reads: bool) -> None:
        """A whole exchange as most are."""
        if reads:
            self.application_reads()
        if streams:
            self.application_starts(200, None)
            if self.writers:
                self.somebody_writes(0, [1, 2], 50)
            self.application_finishes(())
        else:
            self.application_responds(200, b"ok")
        self.application_returns(False)

    @precondition(lambda self: self.head is not None)
    @rule(cuts=st.booleans())
    def application_returns(self, cuts: bool) -> None:
        if cuts and self.calm < 0:
            self.connection.cut(self.now)
            self.after()
        self.head = None
        self.connection.exchange_done(self.now)
        self.after()

    @precondition(lambda self: self.calm < 0 and self.head is not None)
    @rule()
    def application_gives_up(self) -> None:
        self.connection.abort()
        self.after()

    # ---- what holds ----

    @invariant()
    def what_is_held_is_bounded(self) -> None:
        assert held(self.connection) <= most_held(SMALL, READ)

    @invariant()
    def a_closed_connection_wants_nothing(self) -> None:
        connection = self.connection
        if connection.closed:
            assert not connection.want_read
            assert not connection.idle
            assert connection._read_deadline() is None
        if connection.lost is not None:
            assert connection.closed
            assert not connection.writer.queue
            assert connection.next_deadline() is None
        if connection.idle:
            assert self.head is None
            assert not (self.stopped or connection.at_eof)

    @invariant()
    def whoever_waits_for_the_peer_has_a_deadline(self) -> None:
        """Unless an application has to act first, the clock alone brings every connection to its end."""
        if not self.connection.closed and self.head is None:
            assert self.connection.next_deadline() is not None

    @invariant()
    def a_reader_is_told_one_thing(self) -> None:
        inbound = self.connection.inbound
        if inbound is not None:
            assert not (inbound.ended and inbound.error)
            assert inbound.error is None or isinstance(inbound.error, EngineError)
            assert isinstance(inbound.error, ProtocolError) <= (not self.connection.idle)

    @precondition(lambda self: self.connection.closed and self.head is None)
    @rule(calm=st.integers(0, 30))
    def client_connects_again(self, calm: int) -> None:
        self.teardown()
        self.begin(self.now, calm, self.timeouts.response)

    def teardown(self) -> None:
        """The wire holds, for each request, no more than one final response, and what was written to it."""
        if not hasattr(self, "connection"):
            return
        connection = self.connection
        gone = connection.lost is not None
        self.wire += b"".join(connection.writer.data_to_send())
        answers = list(responses(self.wire, [exchange.method for exchange in self.exchanges]))
        for exchange, answer in zip(self.exchanges, answers, strict=False):
            assert answer.informational in ([], [100])
            if not answer.status:
                continue
            assert answer.status == exchange.status
            bodiless = exchange.method == "HEAD" or exchange.status in (204, 304)
            if exchange.responded and not gone:
                assert answer.complete
            if answer.complete and not gone:
                assert answer.body == (b"" if bodiless else exchange.written)
            if not exchange.responded and not bodiless and answer.field(b"transfer-encoding"):
                assert not answer.complete
        if not gone:
            finals = [exchange for exchange in self.exchanges if exchange.responded]
            assert sum(answer.status > 0 for answer in answers) >= len(finals)


class TestConnection(ConnectionMachine.TestCase):
    settings = settings(max_examples=120, stateful_step_count=40)


@pytest.mark.long
class TestConnectionAtLength(ConnectionMachine.TestCase):
    settings = settings(max_examples=10_000, stateful_step_count=40)
