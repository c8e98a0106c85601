"""One connection from its first byte to its last: what is answered, what is kept, and how it ends."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import (
    BodyLengthError,
    BodyTooLarge,
    ClientDisconnected,
    EngineError,
    Fields,
    InvalidHeader,
    Limits,
    ProtocolError,
    ResponseStateError,
)
from streamcompat_engine.connection import Connection, Reader
from streamcompat_engine.events import RequestReceived, RequestRejected
from tests.engine.catalogue import EVERY
from tests.engine.wire import (
    CHUNKED,
    SMALL,
    Peer,
    bytewise,
    chunks,
    connect,
    cut,
    feed,
    gathered,
    held,
    most_held,
    post,
    request,
    responses,
    sent,
    start,
    take_all,
    upload,
)

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
EXPECTING = request(b"POST / HTTP/1.1", b"Content-Length: 5", b"Expect: 100-continue")


def serving(wire: bytes, limits: Limits = SMALL) -> Connection:
    """A connection that has received this and serves the first request of it."""
    connection = connect(limits)
    connection.receive_data(wire, 0.0)
    (event,) = connection.events()
    assert isinstance(event, RequestReceived)
    assert connection.head is event.head
    return connection


def respond(connection: Connection, body: bytes = b"ok", status: int = 200) -> None:
    connection.respond(status, (), None, body)


def done(connection: Connection, body: bytes = b"ok") -> None:
    """Answer and end the exchange."""
    respond(connection, body)
    connection.exchange_done(0.0)


# ---- one after another ----


def test_a_new_connection_waits_and_says_nothing() -> None:
    connection = connect()
    assert connection.idle
    assert connection.want_read
    assert not connection.closed
    assert connection.events() == []
    assert connection.data_to_send() == []


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
        assert connection.inbound is connection.outbound is None
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
        assert (connection.reader is Reader.BODY) is kept
        assert connection.half_close is not kept


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
    connection.finish(())
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
    connection.finish(())
    connection.exchange_done(0.0)
    (response,) = responses(sent(connection), ["POST"])
    assert (response.body, response.whole) == (b"hello", True)
    assert connection.half_close
    assert connection.reader is Reader.LINGER


def test_a_client_that_was_never_told_to_send_its_body_is_told_of_the_close() -> None:
    """RFC 9110 §10.1.1: whether the body follows or not, nobody can know."""
    connection = serving(EXPECTING)
    start(connection).write(b"hello")
    connection.finish(())
    connection.exchange_done(0.0)
    (response,) = responses(sent(connection), ["POST"])
    assert response.field(b"connection") == [b"close"]
    assert connection.half_close


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
        if not connection.want_read or connection.half_close:
            break
        connection.receive_data(b"4\r\nabcd\r\n", 0.0)
    assert connection.half_close
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
    assert connection.reader is Reader.BODY
    connection.receive_data(chunks(b"y" * 60)[:-5], 0.0)
    assert connection.half_close


def test_a_body_that_breaks_while_it_is_drained_ends_the_connection() -> None:
    connection = serving(upload(b"1\r\n"))
    done(connection)
    connection.receive_data(b"xyz", 0.0)
    assert connection.events() == []
    assert connection.reader is Reader.LINGER
    assert connection.half_close
    assert len(list(responses(sent(connection), ["POST"]))) == 1


def test_a_broken_body_is_an_error_to_the_reader_and_the_last_exchange() -> None:
    connection = serving(upload(b"5\r\nhello\r\nxyz\r\n"))
    assert connection.inbound is not None
    assert isinstance(connection.inbound.error, ProtocolError)
    assert not connection.want_read
    done(connection)
    assert connection.half_close
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
    connection.finish(())
    connection.exchange_done(0.0)
    assert connection.half_close
    assert connection.reader is Reader.LINGER


def test_many_bytes_behind_a_broken_body_do_not_cut_its_answer() -> None:
    """The connection is not over before its last exchange is."""
    connection = serving(upload(b"xyz"))
    for _ in range(10):
        connection.receive_data(b"x" * SMALL.linger_size, 0.0)
    assert not connection.closed
    done(connection)
    assert len(list(responses(sent(connection), ["POST"]))) == 1
    assert connection.half_close


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


# ---- 100-continue ----


def test_a_100_is_sent_when_the_body_is_first_asked_for_and_only_then() -> None:
    connection = serving(EXPECTING)
    assert sent(connection) == b""
    connection.send_continue()
    connection.send_continue()
    assert sent(connection) == CONTINUE
    connection.receive_data(b"hello" + request(), 0.0)
    connection.send_continue()
    done(connection)
    assert sent(connection).count(b"100 Continue") == 0
    (event,) = connection.events()
    assert isinstance(event, RequestReceived)


@pytest.mark.parametrize("begun", [b"h", b"hello"])
def test_no_100_is_sent_once_the_body_has_begun(begun: bytes) -> None:
    """RFC 9110 §10.1.1."""
    for pieces in ([EXPECTING + begun], [EXPECTING, begun]):
        connection = connect()
        for piece in pieces:
            connection.receive_data(piece, 0.0)
        connection.send_continue()
        assert sent(connection) == b""


def test_no_100_is_sent_where_none_is_expected() -> None:
    for wire in (
        post(b"hello")[:-1],
        request(b"POST / HTTP/1.0", b"Content-Length: 5", b"Expect: 100-continue"),
        request(b"GET / HTTP/1.1", b"Expect: 100-continue"),
    ):
        connection = serving(wire)
        connection.send_continue()
        assert sent(connection) == b""


def test_no_100_is_sent_after_the_response_has_begun() -> None:
    connection = serving(EXPECTING)
    outbound = start(connection)
    outbound.write(b"x")
    connection.send_continue()
    assert b"100 Continue" not in sent(connection)
    connection = serving(EXPECTING)
    respond(connection)
    connection.send_continue()
    assert b"100 Continue" not in sent(connection)


def test_a_100_goes_before_a_response_that_is_only_prepared() -> None:
    connection = serving(EXPECTING)
    outbound = start(connection)
    connection.send_continue()
    connection.receive_data(b"hello", 0.0)
    outbound.write(b"x")
    connection.finish(())
    (response,) = responses(sent(connection), ["POST"])
    assert response.informational == [100]
    assert response.body == b"x"


def test_a_client_that_was_not_told_to_go_on_is_not_waited_for() -> None:
    """RFC 9110 §10.1.1: without a 100 nobody knows whether the body will come, so the connection ends."""
    connection = serving(EXPECTING)
    done(connection)
    (response,) = responses(sent(connection), ["POST"])
    assert response.field(b"connection") == [b"close"]
    assert connection.half_close
    connection.receive_data(b"GET /", 0.0)
    assert connection.events() == []


# ---- HEAD, 204, 304, HTTP/1.0 ----


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("method", "status"), [("HEAD", 200), ("GET", 204), ("GET", 304), ("HEAD", 404), ("HEAD", 204)]
)
def test_a_response_without_a_body_has_none(method: str, status: int, streamed: bool) -> None:
    """Whatever is written; and the connection is kept, so that nothing may be left between two responses."""
    connection = serving(request(f"{method} / HTTP/1.1".encode()) + request())
    if streamed:
        outbound = start(connection, status)
        outbound.write(b"not")
        outbound.write(b"sent")
        connection.finish(((b"T", b"v"),))
    else:
        respond(connection, b"not sent", status)
    connection.exchange_done(0.0)
    done(connection)
    first, second = responses(sent(connection), [method, "GET"])
    assert (first.status, first.body, first.whole) == (status, b"", True)
    assert (second.status, second.body) == (200, b"ok")
    if status in (204, 304):
        assert first.field(b"content-length") == []
        assert first.field(b"transfer-encoding") == []


def test_head_has_the_fields_of_get() -> None:
    heads = []
    for method in (b"GET", b"HEAD"):
        for streamed in (True, False):
            connection = serving(request(method + b" / HTTP/1.1"))
            if streamed:
                start(connection).write(b"hello")
                connection.finish(())
            else:
                respond(connection, b"hello")
            heads.append(sent(connection).partition(b"\r\n\r\n")[0])
    streamed = heads[0].replace(b"\r\nTransfer-Encoding: chunked", b"")  # RFC 9112 §6.1: it may be left out
    assert streamed != heads[0]
    assert [streamed, heads[1]] == heads[2:]


@pytest.mark.parametrize("asked", [True, False])
@pytest.mark.parametrize("kind", ["respond", "length", "until close"])
def test_http_1_0_is_kept_where_it_asks_and_a_length_is_known(kind: str, asked: bool) -> None:
    """RFC 9112 §9.3; a body without a length ends with the connection (§6.3)."""
    connection = serving(request(b"GET / HTTP/1.0", *[b"Connection: keep-alive"] * asked) + request())
    if kind == "respond":
        respond(connection, b"hello")
    else:
        outbound = start(connection, 200, *[(b"Content-Length", b"5")] * (kind == "length"))
        outbound.write(b"hel")
        outbound.write(b"lo")
        connection.finish(((b"T", b"v"),))
    connection.exchange_done(0.0)
    kept = asked and kind != "until close"
    wire = sent(connection)
    assert wire.partition(b"\r\n\r\n")[2] == b"hello"
    assert (b"\r\nConnection: keep-alive\r\n" in wire) is kept
    assert (b"\r\nConnection: close\r\n" in wire) is not kept
    assert [type(event) for event in connection.events()] == [RequestReceived] * kept
    assert connection.half_close is not kept


# ---- what a handler does wrong ----


def test_nothing_is_sent_of_a_head_that_may_not_be_sent() -> None:
    connection = serving(request())
    for attempt in (
        lambda: connection.respond(200, ((b"A", b"b\r\nX-Evil: 1"),), None, b""),
        lambda: connection.respond(200, (), b"OK\r\nX-Evil: 1", b""),
        lambda: connection.respond(100, (), None, b""),
        lambda: connection.respond(200, ((b"A", bytearray(b"b")),), None, b""),  # type: ignore[arg-type]
        lambda: connection.respond(200, (("A", "b"),), None, b""),  # type: ignore[arg-type]
        lambda: start(connection, 200, (b"A\n", b"b")),
        lambda: start(connection, 200, (b"Transfer-Encoding", b"chunked")),
    ):
        with pytest.raises(InvalidHeader):
            attempt()
    with pytest.raises(BodyLengthError):
        connection.respond(200, ((b"Content-Length", b"3"),), None, b"hello")
    assert sent(connection) == b""
    assert not connection.responded
    done(connection)
    assert connection.idle


def test_a_response_that_was_not_committed_can_be_replaced_by_one_and_never_written_again() -> None:
    """At most one final response for a request, even where somebody still holds the other's writer."""
    for streamed in (True, False):
        connection = serving(request())
        stale = start(connection)
        if streamed:
            start(connection, 500).commit()
        else:
            respond(connection, b"error", 500)
        for late in (b"late", b""):
            with pytest.raises(ResponseStateError):
                stale.write(late)
        with pytest.raises(ResponseStateError):
            stale.finish(b"0\r\n\r\n")
        if not connection.responded:
            connection.finish(())
        (response,) = responses(sent(connection), ["GET"])
        assert response.status == 500


