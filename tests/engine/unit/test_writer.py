"""The writing side: which responses have which bytes, and what a handler may not write."""

from __future__ import annotations

import pytest

from streamcompat_engine import (
    BodyLengthError,
    Fields,
    InvalidHeader,
    ResponseStateError,
)
from streamcompat_engine.events import RequestReceived
from streamcompat_engine.http1.states import Ending, Reader
from tests.support.responses import responses
from tests.support.wire import (
    CONTINUE,
    EXPECTING,
    connect,
    done,
    post,
    request,
    respond,
    sent,
    serving,
    start,
    upload,
)

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
    connection.writer.finish(())
    (response,) = responses(sent(connection), ["POST"])
    assert response.informational == [100]
    assert response.body == b"x"


def test_a_client_that_was_not_told_to_go_on_is_not_waited_for() -> None:
    """RFC 9110 §10.1.1: without a 100 nobody knows whether the body will come, so the connection ends."""
    connection = serving(EXPECTING)
    done(connection)
    (response,) = responses(sent(connection), ["POST"])
    assert response.field(b"connection") == [b"close"]
    assert connection.ending is Ending.HALF_CLOSE
    connection.receive_data(b"GET /", 0.0)
    assert connection.events() == []


# ---- HEAD, 204, 205, 304, HTTP/1.0 ----


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", 200), ("GET", 204), ("GET", 205), ("GET", 304), ("HEAD", 404), ("HEAD", 204)],
)
def test_a_response_without_a_body_has_none(method: str, status: int, streamed: bool) -> None:
    """Whatever is written; and the connection is kept, so that nothing may be left between two responses."""
    connection = serving(request(f"{method} / HTTP/1.1".encode()) + request())
    if streamed:
        outbound = start(connection, status)
        outbound.write(b"not")
        outbound.write(b"sent")
        connection.writer.finish(((b"T", b"v"),))
    else:
        respond(connection, b"not sent", status)
    connection.exchange_done(0.0)
    done(connection)
    first, second = responses(sent(connection), [method, "GET"])
    assert (first.status, first.body, first.complete) == (status, b"", True)
    assert (second.status, second.body) == (200, b"ok")
    if status == 205:  # RFC 9110 §15.3.6
        assert first.field(b"content-length") == [b"0"]
        assert first.field(b"transfer-encoding") == []
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
                connection.writer.finish(())
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
        connection.writer.finish(((b"T", b"v"),))
    connection.exchange_done(0.0)
    kept = asked and kind != "until close"
    wire = sent(connection)
    assert wire.partition(b"\r\n\r\n")[2] == b"hello"
    assert (b"\r\nConnection: keep-alive\r\n" in wire) is kept
    assert (b"\r\nConnection: close\r\n" in wire) is not kept
    assert [type(event) for event in connection.events()] == [RequestReceived] * kept
    assert (connection.ending is Ending.HALF_CLOSE) is not kept


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
    assert not connection.writer.responded
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
            stale.finish()
        if not connection.writer.responded:
            connection.writer.finish(())
        (response,) = responses(sent(connection), ["GET"])
        assert response.status == 500


def test_a_response_is_begun_once_and_ended_once() -> None:
    connection = serving(request())
    with pytest.raises(ResponseStateError):
        connection.writer.finish(())
    start(connection).write(b"x")
    with pytest.raises(ResponseStateError):
        start(connection)
    with pytest.raises(ResponseStateError):
        respond(connection)
    connection.writer.finish(())
    for again in (
        lambda: start(connection),
        lambda: respond(connection),
        lambda: connection.writer.finish(()),
    ):
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
            connection.writer.finish(((name, b"5"),))
    connection.writer.finish(((b"Fine", b"1"),))
    assert connection.writer.responded


def test_forbidden_trailers_are_an_error_and_the_response_can_still_end() -> None:
    connection = serving(request())
    start(connection).write(b"x")
    with pytest.raises(InvalidHeader):
        connection.writer.finish(((b"Content-Length", b"5"),))
    connection.writer.finish(((b"Fine", b"1"),))
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
        assert (response.body, response.complete) == (b"hello", False)
        assert connection.ending is Ending.HALF_CLOSE
    else:
        assert wire.endswith(b"hello")
        assert connection.ending is Ending.RESET  # the only way to tell it
    with pytest.raises(ResponseStateError):
        outbound.write(b"late")
    assert sent(connection) == b""


def test_cutting_a_whole_response_does_not_damage_it() -> None:
    for version in (b"1.0", b"1.1"):
        connection = serving(request(b"GET / HTTP/" + version))
        start(connection).write(b"hello")
        connection.writer.finish(())
        connection.cut(0.0)
        connection.exchange_done(0.0)
        (response,) = responses(sent(connection), ["GET"])
        assert response.complete
        assert connection.ending is not Ending.RESET


def test_a_response_that_was_given_up_lingers_from_then_on() -> None:
    """And not from the later moment when its application returns."""
    connection = serving(upload(b""))
    start(connection).write(b"x")
    connection.cut(10.0)
    assert connection.inbound is not None
    assert isinstance(connection.inbound.error, ResponseStateError)  # whoever still reads is told
    assert connection.next_deadline() == 15.0
    connection.exchange_done(11.0)
    assert connection.next_deadline() == 15.0
    connection.handle_deadline(15.0)
    assert connection.closed
