"""What a WebSocket's client may send and may not, case by case, each with its section of RFC 6455 or 7692.

A case is what is sent behind the handshake, which messages the application gets of it, and which frames the
server sends; the last is a Close where it ends the connection.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from typing import NamedTuple

from tests.support.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, Frame, close, frame, text

FAILED, UNSOUND, TOO_BIG = 1002, 1007, 1009
LIMIT = 100_000
"""The longest message of these cases."""


class Case(NamedTuple):
    """One thing to send.

    Attributes:
        rule: the key of a row of docs/conformance.md.
        section: of the RFC.
        name: what is odd about it.
        wire: the frames.
        messages: that the application gets.
        pongs: that are answered.
        code: of the Close that the server sends; 1005 for one without a code, `None` where it sends none.
        deflate: permessage-deflate was agreed on.
    """

    rule: str
    section: str
    name: str
    wire: bytes
    messages: tuple[str | bytes, ...] = ()
    pongs: tuple[bytes, ...] = ()
    code: int | None = None
    deflate: bool = False

    @property
    def id(self) -> str:
        return f"{self.rule}: {self.name}"


def _lengths() -> Iterable[Case]:
    for size in (0, 1, 124, 125, 126, 127, 128, 65_535, 65_536, LIMIT):
        data = bytes(index % 251 for index in range(size))
        yield Case("ws-length", "6455 §5.2", f"{size} bytes", frame(BINARY, data), (data,))
        letters = "x" * size
        yield Case("ws-length", "6455 §5.2", f"{size} letters", text(letters), (letters,))
    for size, length in [
        (5, b"\x7e\x00\x05"),
        (125, b"\x7e\x00\x7d"),
        (5, b"\x7f" + (5).to_bytes(8, "big")),
        (126, b"\x7f" + (126).to_bytes(8, "big")),
        (65_535, b"\x7f" + (65_535).to_bytes(8, "big")),
    ]:
        name = f"{size} bytes in a length of {len(length) - 1} bytes"
        wire = frame(BINARY, bytes(size), length=length)
        yield Case("ws-length", "6455 §5.2", name, wire, code=FAILED)
    wire = frame(BINARY, b"x", length=b"\x7f" + (2**63).to_bytes(8, "big"))
    yield Case("ws-length", "6455 §5.2", "a length with its highest bit set", wire, code=FAILED)


def _bits() -> Iterable[Case]:
    for rsv in range(1, 8):
        for opcode in (TEXT, PING, CLOSE):
            name = f"reserved bits {rsv:03b} on opcode {opcode}"
            yield Case("ws-reserved-bits", "6455 §5.2", name, frame(opcode, rsv=rsv), code=FAILED)
    for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
        name = f"opcode {opcode}"
        yield Case("ws-opcode", "6455 §5.2", name, frame(opcode, b"x"), code=FAILED)
    for opcode in (TEXT, BINARY, PING, CLOSE):
        name = f"opcode {opcode} without a mask"
        yield Case("ws-mask", "6455 §5.1", name, frame(opcode, mask=None), code=FAILED)
    for mask in (bytes(4), b"\xff\xff\xff\xff", b"\x00\x01\x02\x03"):
        wire = frame(TEXT, b"masked", mask=mask)
        yield Case("ws-mask", "6455 §5.3", f"a mask of {mask.hex()}", wire, ("masked",))


def _fragments() -> Iterable[Case]:
    rule, section = "ws-fragments", "6455 §5.4"
    more, last = frame(CONTINUATION, b"b", fin=False), frame(CONTINUATION, b"c")
    yield Case(rule, section, "two frames", text("a", fin=False) + last, ("ac",))
    yield Case(rule, section, "three frames", text("a", fin=False) + more + last, ("abc",))
    yield Case(rule, section, "binary", frame(BINARY, b"a", fin=False) + last, (b"ac",))
    empty = text("", fin=False) + frame(CONTINUATION, fin=False) + frame(CONTINUATION)
    yield Case(rule, section, "nothing but empty frames", empty, ("",))
    yield Case(
        rule,
        section,
        "an empty one in between",
        text("a", fin=False) + frame(CONTINUATION, fin=False) + last,
        ("ac",),
    )
    many = text("", fin=False) + more * 1000 + frame(CONTINUATION)
    yield Case(rule, section, "a thousand frames", many, ("b" * 1000,))
    ping = frame(PING, b"p")
    yield Case(rule, section, "a ping between", text("a", fin=False) + ping + last, ("ac",), (b"p",))
    yield Case(rule, section, "a pong between", text("a", fin=False) + frame(PONG) + last, ("ac",))
    two = text("a", fin=False) + ping + more + ping + last
    yield Case(rule, section, "pings between", two, ("abc",), (b"p", b"p"))
    yield Case(rule, section, "a Close between", text("a", fin=False) + close(1000), code=1000)
    yield Case(rule, section, "a continuation of nothing", last, code=FAILED)
    yield Case(rule, section, "an open continuation of nothing", more, code=FAILED)
    yield Case(rule, section, "a continuation after the end", text("a") + last, ("a",), code=FAILED)
    yield Case(rule, section, "text within text", text("a", fin=False) + text("b"), code=FAILED)
    yield Case(rule, section, "binary within text", text("a", fin=False) + frame(BINARY, b"b"), code=FAILED)
    yield Case(rule, section, "text within binary", frame(BINARY, fin=False) + text("b"), code=FAILED)
    yield Case(
        rule,
        section,
        "text within text after a ping",
        text("", fin=False) + ping + text(""),
        (),
        (b"p",),
        FAILED,
    )


def _control() -> Iterable[Case]:
    for size in (0, 1, 125):
        data = b"p" * size
        yield Case("ws-ping", "6455 §5.5.2", f"a ping of {size} bytes", frame(PING, data), (), (data,))
        yield Case("ws-pong", "6455 §5.5.3", f"a pong of {size} bytes", frame(PONG, data))
    yield Case(
        "ws-ping", "6455 §5.5.2", "a ping that is not UTF-8", frame(PING, b"\xff\xfe"), (), (b"\xff\xfe",)
    )
    several = b"".join(frame(PING, b"%d" % number) for number in range(10))
    yield Case(
        "ws-ping", "6455 §5.5.2", "ten pings", several, (), tuple(b"%d" % number for number in range(10))
    )
    for opcode in (PING, PONG, CLOSE):
        payload = b"\x03\xe8" if opcode == CLOSE else b""
        name = f"opcode {opcode} in fragments"
        yield Case("ws-control", "6455 §5.5", name, frame(opcode, payload, fin=False), code=FAILED)
        name = f"opcode {opcode} of 126 bytes"
        yield Case(
            "ws-control", "6455 §5.5", name, frame(opcode, payload + b"x" * (126 - len(payload))), code=FAILED
        )


_SOUND_TEXT = [
    "κόσμε",
    "\x00",
    "\x7f\x80",
    "\u07ff\u0800",
    "\ud7ff\ue000",
    "\uffff\U00010000",
    "\U0010ffff",
    "\ufeff",
    "\ufffe",
]
_UNSOUND_TEXT = [
    b"\x80",
    b"\xbf",
    b"\xc0\x80",
    b"\xc0\xaf",
    b"\xc1\xbf",
    b"\xe0\x80\x80",
    b"\xe0\x9f\xbf",
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xed\xa0\x80\xed\xb0\x80",
    b"\xf0\x80\x80\x80",
    b"\xf0\x8f\xbf\xbf",
    b"\xf4\x90\x80\x80",
    b"\xf5\x80\x80\x80",
    b"\xf8\x88\x80\x80\x80",
    b"\xfe",
    b"\xff",
    b"ok \xce",
    b"\xce",
    b"\xe1\xbd",
    b"\xf0\x90\x80",
    b"\xce\xce",
]


def _text() -> Iterable[Case]:
    rule, section = "ws-utf8", "6455 §8.1"
    for letters in _SOUND_TEXT:
        yield Case(rule, section, f"{letters!a}", text(letters), (letters,))
        data = letters.encode()
        pieces = [frame(CONTINUATION, data[at : at + 1], fin=False) for at in range(len(data))]
        wire = frame(TEXT, fin=False) + b"".join(pieces) + frame(CONTINUATION)
        yield Case(rule, section, f"{letters!a} in frames of a byte", wire, (letters,))
    for data in _UNSOUND_TEXT:
        yield Case(rule, section, f"{data!r}", frame(TEXT, data), code=UNSOUND)
        wire = frame(TEXT, data[:1], fin=False) + frame(CONTINUATION, data[1:])
        yield Case(rule, section, f"{data!r} in two frames", wire, code=UNSOUND)
        yield Case(rule, section, f"{data!r} as binary", frame(BINARY, data), (data,))


def _closes() -> Iterable[Case]:
    rule, section = "ws-close-code", "6455 §7.4"
    for code in (1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 3000, 3999, 4000, 4999):
        yield Case(rule, section, f"code {code}", close(code), code=code)
    for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535):
        yield Case(rule, section, f"code {code}", close(code), code=FAILED)
    rule, section = "ws-close", "6455 §5.5.1"
    yield Case(rule, section, "no code", close(None), code=1005)
    yield Case(rule, section, "half a code", frame(CLOSE, b"\x03"), code=FAILED)
    yield Case(rule, section, "a reason", close(1000, b"bye"), code=1000)
    yield Case(rule, section, "the longest reason", close(1000, b"x" * 123), code=1000)
    yield Case(rule, section, "a reason that is not UTF-8", close(1000, b"\xff"), code=UNSOUND)
    yield Case(rule, section, "a reason with half a letter", close(1000, "é".encode()[:1]), code=UNSOUND)
    yield Case(rule, section, "a message before", text("a") + close(1000), ("a",), code=1000)
    yield Case(rule, section, "a message behind", close(1000) + text("a"), code=1000)
    yield Case(rule, section, "a ping behind", close(1000) + frame(PING), code=1000)
    yield Case(rule, section, "a second Close behind", close(1000) + close(1001), code=1000)
    yield Case(rule, section, "garbage behind", close(1000) + b"\xff" * 50, code=1000)
    rule, section = "ws-size", "6455 §7.4.1"
    yield Case(rule, section, "one byte too many", frame(BINARY, bytes(LIMIT + 1)), code=TOO_BIG)
    wire = frame(BINARY, bytes(LIMIT), fin=False) + frame(CONTINUATION, b"x")
    yield Case(rule, section, "one byte too many in all frames", wire, code=TOO_BIG)
    wire = text("é" * (LIMIT // 2), fin=False) + frame(CONTINUATION, b"x")
    yield Case(rule, section, "text of fewer letters than bytes", wire, code=TOO_BIG)


def _compressed(data: bytes) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -12)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def _deflate() -> Iterable[Case]:
    rule = "ws-deflate"
    rsv = 4
    short, long = b"a message", b"again and " * 5000

    def case(section: str, name: str, wire: bytes, *expected: object) -> Case:
        return Case(rule, section, name, wire, *expected, deflate=True)  # type: ignore[arg-type]

    for data in (b"", short, long):
        wire = frame(TEXT, _compressed(data), rsv=rsv)
        yield case("7692 §7.2", f"{len(data)} bytes", wire, (data.decode(),))
    yield case("7692 §6", "not compressed", text("plain"), ("plain",))
    stored = b"\x00\x05\x00\xfa\xffHello\x00"
    yield case("7692 §7.2.3.3", "a block that is not compressed", frame(TEXT, stored, rsv=rsv), ("Hello",))
    rfc = bytes.fromhex("f248cdc9c90700")
    yield case("7692 §7.2.3.1", "the RFC's own", frame(TEXT, rfc, rsv=rsv), ("Hello",))
    shared = frame(TEXT, rfc, rsv=rsv) + frame(TEXT, bytes.fromhex("f200110000"), rsv=rsv)
    yield case("7692 §7.2.3.2", "the RFC's own with a shared window", shared, ("Hello", "Hello"))
    packed = _compressed(long)
    for at in (0, 1, len(packed) // 2, len(packed)):
        wire = frame(TEXT, packed[:at], fin=False, rsv=rsv) + frame(CONTINUATION, packed[at:])
        yield case("7692 §6.1", f"in two frames from byte {at}", wire, (long.decode(),))
    wire = frame(TEXT, packed[:9], fin=False, rsv=rsv) + frame(PING, b"p") + frame(CONTINUATION, packed[9:])
    yield case("7692 §6.1", "a ping between its frames", wire, (long.decode(),), (b"p",))
    wire = frame(TEXT, packed[:9], fin=False, rsv=rsv) + frame(CONTINUATION, packed[9:], rsv=rsv)
    yield case("7692 §6.1", "its bit on a later frame", wire, (), (), FAILED)
    yield case("7692 §6.1", "its bit on a ping", frame(PING, rsv=rsv), (), (), FAILED)
    yield case("6455 §5.2", "another reserved bit", frame(TEXT, rsv=2), (), (), FAILED)
    yield case("7692 §7.2.2", "what is not deflate", frame(TEXT, b"\xff\xff", rsv=rsv), (), (), UNSOUND)
    yield case(
        "6455 §8.1", "text that is not UTF-8", frame(TEXT, _compressed(b"\xff"), rsv=rsv), (), (), UNSOUND
    )
    bomb = frame(BINARY, _compressed(bytes(LIMIT + 1)), rsv=rsv)
    yield case("6455 §7.4.1", "one byte too many once it is inflated", bomb, (), (), TOO_BIG)


CASES: list[Case] = [
    *_lengths(),
    *_bits(),
    *_fragments(),
    *_control(),
    *_text(),
    *_closes(),
    *_deflate(),
]


def answers(case: Case) -> list[Frame]:
    """The frames that the server sends, a Close with its code alone."""
    sent = [Frame(PONG, payload) for payload in case.pongs]
    if case.code is not None:
        sent.append(Frame(CLOSE, b"" if case.code == 1005 else case.code.to_bytes(2, "big")))
    return sent


def shown(sent: Iterable[Frame]) -> list[Frame]:
    """What was sent, in the same way: without the data and the reasons of Closes."""
    return [
        Frame(CLOSE, one.payload[:2]) if one.opcode == CLOSE else one
        for one in sent
        if one.opcode in (CLOSE, PONG)
    ]
