"""One WebSocket with no loop, no socket and no clock."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import WebSocketSettings, check_close
from tests.support.counting import calls
from tests.support.frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    Opened,
    close,
    closing,
    frame,
    frames,
    text,
)
from tests.support.wire import bytewise, cut

SMALL = WebSocketSettings(message_size=1000, waiting_messages=4, waiting_bytes=500)


# ---- messages ----


def test_a_message_comes_as_it_was_sent() -> None:
    peer = Opened()
    peer.receive(text("héllo") + frame(BINARY, b"\x00\xff") + text("") + frame(BINARY))
    assert peer.messages() == ["héllo", b"\x00\xff", "", b""]
    assert peer.sent() == []


def test_the_frames_of_a_message_are_joined_and_control_frames_between_them_are_answered() -> None:
    peer = Opened()
    peer.receive(
        frame(TEXT, "é".encode()[:1], fin=False),
        frame(PING, b"one"),
        frame(CONTINUATION, "é".encode()[1:], fin=False),
        frame(CONTINUATION, b"", fin=False),
        frame(PONG, b"nobody asked"),
        frame(CONTINUATION, b"!"),
    )
    assert peer.messages() == ["é!"]
    assert peer.sent() == [Frame(PONG, b"one")]


def test_what_is_sent_is_one_frame_without_a_mask() -> None:
    websocket = Opened().websocket
    wire = websocket.message("é") + websocket.message(b"x" * 70_000) + websocket.message("")
    assert frames(wire) == [Frame(TEXT, "é".encode()), Frame(BINARY, b"x" * 70_000), Frame(TEXT)]


_messages = st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=300)), max_size=6)


@given(
    _messages,
    st.lists(st.integers(0, 600), max_size=20),
    st.lists(st.integers(0, 3000), max_size=8),
    st.binary(max_size=125),
)
def test_no_cut_changes_what_is_seen(
    messages: list[str | bytes], parts: list[int], positions: list[int], ping: bytes
) -> None:
    """However a message is put into frames and those into reads, it is the same message."""
    wire = b""
    pings = 0
    for message in messages:
        data = message.encode() if isinstance(message, str) else message
        pieces = cut(data, *parts) or [b""]
        for index, piece in enumerate(pieces):
            opcode = CONTINUATION if index else TEXT if isinstance(message, str) else BINARY
            wire += frame(opcode, piece, fin=index == len(pieces) - 1) + frame(PING, ping)
            pings += 1
    peer = Opened(WebSocketSettings(waiting_messages=None, waiting_bytes=None))
    peer.receive(*cut(wire, *positions))
    assert peer.messages() == messages
    assert peer.sent() == [Frame(PONG, ping)] * pings if pings < 64 else True


@given(st.binary(max_size=60), st.lists(st.integers(0, 60), max_size=5))
def test_any_bytes_are_messages_or_one_failure(data: bytes, positions: list[int]) -> None:
    """And a verdict depends on the bytes alone."""
    seen = []
    for pieces in ([data] if data else [], cut(data, *positions), bytewise(data)):
        peer = Opened()
        peer.receive(*pieces)
        sent = peer.sent()
        assert len([one for one in sent if one.opcode == CLOSE]) <= 1
        websocket = peer.websocket
        assert websocket.failure is None or websocket.closed
        seen.append((peer.messages(), [one.payload[:2] for one in sent], websocket.closed, websocket.code))
    assert seen[0] == seen[1] == seen[2]


def test_every_cut_of_a_session_in_two_and_in_bytes() -> None:
    wire = (
        text("héllo", fin=False)
        + frame(PING, b"p")
        + frame(CONTINUATION, "wörld".encode())
        + frame(BINARY, bytes(200))
        + frame(PONG)
        + close(3000, "tschüß".encode())
        + text("too late")
    )
    for pieces in [*([wire[:at], wire[at:]] for at in range(1, len(wire))), bytewise(wire)]:
        peer = Opened()
        peer.receive(*pieces)
        assert peer.messages() == ["héllowörld", bytes(200)]
        assert peer.sent() == [Frame(PONG, b"p"), closing(3000, "tschüß".encode())]
        assert (peer.websocket.code, peer.websocket.reason) == (3000, "tschüß")
        assert peer.websocket.closed and peer.websocket.failure is None


# ---- bounds ----


@pytest.mark.parametrize("read", [1, 7, 5000])
@pytest.mark.parametrize("fragment", [1, 100, 1001])
def test_a_message_beyond_the_limit_is_1009(read: int, fragment: int) -> None:
    peer = Opened(SMALL)
    data = b"x" * 1001
    pieces = [data[start : start + fragment] for start in range(0, len(data), fragment)]
    wire = b"".join(
        frame(CONTINUATION if index else BINARY, piece, fin=index == len(pieces) - 1)
        for index, piece in enumerate(pieces)
    )
    peer.receive(*(wire[start : start + read] for start in range(0, len(wire), read)))
    (sent,) = peer.sent()
    assert sent.payload[:2] == (1009).to_bytes(2, "big")
    assert peer.websocket.closed and peer.websocket.code == 1009
    assert peer.messages() == []


def test_a_message_of_the_limit_is_taken_and_text_counts_in_bytes() -> None:
    peer = Opened(SMALL)
    peer.receive(frame(BINARY, bytes(1000)))
    assert peer.messages() == [bytes(1000)]
    peer.receive(text("é" * 500))
    assert peer.messages() == ["é" * 500]
    peer.receive(text("é" * 500 + "x"))
    assert peer.websocket.failure is not None and peer.websocket.failure[0] == 1009


def test_a_length_that_nobody_could_send_is_no_memory() -> None:
    peer = Opened()
    tracemalloc.start()
    peer.receive(frame(BINARY, b"x", length=b"\x7f" + (2**62).to_bytes(8, "big")))
    held = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert held < 100_000 and not peer.websocket.closed


def test_a_message_in_tiny_frames_takes_no_more_memory_than_another() -> None:
    peer = Opened(WebSocketSettings(message_size=None))
    wire = frame(CONTINUATION, b"xy", fin=False) * 4_000
    peer.receive(frame(TEXT, fin=False))
    tracemalloc.start()
    peer.receive(wire)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 80_000
    peer.receive(frame(CONTINUATION))
    assert peer.messages() == ["xy" * 4_000]


def test_reading_pauses_when_many_messages_wait_and_goes_on_when_half_are_taken() -> None:
    websocket = (peer := Opened(SMALL)).websocket
    peer.receive(b"".join(text(str(number)) for number in range(6)))
    assert not websocket.want_read
    assert websocket.take() == "0"
    websocket.resumed(0.0)
    assert not websocket.want_read  # three are more than half of four
    assert websocket.take() == "1"
    websocket.resumed(0.0)  # brings the two that were left as bytes, and so fills it again
    assert not websocket.want_read
    assert [websocket.take() for _ in range(4)] == ["2", "3", "4", "5"]
    websocket.resumed(0.0)
    assert websocket.want_read and websocket.take() is None


def test_reading_pauses_when_long_messages_wait() -> None:
    websocket = (peer := Opened(SMALL)).websocket
    peer.receive(frame(BINARY, bytes(501)) + frame(PING, b"later"))
    assert not websocket.want_read and peer.sent() == []
    assert websocket.take() == bytes(501)
    websocket.resumed(0.0)
    assert websocket.want_read and peer.sent() == [Frame(PONG, b"later")]


def test_one_waiting_message_may_be_all() -> None:
    websocket = (peer := Opened(WebSocketSettings(waiting_messages=1))).websocket
    peer.receive(text("a") + text("b"))
    assert not websocket.want_read and websocket.take() == "a"
    websocket.resumed(0.0)
    assert not websocket.want_read and websocket.take() == "b"
    websocket.resumed(0.0)
    assert websocket.want_read


def test_a_flood_of_pings_to_which_nobody_listens_is_bounded() -> None:
    """RFC 6455 §5.5.3: only the most recent has to be answered."""
    peer = Opened()
    for number in range(10_000):
        peer.receive(frame(PING, b"%d" % number))
    sent = peer.sent()
    assert len(sent) <= 65
    assert sent[0] == Frame(PONG, b"0") and sent[-1] == Frame(PONG, b"9999")


@pytest.mark.parametrize(
    "flood",
    [
        frame(PING, b"p") * 1000,
        frame(PONG) * 1000,
        frame(BINARY, b"x", fin=False) + frame(CONTINUATION, fin=False) * 998 + frame(CONTINUATION),
    ],
    ids=["pings", "pongs", "fragments"],
)
def test_a_flood_of_frames_is_taken_in_turns(flood: bytes) -> None:
    """Each frame costs much more than its bytes, and nobody else has a turn meanwhile."""
    turns: list[str] = []
    websocket = (peer := Opened()).websocket
    websocket.later = lambda: turns.append("asked")
    peer.receive(flood + text("last"))
    count = 0
    while turns:
        assert turns == ["asked"] and not websocket.want_read and not peer.messages()
        websocket.resumed(0.0)  # a message was taken, which is no turn of the loop
        assert turns == ["asked"]
        turns.clear()
        websocket.go_on()
        websocket.resumed(0.0)
        count += 1
    assert count >= 5
    assert websocket.want_read and peer.messages()[-1] == "last"


def test_what_comes_after_our_close_is_dropped_unread() -> None:
    """Also what is compressed or cut anywhere, and as cheap as it can be; wsproto only sees the Close."""
    wire = (text("x") * 500 + frame(TEXT, b"x", fin=False)) + frame(CONTINUATION, bytes(5000)) * 20
    peer = Opened()
    peer.receive(frame(BINARY, b"begun", fin=False))
    peer.websocket.close(1000, "")
    pieces = cut(wire, *range(50, len(wire), 1001))
    assert calls(lambda: peer.receive(*pieces)) < 12 * 521 + 40 * len(pieces)
    assert not peer.websocket.closed and peer.messages() == []
    peer.receive(frame(CONTINUATION, b"of a message that nobody knows") + close(1000))
    assert peer.websocket.closed and peer.websocket.failure is None


@pytest.mark.parametrize(
    "broken",
    [
        frame(3),
        frame(TEXT, b"a", rsv=4),
        frame(TEXT, b"a", rsv=2),
        frame(TEXT, b"a", mask=None),
        frame(BINARY, b"a", length=b"\x7e\x00\x01"),
        frame(BINARY, b"a", length=b"\x7f" + (1 << 63).to_bytes(8, "big")),
        frame(PING, bytes(126)),
    ],
)
def test_what_is_broken_after_our_close_is_the_end(broken: bytes) -> None:
    peer = Opened()
    peer.websocket.close(1000, "")
    peer.receive(text("dropped") + broken)
    assert peer.websocket.closed and peer.sent() == [closing(1000)]


def test_a_close_in_the_middle_of_a_flood_is_the_end_of_it() -> None:
    turns: list[str] = []
    websocket = (peer := Opened()).websocket
    websocket.later = lambda: turns.append("asked")
    peer.receive(frame(PING) * 200 + close(1000) + frame(PING) * 200)
    assert not websocket.closed
    websocket.go_on()
    websocket.resumed(0.0)
    assert (websocket.code, turns) == (1000, ["asked"])
    assert peer.sent()[-1] == closing(1000)


# ---- pings of our own ----


def test_a_pong_answers_its_ping_and_those_before_it() -> None:
    websocket = (peer := Opened()).websocket
    first, wire = websocket.ping(None)
    assert frames(wire) == [Frame(PING, first)]
    second, _ = websocket.ping(b"second")
    third, _ = websocket.ping(None)
    assert len({first, second, third}) == 3
    peer.receive(frame(PONG, b"unknown"))
    assert list(websocket.pings) == [first, second, third]
    peer.receive(frame(PONG, b"second"))
    assert list(websocket.pings) == [third]


def test_a_ping_that_cannot_be_sent() -> None:
    websocket = Opened().websocket
    websocket.ping(b"same")
    with pytest.raises(ValueError, match="waits for its answer"):
        websocket.ping(b"same")
    for tell in (websocket.ping, websocket.pong):
        with pytest.raises(ValueError, match="125"):
            tell(bytes(126))
    assert list(websocket.pings) == [b"same"]


# ---- the end ----


@pytest.mark.parametrize(
    ("wire", "code", "reason"),
    [
        (close(1000), 1000, ""),
        (close(1001, b"bye"), 1001, "bye"),
        (close(None), 1005, ""),
        (close(4999, "é".encode()), 4999, "é"),
    ],
)
def test_a_close_is_answered_with_its_code_and_ends_all(wire: bytes, code: int, reason: str) -> None:
    websocket = (peer := Opened()).websocket
    peer.receive(text("before") + wire + text("after") + close(4000))
    assert peer.sent() == [closing(None if code == 1005 else code, reason.encode())]
    assert (websocket.code, websocket.reason) == (code, reason)
    assert websocket.closed and not websocket.open
    assert peer.messages() == ["before"]
    peer.receive(text("after"))
    assert peer.messages() == [] and peer.sent() == []


def test_our_close_waits_for_the_peers_and_drops_what_comes_before_it() -> None:
    websocket = (peer := Opened(SMALL)).websocket
    peer.receive(b"".join(text(str(number)) for number in range(6)))
    websocket.close(1001, "bye")
    websocket.close(4000, "too late")
    websocket.resumed(5.0)
    assert peer.sent() == [closing(1001, b"bye")]
    assert websocket.closing and not websocket.closed and websocket.want_read
    peer.receive(text("x" * 900), frame(PING, b"unheard"), close(1001))
    assert websocket.closed and websocket.code == 1001 and peer.sent() == []
    assert peer.messages() == ["0", "1", "2", "3"]  # that came before


def test_our_close_may_have_no_code() -> None:
    websocket = (peer := Opened()).websocket
    websocket.close(1005, "")
    assert peer.sent() == [closing(None)]


def test_a_peer_that_does_not_answer_our_close_is_left() -> None:
    websocket = (peer := Opened(WebSocketSettings(close_timeout=3))).websocket
    websocket.close(1000, "")
    websocket.resumed(5.0)
    assert websocket.next_deadline() == 8.0
    peer.receive(text("talking on"), now=7.0)
    websocket.handle_deadline(7.9)
    assert not websocket.closed
    websocket.handle_deadline(8.0)
    assert websocket.closed and websocket.code == 1006
    assert websocket.next_deadline() is None


def test_an_error_after_our_close_is_not_answered_with_another() -> None:
    websocket = (peer := Opened()).websocket
    websocket.close(1000, "")
    peer.receive(frame(3))
    assert peer.sent() == [closing(1000)]
    assert websocket.closed and websocket.code == 1006


def test_the_end_of_the_connection_is_1006_unless_there_was_a_close() -> None:
    peer = Opened()
    peer.receive(text("a"))
    peer.websocket.connection_lost()
    assert peer.websocket.closed and peer.websocket.code == 1006 and peer.sent() == []
    assert peer.messages() == ["a"]
    peer = Opened()
    peer.receive(close(1001))
    peer.websocket.connection_lost()
    assert peer.websocket.code == 1001


@pytest.mark.parametrize("code", [999, 1004, 1006, 1015, 1016, 2999, 5000, 0, -1])
def test_a_code_that_may_not_be_sent(code: int) -> None:
    with pytest.raises(ValueError, match="not a close code"):
        check_close(code, "")


def test_a_reason_that_may_not_be_sent() -> None:
    check_close(1000, "é" * 61)
    with pytest.raises(ValueError, match="123 bytes"):
        check_close(1000, "é" * 62)
    with pytest.raises(ValueError, match="needs a code"):
        check_close(1005, "why")


def test_whoever_waits_is_woken_by_all_that_matters() -> None:
    peer = Opened()
    woken: list[str] = []
    peer.websocket.wake = lambda: woken.append("now")
    peer.receive(text("a", fin=False), frame(PING), frame(PONG))
    assert woken == []
    peer.receive(frame(CONTINUATION))
    assert len(woken) == 1
    payload, _ = peer.websocket.ping(None)
    peer.receive(frame(PONG, payload))
    assert len(woken) == 2
    peer.receive(close())
    assert len(woken) == 3


# ---- time ----

PINGS = WebSocketSettings(ping_interval=20, ping_timeout=5, waiting_messages=1)


def test_a_silent_peer_is_asked_and_then_left() -> None:
    websocket = (peer := Opened(PINGS)).websocket
    assert websocket.next_deadline() == 20.0
    websocket.handle_deadline(19.9)
    assert peer.sent() == []
    websocket.handle_deadline(20.0)
    assert [one.opcode for one in peer.sent()] == [PING]
    assert websocket.next_deadline() == 25.0
    websocket.handle_deadline(25.0)
    assert websocket.closed and websocket.code == 1011
    assert peer.sent()[0].payload[:2] == (1011).to_bytes(2, "big")


def test_whatever_comes_is_a_sign_of_life() -> None:
    websocket = (peer := Opened(PINGS)).websocket
    peer.receive(text("a")[:3], now=12.0)
    assert websocket.next_deadline() == 32.0
    websocket.handle_deadline(32.0)
    peer.receive(text("a")[3:], now=33.0)
    assert not websocket.want_read and websocket.take() == "a"
    websocket.resumed(33.0)
    assert websocket.next_deadline() == 53.0


def test_a_peer_is_not_blamed_while_the_handler_is_slow() -> None:
    websocket = (peer := Opened(PINGS)).websocket
    peer.receive(text("a") + text("b"), now=1.0)
    assert websocket.next_deadline() is None
    websocket.handle_deadline(1000.0)
    websocket.take()
    websocket.resumed(1000.0)
    assert websocket.take() == "b"
    websocket.resumed(1001.0)
    assert websocket.next_deadline() == 1021.0 and peer.sent() == []


def test_times_can_be_switched_off() -> None:
    off = WebSocketSettings(ping_interval=None, close_timeout=None)
    websocket = Opened(off).websocket
    assert websocket.next_deadline() is None
    websocket.close(1000, "")
    websocket.resumed(0.0)
    assert websocket.next_deadline() is None
    websocket = Opened(WebSocketSettings(ping_timeout=None)).websocket
    websocket.handle_deadline(20.0)
    assert websocket.next_deadline() is None
