"""The short way of small frames: what it takes, and that wsproto would say the same."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, TextMessage

from streamcompat_engine import WebSocketSettings
from streamcompat_engine.websocket.frames import ENDLESS, SHORT, Header, is_shortest, read_header, unmasked
from streamcompat_engine.websocket.frames import frame as written
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
    frame,
    frames,
    text,
)
from tests.support.wire import bytewise, cut


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536])
def test_a_header_is_read_once_it_is_whole(size: int) -> None:
    wire = b"before" + frame(BINARY, bytes(size))
    header = read_header(wire, 6)
    assert header is not None
    assert (header.first, header.size, header.start + size) == (0x80 | BINARY, size, len(wire))
    assert is_shortest(header, 6) is (size < 65_536)
    for at in range(6, header.start):
        # A mask that lacks its last bytes shows in the length of the frame.
        partial = read_header(wire[:at], 6)
        assert partial is None or partial == header


@pytest.mark.parametrize(
    "wire",
    [
        frame(TEXT, mask=None),
        frame(PING, mask=None),
        frame(3),
        frame(11),
        frame(15),
        frame(CLOSE, bytes(126)),
        frame(PONG, bytes(70_000)),
    ],
)
def test_what_is_broken_for_sure_is_left_to_wsproto_at_once(wire: bytes) -> None:
    assert read_header(wire[:2], 0) == Header(wire[0], 2, ENDLESS)


@given(st.binary(max_size=300), st.binary(min_size=4, max_size=4), st.binary(max_size=9))
def test_a_mask_is_taken_off(payload: bytes, mask: bytes, before: bytes) -> None:
    wire = before + frame(BINARY, payload, mask=mask)
    assert unmasked(wire + b"behind", len(wire) - len(payload), len(wire)) == payload


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 100_000])
def test_a_frame_is_written_as_wsproto_writes_it(size: int) -> None:
    payload = bytes(size)
    wire = written(0x82, payload)
    assert wire == Connection(ConnectionType.SERVER).send(BytesMessage(payload))
    assert frames(wire) == [Frame(BINARY, payload)]


# ---- wsproto as the oracle ----


def judged(wire: bytes) -> tuple[list[str | bytes], int | None]:
    """The messages that wsproto alone makes of some frames, and the code with which they end."""
    oracle = Connection(ConnectionType.SERVER)
    messages: list[str | bytes] = []
    parts: list[str | bytes] = []
    oracle.receive_data(wire)
    for event in oracle.events():
        if isinstance(event, (TextMessage, BytesMessage)):
            parts.append(event.data if isinstance(event, TextMessage) else bytes(event.data))
            if event.message_finished:
                messages.append(type(parts[0])().join(parts))  # type: ignore[arg-type]
                parts = []
        elif isinstance(event, CloseConnection):
            return messages, event.code if oracle.state is ConnectionState.REMOTE_CLOSING else -event.code
    return messages, None


_payloads = st.one_of(
    st.binary(max_size=30),
    st.text(max_size=20).map(str.encode),
    st.integers(SHORT - 2, SHORT + 2).map(bytes),
    st.sampled_from([b"x" * 125, b"x" * 126, b"\xff", "é".encode()[:1]]),
)
_frames = st.one_of(
    st.builds(
        frame, st.sampled_from([TEXT, TEXT, BINARY, CONTINUATION, PING, PONG]), _payloads, st.booleans()
    ),
    st.builds(text, st.text(max_size=20)),
    st.sampled_from(
        [
            close(1000),
            close(None),
            frame(TEXT, b"a", rsv=4),
            frame(BINARY, b"a", mask=None),
            frame(7),
            frame(TEXT, b"abc", length=b"\x7e\x00\x03"),
            frame(TEXT, b"abc", length=b"\x7f" + (3).to_bytes(8, "big")),
            frame(BINARY, bytes(200), length=b"\x7f" + (200).to_bytes(8, "big")),
        ]
    ),
)


@given(st.lists(_frames, max_size=8), st.integers(0, 20), st.lists(st.integers(0, 9000), max_size=6))
@example([frame(TEXT, b"a", rsv=4)], 2, [])
def test_the_same_as_wsproto_alone(sent: list[bytes], short: int, positions: list[int]) -> None:
    """Whole, cut in some places, and, where it is short, byte by byte; the last frame may lack its end."""
    wire = b"".join(sent)
    wire = wire[: len(wire) - short] if short < len(wire) else wire
    messages, code = judged(wire)
    ways = [[wire] if wire else [], cut(wire, *positions)]
    if len(wire) < 300:
        ways.append(bytewise(wire))
    for pieces in ways:
        peer = Opened(WebSocketSettings(waiting_messages=None, waiting_bytes=None))
        peer.receive(*pieces)
        websocket = peer.websocket
        assert peer.messages() == messages
        if code is None:
            assert not websocket.closed
        elif code < 0:
            assert websocket.failure is not None and websocket.failure[0] == -code
        else:
            assert websocket.closed and websocket.code == code
