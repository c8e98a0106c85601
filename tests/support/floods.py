"""What a peer may send on a WebSocket that costs much more than its bytes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from tests.support.frames import BINARY, CONTINUATION, PING, PONG, TEXT, frame, text

READ = 64 * 1024
SHORT_READ = 16 * 1024
"""Takes many turns of the loop as well."""
MIB = 1024 * 1024


def deflated(data: bytes, bits: int = 12) -> bytes:
    """A message as permessage-deflate has it, by a compressor of its own."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -bits)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def full(unit: bytes, read: int = READ) -> bytes:
    """As many of these as fit into a read of so many bytes, whole; at least one."""
    return unit * max(read // len(unit), 1)


@dataclass(frozen=True)
class Flood:
    """What is sent over and over.

    Attributes:
        unit: what is repeated.
        before: what is sent first.
        each: messages in a unit.
        closes: the server has sent its Close before.
    """

    unit: bytes
    before: bytes = b""
    each: int = 1
    closes: bool = False

    @property
    def wire(self) -> bytes:
        """One read of it."""
        return full(self.unit)


_FRAGMENT = frame(CONTINUATION, b"x", fin=False)
_TINY = frame(TEXT, deflated(b"x"), rsv=4)
_PARTS = deflated(b"\xc3\xa9" * (MIB // 2))

FLOODS = {
    "empty texts": Flood(text("")),
    "texts of a letter": Flood(text("x")),
    "binaries of 100 bytes": Flood(frame(BINARY, bytes(100))),
    "binaries of 4096 bytes": Flood(frame(BINARY, bytes(4096))),
    "binaries of 5000 bytes": Flood(frame(BINARY, bytes(5000))),
    "pings": Flood(frame(PING), each=0),
    "pings of 125 bytes": Flood(frame(PING, bytes(125)), each=0),
    "pongs": Flood(frame(PONG), each=0),
    "empty fragments": Flood(frame(CONTINUATION, fin=False), frame(TEXT, fin=False), each=0),
    "fragments of a byte": Flood(_FRAGMENT, frame(BINARY, fin=False), each=0),
    "fragments of a letter": Flood(_FRAGMENT, frame(TEXT, fin=False), each=0),
    "messages in two frames": Flood(frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x")),
    "messages in two frames with pings": Flood(
        frame(TEXT, b"x", fin=False) + frame(PING) + frame(CONTINUATION, b"x")
    ),
    "pings and texts": Flood(frame(PING) + text("x")),
    "tiny compressed messages": Flood(_TINY),
    "tiny compressed messages in two frames": Flood(
        frame(TEXT, deflated(b"x")[:1], fin=False, rsv=4) + frame(CONTINUATION, deflated(b"x")[1:])
    ),
    "compressed and plain": Flood(_TINY + text("x"), each=2),
    "compressed nothing": Flood(frame(BINARY, b"\0\0\0\xff\xff" * 12_000 + deflated(b""), rsv=4)),
    "bombs of 60 kB": Flood(frame(BINARY, deflated(bytes(60_000)), rsv=4)),
    "bombs of 500 kB": Flood(frame(BINARY, deflated(bytes(500_000)), rsv=4)),
    "bombs of 1 MiB": Flood(frame(BINARY, deflated(bytes(MIB)), rsv=4)),
    "bombs of text": Flood(frame(TEXT, _PARTS, rsv=4)),
    "bombs in two frames": Flood(
        frame(TEXT, _PARTS[:500], fin=False, rsv=4) + frame(CONTINUATION, _PARTS[500:])
    ),
    "texts after the Close": Flood(text("x"), each=0, closes=True),
    "fragments after the Close": Flood(_FRAGMENT, each=0, closes=True),
    "bombs after the Close": Flood(frame(BINARY, deflated(bytes(MIB)), rsv=4), each=0, closes=True),
}
