"""The times of an answer, of a whole request, and those that an exchange asks for; the clock is a number."""

from __future__ import annotations

import math

from streamcompat_engine import Timeouts
from streamcompat_engine.events import ResponseOverdue
from streamcompat_engine.http1.connection import Connection
from tests.support.timing import fails, uploading, waiting
from tests.support.wire import EXPECTING, post, request, start, take_all, upload

# ---- the application's answer ----


ANSWERED = Timeouts(head=10.0, keep_alive=5.0, body_idle=600.0, response=40.0)


def overdue(connection: Connection) -> bool:
    """Whether the driver has been told that the application is late."""
    return any(type(event) is ResponseOverdue for event in connection.events())


def asked(now: float = 0.0, timeouts: Timeouts = ANSWERED) -> Connection:
    """A connection with a request that waits for its answer since this time."""
    return uploading(now, request(), timeouts)


def test_an_answer_has_its_time_from_the_end_of_the_head() -> None:
    connection = waiting(0.0, ANSWERED)
    connection.receive_data(request()[:-1], 0.0)
    connection.receive_data(request()[-1:], 9.0)
    connection.events()
    assert connection.next_deadline() == 49.0
    connection.handle_deadline(48.9)
    assert not overdue(connection)
    connection.handle_deadline(49.0)
    assert overdue(connection)
    assert connection.next_deadline() is None
    connection.handle_deadline(1e9)
    assert not overdue(connection)


def test_an_answer_that_begins_is_not_late() -> None:
    connection = asked()
    start(connection)
    assert connection.next_deadline() is None
    whole = asked()
    whole.respond(200, (), None, b"")
    assert whole.next_deadline() is None
    for begun in (connection, whole):
        begun.handle_deadline(1e9)
        assert not overdue(begun)


def test_each_request_has_its_own_time_for_an_answer() -> None:
    connection = asked()
    connection.handle_deadline(40.0)
    assert overdue(connection)
    connection.respond(503, (), None, b"")
    connection.exchange_done(41.0)
    connection.receive_data(request(), 45.0)
    connection.events()
    assert connection.next_deadline() == 85.0


def test_an_answer_is_not_late_while_its_request_is_read() -> None:
    """It is looked four times within the time, since a reader leaves no other trace."""
    connection = uploading(0.0, timeouts=ANSWERED)
    assert connection.inbound is not None
    assert connection.next_deadline() == 10.0
    for now in range(10, 1000, 10):
        connection.receive_data(b"1\r\nx\r\n", float(now))
        connection.inbound.take()
        connection.handle_deadline(float(now))
        assert connection.next_deadline() == now + 10.0
    for now in (1000.0, 1010.0, 1020.0):
        connection.handle_deadline(now)
        assert not overdue(connection)
    connection.handle_deadline(1030.0)
    assert overdue(connection)


def test_an_answer_is_not_late_while_its_handler_waits_for_the_body() -> None:
    connection = uploading(0.0, timeouts=ANSWERED)
    assert connection.inbound is not None
    connection.inbound.wake = lambda: None
    for now in range(10, 500, 10):
        connection.handle_deadline(float(now))
    assert not overdue(connection)


def test_once_the_body_is_read_the_answers_time_is_exact() -> None:
    connection = uploading(0.0, post(b"hello"), ANSWERED)
    assert connection.inbound is not None
    connection.handle_deadline(10.0)
    take_all(connection.inbound)
    connection.handle_deadline(20.0)
    assert connection.next_deadline() == 60.0
    connection.deadlines.answer_begins(25.0, 5)
    assert connection.next_deadline() == 65.0


def test_nobody_waits_for_an_answer_to_a_client_that_is_gone() -> None:
    connection = asked()
    connection.connection_lost()
    assert connection.next_deadline() is None


# ---- a request as a whole, and what an exchange asks for ----


def test_a_gathered_request_has_its_time_from_its_first_byte() -> None:
    """Without what the application took before it began to gather."""
    times = Timeouts(request=20.0)
    connection = waiting(0.0, times)
    connection.receive_data(upload(b"")[:-1], 0.0)
    connection.receive_data(upload(b"")[-1:], 4.0)
    connection.deadlines.gather(7.0)
    assert connection.inbound is not None
    for now in range(8, 23):
        connection.receive_data(b"1f4\r\n%b\r\n" % (b"x" * 500), float(now))
        take_all(connection.inbound)
    assert connection.next_deadline() == 23.0
    connection.handle_deadline(23.0)
    assert fails(connection)


def test_a_request_that_follows_another_has_the_same() -> None:
    times = Timeouts(request=20.0)
    connection = waiting(0.0, times)
    connection.receive_data(request() + post(b"xy")[:-2], 0.0)
    connection.respond(200, (), None, b"")
    connection.exchange_done(50.0)
    connection.deadlines.gather(50.0)
    connection.deadlines.pace(None, 0)
    connection.receive_data(b"x", 60.0)
    assert connection.next_deadline() == 70.0


def test_an_exchange_may_have_an_idle_time_and_a_rate_of_its_own() -> None:
    connection = uploading(0.0)
    connection.deadlines.pace(7.0, None)
    assert connection.next_deadline() == 7.0
    connection.deadlines.pace(math.inf, None)
    assert connection.next_deadline() is None
    connection.deadlines.pace(None, 100)
    assert connection.next_deadline() == 10.0
    connection.receive_data(b"1f4\r\n" + b"x" * 500, 1.0)
    assert connection.next_deadline() == 15.0
    connection.handle_deadline(15.0)
    assert fails(connection)


def test_a_rate_does_not_count_while_the_driver_does_not_read() -> None:
    connection = uploading(0.0)
    connection.deadlines.pace(None, 100)
    connection.deadlines.reading_paused(5.0)
    connection.deadlines.reading_resumed(1005.0)
    assert connection.next_deadline() == 1010.0


def test_a_rate_does_not_count_while_the_client_waits_for_a_100() -> None:
    connection = uploading(0.0, EXPECTING)
    connection.deadlines.pace(None, 100)
    for now in range(10, 300, 10):
        connection.handle_deadline(float(now))
    assert not fails(connection)
    connection.send_continue()
    connection.handle_deadline(300.0)
    assert connection.next_deadline() == 310.0
    connection.handle_deadline(310.0)
    assert fails(connection)
