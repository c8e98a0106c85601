"""permessage-deflate: bounded, and right where control frames stand between a message's frames."""

from __future__ import annotations

import functools
import random
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import WebSocketSettings, accept, read_handshake
from streamcompat_engine.http1.heads import parse_head
from tests.support.frames import (
    BINARY,
    CONTINUATION,
    PING,
    PONG,
    TEXT,
    Frame,
    Opened,
    closing,
    frame,
    handshake,
)
from tests.support.wire import cut

RSV1 = 4
TAIL = b"\x00\x00\xff\xff"
MIB = 1024 * 1024


def opened(offer: str = "permessage-deflate", settings: WebSocketSettings | None = None) -> Opened:
    settings = settings or WebSocketSettings()
    read = read_handshake(parse_head(handshake(f"Sec-WebSocket-Extensions: {offer}")))
    accepted = accept(read, None, True, settings.message_size)
    assert accepted.deflate is not None
    return Opened(settings, accepted)


class Deflater:
    """A client's compressor."""

    def __init__(self, bits: int = 15) -> None:
        self._compressor = zlib.compressobj(9, zlib.DEFLATED, -bits)

    def __call__(self, data: bytes) -> bytes:
        compressed = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        assert compressed.endswith(TAIL)
        return compressed[: -len(TAIL)]


def test_messages_are_inflated_with_the_context_of_those_before() -> None:
    peer, deflate = opened(), Deflater()
    first, second = deflate(b"hello hello"), deflate(b"hello hello")
    assert len(second) < len(first)
    peer.receive(frame(TEXT, first, rsv=RSV1) + frame(BINARY, second, rsv=RSV1))
    assert peer.messages() == ["hello hello", b"hello hello"]


@given(
    st.lists(st.tuples(st.binary(max_size=3000), st.booleans(), st.integers(0, 3000)), max_size=5),
    st.lists(st.integers(0, 6000), max_size=6),
)
def test_no_cut_and_no_fragment_changes_a_message(
    sent: list[tuple[bytes, bool, int]], positions: list[int]
) -> None:
    """The short way, wsproto's, and both in turns on one context."""
    deflate, wire = Deflater(), b""
    for data, is_compressed, at in sent:
        payload, rsv = (deflate(data), RSV1) if is_compressed else (data, 0)
        if at < len(payload):
            wire += frame(BINARY, payload[:at], fin=False, rsv=rsv) + frame(CONTINUATION, payload[at:])
        else:
            wire += frame(BINARY, payload, rsv=rsv)
    peer = opened(settings=WebSocketSettings(waiting_messages=None, waiting_bytes=None))
    peer.receive(*cut(wire, *positions))
    assert peer.messages() == [data for data, _, _ in sent]


def test_a_message_may_come_as_it_is() -> None:
    peer = opened()
    peer.receive(frame(TEXT, b"plain"))
    assert peer.messages() == ["plain"]


@pytest.mark.parametrize("read", [1, 3, 1000])
def test_a_ping_between_the_frames_of_a_compressed_message_changes_nothing(read: int) -> None:
    """RFC 7692 §6.1; wsproto alone takes the ping for the message's end."""
    peer = opened()
    compressed = Deflater()(b"a message in two frames " * 20)
    wire = (
        frame(TEXT, compressed[:5], fin=False, rsv=RSV1)
        + frame(PING, b"p")
        + frame(CONTINUATION, compressed[5:])
        + frame(TEXT, b"after")
    )
    peer.receive(*(wire[start : start + read] for start in range(0, len(wire), read)))
    assert peer.sent() == [Frame(PONG, b"p")]
    assert peer.messages() == ["a message in two frames " * 20, "after"]


def test_what_is_sent_is_compressed() -> None:
    peer = opened()
    (sent,) = [Frame(*one) for one in _frames(peer.websocket.message("x" * 10_000))]
    assert sent.rsv == RSV1 and len(sent.payload) < 100
    assert zlib.decompressobj(-15).decompress(sent.payload + TAIL) == b"x" * 10_000


def _frames(data: bytes) -> list[Frame]:
    from tests.support.frames import frames

    return frames(data)


