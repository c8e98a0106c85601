"""Multipart bodies against RFC 2046 §5.1.1, our own bounds, and python-multipart."""

from __future__ import annotations

import logging

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser

from streamcompat.kernel.request.multipart import HEADER_SIZE, PIECE, PartHead, PartsParser, Sign, TooMuch
from tests.support.multipart import events_of

TYPE = "multipart/form-data; boundary=xy"
LAST = b"\r\n--xy--\r\n"

Part = tuple[list[tuple[bytes, bytes]], bytes]


def parts_of(*pieces: bytes, most: int | None = None) -> list[Part]:
    parser = PartsParser(TYPE, most)
    parts: list[Part] = []
    for piece in pieces:
        for event in events_of(parser, piece):
            if isinstance(event, PartHead):
                parts.append(([(k.encode(), v.encode()) for k, v in event.headers.items()], b""))
            elif isinstance(event, bytes):
                assert event
                parts[-1] = (parts[-1][0], parts[-1][1] + event)
    parser.close()
    return parts


def parts_by_python_multipart(body: bytes) -> list[Part]:
    parts: list[Part] = []
    name, value = bytearray(), bytearray()
    ended = []

    def field() -> None:
        parts[-1][0].append((bytes(name).lower(), bytes(value).strip(b" \t")))
        name.clear()
        value.clear()

    def content(data: bytes, start: int, end: int) -> None:
        parts[-1] = (parts[-1][0], parts[-1][1] + data[start:end])

    parser = MultipartParser(
        b"xy",
        {
            "on_part_begin": lambda: parts.append(([], b"")),
            "on_header_field": lambda data, start, end: name.extend(data[start:end]),
            "on_header_value": lambda data, start, end: value.extend(data[start:end]),
            "on_header_end": field,
            "on_part_data": content,
            "on_end": lambda: ended.append(True),
        },
        max_header_count=10_000,
        max_header_size=HEADER_SIZE,
    )
    parser.logger = logging.Logger("silent", logging.CRITICAL + 1)
    parser.write(body)
    if not ended:
        raise FormParserError("not ended")
    return parts


SCRAPS = st.sampled_from(
    [b"\r\n--xy\r\n", b"\r\n--xy--", b"\r\n--xy", b"\r\n--x", b"\r\n", b"\r", b"\n", b"-", b"--", b"xy"]
    + [b"A: b\r\n", b"a:b\r\n\r\n", b"\r\n\r\n", b"c", b" ", b"\t"]
)
BODIES = st.lists(SCRAPS, max_size=14).map(b"".join).map(lambda middle: b"--xy\r\n" + middle + LAST)


def cut(body: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(min(at, len(body)) for at in cuts), len(body)]
    return [body[a:b] for a, b in zip(places, places[1:], strict=False)]


@given(BODIES, st.lists(st.integers(0, 80), max_size=8))
def test_the_parts_do_not_depend_on_the_cut(body, cuts):
    def outcome(pieces: list[bytes]) -> object:
        try:
            return parts_of(*pieces)
        except ValueError as error:
            return str(error)

    assert (
        outcome(cut(body, cuts)) == outcome([body]) == outcome([body[at : at + 1] for at in range(len(body))])
    )


@given(BODIES)
def test_what_python_multipart_reads_is_read_alike(body):
    # White space behind a boundary, which not all of its versions know, is ours alone.
    assume(b"xy " not in body and b"xy\t" not in body)
    try:
        expected = parts_by_python_multipart(body)
    except FormParserError:
        return
    # A field that is repeated has one name; a bare LF in a field is refused here.
    assume(not any(b"\n" in name + value for fields, _ in expected for name, value in fields))
    read = parts_of(body)
    assert [(dict(reversed(fields)), content) for fields, content in expected] == [
        (dict(reversed(fields)), content) for fields, content in read
    ]


@pytest.mark.parametrize("padding", [b" ", b"\t", b" \t \t", b" " * 256])
def test_white_space_behind_any_boundary(padding):
    body = b"--xy" + padding + b"\r\n\r\n1\r\n--xy" + padding + b"\r\n\r\n2\r\n--xy--" + padding + b"\r\n"
    assert (
        parts_of(body)
        == parts_of(*[body[at : at + 1] for at in range(len(body))])
        == [([], b"1"), ([], b"2")]
    )


def test_a_longer_boundary_is_content():
    content = b"\r\n--xyz\r\n\r\n--xy z" + b"\r\n--xy" + b" " * 300
    assert parts_of(b"--xy\r\n\r\n" + content + LAST) == [([], content)]


def test_thousands_that_look_like_boundaries_are_one_piece():
    parser = PartsParser(TYPE)
    content = b"\r\n--xyz" * (10 * PIECE // 8)
    events = events_of(parser, b"--xy\r\n\r\n" + content + LAST)
    assert b"".join(event for event in events if isinstance(event, bytes)) == content
    assert len(events) < 20


@pytest.mark.parametrize(
    "field", [b"A: " + b"x" * 8000, b"A: " + b"x" * 4300, b"a:b"], ids=["one", "two", "many"]
)
@pytest.mark.parametrize("cut_at", [1, 1000, 10**6])
def test_a_header_may_have_8_kib_in_any_number_of_fields(field, cut_at):
    block = b"\r\n".join([field] * (HEADER_SIZE // (len(field) + 2)))
    block += b"x" * (HEADER_SIZE - len(block))
    body = b"--xy\r\n" + block + b"\r\n\r\n1" + LAST
    assert parts_of(*[body[at : at + cut_at] for at in range(0, len(body), cut_at)])[0][1] == b"1"
    body = b"--xy\r\n" + block + b"x\r\n\r\n1" + LAST
    with pytest.raises(TooMuch, match="header is too long"):
        parts_of(*[body[at : at + cut_at] for at in range(0, len(body), cut_at)])


@pytest.mark.parametrize(
    "block", [b"a", b": b", b" a: b", b"a b: c", b"a: b\rc: d", b"a: b\nc: d", b"a: b\r\n c"]
)
def test_a_malformed_header(block):
    with pytest.raises(ValueError, match="malformed header"):
        parts_of(b"--xy\r\n" + block + b"\r\n\r\n" + LAST)


@pytest.mark.parametrize("size", [256, 257])
def test_the_length_of_a_boundary(size):
    kind = f"multipart/form-data; boundary={'b' * size}"
    if size == 256:
        PartsParser(kind)
    else:
        with pytest.raises(ValueError, match="a boundary of more than 256 bytes"):
            PartsParser(kind)


def test_parts_are_counted():
    body = b"--xy\r\n\r\n1\r\n--xy\r\n\r\n2" + LAST
    assert len(parts_of(body, most=2)) == 2
    with pytest.raises(TooMuch, match="too many parts"):
        parts_of(body, most=1)


def test_nothing_behind_the_last_boundary_counts():
    parser = PartsParser(TYPE)
    assert events_of(parser, b"--xy--junk")[-1] is Sign.BODY_END
