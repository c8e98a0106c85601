"""Every wait for a peer ends at a time that is known beforehand; the clock is a number in these tests."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest

from streamcompat_engine import ClientDisconnected, Timeouts
from streamcompat_engine.events import RequestReceived, RequestRejected
from streamcompat_engine.http1.connection import Connection
from streamcompat_engine.http1.states import Ending, Reader
from streamcompat_engine.limits import HURRY
from tests.support.responses import responses
from tests.support.timing import NEVER, TIMES, fails, kept, uploading, waiting
from tests.support.wire import EXPECTING, bytewise, post, request, sent, start, take_all, upload


def test_a_deadline_that_has_moved_does_nothing() -> None:
    connection = waiting(100.0)
    assert connection.next_deadline() == 110.0
    connection.handle_deadline(109.9)
    assert connection.idle


def test_what_is_switched_off_has_no_deadline() -> None:
    for connection in (waiting(0.0, NEVER), kept(0.0, NEVER), uploading(0.0, timeouts=NEVER)):
        connection.deadlines.stalled(0.0, True)
        connection.deadlines.gather(0.0)
        assert connection.next_deadline() is None
        connection.handle_deadline(1e9)
        assert not connection.closed
        assert sent(connection) == b""
    gathering = uploading(0.0, timeouts=Timeouts(body_rate=None))
    gathering.deadlines.gather(0.0)
    assert gathering.next_deadline() == 60.0


# ---- heads ----


def test_a_new_connection_that_says_nothing_is_closed_without_a_word() -> None:
    connection = waiting(100.0)
    connection.handle_deadline(110.0)
    assert connection.closed
    assert sent(connection) == b""
    assert connection.next_deadline() is None


def test_the_first_head_is_timed_from_the_connections_start() -> None:
    """One byte does not buy more time, nor does any number of them."""
    connection = waiting(100.0)
    for index, byte in enumerate(bytewise(b"GET / HTTP/1.1\r\nHost: h\r\n")):
        connection.receive_data(byte, 109.0 + index / 100)
        assert connection.next_deadline() == 110.0
    connection.handle_deadline(110.0)
    (event,) = connection.events()
    assert isinstance(event, RequestRejected)
    (response,) = responses(sent(connection), ["GET"])
    assert event.status == response.status == 408
    assert connection.ending is Ending.HALF_CLOSE
    assert connection.next_deadline() == 112.0


def test_a_later_head_is_timed_from_its_first_byte() -> None:
    connection = kept(0.0)
    assert connection.next_deadline() == 5.0
    connection.receive_data(b"G", 4.0)
    assert connection.next_deadline() == 14.0
    connection.receive_data(b"ET / HTTP/1.1\r\nHost: ", 13.0)
    assert connection.next_deadline() == 14.0
    connection.receive_data(b"h\r\n\r\n", 13.5)
    assert connection.next_deadline() is None
    assert len(connection.events()) == 1


def test_a_later_head_that_does_not_end_is_answered() -> None:
    connection = kept(0.0)
    connection.receive_data(b"GET /", 4.0)
    connection.handle_deadline(14.0)
    (event,) = connection.events()
    assert isinstance(event, RequestRejected)
    assert event.status == 408


def test_a_late_head_that_asks_with_head_is_answered_without_a_body() -> None:
    connection = waiting(0.0)
    connection.receive_data(b"HEAD / HTTP/1.1\r\nHo", 0.0)
    connection.handle_deadline(10.0)
    wire = sent(connection)
    assert wire.startswith(b"HTTP/1.1 408 ")
    assert wire.endswith(b"\r\n\r\n")


def test_an_idle_connection_is_closed_without_a_word() -> None:
    connection = kept(0.0)
    connection.handle_deadline(4.9)
    assert not connection.closed
    connection.handle_deadline(5.0)
    assert connection.closed
    assert sent(connection) == b""
    assert connection.events() == []


def test_an_empty_line_after_a_request_leaves_the_connection_idle() -> None:
    """RFC 9112 §2.2: some clients send one after a body; they have asked for nothing that could be late."""
    connection = kept(0.0)
    connection.receive_data(b"\r\n", 4.0)
    assert connection.next_deadline() == 9.0
    connection.handle_deadline(9.0)
    assert connection.closed
    assert sent(connection) == b""


def test_part_of_a_pipelined_head_is_timed_from_when_its_turn_comes() -> None:
    """The peer is not to blame for the time that the handler before it took."""
    connection = waiting(0.0)
    connection.receive_data(request() + b"GET /", 0.0)
    assert connection.next_deadline() is None
    connection.respond(200, (), None, b"")
    connection.exchange_done(500.0)
    assert connection.next_deadline() == 510.0


# ---- bodies that a handler reads ----


def test_a_body_may_be_slow_but_not_silent() -> None:
    connection = uploading(0.0)
    assert connection.inbound is not None
    for now in range(59, 3600, 59):
        connection.receive_data(b"1\r\nx\r\n", float(now))
        assert connection.next_deadline() == now + 60.0
        connection.handle_deadline(now + 0.5)
        take_all(connection.inbound)
    assert not fails(connection)
    connection.handle_deadline(now + 60.0)
    assert fails(connection)
    assert connection.next_deadline() is None
    assert not connection.want_read
    connection.respond(408, (), None, b"")
    connection.exchange_done(now + 60.0)
    (response,) = responses(sent(connection), ["POST"])
    assert response.field(b"connection") == [b"close"]
    assert connection.ending is Ending.HALF_CLOSE


def test_a_body_that_is_late_ends_the_connection_though_its_answer_has_begun() -> None:
    connection = uploading(0.0)
    start(connection).write(b"x")
    connection.handle_deadline(60.0)
    assert fails(connection)
    connection.writer.finish(())
    connection.exchange_done(60.0)
    assert connection.ending is Ending.HALF_CLOSE


def test_a_body_that_waits_for_its_handler_is_never_late() -> None:
    """From above the high-water mark until reading goes on, however long that takes."""
    connection = uploading(0.0)
    assert connection.inbound is not None
    while connection.want_read:
        connection.receive_data(b"64\r\n%b\r\n" % (b"x" * 100), 1.0)
    assert connection.next_deadline() is None
    while not connection.want_read:
        connection.handle_deadline(1000.0)
        assert not fails(connection)
        assert connection.next_deadline() is None
        connection.inbound.take()
    connection.deadlines.reading_resumed(1000.0)
    assert connection.next_deadline() == 1060.0


def test_a_whole_body_is_never_late() -> None:
    connection = uploading(0.0, post(b"hello"))
    assert connection.next_deadline() is None
    connection.handle_deadline(1e9)
    assert not fails(connection)


def test_a_client_that_waits_for_a_100_is_not_late() -> None:
    """It is the handler that takes its time; once the 100 is sent, the client has all of its own."""
    connection = uploading(0.0, EXPECTING)
    for now in (60.0, 120.0, 180.0):
        connection.handle_deadline(now)
        assert not fails(connection)
    connection.send_continue()
    deadline = connection.next_deadline()
    assert deadline is not None
    connection.handle_deadline(deadline)
    assert not fails(connection)
    again = connection.next_deadline()
    assert again == deadline + 60.0
    connection.handle_deadline(again)
    assert fails(connection)


def test_a_client_that_has_got_its_100_and_begun_is_timed_like_any_other() -> None:
    connection = uploading(0.0, EXPECTING)
    connection.send_continue()
    connection.receive_data(b"h", 10.0)
    assert connection.next_deadline() == 70.0
    connection.handle_deadline(70.0)
    assert fails(connection)


# ---- bodies that the engine gathers ----


def test_a_gathered_body_has_a_least_rate() -> None:
    """Ten seconds of grace, and a second for each 500 bytes."""
    connection = uploading(0.0)
    connection.deadlines.gather(1.0)
    assert connection.next_deadline() == 11.0
    connection.receive_data(b"1f4\r\n" + b"x" * 500, 5.0)
    assert connection.next_deadline() == 12.0
    connection.handle_deadline(11.9)
    assert not fails(connection)
    connection.handle_deadline(12.0)
    assert fails(connection)


def test_a_gathered_body_that_is_too_slow_is_late_however_evenly_it_comes() -> None:
    connection = uploading(0.0)
    connection.deadlines.gather(0.0)
    assert connection.inbound is not None
    now = 0.0
    while not fails(connection):
        now += 1.0
        connection.receive_data(b"1\r\nx\r\n", now)
        take_all(connection.inbound)
        connection.handle_deadline(now)
    assert 10.0 <= now <= 11.0


def test_a_gathered_body_that_is_fast_enough_is_never_late() -> None:
    connection = uploading(0.0)
    connection.deadlines.gather(0.0)
    assert connection.inbound is not None
    for now in range(1, 300):
        connection.receive_data(b"1f4\r\n%b\r\n" % (b"x" * 500), float(now))
        take_all(connection.inbound)
        connection.handle_deadline(float(now))
    assert not fails(connection)


def test_a_fast_beginning_does_not_pay_for_a_long_silence() -> None:
    connection = uploading(0.0)
    connection.deadlines.gather(0.0)
    assert connection.inbound is not None
    for _ in range(1000):
        connection.receive_data(b"1f4\r\n%b\r\n" % (b"x" * 500), 1.0)
        take_all(connection.inbound)
    assert connection.next_deadline() == 61.0
    connection.handle_deadline(61.0)
    assert fails(connection)


def test_the_least_rate_ends_with_its_body() -> None:
    connection = uploading(0.0, post(b"hello")[:-1])
    connection.deadlines.gather(0.0)
    connection.receive_data(b"o", 1.0)
    connection.respond(200, (), None, b"")
    connection.exchange_done(1.0)
    connection.receive_data(upload(b""), 2.0)
    assert connection.next_deadline() == 62.0


# ---- the ends ----


def test_a_drain_has_one_time_that_no_byte_prolongs() -> None:
    connection = uploading(0.0)
    connection.respond(200, (), None, b"")
    connection.exchange_done(10.0)
    assert connection.next_deadline() == 12.0
    for now in (10.5, 11.0, 11.5, 11.9):
        connection.receive_data(b"1\r\nx\r\n", now)
        assert connection.next_deadline() == 12.0
    connection.handle_deadline(12.0)
    assert connection.ending is Ending.HALF_CLOSE
    assert connection.reader is Reader.LINGER
    assert connection.next_deadline() == 14.0
    connection.handle_deadline(14.0)
    assert connection.closed


def test_a_drain_that_succeeds_begins_the_keep_alive_time() -> None:
    connection = uploading(0.0, post(b"hello")[:-1])
    connection.respond(200, (), None, b"")
    connection.exchange_done(10.0)
    connection.receive_data(b"o", 11.0)
    assert connection.next_deadline() == 16.0


def test_a_linger_has_one_time_that_no_byte_prolongs() -> None:
    connection = waiting(0.0)
    connection.receive_data(b"\0", 3.0)
    for now in (3.5, 4.0, 4.9):
        connection.receive_data(b"x", now)
        assert connection.next_deadline() == 5.0
    connection.handle_deadline(5.0)
    assert connection.closed
    assert connection.next_deadline() is None


def test_a_linger_ends_early_once_nothing_arrives() -> None:
    """Its whole time is for a client that goes on sending."""
    times = dataclasses.replace(TIMES, linger=30.0, linger_idle=5.0)
    connection = waiting(0.0, times)
    connection.receive_data(b"\0", 3.0)
    assert connection.next_deadline() == 8.0
    for now in range(4, 32, 2):
        connection.receive_data(b"x", float(now))
        assert connection.next_deadline() == min(now + 5.0, 33.0)
    connection.handle_deadline(32.9)
    assert not connection.closed
    connection.handle_deadline(33.0)
    assert connection.closed


def refused(now: float) -> Connection:
    connection = waiting(now)
    connection.receive_data(b"\0", now)
    return connection


def left_unread(now: float) -> Connection:
    """Its whole answer has left before its body has arrived."""
    connection = uploading(now)
    connection.respond(200, (), None, b"")
    connection.exchange_done(now)
    return connection


def cut_short(now: float) -> Connection:
    connection = uploading(now)
    connection.start(200, (), None, lambda added: None)
    connection.cut(now)
    return connection


@pytest.mark.parametrize("order", ["answer first", "stop first"])
@pytest.mark.parametrize("sent_on", [b"1\r\nx\r\n", b"\r\n", b"fff\r\n" + b"x" * 4000, b"0"])
@pytest.mark.parametrize("gap", [0.01, 0.4])
@pytest.mark.parametrize("answered", [refused, left_unread, cut_short])
def test_a_peer_that_goes_on_sending_holds_a_stop_only_for_a_moment(
    answered: Callable[[float], Connection], gap: float, sent_on: bytes, order: str
) -> None:
    """Whatever it sends, and in whichever way its last answer came about."""
    connection = answered(100.0)
    if order == "answer first":
        connection.deadlines.since = connection.deadlines.heard = 99.9
    connection.hurry(100.0)
    step = 0
    while not connection.closed:
        step += 1
        now = 100.0 + step * gap
        assert now <= 100.0 + HURRY * 1.5 + gap
        while (due := connection.next_deadline()) is not None and due <= now:
            connection.handle_deadline(now)
        if not connection.closed:
            connection.receive_data(sent_on, now)


def test_a_peer_that_hurries_gets_its_answer_during_a_stop() -> None:
    """Bytes that are on their way make no reset of the answer."""
    connection = refused(100.0)
    connection.hurry(100.0)
    for now in (100.1, 100.3, 100.49, 100.7):
        connection.receive_data(b"x", now)
        connection.handle_deadline(now)
    assert not connection.closed
    assert connection.ending is Ending.HALF_CLOSE


@pytest.mark.parametrize("how", ["overflow", "broken", "late"])
def test_a_connection_that_was_drained_in_vain_is_not_opened_again(how: str) -> None:
    """Closed is closed, whatever the clock says."""
    connection = uploading(0.0)
    connection.respond(200, (), None, b"")
    connection.exchange_done(0.0)
    if how == "overflow":
        connection.receive_data(b"fff\r\n" + b"x" * 4000, 1.0)
    elif how == "broken":
        connection.receive_data(b"x\r\n", 1.0)
    else:
        connection.handle_deadline(2.0)
    connection.handle_deadline(10.0)
    assert connection.closed
    for now in (20.0, 30.0):
        assert connection.next_deadline() is None
        connection.handle_deadline(now)
        assert connection.closed


def test_an_exchange_has_no_deadline_of_its_own() -> None:
    """How long a handler may take is not the engine's business."""
    connection = waiting(0.0)
    connection.receive_data(request(), 0.0)
    assert connection.next_deadline() is None
    connection.handle_deadline(1e9)
    assert not connection.closed
    broken = uploading(0.0, upload(b"x\r\n"))
    assert broken.next_deadline() is None
    broken.handle_deadline(1e9)
    assert not broken.closed