def test_a_response_is_begun_once_and_ended_once() -> None:
    connection = serving(request())
    with pytest.raises(ResponseStateError):
        connection.finish(())
    start(connection).write(b"x")
    with pytest.raises(ResponseStateError):
        start(connection)
    with pytest.raises(ResponseStateError):
        respond(connection)
    connection.finish(())
    for again in (lambda: start(connection), lambda: respond(connection), lambda: connection.finish(())):
        with pytest.raises(ResponseStateError):
            again()
    connection.exchange_done(0.0)
    with pytest.raises(ResponseStateError):
        respond(connection)
    assert len(list(responses(sent(connection), ["GET"]))) == 1


@pytest.mark.parametrize("wire", [request(), request(b"GET / HTTP/1.0"), request(b"HEAD / HTTP/1.1")])
@pytest.mark.parametrize("fields", [(), ((b"Content-Length", b"1"),)])
def test_forbidden_trailers_are_an_error_in_every_framing(wire: bytes, fields: Fields) -> None:
    connection = serving(wire)
    start(connection, 200, *fields).write(b"x")
    for name in (b"Content-Length", b"a b"):
        with pytest.raises(InvalidHeader):
            connection.finish(((name, b"5"),))
    connection.finish(((b"Fine", b"1"),))
    assert connection.responded


