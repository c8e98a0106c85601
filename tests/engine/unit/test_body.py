"""A request's body comes out of the bytes as it was put in, and broken framing comes out as an error."""

from __future__ import annotations

import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import Limits, ProtocolError
from streamcompat_engine.http1 import body as lane
from streamcompat_engine.http1.body import ChunkedBody, LengthBody
from streamcompat_engine.http1.gate import FORBIDDEN_TRAILERS
from streamcompat_engine.http1.heads import parse_head, primed
from streamcompat_engine.http1.states import Ending
from tests.support.catalogue import BAD_BODY
from tests.support.wire import SMALL, bytewise, chunks, cut, feed, upload

HEAD = parse_head(upload(b""))


def chunked(limits: Limits = SMALL) -> ChunkedBody:
    return ChunkedBody(limits, lambda: primed(HEAD))


def read(body: ChunkedBody | LengthBody, pieces: list[bytes]) -> tuple[list[bytes], bytes | None]:
    """The body's pieces and what follows it, or `None` where it has not ended."""
    out: list[bytes] = []
    for index, piece in enumerate(pieces):
        rest = body.feed(piece, out)
        while body.behind:
            rest = body.feed(b"", out)
        if rest is not None:
            return out, rest + b"".join(pieces[index + 1 :])
    return out, None


# ---- framed by length ----


def test_a_counted_body_is_passed_on_as_the_object_that_came() -> None:
    piece = bytes(bytearray(b"hello"))
    out: list[bytes] = []
    assert LengthBody(10).feed(piece, out) is None
    assert out[0] is piece
    assert LengthBody(5).feed(piece, out) == b""
    assert out[1] is piece


@given(st.binary(min_size=1, max_size=40), st.binary(max_size=40), st.lists(st.integers(1, 80), max_size=6))
def test_a_counted_body_ends_at_its_count(data: bytes, behind: bytes, positions: list[int]) -> None:
    body = LengthBody(len(data))
    out, rest = read(body, cut(data + behind, *positions))
    assert b"".join(out) == data
    assert all(out)
    assert rest == behind
    assert body.remaining == 0


def test_a_counted_body_knows_what_is_left() -> None:
    body = LengthBody(10)
    body.feed(b"1234", [])
    assert body.remaining == 6


# ---- chunked ----


def test_one_large_chunk_in_reads_is_passed_on_as_the_objects_that_came() -> None:
    body = chunked()
    out: list[bytes] = []
    body.feed(b"2000\r\n", out)
    pieces = [bytes(bytearray(b"x" * 4096)) for _ in range(2)]
    for piece in pieces:
        body.feed(piece, out)
    assert [found is piece for found, piece in zip(out, pieces, strict=True)] == [True, True]


def test_small_chunks_of_one_read_are_one_piece_and_large_ones_stay_apart() -> None:
    small, large = [b"a" * 100] * 50, [b"b" * 5000] * 3
    assert read(chunked(), [chunks(*small)]) == ([b"".join(small)], b"")
    assert read(chunked(), [chunks(*large)]) == (large, b"")


@given(
    pieces=st.lists(st.binary(min_size=1, max_size=40), max_size=8),
    behind=st.binary(max_size=20),
    positions=st.lists(st.integers(1, 300), max_size=8),
)
def test_chunks_are_cut_out_wherever_they_are_cut(
    pieces: list[bytes], behind: bytes, positions: list[int]
) -> None:
    out, rest = read(chunked(), cut(chunks(*pieces) + behind, *positions))
    assert b"".join(out) == b"".join(pieces)
    assert all(out)
    assert rest == behind


SIZES = [0, 1, 2, 15, 16, 17, 255, 256, 4095, 4096, 4097, 65535, 65536]


