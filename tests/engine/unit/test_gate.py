"""What the gate lets through is exactly what RFC 9112 writes, within the limits; the rest it refuses."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import InvalidHeader, Limits, ProtocolError
from streamcompat_engine.http1.gate import FORBIDDEN_TRAILERS, FieldGate, HeadGate, check_fields, check_reason
from streamcompat_engine.http1.states import Ending, Reader
from tests.support.catalogue import BAD_HEAD, GOOD
from tests.support.responses import responses
from tests.support.wire import SMALL, bytewise, cut, feed, held, most_held, request

TCHAR = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
VALUE = frozenset({0x09, *range(0x20, 0x7F), *range(0x80, 0x100)})


def verdict(pieces: list[bytes], limits: Limits = SMALL) -> tuple[bytes, bytes] | tuple[int, str] | None:
    """The head and what follows it; or the status and the reason; or nothing yet."""
    gate = HeadGate(limits)
    for index, piece in enumerate(pieces):
        try:
            done = gate.feed(piece)
        except ProtocolError as error:
            return error.status, error.reason
        if done is not None:
            return done[0], done[1] + b"".join(pieces[index + 1 :])
    return None


# ---- the catalogue ----


@pytest.mark.parametrize("name", GOOD)
def test_a_sound_head_passes_unchanged(name: str) -> None:
    wire = GOOD[name]
    done = verdict([wire])
    assert done is not None
    head, rest = done
    assert isinstance(head, bytes)
    assert isinstance(rest, bytes)
    assert head.endswith(b"\r\n\r\n")
    assert head + rest == wire.removeprefix(b"\r\n")
    assert verdict(bytewise(wire)) == done


@pytest.mark.parametrize("name", BAD_HEAD)
def test_a_broken_head_gets_one_answer_and_a_close(name: str) -> None:
    status, wire = BAD_HEAD[name]
    peer = feed([wire], SMALL)
    assert peer.seen == []
    assert peer.rejected is not None
    assert peer.rejected[0] == status
    (answer,) = responses(peer.sent, ["GET"])
    assert answer.status == status
    assert answer.complete
    assert answer.field(b"connection") == [b"close"]
    assert answer.field(b"date") != []
    assert peer.connection.reader is Reader.LINGER
    assert peer.connection.ending is Ending.HALF_CLOSE


@pytest.mark.parametrize("name", BAD_HEAD)
def test_a_verdict_comes_with_the_byte_that_makes_it(name: str) -> None:
    """No prefix of a refused head is accepted, and what follows the verdict changes nothing."""
    _, wire = BAD_HEAD[name]
    final = feed([wire], SMALL).rejected
    verdicts = [feed([wire[:size]], SMALL).rejected for size in range(len(wire) + 1)]
    first = next(size for size, found in enumerate(verdicts) if found is not None)
    assert set(verdicts[first:]) == {final}
    assert feed([wire[:first] + b"\r\n\r\n" + request()], SMALL).rejected == final
    assert feed([wire[: first - 1]], SMALL).seen == []


def test_a_refusal_of_head_has_no_body() -> None:
    """RFC 9110 §9.3.2: where the method can be told, what is refused is answered as the method asks."""
    for status, wire in (
        (417, request(b"HEAD / HTTP/1.1", b"Expect: x")),
        (400, request(b"HEAD / HTTP/1.1", b"A : b")),
        (414, b"HEAD /" + b"p" * 100),
    ):
        for pieces in ([wire], bytewise(wire), [request(), wire]):
            peer = feed(pieces, SMALL)
            assert peer.rejected is not None
            assert peer.rejected[0] == status
            *_, answer = responses(peer.sent, ["GET"] * len(peer.seen) + ["HEAD"])
            assert answer.status == status
            assert answer.complete
            assert peer.sent.endswith(b"\r\n\r\n")


# ---- limits, to the byte ----


def test_a_line_is_refused_when_it_can_no_longer_end_in_time() -> None:
    limit = SMALL.request_line
    gate = HeadGate(SMALL)
    assert gate.feed(b"GET /" + b"p" * (limit - 6)) is None
    with pytest.raises(ProtocolError, match="request line") as caught:
        gate.feed(b"p")
    assert caught.value.status == 414


def test_a_method_longer_than_the_line_may_be_is_not_known() -> None:
    """RFC 9112 §3: 501, where 414 is about the target."""
    limit = SMALL.request_line
    gate = HeadGate(SMALL)
    assert gate.feed(b"G" * (limit - 1)) is None
    with pytest.raises(ProtocolError, match="method") as caught:
        gate.feed(b"G")
    assert caught.value.status == 501


def test_the_last_byte_of_the_longest_line_is_its_line_feed() -> None:
    limit = SMALL.request_line
    gate = HeadGate(SMALL)
    line = b"GET /" + b"p" * (limit - 16) + b" HTTP/1.1\r\n"
    assert len(line) == limit
    for piece in bytewise(line):
        assert gate.feed(piece) is None
    assert gate.feed(b"\r\nrest") == (line + b"\r\n", b"rest")


@pytest.mark.parametrize("size", [79, 80])
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_section_counts_its_lines_and_not_the_empty_one(size: int, step: int) -> None:
    section = b"Name: value\r\n" * 5
    section += b"A: " + b"b" * (size - len(section) - 5) + b"\r\n"
    wire = section + b"\r\nrest"
    gate = FieldGate(79, 10, "header")
    found: object = None
    try:
        for piece in cut(wire, *range(step, len(wire), step)):
            found = found or gate.feed(piece)
    except ProtocolError as error:
        found = error.status
    if size > 79:
        assert found == 431
    else:
        assert isinstance(found, tuple)
        assert found[0] == section + b"\r\n"


def test_a_section_is_refused_when_it_can_no_longer_end_in_time() -> None:
    gate = FieldGate(20, 10, "header")
    assert gate.feed(b"A: b\r\n" + b"C" * 13) is None
    with pytest.raises(ProtocolError, match="over 20 bytes") as caught:
        gate.feed(b"C")
    assert caught.value.status == 431


def test_a_field_too_many_is_refused_with_its_first_byte() -> None:
    gate = FieldGate(100, 2, "header")
    assert gate.feed(b"A: b\r\n" * 2 + b"\r") is None
    gate = FieldGate(100, 2, "header")
    with pytest.raises(ProtocolError, match="more than 2 header fields"):
        gate.feed(b"A: b\r\n" * 2 + b"A")


def test_no_fields_are_fields_enough() -> None:
    gate = FieldGate(0, 0, "trailer")
    assert gate.feed(b"\r") is None
    assert gate.feed(b"\nrest") == (b"\r\n", b"rest")


@given(st.binary(max_size=600), st.integers(1, 64))
def test_whatever_comes_little_is_held(data: bytes, step: int) -> None:
    """Garbage is refused, or served, or waited for; it is never gathered beyond the limits."""
    peer = feed([], SMALL)
    for piece in cut(b"POST / HTTP/1.1\r\n" + data, *range(step, 700, step)):
        peer.receive(piece)
        assert held(peer.connection) <= most_held(SMALL, step)


def test_a_header_without_an_end_is_dropped_at_the_limit() -> None:
    """A gate that has refused holds a limit's worth of bytes, however many were sent."""
    peer = feed([b"GET / HTTP/1.1\r\nA: "], SMALL)
    for _ in range(10_000):
        peer.receive(b"b" * 10)
        assert held(peer.connection) <= most_held(SMALL, 10)
    assert peer.rejected is not None
    assert peer.rejected[0] == 431
    assert peer.connection.closed