# ---- a peer that takes nothing ----


def test_a_peer_that_takes_nothing_is_aborted() -> None:
    connection = waiting(0.0)
    connection.receive_data(request(), 0.0)
    outbound = start(connection)
    outbound.write(b"x")
    connection.deadlines.stalled(5.0, True)
    connection.deadlines.stalled(20.0, True)
    assert connection.next_deadline() == 35.0
    connection.handle_deadline(34.9)
    assert connection.ending is not Ending.ABORT
    connection.handle_deadline(35.0)
    assert connection.ending is Ending.ABORT
    assert connection.closed
    assert connection.next_deadline() is None
    with pytest.raises(ClientDisconnected):
        outbound.write(b"y")


def test_a_peer_that_takes_something_has_its_time_anew() -> None:
    connection = waiting(0.0)
    connection.receive_data(request(), 0.0)
    connection.deadlines.stalled(5.0, True)
    connection.deadlines.stalled(20.0, False)
    assert connection.next_deadline() is None
    connection.deadlines.stalled(21.0, True)
    assert connection.next_deadline() == 51.0


def test_the_earlier_of_two_deadlines_counts() -> None:
    connection = uploading(0.0)
    connection.deadlines.stalled(0.0, True)
    assert connection.next_deadline() == 30.0
    connection.deadlines.stalled(0.0, False)
    assert connection.next_deadline() == 60.0
    connection.deadlines.stalled(40.0, True)
    assert connection.next_deadline() == 60.0


def test_a_closing_connection_still_waits_no_longer_than_a_stall() -> None:
    connection = kept(0.0)
    connection.receive_data(request(b"GET / HTTP/1.1", b"Connection: close"), 1.0)
    (event,) = connection.events()
    assert isinstance(event, RequestReceived)
    connection.respond(200, (), None, b"x" * 1000)
    connection.deadlines.stalled(1.0, True)
    connection.exchange_done(1.0)
    assert connection.closed
    assert connection.next_deadline() == 31.0
    connection.handle_deadline(31.0)
    assert connection.ending is Ending.ABORT