@pytest.mark.parametrize("size", SIZES[1:])
def test_chunks_of_every_size_come_whole(size: int) -> None:
    data = bytes(range(256)) * (size // 256 + 1)
    pieces = [data[:size]] * 3
    wire = chunks(*pieces, b"end")
    for step in (1 if size < 5000 else 977, 1000, 65536, len(wire)):
        out, rest = read(chunked(), cut(wire, *range(step, len(wire), step)))
        assert b"".join(out) == b"".join(pieces) + b"end"
        assert rest == b""


@pytest.mark.parametrize("name", BAD_BODY)
def test_broken_framing_is_the_readers_error_and_closes(name: str) -> None:
    """What came before the fault can be read, nothing after it; the answer is the connection's last."""
    status, before, body = BAD_BODY[name]
    for pieces in ([upload(body)], bytewise(upload(body))):
        peer = feed(pieces, SMALL)
        (seen,) = peer.seen
        assert seen.error is not None
        assert seen.error[0] is ProtocolError
        assert seen.error[1].startswith(f"{status}: ")
        assert seen.body == before
        assert not seen.ended
        assert seen.trailers == ()
        assert peer.rejected is None
        assert peer.sent.count(b"Connection: close") == 1
        assert peer.connection.ending is Ending.HALF_CLOSE


def test_a_size_line_is_refused_when_it_can_no_longer_end_in_time() -> None:
    """Fifteen digits, an extension of the longest kind and CRLF; one byte less may still be gathered."""
    longest = 15 + SMALL.chunk_extension + 2
    for before in (b"", b"1\r\nx\r\n"):
        body = chunked()
        assert body.feed(before + b"1;" + b"e" * (longest - 3), []) is None
        with pytest.raises(ProtocolError, match="too long"):
            body.feed(b"e", [])


@pytest.mark.parametrize("name", sorted(FORBIDDEN_TRAILERS))
def test_a_forbidden_trailer_is_refused_in_any_case(name: bytes) -> None:
    """RFC 9110 §6.5.1: it would pass by whatever has looked at the head."""
    for spelled in (name, name.upper()):
        with pytest.raises(ProtocolError):
            read(chunked(Limits()), [chunks(trailers=b"Fine: 1\r\n" + spelled + b": chunked\r\n")])


def test_trailers_are_given_with_lowered_names() -> None:
    for wire in (
        [chunks(b"x", trailers=b"A: b \r\nC:\td\r\n")],
        bytewise(chunks(b"x", trailers=b"A: b \r\nC:\td\r\n")),
    ):
        body = chunked()
        assert read(body, wire) == ([b"x"], b"")
        assert body.trailers == ((b"a", b"b"), (b"c", b"d"))


CHUNKS = [
    *(b"1\r\nx\r\n", b"001\r\n\n\r\n", b"4\r\nx\r\ny\r\n", b"2\r\n\r\n\r\n", b"10\r\n%b\r\n" % bytes(16)),
    *(b"1;a\r\nx\r\n", b"0\r\n\r\n", b"0\r\nA: b\r\n\r\n"),
    *(b"1\r\nxy\r\n", b"2\r\nx\r\n", b"3\r\n\r\n", b"1\n\nx\r\n", b"x\r\n\r\n", b"-1\r\nx\r\n", b"\r\n"),
]


@given(st.lists(st.sampled_from(CHUNKS), min_size=1, max_size=5))
def test_chunks_that_come_one_by_one_are_read_as_those_that_come_together(wires: list[bytes]) -> None:
    def outcome(pieces: list[bytes]) -> tuple[bytes, bytes | None, str]:
        out: list[bytes] = []
        body, rest, error = chunked(), None, ""
        try:
            for index, piece in enumerate(pieces):
                rest = body.feed(piece, out)
                if rest is not None:
                    rest += b"".join(pieces[index + 1 :])
                    break
        except ProtocolError as broken:
            error = str(broken)
        return b"".join(out), rest, error

    assert outcome(wires) == outcome([b"".join(wires)])


FORGED = st.text("\r\nx01;", min_size=2, max_size=5).map(str.encode).filter(lambda text: text[:2] != b"\r\n")


@given(
    before=st.lists(st.sampled_from([b"1\r\nx\r\n", b"2\r\nxy\r\n", b"1;a\r\nx\r\n"]), max_size=3),
    size=st.integers(1, 3),
    forged=FORGED,
    positions=st.lists(st.integers(1, 30), max_size=8),
)
def test_what_follows_a_chunk_is_exactly_crlf(
    before: list[bytes], size: int, forged: bytes, positions: list[int]
) -> None:
    """Whatever was read before, and however it was cut."""
    wire = b"".join(before) + b"%x\r\n%b" % (size, b"y" * size) + forged + b"\r\n0\r\n\r\n"
    with pytest.raises(ProtocolError, match="longer than its size"):
        read(chunked(), cut(wire, *positions))


# ---- what it costs ----


def test_a_body_of_many_chunks_takes_no_more_memory_than_a_read() -> None:
    """Nothing gathers but what the application has not taken."""
    read_once = b"1\r\nx\r\n" * 10_000
    body = chunked()
    out: list[bytes] = []
    tracemalloc.start()
    try:
        for _ in range(8):
            body.feed(read_once, out)
            out.clear()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 30 * len(read_once)


def test_what_is_known_of_sizes_is_bounded() -> None:
    """No client fills the memory of a server with the ways to write a number."""
    out: list[bytes] = []
    for zeros in range(12):
        wire = b"".join(b"%b%x\r\n%b\r\n" % (b"0" * zeros, size, b"x" * size) for size in range(1, 1000))
        chunked().feed(wire, out)
        assert len(lane._known_sizes) <= lane._KNOWN_COUNT
    assert b"".join(out) == b"x" * (12 * sum(range(1, 1000)))


def test_h11_judges_only_what_is_not_plain() -> None:
    """A plain body costs no h11 connection; an extension or a trailer costs one, however many there are."""
    made: list[int] = []

    def judge() -> object:
        made.append(1)
        return primed(HEAD)

    plain = ChunkedBody(SMALL, judge)  # type: ignore[arg-type]
    read(plain, bytewise(chunks(b"abc", b"d" * 300, b"e")))
    assert made == []
    read(ChunkedBody(SMALL, judge), [b"1;a\r\nx\r\n" * 4 + chunks(b"x", trailers=b"A: b\r\n")])  # type: ignore[arg-type]
    assert made == [1]


# ---- as much as one turn of the loop may take ----

READ = 256 * 1024
"""Bytes that some loops read at once."""
MOST = 10 * 1024
"""Chunks that may be cut out in one turn."""


@pytest.mark.parametrize(
    "unit",
    [
        b"1\r\nx\r\n",
        b"1\r\nx\r\n2\r\nxy\r\n",
        b"0" * 14 + b"1\r\nx\r\n",
        b"1\r\nx\r\n01\r\nx\r\n001\r\nx\r\n",
        b"a\r\n" + bytes(10) + b"\r\n",
    ],
)
@pytest.mark.parametrize("extended", [b"", b"1;a\r\nx\r\n"])
def test_a_large_read_of_small_chunks_is_parsed_in_turns(
    unit: bytes, extended: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts: list[int] = []
    cut_out = ChunkedBody._cut

    def counting(self: ChunkedBody, data: bytes, cut: list[bytes]) -> bytes | None:
        rest = cut_out(self, data, cut)
        counts.append(len(cut))
        return rest

    monkeypatch.setattr(ChunkedBody, "_cut", counting)
    wire = extended * 100 + unit * (READ // len(unit))
    out, rest = read(chunked(Limits()), [wire, chunks(b"y", trailers=b"A: b\r\n") + b"next"])
    assert (
        b"".join(out) == b"x" * 100 * bool(extended) + b"".join(_contents(unit)) * (READ // len(unit)) + b"y"
    )
    assert rest == b"next"
    assert max(counts) <= MOST


def _contents(wire: bytes) -> list[bytes]:
    lines = wire.split(b"\r\n")
    return lines[1::2]


def test_large_chunks_are_never_put_off() -> None:
    body = chunked(Limits())
    out: list[bytes] = []
    body.feed(b"1000\r\n%b\r\n" % bytes(4096) * 2000, out)
    assert not body.behind
    assert len(out) == 2000


@pytest.mark.parametrize("broken", [b"x\r\n", b"\r\nx\r\n", b"1;\r\n"])
def test_what_is_broken_is_found_in_its_turn(broken: bytes) -> None:
    body = chunked(Limits())
    out: list[bytes] = []
    body.feed(b"1\r\nx\r\n" * 40_000 + broken, out)
    while len(body.behind) > READ // 4:
        body.feed(b"", out)
    assert len(b"".join(out)) < 40_000
    with pytest.raises(ProtocolError):
        body.feed(b"", out)
    assert b"".join(out) == b"x" * 40_000


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 2, 15, 16, 300, 5000, 70_000]), st.integers(1, 20_000)), max_size=4
    ),
    st.lists(st.integers(1, 400_000), max_size=4),
)
def test_however_it_is_put_off_the_body_is_the_same(kinds: list[tuple[int, int]], cuts: list[int]) -> None:
    pieces = [bytes([size % 251]) * size for size, count in kinds for _ in range(min(count, 200_000 // size))]
    out, rest = read(chunked(Limits()), cut(chunks(*pieces) + b"next", *cuts))
    assert b"".join(out) == b"".join(pieces)
    assert rest is not None and b"next".endswith(rest[-4:])
