"""What a client says on a WebSocket, as a value, and as the frames that it sends.

The rule: the frames are made here and not by the engine's library, so that a message can be divided anywhere,
also inside of a character.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from streamcompat.testing.wire import Request

_MASK: Final = b"\x37\xfa\x21\x3d"
"""Any key will do for a test (RFC 6455 §5.3)."""
_CONTINUATION, _TEXT, _BINARY, _PING = 0x0, 0x1, 0x2, 0x9
_FIN: Final = 0x80


@dataclass(frozen=True)
class Conversation(Request):
    """What a client says on a new WebSocket: the same message twice.

    Attributes:
        body: the message.
        chunks: offsets into it at which a frame ends and the next one begins; `None` for one frame.
        text: it is a text message; otherwise a binary one.
        pings: there is a Ping between any two frames.
    """

    text: bool = True
    pings: bool = False

    def __repr__(self) -> str:
        message = repr(self.body.decode()) if self.text else repr(self.body)
        fragments = "" if self.chunks is None else f", in frames that end at {[*self.chunks, len(self.body)]}"
        return f"WEBSOCKET {self.target}: {message}, twice{fragments}{', Pings between' * self.pings}"

    def message(self) -> bytes:
        """The frames of one message."""
        parts = [self.body] if self.chunks is None else _divided(self.body, self.chunks)
        code = _TEXT if self.text else _BINARY
        frames = [
            frame(_CONTINUATION if number else code, part, number == len(parts) - 1)
            for number, part in enumerate(parts)
        ]
        return (frame(_PING, b"?", True) if self.pings else b"").join(frames)

    def framed(self) -> bytes:
        """All that is sent."""
        return self.message() * 2


def frame(code: int, payload: bytes, last: bool) -> bytes:
    """A frame of a client (RFC 6455 §5.2)."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    else:
        length = b"\xfe" + size.to_bytes(2) if size <= 0xFFFF else b"\xff" + size.to_bytes(8)
    masked = bytes(byte ^ key for byte, key in zip(payload, itertools.cycle(_MASK), strict=False))
    return bytes([code | (_FIN if last else 0)]) + length + _MASK + masked


def _divided(body: bytes, ends: Sequence[int]) -> list[bytes]:
    """The fragments; an offset that comes twice makes an empty one."""
    return [body[start:end] for start, end in itertools.pairwise((0, *ends, len(body)))]
