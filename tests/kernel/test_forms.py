from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.datastructures import File
from streamcompat.kernel.request.forms import parse_form
from streamcompat.kernel.request.multipart import HEADER_SIZE, PartsParser

BOUNDARY = "----frontier"
TYPE = f'multipart/form-data; boundary="{BOUNDARY}"'


def part(head: str, body: bytes) -> bytes:
    return f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + body + b"\r\n"


def multipart(*parts: bytes) -> bytes:
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def test_url_encoded():
    fields, files = parse_form("application/x-www-form-urlencoded; charset=utf-8", b"a=1&a=2&b=%C3%A4&c=")
    assert fields == {"a": ["1", "2"], "b": ["ä"]}
    assert files == {}


def test_fields_and_files():
    body = multipart(
        part('Content-Disposition: form-data; name="a"', b"1"),
        part('Content-Disposition: form-data; name="a"', "ä".encode()),
        part('content-disposition: form-data; name="f"; filename="x.bin"\r\nContent-Type: a/b', b"\0\r\n\1"),
        part('Content-Disposition: form-data; name="g"; filename="y"', b""),
    )
    fields, files = parse_form(TYPE, body)
    assert fields == {"a": ["1", "ä"]}
    assert files.get("f") == File(type="a/b", body=b"\0\r\n\1", name="x.bin")
    assert files.get("g") == File(type="text/plain", body=b"", name="y")


@given(st.integers(0, 40), st.integers(1, 70), st.booleans())
def test_a_preamble_is_ignored_however_it_is_cut(size, cut, with_end):
    preamble = (b"-" * size + b"\r\n--") if with_end else b"--" + b"-" * size
    body = preamble + b"\r\n" + multipart(part('Content-Disposition: form-data; name="a"', b"1"))
    parser = PartsParser(TYPE)
    events = [event for at in range(0, len(body), cut) for event in parser.feed(body[at : at + cut])]
    parser.close()
    assert b"".join(event for event in events if isinstance(event, bytes)) == b"1"


@pytest.mark.parametrize("size", [HEADER_SIZE, HEADER_SIZE + 1])
@pytest.mark.parametrize("cut", [1, 7, 10**6])
def test_a_preamble_has_a_bound_that_does_not_depend_on_the_cut(size, cut):
    body = b"x" * size + b"\r\n" + multipart(part('Content-Disposition: form-data; name="a"', b"1"))
    parser = PartsParser(TYPE)
    try:
        for at in range(0, len(body), cut):
            parser.feed(body[at : at + cut])
    except ValueError:
        assert size > HEADER_SIZE
    else:
        assert parser.complete and size == HEADER_SIZE


def test_a_fields_charset():
    body = multipart(
        part('Content-Disposition: form-data; name="a"\r\nContent-Type: text/plain; charset=latin-1', b"\xe4")
    )
    assert parse_form(TYPE, body)[0] == {"a": ["ä"]}


def test_a_part_without_a_name_is_dropped():
    assert parse_form(TYPE, multipart(part("Content-Disposition: form-data", b"x"))) == ({}, {})


def test_another_content_type():
    assert parse_form("text/plain", b"a=1") == ({}, {})


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        ("multipart/form-data", b"x"),
        (TYPE, b"no boundary at all"),
        (TYPE, part('Content-Disposition: form-data; name="a"', b"1")[:-10]),
    ],
)
def test_a_broken_body(content_type, body):
    with pytest.raises(ValueError, match="boundary"):
        parse_form(content_type, body)


@given(st.binary(max_size=300))
def test_any_file_comes_through(content):
    head = 'Content-Disposition: form-data; name="f"; filename="x"'
    if BOUNDARY.encode() in content:
        return
    assert parse_form(TYPE, multipart(part(head, content)))[1].get("f").body == content
