"""What the bytes of one peer cost on a WebSocket: each turn of the loop a bounded work, and all of it little.

Work is counted in function calls and in bytes of messages, not in seconds, so no busy machine can fail this.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType

from streamcompat_engine import WebSocketSettings, accept, read_handshake
from streamcompat_engine.http1.heads import parse_head
from tests.support.counting import calls
from tests.support.floods import FLOODS, MIB, READ, SHORT_READ, Flood, deflated, full
from tests.support.frames import BINARY, CONTINUATION, PING, TEXT, Opened, frame, handshake, text

UNLIMITED = WebSocketSettings(message_size=None, waiting_messages=None, waiting_bytes=None)
MOST_CALLS = 6_000
"""Function calls in one turn of the loop: about 1 ms."""
MOST_BYTES = 1024 * 1024 + 512 * 1024
"""Bytes of messages that one turn takes out of compressed ones."""


def opened(settings: WebSocketSettings) -> Opened:
    """One that has agreed to compression."""
    offered = read_handshake(parse_head(handshake("Sec-WebSocket-Extensions: permessage-deflate")))
    return Opened(settings, accept(offered, None, True, settings.message_size))


class Turns:
    """Receives, and takes the messages as a handler does that is never slow; counts what each turn costs."""

    def __init__(self, settings: WebSocketSettings) -> None:
        self.peer = opened(settings)
        self.messages: list[str | bytes] = []
        self.costs: list[int] = []
        self.sizes: list[int] = []
        self._asked = False
        self.peer.websocket.later = self._later

    def _later(self) -> None:
        assert not self._asked
        self._asked = True

    def receive(self, wire: bytes) -> None:
        websocket = self.peer.websocket
        self._turn(lambda: websocket.receive_data(wire, 0.0))
        while self._asked:
            self._asked = False
            websocket.go_on()
            self._turn(lambda: websocket.resumed(0.0))

    def _turn(self, begin: object) -> None:
        websocket, before = self.peer.websocket, len(self.messages)

        def work() -> None:
            assert callable(begin)
            begin()
            while (message := websocket.take()) is not None:
                self.messages.append(message)
                websocket.resumed(0.0)

        self.costs.append(calls(work))
        self.sizes.append(sum(map(len, self.messages[before:])))


@pytest.mark.parametrize("limits", [WebSocketSettings(), UNLIMITED], ids=["limits", "no limits"])
@pytest.mark.parametrize("flood", FLOODS.values(), ids=FLOODS)
@pytest.mark.parametrize("read", [SHORT_READ, pytest.param(READ, marks=pytest.mark.long)])
def test_no_turn_of_the_loop_takes_more_than_its_share(
    flood: Flood, limits: WebSocketSettings, read: int
) -> None:
    turns, wire = Turns(limits), full(flood.unit, read)
    if flood.closes:
        turns.peer.websocket.close(1000, "")
    if flood.before:
        turns.receive(flood.before)
    turns.receive(wire)
    assert turns.peer.websocket.failure is None
    assert len(turns.messages) == len(wire) // len(flood.unit) * flood.each
    assert max(turns.costs) < MOST_CALLS
    assert max(turns.sizes) < MOST_BYTES


@given(st.lists(st.sampled_from([*FLOODS.values()]), min_size=2, max_size=4), st.integers(1, 400))
def test_nor_does_any_mixture(floods: list[Flood], count: int) -> None:
    """Of whole frames, some of each flood in turns."""
    wires = [flood.unit * count for flood in floods if not flood.before and not flood.closes]
    turns = Turns(WebSocketSettings())
    turns.receive(b"".join(wires)[: 16 * 1024])
    assert turns.peer.websocket.failure is None
    assert max(turns.costs) < MOST_CALLS
    assert max(turns.sizes) < MOST_BYTES


def _alone(wires: list[bytes]) -> None:
    """By wsproto alone, as its documentation shows."""
    connection = Connection(ConnectionType.SERVER)
    for wire in wires:
        connection.receive_data(wire)
        for _ in connection.events():
            pass


@pytest.mark.parametrize("size", [0, 1, 10, 125, 126, 5000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("frames", [2, 3, 10, 1000])
def test_fragments_cost_at_most_twice_what_they_cost_wsproto(opcode: int, size: int, frames: int) -> None:
    frames = min(frames, MIB // max(size, 1))  # more of them cost the same each
    message = frame(opcode, b"x" * size, fin=False)
    message += frame(CONTINUATION, b"x" * size, fin=False) * (frames - 2) + frame(CONTINUATION)
    wire = message * max(8192 // len(message), 1)
    peer = Opened(UNLIMITED)
    assert calls(lambda: peer.receive(wire)) <= 2 * calls(lambda: _alone([wire]))


def test_a_ping_among_the_fragments_does_not_make_them_dear() -> None:
    wire = (frame(TEXT, b"x", fin=False) + frame(PING) + frame(CONTINUATION, b"x")) * 400
    peer = Opened(UNLIMITED)
    assert calls(lambda: peer.receive(wire)) <= 2 * calls(lambda: _alone([wire]))


def test_the_work_grows_with_the_bytes_and_not_faster() -> None:
    for wire in (text("x"), frame(PING), frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x")):
        once, twice = Turns(UNLIMITED), Turns(UNLIMITED)
        once.receive(wire * 500)
        twice.receive(wire * 1000)
        assert sum(twice.costs) < 2.1 * sum(once.costs)


def test_a_bomb_after_our_close_is_not_inflated() -> None:
    peer = opened(WebSocketSettings())
    peer.websocket.close(1000, "")
    bomb = frame(BINARY, deflated(bytes(MIB)), rsv=4) * 50
    assert calls(lambda: peer.receive(bomb)) < 20 * 50