def test_forbidden_trailers_are_an_error_and_the_response_can_still_end() -> None:
    connection = serving(request())
    start(connection).write(b"x")
    with pytest.raises(InvalidHeader):
        connection.finish(((b"Content-Length", b"5"),))
    connection.finish(((b"Fine", b"1"),))
    (response,) = responses(sent(connection), ["GET"])
    assert response.trailers == [(b"fine", b"1")]


@pytest.mark.parametrize("committed", [True, False])
@pytest.mark.parametrize("version", [b"1.0", b"1.1"])
def test_a_response_without_an_end_is_visibly_cut(version: bytes, committed: bool) -> None:
    """What was written leaves; an end of the body does not, nor does anything look like one."""
    connection = serving(request(b"GET / HTTP/" + version) + request())
    outbound = start(connection)
    if committed:
        outbound.write(b"hello")
    connection.exchange_done(0.0)
    wire = sent(connection)
    assert connection.events() == []
    assert connection.reader in (Reader.LINGER, Reader.CLOSED)
    if not committed:
        assert wire == b""
    elif version == b"1.1":
        (response,) = responses(wire, ["GET"])
        assert (response.body, response.whole) == (b"hello", False)
        assert connection.half_close
    else:
        assert wire.endswith(b"hello")
        assert connection.reset  # the only way to tell it
    with pytest.raises(ResponseStateError):
        outbound.write(b"late")
    assert sent(connection) == b""


