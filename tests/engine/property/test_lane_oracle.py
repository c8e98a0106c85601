"""h11 is the lane's oracle: the same bytes, cut in any way, go to the engine and to a plain h11.

What the engine accepts, h11 accepts, with the same meaning; what h11 refuses, the engine refuses; and what
the engine refuses beyond that is in `STRICTER`, where each rule is written down a second time. The only
thing that h11 does not accept is the empty line before a request that RFC 9112 §2.2 tells us to ignore.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from streamcompat_engine import Limits, ProtocolError
from streamcompat_engine.events import RequestReceived, RequestRejected
from streamcompat_engine.http1.gate import FORBIDDEN_TRAILERS
from tests.support.catalogue import EVERY
from tests.support.wire import (
    SMALL,
    bytewise,
    chunks,
    connect,
    cut,
    gathered,
    post,
    request,
    sent,
    take_all,
    upload,
)


@dataclass
class Told:
    """One request as the engine or h11 saw it; `status` and `reason` where it was refused."""

    method: str = ""
    target: bytes = b""
    version: str = ""
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    body: bytes = b""
    trailers: list[tuple[bytes, bytes]] = field(default_factory=list)
    whole: bool = False
    keep_alive: bool = False
    status: int | None = None
    reason: str = ""
    begins: int = 0  # where in all the bytes


def by_h11(pieces: list[bytes]) -> list[Told]:
    """What h11 makes of the bytes, with a new connection for each request."""
    told: list[Told] = []
    waiting = b""
    at_start = may_skip = True
    judge = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 30)
    for piece in pieces:
        waiting += piece
        while True:
            if at_start:
                if may_skip and waiting[:2] in (b"", b"\r"):
                    break
                if may_skip and waiting[:2] == b"\r\n":
                    waiting = waiting[2:]
                may_skip = False
                if not waiting:
                    break
                at_start = False
            if waiting:
                judge.receive_data(waiting)
                waiting = b""
            try:
                event = judge.next_event()
            except h11.RemoteProtocolError as error:
                if not told or told[-1].whole:
                    told.append(Told())
                told[-1].status = error.error_status_hint
                return told
            if event is h11.NEED_DATA:
                break
            if isinstance(event, h11.Request):
                headers = list(event.headers.raw_items())
                told.append(Told(event.method.decode(), event.target, event.http_version.decode(), headers))
                if event.method == b"CONNECT":
                    return told
            elif isinstance(event, h11.Data):
                told[-1].body += event.data
            else:
                assert isinstance(event, h11.EndOfMessage)
                told[-1].trailers, told[-1].whole = list(event.headers), True
                judge.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                judge.send(h11.EndOfMessage())
                told[-1].keep_alive = judge.our_state is not h11.MUST_CLOSE
                if not told[-1].keep_alive:
                    return told
                waiting, _ = judge.trailing_data
                judge = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 30)
                at_start = may_skip = True
    return told


def by_engine(pieces: list[bytes], limits: Limits) -> list[Told]:
    """What the engine makes of them, each request answered at its end."""
    connection = connect(limits)
    told: list[Told] = []
    given = begins = 0
    for piece in pieces:
        given += len(piece)
        connection.receive_data(piece, 0.0)
        while True:
            for event in connection.events():
                if isinstance(event, RequestRejected):
                    return [*told, Told(status=event.status, reason=event.reason, begins=begins)]
                assert isinstance(event, RequestReceived)
                head = event.head
                told.append(
                    Told(head.method, head.target, head.http_version, list(head.raw_headers), begins=begins)
                )
            if connection.head is None:
                break
            this, inbound = told[-1], connection.inbound
            if inbound is not None:
                this.body += b"".join(take_all(inbound))
                if inbound.error is not None:
                    assert isinstance(inbound.error, ProtocolError)
                    this.status, this.reason = inbound.error.status, inbound.error.reason
                    return told
                if not inbound.ended:
                    break
                this.trailers = list(inbound.trailers)
            this.whole = True
            begins = given - len(gathered(connection))
            connection.respond(200, (), None, b"")
            this.keep_alive = b"\r\nConnection: close\r\n" not in sent(connection)
            connection.exchange_done(0.0)
            if not this.keep_alive:
                return told
    return told


# ---- what the engine refuses and h11 does not ----


TOKEN = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+"
TEXT = rb"[\t\x20-\x7e\x80-\xff]*"
LINE = re.compile(TOKEN + rb" [\x21-\x7e]+ HTTP/\d\.\d\r\n")
FIELD = re.compile(TOKEN + rb":" + TEXT + rb"\r\n")
QUOTED = rb'"([\t\x20\x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t\x20-\x7e\x80-\xff])*"'
SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})((;" + TOKEN + rb"(=(" + TOKEN + rb"|" + QUOTED + rb"))?)*)\r\n")
HOST = re.compile(
    rb"(([A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*|\[[0-9A-Fa-f:.]+\]"
    rb"|\[[Vv][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+\])(:\d{0,5})?"
)


class Refused:
    """The bytes of one refused request, taken apart as a whole."""

    def __init__(self, wire: bytes, limits: Limits) -> None:
        self.limits = limits
        self.wire = wire.removeprefix(b"\r\n")
        self.lines = re.findall(rb"[^\n]*\n|[^\n]+$", self.wire)
        self.line = self.lines[0] if self.lines else b""
        head, _, self.body = self.wire.partition(b"\r\n\r\n")
        self.words = self.line.split()
        self.target = self.words[1] if len(self.words) == 3 else b""
        self.fields = [
            (name.lower(), value.strip(b" \t"))
            for name, _, value in (line.partition(b":") for line in head.split(b"\r\n")[1:])
        ]

    def values(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]

    def section(self, lines: list[bytes]) -> list[bytes]:
        """The field lines before the empty line."""
        return lines[: lines.index(b"\r\n")] if b"\r\n" in lines else lines

    def chunked(self) -> tuple[str, bytes, int]:
        """Where a strict reader of chunks stops, at what, and the bytes of extensions that it has read."""
        rest, extensions, extended = self.body, 0, 0
        while True:
            line = rest[: rest.find(b"\n") + 1] or rest
            size = SIZE.fullmatch(line)
            if size is None:
                return "line", line, extensions
            extensions += len(size[2])
            extended += bool(size[2])
            if (
                len(size[2]) > self.limits.chunk_extension
                or extensions > self.limits.chunk_extensions
                or extended > self.limits.extended_chunks
            ):
                return "line", line, extensions
            rest = rest[len(line) :]
            length = int(size[1], 16)
            if not length:
                return "trailers", rest, extensions
            if not b"\r\n".startswith(rest[length : length + 2]):
                return "data", rest[length:], extensions
            rest = rest[length + 2 :]

    def trailers(self) -> list[bytes]:
        where, rest, _ = self.chunked()
        assert where == "trailers"
        return self.section(re.findall(rb"[^\n]*\n|[^\n]+$", rest))


def _over(lines: list[bytes], size: int) -> bool:
    """An unfinished line counts with the line feed that it still needs."""
    taken = sum(map(len, lines)) + (bool(lines) and not lines[-1].endswith(b"\n"))
    return taken > size


def _bad_target(it: Refused) -> bool:
    if it.target.startswith(b"/") or (it.target == b"*" and it.words[0] == b"OPTIONS"):
        return False
    absolute = re.fullmatch(rb"(?i:https?)://([^/?]+).*", it.target)
    return absolute is None or not HOST.fullmatch(absolute[1]) or absolute[1].startswith(b":")


STRICTER: dict[str, Callable[[Refused], bool]] = {
    # RFC 9112 §2 and §3: the line
    r"a TLS handshake .*": lambda it: it.wire.startswith(b"\x16"),
    r"a bare CR before .*": lambda it: it.wire[:1] == b"\r" and it.wire[1:2] != b"\n",
    r"the request line does not begin .*": lambda it: not re.match(TOKEN, it.wire),
    r"a malformed request line": lambda it: it.line.endswith(b"\n") and not LINE.fullmatch(it.line),
    r"the request line is over \d+ bytes": lambda it: _over([it.line], it.limits.request_line),
    r"the method is too long": lambda it: (
        _over([it.line], it.limits.request_line) and b" " not in it.line[: it.limits.request_line]
    ),
    r"HTTP/\d\.\d is not supported": lambda it: it.words[2] not in (b"HTTP/1.0", b"HTTP/1.1"),
    r"CONNECT is not supported": lambda it: it.words[0] == b"CONNECT",
    r"a fragment in the request target": lambda it: b"#" in it.target,
    r"a malformed request target": _bad_target,
    # RFC 9112 §5: the fields
    r"a malformed header field line": lambda it: any(
        line.endswith(b"\n") and not FIELD.fullmatch(line) for line in it.section(it.lines[1:])
    ),
    r"more than \d+ header fields": lambda it: len(it.section(it.lines[1:])) > it.limits.field_count,
    r"header fields over \d+ bytes": lambda it: _over(it.section(it.lines[1:]), it.limits.head_fields),
    r"a malformed Host": lambda it: (
        not HOST.fullmatch(it.values(b"host")[0]) or it.values(b"host")[0][:1] in (b"", b":")
    ),
    r"conflicting Content-Type fields": lambda it: len(set(it.values(b"content-type"))) > 1,
    r"a framing field with an underscore": lambda it: bool(
        it.values(b"content_length") or it.values(b"transfer_encoding")
    ),
    r"an expectation .*": lambda it: [value.lower() for value in it.values(b"expect")] != [b"100-continue"],
    # RFC 9112 §6: the framing
    r"Content-Length beside .*": lambda it: bool(
        it.values(b"content-length") and it.values(b"transfer-encoding")
    ),
    r"Transfer-Encoding in HTTP/1.0": lambda it: bool(it.values(b"transfer-encoding")) and b"1.0" in it.line,
    r"a malformed Content-Length": lambda it: (
        not re.fullmatch(rb"\d+", b" ".join(it.values(b"content-length")))
    ),
    r"the Content-Length is too large": lambda it: len(it.values(b"content-length")[0]) > 18,
    # RFC 9112 §7: the chunks
    r"a malformed chunk size": lambda it: it.chunked()[0] == "line" and not SIZE.fullmatch(it.chunked()[1]),
    r"a chunk's size line is too long": lambda it: (
        it.chunked()[0] == "line" and _over([it.chunked()[1]], 15 + it.limits.chunk_extension + 2)
    ),
    r"more than \d+ chunks with extensions": lambda it: (
        it.body.count(b";") > it.limits.extended_chunks and it.chunked()[0] == "line"
    ),
    r"a chunk extension over \d+ bytes": lambda it: (
        len(it.chunked()[1].partition(b";")[2]) - 1 > it.limits.chunk_extension - 2
    ),
    r"chunk extensions over \d+ bytes": lambda it: it.chunked()[2] > it.limits.chunk_extensions,
    r"a malformed trailer field line": lambda it: any(
        line.endswith(b"\n") and not FIELD.fullmatch(line) for line in it.trailers()
    ),
    r"more than \d+ trailer fields": lambda it: len(it.trailers()) > it.limits.trailer_count,
    r"trailer fields over \d+ bytes": lambda it: _over(it.trailers(), it.limits.trailer_fields),
    r".+ as a trailer": lambda it: any(
        line.partition(b":")[0].lower() in FORBIDDEN_TRAILERS for line in it.trailers()
    ),
}
"""Each reason by which the engine alone refuses, and whether these bytes truly give it."""


def agree(wire: bytes, pieces: list[bytes], limits: Limits) -> None:
    """Compare what the engine and h11 make of the same pieces."""
    mine, theirs = by_engine(pieces, limits), by_h11(pieces)
    for index, told in enumerate(mine):
        other = theirs[index] if index < len(theirs) else None
        if told.status is not None:
            if other is None or other.status is None:
                rules = [rule for reason, rule in STRICTER.items() if re.fullmatch(reason, told.reason)]
                assert rules, f"refused for no rule: {told.reason}"
                assert rules[0](Refused(wire[told.begins :], limits)), f"not so: {told.reason}"
            if told.method:
                assert other is not None
                assert _head(told) == _head(other)
                assert other.body.startswith(told.body)
            return
        assert other is not None
        assert other.status is None, "h11 refuses what the engine accepts"
        assert _head(told) == _head(other)
        assert (told.body, told.trailers, told.whole) == (other.body, other.trailers, other.whole)
        if told.keep_alive != other.keep_alive:
            # RFC 9112 §9.3: kept in HTTP/1.0 where the client asks for it, which h11 never does.
            assert told.keep_alive
            assert told.version == "1.0"
            assert any(
                name.lower() == b"connection" and b"keep-alive" in value.lower()
                for name, value in told.headers
            )
            return
    assert len(theirs) == len(mine)


def _head(told: Told) -> tuple[object, ...]:
    return told.method, told.target, told.version, told.headers


# ---- what goes in ----


METHODS = st.sampled_from([b"GET", b"POST", b"HEAD", b"OPTIONS", b"get", b"CONNECT", b"X!"])
TARGETS = st.sampled_from(
    [b"/", b"/a?b", b"*", b"http://o/", b"http://o?q", b"foo", b"/#f", b"/%00", b"//", b"ftp://o/"]
)
VERSIONS = st.sampled_from([b"1.1"] * 6 + [b"1.0", b"1.0", b"2.0", b"0.9", b"1.2", b"1"])
HOSTS = st.sampled_from(
    [b"Host: h"] * 8 + [b"Host:", b"host: [::1]:80", b"Host: a b", b"Host: a/b", b"Host: :80", b"X: y"]
)
OTHERS = st.sampled_from(
    [
        *(
            b"A: b",
            b"A:",
            b"a:\t b\tc ",
            b"A: \xff",
            b"A: \x01",
            b"A : b",
            b" A: b",
            b"A: b\r\n c",
            b"Host: other",
        ),
        *(
            b"Connection: close",
            b"Connection: keep-alive",
            b"Connection: x ,CLOSE",
            b"Upgrade: x",
            b"TE: trailers",
        ),
        *(
            b"Expect: 100-continue",
            b"Expect: 100-Continue ",
            b"Expect: x",
            b"Trailer: t",
            b"Connection: Keep-Alive, x",
        ),
    ]
)
FRAMINGS = st.sampled_from(
    [
        *[b"Transfer-Encoding: chunked"] * 4,
        *(b"Content-Length: 5", b"Content-Length: 5", b"Content-Length: 5, 5", b"Content-Length: 05"),
        *(b"Content-Length: +5", b"Content-Length: " + b"5" * 19, b"Transfer-Encoding: x, chunked"),
        *(b"transfer-encoding: CHUNKED", b"Content-Length: 5\r\nTransfer-Encoding: chunked"),
        *(b"Content-Length: 5\r\ncontent-length: 5", b"Content-Length: 0"),
    ]
)
SIZES = st.sampled_from(
    [b"%x", b"%X", b"0%x", b"000000000000%x", b"0000000000000000%x", b"%x ", b"0x%x", b"+%x"]
)
EXTENSIONS = st.sampled_from(
    [b""] * 8 + [b";a", b";a=b", b';a="b;\\""', b";", b"; a", b";a=", b";a\0", b";" + b"x" * 20]
)
TRAILERS = st.sampled_from(
    [b""] * 4
    + [b"T: v\r\n", b"a: b\r\nc:\td \r\n", b"Host: x\r\n", b"T: v\n", b"T: \0\r\n", b"T\r\n", b"t:v\r\n" * 4]
)


@st.composite
def chunked_bodies(draw: st.DrawFn) -> bytes:
    """Chunks, mostly plain ones, and mostly with their end."""
    plain = draw(st.booleans())
    body = b""
    for data in draw(st.lists(st.binary(min_size=1, max_size=20), max_size=5)):
        spelled = b"%x" if plain else draw(SIZES)
        body += spelled % len(data) + (b"" if plain else draw(EXTENSIONS)) + b"\r\n" + data + b"\r\n"
    return body + b"0" + (b"" if plain else draw(EXTENSIONS)) + b"\r\n" + draw(TRAILERS) + b"\r\n"


@st.composite
def sent_requests(draw: st.DrawFn) -> bytes:
    """A request that is sound, or nearly so."""
    line = draw(METHODS) + b" " + draw(TARGETS) + b" HTTP/" + draw(VERSIONS)
    fields = [draw(HOSTS), *draw(st.lists(OTHERS, max_size=3))]
    body = b""
    if draw(st.booleans()):
        fields.append(draw(FRAMINGS))
        body = (
            draw(chunked_bodies())
            if b"hunked" in fields[-1].title()
            else draw(st.just(b"hello") | st.binary(max_size=8))
        )
    return b"\r\n".join([line, *fields, b"", b""]) + body


SOUND = st.sampled_from([request(), post(b"hello"), upload(chunks(b"hello", b"you")), b"\r\n" + request()])
NOISE = st.sampled_from(
    [b"\r", b"\n", b"\r\n", b"\0", b" ", b"\t", b";", b":", b",", b"0", b"5", b"\xff", b"\x7f", b"#"]
)


@st.composite
def mutations(draw: st.DrawFn, of: st.SearchStrategy[bytes]) -> bytes:
    """The bytes with something put in, taken out, exchanged or repeated."""
    wire = draw(of)
    for _ in range(draw(st.integers(0, 3))):
        if not wire:
            break
        at = draw(st.integers(0, len(wire) - 1))
        to = min(len(wire), at + draw(st.integers(0, 3)))
        wire = wire[:at] + draw(NOISE | st.just(b"") | st.just(wire[at:to] * 2)) + wire[to:]
    return wire


CUTS = st.lists(st.integers(1, 400), max_size=10)
LIMITS = st.sampled_from([Limits(), SMALL])


@given(wires=st.lists(SOUND, max_size=2), last=mutations(sent_requests()), positions=CUTS, limits=LIMITS)
def test_requests_sound_or_nearly_so(
    wires: list[bytes], last: bytes, positions: list[int], limits: Limits
) -> None:
    wire = b"".join(wires) + last
    agree(wire, cut(wire, *positions), limits)


@given(wire=mutations(st.sampled_from(sorted(EVERY.values()))), behind=SOUND, positions=CUTS, limits=LIMITS)
def test_the_catalogue_with_faults(wire: bytes, behind: bytes, positions: list[int], limits: Limits) -> None:
    wire += behind
    agree(wire, cut(wire, *positions), limits)


@given(body=mutations(chunked_bodies()), positions=CUTS, limits=LIMITS)
def test_chunked_bodies_with_faults(body: bytes, positions: list[int], limits: Limits) -> None:
    """The cuts fall where the lane is: behind the head."""
    wire = upload(body)
    head = len(wire) - len(body)
    agree(wire, cut(wire, head, *(head + position % (len(body) + 1) for position in positions)), limits)


@given(wire=st.binary(max_size=300), positions=CUTS, limits=LIMITS)
@example(wire=b"\r", positions=[], limits=SMALL)
@example(wire=b"\r\n\r", positions=[1, 2], limits=SMALL)
def test_any_bytes(wire: bytes, positions: list[int], limits: Limits) -> None:
    agree(wire, cut(wire, *positions), limits)


@pytest.mark.parametrize("name", EVERY)
def test_the_catalogue(name: str) -> None:
    """Whole and byte by byte; h11's opinion of each of the requests that the other tests are about."""
    wire = EVERY[name]
    agree(wire, [wire], SMALL)
    agree(wire, bytewise(wire), SMALL)


def test_every_rule_is_one_that_the_engine_has() -> None:
    """The written list is neither shorter nor longer than what is refused."""
    reasons = {told.reason for wire in EVERY.values() for told in by_engine([wire], SMALL)}
    for rule in STRICTER:
        assert any(re.fullmatch(rule, reason) for reason in reasons), rule
