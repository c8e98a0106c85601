"""Builds a client's WebSocket frames, valid and invalid, and parses a server's frames.

Written by hand, because a library would refuse to send invalid frames.
"""

from __future__ import annotations

from typing import NamedTuple

from streamcompat_engine import WebSocket, WebSocketSettings
from streamcompat_engine.websocket.handshake import Accepted

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
MASK = b"\x12\x34\x56\x78"
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
"""The key of RFC 6455 §1.3; the server's reply to it is `ACCEPT`."""
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="


class Frame(NamedTuple):
    """One frame from a server."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0


def frame(
    opcode: int,
    payload: bytes = b"",
    fin: bool = True,
    rsv: int = 0,
    mask: bytes | None = MASK,
    length: bytes | None = None,
) -> bytes:
    """A frame from a client.

    Args:
        rsv: the three reserved bits as a number; RSV1 is 4.
        mask: `None` for a frame without a mask.
        length: the bytes of the length field for an invalid length; the first without the mask bit.
    """
    size = len(payload)
    if length is None:
        if size < 126:
            length = bytes([size])
        elif size < 2**16:
            length = b"\x7e" + size.to_bytes(2, "big")
        else:
            length = b"\x7f" + size.to_bytes(8, "big")
    first = (fin << 7) | (rsv << 4) | opcode
    if mask is None:
        return bytes([first]) + length + payload
    key = (mask * (size // 4 + 1))[:size]
    # As one number each: a byte at a time would take seconds over all frames of the tests.
    masked = (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(size)
    return bytes([first, length[0] | 0x80]) + length[1:] + mask + masked


def text(payload: str, **options: object) -> bytes:
    """A text frame."""
    return frame(TEXT, payload.encode(), **options)  # type: ignore[arg-type]


def close(code: int | None = 1000, reason: bytes = b"") -> bytes:
    """A Close frame from a client."""
    return frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def closing(code: int | None = 1000, reason: bytes = b"") -> Frame:
    """A Close frame from the server."""
    return Frame(CLOSE, b"" if code is None else code.to_bytes(2, "big") + reason)


def frames(data: bytes) -> list[Frame]:
    """Parse a server's bytes, which must be whole frames without a mask."""
    found = []
    while data:
        first, second = data[0], data[1]
        assert not second & 0x80, "a server's frame is masked"
        start, size = 2, second
        if second == 126:
            start, size = 4, int.from_bytes(data[2:4], "big")
        elif second == 127:
            start, size = 10, int.from_bytes(data[2:10], "big")
        assert len(data) >= start + size, "a frame is truncated"
        found.append(Frame(first & 0x0F, data[start : start + size], bool(first & 0x80), (first >> 4) & 7))
        data = data[start + size :]
    return found


def handshake(*fields: str, target: str = "/", key: bytes = KEY) -> bytes:
    """A client's opening handshake."""
    lines = [
        f"GET {target} HTTP/1.1",
        "Host: test",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {key.decode()}",
        "Sec-WebSocket-Version: 13",
        *fields,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


class Opened:
    """An open WebSocket, and the frames that it sends."""

    def __init__(self, settings: WebSocketSettings | None = None, accepted: Accepted | None = None) -> None:
        self.queue: list[bytes] = []
        self.websocket = WebSocket(accepted or Accepted((), None, None), settings or WebSocketSettings())
        self.websocket.opened(self.queue, 0.0)

    def receive(self, *pieces: bytes, now: float = 0.0) -> None:
        for piece in pieces:
            self.websocket.receive_data(piece, now)

    def sent(self) -> list[Frame]:
        """The frames since the last call."""
        data = b"".join(self.queue)
        self.queue.clear()
        return frames(data)

    def messages(self) -> list[str | bytes]:
        """Take all waiting messages."""
        taken: list[str | bytes] = []
        while True:
            while (message := self.websocket.take()) is not None:
                taken.append(message)
            self.websocket.resumed(0.0)
            if (message := self.websocket.take()) is None:
                return taken
            taken.append(message)