def test_cutting_a_whole_response_does_not_damage_it() -> None:
    for version in (b"1.0", b"1.1"):
        connection = serving(request(b"GET / HTTP/" + version))
        start(connection).write(b"hello")
        connection.finish(())
        connection.cut(0.0)
        connection.exchange_done(0.0)
        (response,) = responses(sent(connection), ["GET"])
        assert response.whole
        assert not connection.reset


def test_a_response_that_was_given_up_lingers_from_then_on() -> None:
    """And not from the later moment when its application returns."""
    connection = serving(upload(b""))
    start(connection).write(b"x")
    connection.cut(10.0)
    assert connection.inbound is not None
    assert isinstance(connection.inbound.error, ResponseStateError)  # whoever still reads is told
    assert connection.next_deadline() == 12.0
    connection.exchange_done(11.0)
    assert connection.next_deadline() == 12.0
    connection.handle_deadline(12.0)
    assert connection.closed


# ---- the client leaves ----


def test_an_end_of_input_at_every_position_ends_what_cannot_go_on() -> None:
    """Between requests quietly; in a body the reader is told; a whole request is answered before that."""
    wire = request() + post(b"hello") + upload(chunks(b"you", trailers=b"T: v\r\n")) + request()
    whole = [len(request()), len(request() + post(b"hello")), len(wire) - len(request()), len(wire)]
    for position in range(len(wire) + 1):
        peer = Peer(connect(SMALL))
        if position:
            peer.receive(wire[:position])
        peer.eof()
        assert peer.connection.closed
        assert peer.rejected is None
        assert sum(seen.ended for seen in peer.seen) == sum(end <= position for end in whole)
        for seen in peer.seen[:-1]:
            assert seen.error is None
        if peer.seen and not peer.seen[-1].ended:
            assert peer.seen[-1].error is not None
            assert peer.seen[-1].error[0] is ClientDisconnected
        answers = list(responses(peer.sent, [seen.head.method for seen in peer.seen]))
        assert len(answers) == len(peer.seen)