# ---- two ways, one verdict ----

LINES = st.sampled_from(
    [
        *(
            b"GET / HTTP/1.1\r\n",
            b"GET / HTTP/1.1\n",
            b"G T / HTTP/1.1\r\n",
            b"Host: h\r\n",
            b"Host: h\n",
            b"\r\n",
        ),
        *(
            b"A: b\r\n",
            b"A:\r\n",
            b"A: \tb \r\n",
            b"A : b\r\n",
            b" b\r\n",
            b"A\r\n",
            b": b\r\n",
            b"\n",
            b"\r",
            b"A: \0\r\n",
        ),
        *(b"A: b\rc\r\n", b"A: " + b"b" * 40 + b"\r\n", b"A: \xff\r\n", b"\r\r\n", b"A: b"),
    ]
)


@given(lines=st.lists(LINES, max_size=9), begun=st.booleans(), extra=st.binary(max_size=8), data=st.data())
def test_one_look_and_line_by_line_agree(
    lines: list[bytes], begun: bool, extra: bytes, data: st.DataObject
) -> None:
    """A head that comes in one piece is looked at once, any other line by line: same head, same verdict."""
    wire = (b"GET / HTTP/1.1\r\n" if begun else b"") + b"".join(lines) + extra
    positions = data.draw(st.lists(st.integers(0, len(wire)), max_size=6))
    whole = verdict([wire])
    assert verdict(cut(wire, *positions)) == whole
    assert verdict(bytewise(wire)) == whole


