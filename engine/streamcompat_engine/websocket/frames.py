"""The short way for small frames: short unfragmented messages, pings and pongs, without wsproto.

The rule: only frames that are plain in every bit, but that of compression, take this way; wsproto judges all
others.
"""

from __future__ import annotations

from typing import Final, NamedTuple

SHORT: Final = 4096
"""Bytes of a payload up to which the short way is faster."""
TEXT: Final = 0x81
"""The first byte of a whole text message (RFC 6455 §5.2)."""
BINARY: Final = 0x82
"""The first byte of a whole binary message."""
PING: Final = 0x89
PONG: Final = 0x8A
ENDLESS: Final = 1 << 64
"""The size of a frame that wsproto will refuse."""
FIN: Final = 0x80
"""The bit of the first byte that says that the message ends with this frame."""
CONTROL: Final = 0x08
"""The bit of the opcode that control frames have."""
RESERVED: Final = 0x70
"""The reserved bits of the first byte."""
RSV1: Final = 0x40
"""The reserved bit of a compressed message (RFC 7692 §6)."""

_MASKED: Final = 0x80
_LARGEST: Final = 125
_LONGER, _LONGEST = 126, 127


class Header(NamedTuple):
    """The header of a frame.

    Attributes:
        first: the first byte: the FIN bit, the reserved bits and the opcode.
        start: the position where the payload begins.
        size: bytes of the payload; `ENDLESS` if the header is already known to be broken.
    """

    first: int
    start: int
    size: int


def read_header(data: bytes, at: int) -> Header | None:
    """The header of a client's frame that begins at `at`; `None` while it is incomplete."""
    have = len(data) - at
    if have < 2:
        return None
    first, second = data[at], data[at + 1]
    size = second & 0x7F
    opcode = first & 0x0F
    if not second & _MASKED or (opcode > 2 and (size > _LARGEST or not 8 <= opcode <= 10)):
        return Header(first, at + 2, ENDLESS)
    start = at + 6
    if size >= _LONGER:
        start += 2 if size == _LONGER else 8
        if have < start - at:
            return None
        size = int.from_bytes(data[at + 2 : start - 4], "big")
    elif have < 6:
        return None
    return Header(first, start, size)


def is_shortest(header: Header, at: int) -> bool:
    """Whether the length is in its shortest form, as RFC 6455 §5.2 requires."""
    width = header.start - at - 6
    return header.size <= _LARGEST if width == 0 else width == 2 and header.size > _LARGEST


def is_reserved(first: int, compressed: bool) -> bool:
    """Whether a reserved bit is set that nothing gives a meaning (RFC 6455 §5.2)."""
    reserved = first & RESERVED
    return bool(reserved) and not (compressed and reserved == RSV1)


def is_data(header: Header, at: int, compressed: bool) -> bool:
    """Whether this is the frame of a message, with nothing wrong that the header shows."""
    return (
        header.first & 0x0F <= 2
        and header.size < ENDLESS >> 1  # RFC 6455 §5.2: the most significant bit is 0
        and not is_reserved(header.first, compressed)
        and is_shortest(header, at)
    )


def unmasked(data: bytes, start: int, end: int) -> bytes:
    """The payload without the mask, whose 4 bytes are before `start` (RFC 6455 §5.3)."""
    size = end - start
    mask = data[start - 4 : start] * (size // 4 + 1)
    number = int.from_bytes(data[start:end], "little") ^ int.from_bytes(mask[:size], "little")
    return number.to_bytes(size, "little")


def frame(first: int, payload: bytes) -> bytes:
    """A frame as the server sends it, without a mask."""
    size = len(payload)
    if size <= _LARGEST:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, _LONGER)) + size.to_bytes(2, "big") + payload
    return bytes((first, _LONGEST)) + size.to_bytes(8, "big") + payload
