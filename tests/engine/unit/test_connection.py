"""One connection, request after request: what is read, what is answered, and what is kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import (
    BodyTooLarge,
    ProtocolError,
)
from streamcompat_engine.events import RequestReceived
from streamcompat_engine.http1.states import Ending, Reader
from tests.support.catalogue import EVERY
from tests.support.responses import responses
from tests.support.wire import (
    CONTINUE,
    EXPECTING,
    SMALL,
    Peer,
    bytewise,
    chunks,
    connect,
    cut,
    done,
    feed,
    held,
    most_held,
    post,
    request,
    respond,
    sent,
    serving,
    start,
    take_all,
    upload,
)

# ---- one after another ----


def test_a_new_connection_waits_and_says_nothing() -> None:
    connection = connect()
    assert connection.idle
    assert connection.want_read
    assert not connection.closed
    assert connection.events() == []
    assert connection.writer.data_to_send() == []


def test_requests_are_served_one_after_another_on_one_connection() -> None:
    connection = connect(SMALL)
    for index in range(5):
        connection.receive_data(request(b"GET /%d HTTP/1.1" % index), 0.0)
        (event,) = connection.events()
        assert isinstance(event, RequestReceived)
        assert event.head.raw_path == b"/%d" % index
        assert not connection.idle
        done(connection, b"%d" % index)
        assert connection.idle
        assert connection.inbound is connection.writer.outbound is None
        (response,) = responses(sent(connection), ["GET"])
        assert response.body == b"%d" % index
        assert response.keep_alive


@pytest.mark.parametrize("step", [1, 7, 10_000])
def test_pipelined_requests_are_answered_in_order_one_at_a_time(step: int) -> None:
    """Bodies of both kinds, and nothing of a body is taken for a request."""
    evil = request(b"GET /evil HTTP/1.1")
    wires = [
        request(b"GET /0 HTTP/1.1"),
        post(evil),
        upload(chunks(evil, b"\r\n", trailers=b"T: v\r\n")),
        request(b"HEAD /3 HTTP/1.1"),
        post(b""),
        upload(chunks()),
        request(b"GET /last HTTP/1.1"),
    ]
    wire = b"".join(wires)
    peer = feed(cut(wire, *range(step, len(wire), step)))
    assert [seen.head.method for seen in peer.seen] == ["GET", "POST", "POST", "HEAD", "POST", "POST", "GET"]
    assert [seen.body for seen in peer.seen] == [b"", evil, evil + b"\r\n", b"", b"", b"", b""]
    assert [seen.trailers for seen in peer.seen][2] == ((b"t", b"v"),)
    answers = list(responses(peer.sent, [seen.head.method for seen in peer.seen]))
    assert [answer.body for answer in answers] == [seen.body for seen in peer.seen]
    assert all(answer.keep_alive for answer in answers)
    assert peer.connection.idle


def test_the_next_request_waits_for_the_end_of_the_exchange() -> None:
    """Not only for the answer's."""
    connection = serving(request() + request(b"GET /2 HTTP/1.1"))
    respond(connection)
    assert connection.events() == []
    connection.exchange_done(0.0)
    (event,) = connection.events()
    assert isinstance(event, RequestReceived)
    assert event.head.raw_path == b"/2"


def test_what_a_client_sends_too_early_is_bounded() -> None:
    connection = serving(request())
    size = 0
    while connection.want_read:
        connection.receive_data(b"x" * 10, 0.0)
        size += 10
    assert SMALL.pipelined <= size < SMALL.pipelined + 10
    assert held(connection) == size


def test_what_comes_behind_a_body_is_held_once() -> None:
    """However the body ended."""
    for first in (request(), post(b"hello"), upload(chunks(b"hello")), upload(chunks(trailers=b"T: v\r\n"))):
        connection = serving(first + b"x" * 200)
        if connection.inbound is not None:
            take_all(connection.inbound)
        assert 200 <= held(connection) < 210


def test_reading_pauses_while_a_body_is_not_read_and_goes_on_after() -> None:
    connection = serving(request(b"POST / HTTP/1.1", b"Content-Length: 5000"))
    assert connection.inbound is not None
    while connection.want_read:
        connection.receive_data(b"x" * 100, 0.0)
    assert SMALL.inbound_high < connection.inbound.size <= SMALL.inbound_high + 100
    while not connection.want_read:
        assert connection.inbound.take()
    assert connection.inbound.size <= SMALL.inbound_low


# ---- the body and its answer ----


def test_a_body_with_its_head_is_not_lost() -> None:
    for wire in (post(b"hello"), upload(chunks(b"hel", b"lo"))):
        connection = serving(wire)
        assert connection.inbound is not None
        assert b"".join(take_all(connection.inbound)) == b"hello"
        assert connection.inbound.ended


