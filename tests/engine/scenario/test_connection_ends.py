"""How a connection ends: by the client, by the server, and after its last answer."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from streamcompat_engine import (
    ClientDisconnected,
    EngineError,
    Limits,
    ResponseStateError,
)
from streamcompat_engine.events import RequestReceived, RequestRejected
from streamcompat_engine.http1.connection import Connection
from streamcompat_engine.http1.states import Ending, Reader
from tests.support.responses import responses
from tests.support.wire import (
    CHUNKED,
    SMALL,
    Peer,
    bytewise,
    chunks,
    connect,
    cut,
    done,
    gathered,
    held,
    post,
    request,
    respond,
    sent,
    serving,
    start,
    take_all,
    upload,
)

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
    connection.writer.finish(())
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
        connection.writer.finish(())
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
    for attempt in (
        lambda: outbound.write(b"x"),
        lambda: outbound.write(b""),
        lambda: connection.writer.finish(()),
    ):
        with pytest.raises(expected):
            attempt()
    assert outbound.sent == 11
    assert (connection.ending is Ending.ABORT) is (how == "aborted")
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
    assert connection.writer.responded
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
    assert connection.ending is Ending.HALF_CLOSE
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
    assert connection.ending is Ending.HALF_CLOSE


def test_a_close_that_leaves_nothing_unread_needs_no_linger() -> None:
    connection = serving(request(b"GET / HTTP/1.1", b"Connection: close"))
    done(connection)
    assert connection.closed
    assert connection.ending is not Ending.HALF_CLOSE


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
            connection.writer.finish(())
            connection.exchange_done(0.0)
            sent(connection)
        assert connection.idle
        connection.receive_data(request(), 0.0)
        done(connection)
        assert b"\r\nConnection: close\r\n" in sent(connection)
        assert connection.ending is Ending.HALF_CLOSE


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
    connection.writer.finish(())
    connection.exchange_done(0.0)
    assert connection.ending is Ending.HALF_CLOSE
    assert connection.events() == []
    (response,) = responses(sent(connection), ["GET"])
    assert response.complete


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
    assert connection.writer.data_to_send() != []
    assert connection.writer.data_to_send() == []


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