def test_a_cut_body_behind_a_request_is_told_of_its_end() -> None:
    """The end of the input came while another request was served."""
    connection = connect()
    connection.receive_data(request() + post(b"hello")[:-2], 0.0)
    connection.receive_eof(0.0)
    connection.respond(200, (), None, b"")
    connection.exchange_done(0.0)
    assert connection.head is not None
    assert connection.inbound is not None
    assert take_all(connection.inbound) == [b"hel"]
    assert isinstance(connection.inbound.error, ClientDisconnected)


def test_a_client_that_only_ends_its_sending_still_gets_its_answers() -> None:
    connection = serving(request() + request(b"GET /2 HTTP/1.1"))
    connection.receive_eof(0.0)
    outbound = start(connection)
    outbound.write(b"a")
    assert connection.at_eof
    assert not connection.closed
    outbound.write(b"b")
    connection.finish(())
    connection.exchange_done(0.0)
    (event,) = connection.events()
    assert isinstance(event, RequestReceived)
    done(connection)
    assert connection.closed
    assert len(list(responses(sent(connection), ["GET", "GET"]))) == 2


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("first", ["end of input", "head"])
def test_after_a_cut_body_the_connection_closes_at_once(streamed: bool, first: str) -> None:
    """Nothing more can come, so nothing is waited for."""
    connection = serving(upload(b"1\r\nx"))
    if first == "end of input":
        connection.receive_eof(0.0)
    if streamed:
        outbound = start(connection)
        outbound.write(b"x")
    if first == "head":
        connection.receive_eof(0.0)
    if streamed:
        connection.finish(())
    else:
        respond(connection)
    connection.exchange_done(0.0)
    assert connection.closed
    assert len(list(responses(sent(connection), ["POST"]))) == 1


def test_an_end_of_input_while_a_body_is_drained_closes() -> None:
    connection = serving(post(b"hello")[:-1])
    done(connection)
    connection.receive_eof(0.0)
    assert connection.closed
    assert connection.next_deadline() is None


@pytest.mark.parametrize("how", ["lost", "lost for a reason", "aborted"])
def test_whoever_reads_or_writes_learns_that_the_peer_is_gone(how: str) -> None:
    connection = serving(upload(b"1\r\nx\r\n"))
    outbound = start(connection)
    outbound.write(b"hello")
    outbound.grant(10_000)
    for _ in range(3):
        outbound.write(b"ab")
    reason: EngineError | None = ResponseStateError("why") if how == "lost for a reason" else None
    if how == "aborted":
        connection.abort()
    else:
        connection.connection_lost(reason)
    expected = ResponseStateError if reason is not None else ClientDisconnected
    assert connection.inbound is not None
    assert take_all(connection.inbound) == [b"x"]
    assert isinstance(connection.inbound.error, expected)
    for attempt in (lambda: outbound.write(b"x"), lambda: outbound.write(b""), lambda: connection.finish(())):
        with pytest.raises(expected):
            attempt()
    assert outbound.sent == 11
    assert connection.aborted is (how == "aborted")
    assert connection.closed
    assert sent(connection) == b""
    connection.exchange_done(0.0)
    assert connection.closed
    assert connection.next_deadline() is None


def test_nothing_is_sent_to_a_peer_that_is_gone() -> None:
    connection = serving(request())
    connection.connection_lost()
    with pytest.raises(ClientDisconnected):
        start(connection).write(b"x")
    respond(connection)
    assert connection.responded
    assert sent(connection) == b""


def test_a_body_that_came_whole_can_be_read_though_its_sender_is_gone() -> None:
    connection = serving(post(b"hello"))
    connection.connection_lost()
    assert connection.inbound is not None
    assert take_all(connection.inbound) == [b"hello"]
    assert connection.inbound.ended
    assert connection.inbound.error is None


# ---- the ends of a connection ----