@pytest.mark.parametrize(
    "ways", list(itertools.product(["whole", "bytewise", "the empty line first"], repeat=2))
)
@pytest.mark.parametrize("between", [b"", b"\r\n"])
def test_a_gate_is_ready_for_the_next_head(ways: tuple[str, str], between: bytes) -> None:
    """Nothing of a head, nor the empty line before it, is left when it has passed."""
    gate = HeadGate(SMALL)
    heads = [between + request(b"GET /%d HTTP/1.1" % index) for index in range(4)]
    for head, way in zip(heads, ways * 2, strict=True):
        assert gate.empty
        if way == "whole":
            pieces = [head]
        elif way == "bytewise":
            pieces = bytewise(head)
        else:  # the empty line alone, then the head in one
            pieces = cut(head, len(between))
        done = [gate.feed(piece) for piece in pieces]
        assert done[:-1] == [None] * (len(pieces) - 1)
        assert done[-1] == (head.removeprefix(b"\r\n"), b"")
    assert gate.empty


def test_an_ignored_empty_line_is_not_the_beginning_of_a_head() -> None:
    """RFC 9112 §2.2: a client that ends its body with one more CRLF has not begun anything."""
    gate = HeadGate(SMALL)
    assert gate.feed(b"\r") is None
    assert not gate.empty
    assert gate.feed(b"\n") is None
    assert gate.empty
    with pytest.raises(ProtocolError):
        gate.feed(b"\r\n")


# ---- what goes out ----


def _placed(byte: int) -> list[bytes]:
    return [b"%c" % byte, b"a%c" % byte, b"%ca" % byte, b"a%cb" % byte]


def test_a_name_is_a_token() -> None:
    for byte in range(256):
        for name in _placed(byte):
            if byte in TCHAR:
                check_fields([(name, b"v")])
            else:
                with pytest.raises(InvalidHeader):
                    check_fields([(b"Fine", b"v"), (name, b"v")])


def test_a_value_and_a_reason_have_no_control_bytes() -> None:
    for byte in range(256):
        for value in _placed(byte):
            if byte in VALUE:
                check_fields([(b"A", value)])
                check_reason(value)
            else:
                with pytest.raises(InvalidHeader):
                    check_fields([(b"A", value)])
                with pytest.raises(InvalidHeader):
                    check_reason(value)


def test_what_is_not_bytes_is_no_field() -> None:
    for name, value in (("A", b"b"), (b"A", "b"), (b"A", 1), (b"A", bytearray(b"b")), (b"", b"b")):
        with pytest.raises(InvalidHeader):
            check_fields([(name, value)])  # type: ignore[list-item]
    with pytest.raises(InvalidHeader):
        check_reason("OK")  # type: ignore[arg-type]


def test_forbidden_trailers_are_named_in_small_letters() -> None:
    """They are compared with names that h11 has lowered."""
    assert all(name == name.lower() for name in FORBIDDEN_TRAILERS)
    assert {
        b"content-length",
        b"transfer-encoding",
        b"host",
        b"trailer",
        b"authorization",
        b"cookie",
    } <= FORBIDDEN_TRAILERS
