"""The short way of small frames: whole messages of a few bytes, pings and pongs, without a call into wsproto.

The rule: only what is plain in every bit goes this way; whatever is not is left to wsproto, which judges it.
"""

from __future__ import annotations

from typing import Final, NamedTuple

SHORT: Final = 4096
"""Bytes of a payload up to which the short way is the shorter one."""
TEXT: Final = 0x81
"""The first byte of a whole text message (RFC 6455 §5.2)."""
BINARY: Final = 0x82
"""Of a whole binary one."""
PING: Final = 0x89
PONG: Final = 0x8A
ENDLESS: Final = 1 << 64
"""The length of a frame that wsproto is going to refuse."""

_MASKED: Final = 0x80
_LARGEST: Final = 125
_LONGER, _LONGEST = 126, 127


class Header(NamedTuple):
    """A frame's.

    Attributes:
        first: its first byte: whether it is the last of its message, reserved bits, and the opcode.
        start: where its payload begins.
        size: of the payload; `ENDLESS` where the header is broken in a way that shows already.
    """

    first: int
    start: int
    size: int


def read_header(data: bytes, at: int) -> Header | None:
    """The header of a client's frame that begins at `at`; `None` while it is not whole."""
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
    """Whether the length is written as shortly as it can be (RFC 6455 §5.2)."""
    width = header.start - at - 6
    return header.size <= _LARGEST if width == 0 else width == 2 and header.size > _LARGEST


def unmasked(data: bytes, start: int, end: int) -> bytes:
    """A payload without its mask, which stands before it (RFC 6455 §5.3)."""
    size = end - start
    mask = data[start - 4 : start] * (size // 4 + 1)
    number = int.from_bytes(data[start:end], "little") ^ int.from_bytes(mask[:size], "little")
    return number.to_bytes(size, "little")


def frame(first: int, payload: bytes) -> bytes:
    """A server's frame."""
    size = len(payload)
    if size <= _LARGEST:
        return bytes((first, size)) + payload
    if size < 1 << 16:
        return bytes((first, _LONGER)) + size.to_bytes(2, "big") + payload
    return bytes((first, _LONGEST)) + size.to_bytes(8, "big") + payload