def test_a_last_answer_is_followed_by_a_bounded_read() -> None:
    """RFC 9112 §9.6: half a close, then what still comes is dropped, up to a limit."""
    connection = connect(SMALL)
    connection.receive_data(b"\0", 0.0)
    assert connection.half_close
    assert connection.reader is Reader.LINGER
    assert connection.want_read
    total = 0
    while not connection.closed:
        connection.receive_data(b"x", 0.0)
        total += 1
        assert held(connection) <= 1
    assert total == SMALL.linger_size + 1
    assert len(connection.events()) == 1
    assert not connection.want_read


def test_what_came_too_early_is_dropped_with_the_last_answer() -> None:
    connection = serving(request(b"GET / HTTP/1.1", b"Connection: close") + request())
    assert held(connection) > 0
    done(connection)
    assert held(connection) == 0
    assert connection.half_close


def test_a_close_that_leaves_nothing_unread_needs_no_linger() -> None:
    connection = serving(request(b"GET / HTTP/1.1", b"Connection: close"))
    done(connection)
    assert connection.closed
    assert not connection.half_close


def test_after_a_close_nothing_happens_any_more() -> None:
    ends: list[Callable[[Connection], None]] = [
        lambda connection: connection.receive_eof(0.0),
        lambda connection: connection.connection_lost(),
        lambda connection: connection.abort(),
        lambda connection: connection.shutdown(),
    ]
    for end, after in itertools.product(ends, ends):
        connection = connect(SMALL)
        end(connection)
        assert connection.closed
        after(connection)
        connection.receive_data(request(), 0.0)
        connection.handle_deadline(1e9)
        connection.exchange_done(1e9)
        connection.cut(1e9)
        assert connection.closed
        assert connection.next_deadline() is None
        assert connection.events() == []
        assert sent(connection) == b""
        assert held(connection) == 0


def _states() -> dict[str, tuple[Callable[[], Connection], bool]]:
    """A connection in each state, and whether it is idle, so that a shutdown closes it at once."""

    def after(wire: bytes, answered: bool = True) -> Connection:
        connection = serving(wire)
        if answered:
            done(connection)
        return connection

    def begun(wire: bytes) -> Connection:
        connection = connect(SMALL)
        if wire:
            connection.receive_data(wire, 0.0)
        return connection

    return {
        "new": (lambda: begun(b""), True),
        "between requests": (lambda: after(request()), True),
        "an empty line after a request": (lambda: after(request() + b"\r\n"), True),
        "in a head": (lambda: begun(b"GET /"), False),
        "in a second head": (lambda: after(request() + b"GET /"), False),
        "in a body": (lambda: after(post(b"hello")[:-1], answered=False), False),
        "serving": (lambda: after(request(), answered=False), False),
        "serving, more waiting": (lambda: after(request() + request(), answered=False), False),
        "draining": (lambda: after(post(b"hello")[:-1]), False),
        "lingering": (lambda: begun(b"\0"), False),
    }


STATES = _states()


@pytest.mark.parametrize("name", STATES)
def test_a_shutdown_closes_what_is_idle_and_lets_the_rest_end(name: str) -> None:
    make, idle = STATES[name]
    connection = make()
    assert connection.idle is idle
    connection.shutdown()
    assert connection.closed is idle
    if name.startswith("in a") and "body" not in name:
        connection.receive_data(b" HTTP/1.1\r\nHost: h\r\n\r\n", 0.0)
    if connection.head is not None:
        if name == "in a body":
            connection.receive_data(b"o", 0.0)
        sent(connection)
        done(connection)
        assert sent(connection).count(b"Connection: close") == 1
    connection.handle_deadline(100.0)
    connection.handle_deadline(200.0)
    assert connection.closed


def test_a_draining_connection_is_kept_for_one_more_request_that_is_told_so() -> None:
    """So no request is lost to a close that it crosses on the way."""
    for state in ("new", "between requests", "serving"):
        connection = STATES[state][0]()
        sent(connection)
        if state == "serving":
            start(connection).write(b"x")
        connection.shutdown(drain=True)
        assert not connection.closed
        if state == "serving":
            connection.finish(())
            connection.exchange_done(0.0)
            sent(connection)
        assert connection.idle
        connection.receive_data(request(), 0.0)
        done(connection)
        assert b"\r\nConnection: close\r\n" in sent(connection)
        assert connection.half_close