def test_an_answer_before_the_body_drains_what_is_left_and_keeps_the_connection() -> None:
    """A little is worth reading; nothing of it is seen, nor counted as a request."""
    body = b"GET /evil HTTP/1.1\r\nHost: h\r\n\r\n"
    for wire in (post(body), upload(chunks(body, body, trailers=b"T: v\r\n"))):
        for position in range(wire.index(b"\r\n\r\n") + 4, len(wire)):
            connection = serving(wire[:position])
            done(connection)
            assert not connection.idle
            assert connection.want_read
            connection.receive_data(wire[position:] + request(b"GET /2 HTTP/1.1"), 0.0)
            (event,) = connection.events()
            assert isinstance(event, RequestReceived)
            assert event.head.raw_path == b"/2"
            assert connection.reader is Reader.AHEAD
            done(connection)
            assert connection.idle
            assert len(list(responses(sent(connection), ["POST", "GET"]))) == 2


def test_a_drain_is_bounded_by_the_length_that_is_declared() -> None:
    """A body that is longer than is worth reading ends the connection, and the answer says so."""
    for length, kept in ((SMALL.drain_size, True), (SMALL.drain_size + 1, False)):
        connection = serving(request(b"POST / HTTP/1.1", b"Content-Length: %d" % length))
        done(connection)
        assert (b"Connection: close" in sent(connection)) is not kept
        assert (connection.reader is Reader.DRAIN) is kept
        assert (connection.ending is Ending.HALF_CLOSE) is not kept


@pytest.mark.parametrize("expects", [False, True])
def test_an_echo_of_a_long_body_keeps_the_connection(expects: bool) -> None:
    """A response may begin before its request's body has ended; what becomes of the connection shows then."""
    body = b"x" * (SMALL.drain_size + 100)
    wire = post(body, *[b"Expect: 100-continue"] * expects)
    connection = serving(wire[: -len(body)])
    outbound = start(connection)
    connection.send_continue()
    assert connection.inbound is not None
    for piece in (body[:50], body[50:]):
        connection.receive_data(piece, 0.0)
        outbound.write(b"".join(take_all(connection.inbound)))
    connection.writer.finish(())
    connection.exchange_done(0.0)
    out = sent(connection)
    assert out.startswith(CONTINUE) is expects
    (response,) = responses(out, ["POST"])
    assert (response.body, response.field(b"connection")) == (body, [])
    connection.receive_data(request(), 0.0)
    assert connection.head is not None


def test_a_long_body_that_is_left_after_a_response_began_ends_the_connection() -> None:
    """Nothing can have been lost: the client was sending that body still."""
    body = b"x" * (SMALL.drain_size + 100)
    connection = serving(post(body)[: -len(body)])
    start(connection).write(b"hello")
    connection.writer.finish(())
    connection.exchange_done(0.0)
    (response,) = responses(sent(connection), ["POST"])
    assert (response.body, response.complete) == (b"hello", True)
    assert connection.ending is Ending.HALF_CLOSE
    assert connection.reader is Reader.LINGER


def test_a_client_that_was_never_told_to_send_its_body_is_told_of_the_close() -> None:
    """RFC 9110 §10.1.1: whether the body follows or not, nobody can know."""
    connection = serving(EXPECTING)
    start(connection).write(b"hello")
    connection.writer.finish(())
    connection.exchange_done(0.0)
    (response,) = responses(sent(connection), ["POST"])
    assert response.field(b"connection") == [b"close"]
    assert connection.ending is Ending.HALF_CLOSE


def test_what_a_client_sends_ahead_in_small_pieces_is_held_whole() -> None:
    connection = serving(request())
    for byte in bytewise(request(b"GET /next HTTP/1.1")):
        connection.receive_data(byte, 0.0)
    connection.respond(200, (), None, b"")
    connection.exchange_done(0.0)
    assert connection.head is not None
    assert connection.head.target == b"/next"


def test_a_drain_is_bounded_where_no_length_is_declared() -> None:
    """Once too much of a chunked body has come, the connection ends, with time to read the answer."""
    connection = serving(upload(b""))
    done(connection)
    assert b"Connection: close" not in sent(connection)
    for _ in range(1000):
        if not connection.want_read or connection.ending is Ending.HALF_CLOSE:
            break
        connection.receive_data(b"4\r\nabcd\r\n", 0.0)
    assert connection.ending is Ending.HALF_CLOSE
    assert connection.reader is Reader.LINGER
    assert held(connection) <= most_held(SMALL, 9)


