"""The table of a connection's states: each of its steps is taken, and the connection knows no other."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from streamcompat_engine import ClientDisconnected, Timeouts, WebSocket, WebSocketSettings, accept
from streamcompat_engine.exchange import response
from streamcompat_engine.http1.connection import Connection
from streamcompat_engine.http1.states import TRANSITIONS, Reader, Step
from streamcompat_engine.websocket.handshake import read_handshake
from tests.support.wire import DATE, SMALL, chunks, done, no_wait, post, request, upload

HEAD, BODY, DRAIN, AHEAD, SWITCHED, LINGER, CLOSED = Reader
UPGRADE = (
    b"Connection: Upgrade",
    b"Upgrade: websocket",
    b"Sec-WebSocket-Version: 13",
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


class Recorded(Connection):
    """A connection that notes the steps that it takes."""

    __slots__ = ("taken",)

    def __init__(self) -> None:
        self.taken: list[tuple[Reader, Step]] = []
        super().__init__(SMALL, Timeouts(), 0.0, lambda: ((b"Date", DATE),))

    def _move(self, step: Step) -> None:
        self.taken.append((self.reader, step))
        super()._move(step)


def served(wire: bytes) -> Recorded:
    connection = Recorded()
    connection.receive_data(wire, 0.0)
    connection.events()
    return connection


def left(wire: bytes) -> Recorded:
    """A connection whose application has answered without reading the body."""
    connection = served(wire)
    done(connection)
    return connection


def switched() -> Recorded:
    connection = served(request(b"GET / HTTP/1.1", *UPGRADE))
    assert connection.head is not None
    accepted = accept(read_handshake(connection.head), None, False, None)
    connection.switch(WebSocket(accepted, WebSocketSettings()), accepted.fields, no_wait, 0.0)
    return connection


def then(connection: Recorded, *actions: Callable[[Recorded], object]) -> Recorded:
    for act in actions:
        act(connection)
    return connection


def gets(data: bytes) -> Callable[[Recorded], object]:
    return lambda connection: connection.receive_data(data, 0.0)


def eof(connection: Recorded) -> None:
    connection.receive_eof(0.0)


def lost(connection: Recorded) -> None:
    connection.connection_lost(ClientDisconnected())


def close_websocket(connection: Recorded) -> None:
    connection.receive_data(b"\x88\x82\0\0\0\0\x03\xe8", 0.0)


PART = request(b"POST / HTTP/1.1", b"Content-Length: 100", body=b"x")
WALKS: dict[tuple[Reader, Step], Callable[[], Recorded]] = {
    (HEAD, Step.BODY_FOLLOWS): lambda: served(PART),
    (HEAD, Step.NO_BODY): lambda: served(request()),
    (HEAD, Step.LAST_ANSWER): lambda: served(b"no HTTP\r\n\r\n"),
    (HEAD, Step.ENDS): lambda: then(Recorded(), eof),
    (BODY, Step.BODY_ENDS): lambda: served(post(b"x")),
    (BODY, Step.BODY_BREAKS): lambda: served(upload(b"no chunk\r\n")),
    (BODY, Step.LEFT): lambda: left(PART),
    (BODY, Step.LAST_ANSWER): lambda: left(request(b"POST / HTTP/1.1", b"Content-Length: 1000")),
    (BODY, Step.ENDS): lambda: then(served(PART), lost),
    (DRAIN, Step.BODY_ENDS): lambda: then(left(PART), gets(b"x" * 99)),
    (DRAIN, Step.BODY_BREAKS): lambda: then(left(upload(b"1\r\nx")), gets(b"no end")),
    (DRAIN, Step.LAST_ANSWER): lambda: then(left(upload(chunks(b"x")[:-5])), gets(b"200\r\n" + b"x" * 300)),
    (DRAIN, Step.ENDS): lambda: then(left(PART), eof),
    (AHEAD, Step.NEXT): lambda: left(request()),
    (AHEAD, Step.SWITCHES): switched,
    (AHEAD, Step.LAST_ANSWER): lambda: then(
        served(request()), lambda connection: connection.shutdown(), done
    ),
    (AHEAD, Step.ENDS): lambda: left(request(b"GET / HTTP/1.1", b"Connection: close")),
    (SWITCHED, Step.LAST_ANSWER): lambda: then(switched(), close_websocket),
    (SWITCHED, Step.ENDS): lambda: then(switched(), lost),
    (LINGER, Step.LAST_ANSWER): lambda: left(upload(b"no chunk\r\n")),
    (LINGER, Step.ENDS): lambda: then(served(b"no HTTP\r\n\r\n"), eof),
    (CLOSED, Step.ENDS): lambda: then(Recorded(), eof, lost),
}


def test_every_step_of_the_table_has_a_walk() -> None:
    assert WALKS.keys() == {(state, step) for state, steps in TRANSITIONS.items() for step in steps}


@pytest.mark.parametrize("step", WALKS, ids=lambda step: f"{step[0].name}-{step[1].name}")
def test_a_walk_takes_its_step(step: tuple[Reader, Step]) -> None:
    assert step in WALKS[step]().taken


def test_every_state_can_be_reached_and_only_the_last_is_an_end() -> None:
    assert {end for steps in TRANSITIONS.values() for end in steps.values()} == set(Reader)
    assert [state for state, steps in TRANSITIONS.items() if set(steps.values()) == {state}] == [CLOSED]


def test_a_step_that_the_table_does_not_have_is_a_fault() -> None:
    with pytest.raises(KeyError):
        Recorded()._move(Step.SWITCHES)


def test_the_states_of_a_response_lead_to_an_end() -> None:
    ends = {state for state, after in response.TRANSITIONS.items() if not after}
    assert ends == {response.FINISHED, response.CUT, response.REPLACED}
    reached = {response.IDLE}
    for _ in response.State:
        reached |= {after for state in reached for after in response.TRANSITIONS[state]}
    assert reached == set(response.State)