@pytest.mark.parametrize("drain_first", [True, False])
def test_a_shutdown_goes_before_a_drain(drain_first: bool) -> None:
    """Whichever comes first."""
    idle = STATES["between requests"][0]()
    busy = serving(post(b"hello")[:-1])
    done(busy)
    for connection in (idle, busy):
        connection.shutdown(drain=drain_first)
        connection.shutdown(drain=not drain_first)
    busy.receive_data(b"o", 0.0)
    assert idle.closed
    assert busy.closed


def test_a_shutdown_while_a_body_is_drained_closes_with_its_end() -> None:
    """But a request that came before is served, and told that it is the last."""
    for behind in (b"", request()):
        connection = serving(post(b"hello")[:-1])
        done(connection)
        sent(connection)
        connection.shutdown()
        assert not connection.closed
        connection.receive_data(b"o" + behind, 0.0)
        assert connection.closed is (behind == b"")
        if behind:
            done(connection)
            assert b"Connection: close" in sent(connection)


@pytest.mark.parametrize("name", STATES)
@pytest.mark.parametrize("aborted", [True, False])
def test_a_loss_ends_everything_in_every_state(name: str, aborted: bool) -> None:
    """At once, for good, and with no deadline left."""
    connection = STATES[name][0]()
    connection.deadlines.stalled(0.0, True)
    if aborted:
        connection.abort()
    else:
        connection.connection_lost()
    for now in (0.0, 100.0, 200.0):
        assert connection.closed
        assert connection.next_deadline() is None
        assert sent(connection) == b""
        connection.handle_deadline(now)
        connection.exchange_done(now)
        connection.receive_data(request(), now)


def test_a_shutdown_closes_after_the_answer_that_is_on_its_way() -> None:
    """A head that has already promised to keep the connection does not keep it."""
    connection = serving(request() + request(b"GET /2 HTTP/1.1"))
    start(connection).write(b"x")
    connection.shutdown()
    connection.finish(())
    connection.exchange_done(0.0)
    assert connection.half_close
    assert connection.events() == []
    (response,) = responses(sent(connection), ["GET"])
    assert response.whole


def test_a_rejection_is_told_once_and_is_the_last_thing() -> None:
    connection = connect(SMALL)
    for piece in bytewise(b"\0" + request()):
        connection.receive_data(piece, 0.0)
    (event,) = connection.events()
    assert isinstance(event, RequestRejected)
    (response,) = responses(sent(connection), ["GET"])
    assert response.status == event.status == 400
    assert response.body == f"{event.status}: {event.reason}\n".encode()
    connection.receive_eof(0.0)
    assert connection.closed


def test_the_end_of_input_may_come_with_the_rejection() -> None:
    connection = serving(request() + b"\0")
    connection.receive_eof(0.0)
    done(connection)
    assert connection.closed
    assert [response.status for response in responses(sent(connection), ["GET", "GET"])] == [200, 400]


def test_the_answers_to_good_requests_go_before_that_to_a_bad_one() -> None:
    connection = serving(request() + request(b"GET /2 HTTP/1.1") + b"\0")
    for _ in range(2):
        done(connection)
    assert [response.status for response in responses(sent(connection), ["GET"] * 3)] == [200, 200, 400]


def test_a_queue_is_taken_once() -> None:
    connection = serving(request())
    respond(connection)
    assert connection.data_to_send() != []
    assert connection.data_to_send() == []


def test_a_head_larger_than_a_read_is_gathered_and_given_back() -> None:
    """Nothing of a request is held once it has been served."""
    connection = connect(Limits())
    wire = request(b"POST / HTTP/1.1", b"X: " + b"y" * 30_000, CHUNKED, body=chunks(b"x" * 5000))
    for piece in cut(wire, *range(1000, len(wire), 1000)):
        connection.receive_data(piece, 0.0)
    assert len(connection.events()) == 1
    done(connection)
    assert connection.idle
    assert held(connection) == 0
    assert gathered(connection) == b""


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