def test_what_was_drained_does_not_shorten_the_linger() -> None:
    connection = serving(upload(b""))
    done(connection)
    connection.receive_data(b"1000\r\n" + b"x" * SMALL.drain_size, 0.0)
    assert connection.reader is Reader.LINGER
    connection.receive_data(b"x" * SMALL.linger_size, 0.0)
    assert connection.reader is Reader.LINGER
    connection.receive_data(b"x", 0.0)
    assert connection.closed


def test_what_waited_for_the_handler_counts_as_drained() -> None:
    connection = serving(upload(chunks(b"x" * 200)[:-5]))
    done(connection)
    assert connection.reader is Reader.DRAIN
    connection.receive_data(chunks(b"y" * 60)[:-5], 0.0)
    assert connection.ending is Ending.HALF_CLOSE


def test_a_body_that_breaks_while_it_is_drained_ends_the_connection() -> None:
    connection = serving(upload(b"1\r\n"))
    done(connection)
    connection.receive_data(b"xyz", 0.0)
    assert connection.events() == []
    assert connection.reader is Reader.LINGER
    assert connection.ending is Ending.HALF_CLOSE
    assert len(list(responses(sent(connection), ["POST"]))) == 1


def test_a_broken_body_is_an_error_to_the_reader_and_the_last_exchange() -> None:
    connection = serving(upload(b"5\r\nhello\r\nxyz\r\n"))
    assert connection.inbound is not None
    assert isinstance(connection.inbound.error, ProtocolError)
    assert not connection.want_read
    done(connection)
    assert connection.ending is Ending.HALF_CLOSE
    assert connection.want_read  # and dropped
    (response,) = responses(sent(connection), ["POST"])
    assert response.field(b"connection") == [b"close"]


def test_a_body_that_breaks_after_the_head_has_left_closes_all_the_same() -> None:
    connection = serving(upload(b"1\r\nx\r\n"))
    outbound = start(connection)
    outbound.write(b"a")
    assert b"Connection: close" not in sent(connection)
    connection.receive_data(b"wrong\r\n", 0.0)
    outbound.write(b"b")
    connection.writer.finish(())
    connection.exchange_done(0.0)
    assert connection.ending is Ending.HALF_CLOSE
    assert connection.reader is Reader.LINGER


def test_many_bytes_behind_a_broken_body_do_not_cut_its_answer() -> None:
    """The connection is not over before its last exchange is."""
    connection = serving(upload(b"xyz"))
    for _ in range(10):
        connection.receive_data(b"x" * SMALL.linger_size, 0.0)
    assert not connection.closed
    done(connection)
    assert len(list(responses(sent(connection), ["POST"]))) == 1
    assert connection.ending is Ending.HALF_CLOSE


@pytest.mark.parametrize("ended", [True, False])
def test_a_body_over_its_limit_is_refused_and_the_connection_kept_if_little_is_left(ended: bool) -> None:
    wire = upload(chunks(b"x" * 50))
    connection = serving(wire if ended else wire[:-5])
    assert connection.inbound is not None
    connection.inbound.limit = 10
    assert isinstance(connection.inbound.error, BodyTooLarge)
    assert not connection.inbound.ended
    connection.respond(413, (), None, b"")
    connection.exchange_done(0.0)
    if not ended:
        connection.receive_data(wire[-5:], 0.0)
    assert connection.idle


# ---- whatever comes ----


PARTS = sorted({part for wire in EVERY.values() for part in (wire, *cut(wire, len(wire) // 2))})
PIECES = st.lists(
    st.one_of(st.binary(min_size=1, max_size=30), st.sampled_from(PARTS)),
    max_size=12,
)


@given(pieces=PIECES, end=st.sampled_from(["input", "time", "abort", "shutdown"]))
def test_any_bytes_are_requests_or_a_rejection_or_silence(pieces: list[bytes], end: str) -> None:
    """No exception, no more held than the limits allow, and an end that comes by itself."""
    peer = Peer(connect(SMALL))
    most = max(map(len, pieces), default=0)
    for now, piece in enumerate(pieces):
        peer.receive(piece, float(now))
        assert held(peer.connection) <= most_held(SMALL, most)
    if end == "input":
        peer.eof(20.0)
    elif end == "abort":
        peer.connection.abort()
    elif end == "shutdown":
        peer.connection.shutdown()
    for _ in range(6):  # a head or a body that is late, its drain, its linger
        peer.connection.send_continue()
        deadline = peer.connection.next_deadline()
        if deadline is not None:
            peer.connection.handle_deadline(deadline)
            peer.work(deadline)
    assert peer.connection.closed
    methods = [seen.head.method for seen in peer.seen] + ["GET"] * (peer.rejected is not None)
    assert len(list(responses(peer.sent, methods))) <= len(methods)