@functools.cache
def bomb() -> bytes:
    """64 MiB of zeros in 64 KiB."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    pieces = [compressor.compress(bytes(MIB)) for _ in range(64)]
    return b"".join([*pieces, compressor.flush(zlib.Z_SYNC_FLUSH)])


@pytest.mark.parametrize("read", [100, 64 * 1024])
def test_a_bomb_ends_at_the_limit(read: int) -> None:
    """Closed with 1009, and never held."""
    peer = opened(settings=WebSocketSettings(message_size=100_000))
    wire = frame(BINARY, bomb()[:-4], rsv=RSV1)
    tracemalloc.start()
    try:
        peer.receive(*(wire[start : start + read] for start in range(0, len(wire), read)))
        held = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peer.websocket.closed and peer.websocket.failure is not None
    assert [sent.payload[:2] for sent in peer.sent()] == [(1009).to_bytes(2, "big")]
    assert held < 2 * MIB


def test_the_limit_is_of_a_message_not_of_a_frame_nor_of_all() -> None:
    deflate = Deflater()
    peer = opened(settings=WebSocketSettings(message_size=1000))
    for _ in range(3):
        peer.receive(frame(BINARY, deflate(bytes(1000)), rsv=RSV1))
    assert peer.messages() == [bytes(1000)] * 3
    compressed = deflate(bytes(1001))
    peer.receive(frame(BINARY, compressed[:2], fin=False, rsv=RSV1), frame(CONTINUATION, compressed[2:]))
    assert peer.sent()[0].payload[:2] == (1009).to_bytes(2, "big")


def _ended(data: bytes) -> bytes:
    """Compressed, with a final block at its end (RFC 7692 §7.2.3.4)."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -12)
    return compressor.compress(data) + compressor.flush()


@pytest.mark.parametrize("read", [1, 1000])
@pytest.mark.parametrize("size", [5, 5000])
@pytest.mark.parametrize("padding", [b"", b"\0"])
def test_a_message_may_end_with_a_final_block_and_so_may_the_next(
    padding: bytes, size: int, read: int
) -> None:
    peer = opened()
    first, second = random.Random(size).randbytes(size), b"second" * size
    for message in (first, second, first):
        wire = frame(BINARY, _ended(message) + padding, rsv=RSV1)
        peer.receive(*(wire[start : start + read] for start in range(0, len(wire), read)))
        assert peer.messages() == [message]
    peer.receive(frame(BINARY, Deflater(12)(b"third"), rsv=RSV1))
    assert peer.messages() == [b"third"]


@pytest.mark.parametrize("read", [10, 1000, 100_000])
@pytest.mark.parametrize("most", [None, 1000])
def test_what_follows_a_final_block_is_refused_and_not_kept(most: int | None, read: int) -> None:
    """Zlib would keep it, and copy it with each piece."""
    peer = opened(settings=WebSocketSettings(message_size=most))
    wire = frame(BINARY, _ended(b"x") + bytes(200_000), rsv=RSV1)
    fed = 0
    while fed < len(wire) and not peer.websocket.closed:
        peer.receive(wire[fed : fed + read])
        fed += read
    assert peer.websocket.code == 1007 and peer.messages() == []
    assert fed < 2 * read + 100


@pytest.mark.parametrize("most", [1, 100, 2000])
@pytest.mark.parametrize("read", [7, 100_000])
@pytest.mark.parametrize("fragment", [3, 100_000])
def test_a_limit_is_exact(most: int, read: int, fragment: int) -> None:
    for size in (most, most + 1):
        peer, deflate = opened(settings=WebSocketSettings(message_size=most)), Deflater()
        for _ in range(2):
            payload = deflate(random.Random(size).randbytes(size))
            pieces = [payload[start : start + fragment] for start in range(0, len(payload), fragment)]
            wire = b"".join(
                frame(
                    CONTINUATION if index else BINARY,
                    piece,
                    fin=index == len(pieces) - 1,
                    rsv=0 if index else RSV1,
                )
                for index, piece in enumerate(pieces)
            )
            peer.receive(*(wire[start : start + read] for start in range(0, len(wire), read)))
        assert [len(message) for message in peer.messages()] == ([most, most] if size == most else [])
        assert peer.websocket.code == (None if size == most else 1009)


def test_without_a_limit_there_is_none() -> None:
    peer = opened(settings=WebSocketSettings(message_size=None, waiting_bytes=None))
    peer.receive(frame(BINARY, Deflater()(bytes(8 * MIB)), rsv=RSV1))
    assert peer.messages() == [bytes(8 * MIB)]


@pytest.mark.parametrize(
    ("code", "wire"),
    [
        (1007, frame(TEXT, b"\xff\xff\xff\xff", rsv=RSV1)),  # not deflate
        (1002, frame(PING, b"", rsv=RSV1)),  # a control frame is never compressed
        (1002, frame(TEXT, b"a", fin=False) + frame(CONTINUATION, b"b", rsv=RSV1)),
        (1002, frame(TEXT, b"a", rsv=2)),
        (1007, frame(TEXT, Deflater()(b"\xff"), rsv=RSV1)),  # not UTF-8 once it is inflated
    ],
)
def test_what_is_broken(code: int, wire: bytes) -> None:
    peer = opened()
    peer.receive(wire)
    (sent,) = peer.sent()
    assert sent.payload[:2] == closing(code).payload
    assert peer.messages() == []
