"""A request head means what RFC 9112 says, whatever was parsed before."""

from __future__ import annotations

from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import ProtocolError
from streamcompat_engine.http1 import heads, known
from streamcompat_engine.http1.heads import (
    parse_head,
)
from tests.support.catalogue import BAD_HEAD, GOOD
from tests.support.wire import SMALL, feed, request


@pytest.mark.parametrize(
    ("line", "path", "query", "host"),
    [
        (b"GET / HTTP/1.1", b"/", b"", "h"),
        (b"GET /a/b%2Fc HTTP/1.1", b"/a/b%2Fc", b"", "h"),
        (b"GET /a?b=c?d HTTP/1.1", b"/a", b"b=c?d", "h"),
        (b"GET /? HTTP/1.1", b"/", b"", "h"),
        (b"GET //other/a HTTP/1.1", b"//other/a", b"", "h"),
        (b"GET http://other HTTP/1.1", b"/", b"", "other"),
        (b"GET http://other:80/a?b HTTP/1.1", b"/a", b"b", "other:80"),
        (b"GET hTTps://[::1]:1?b HTTP/1.1", b"/", b"b", "[::1]:1"),
        (b"OPTIONS * HTTP/1.1", b"*", b"", "h"),
        (b"OPTIONS http://other HTTP/1.1", b"*", b"", "other"),
        (b"OPTIONS http://other/ HTTP/1.1", b"/", b"", "other"),
        (b"OPTIONS http://other? HTTP/1.1", b"/", b"", "other"),
    ],
)
def test_a_target_has_a_path_a_query_and_a_host(line: bytes, path: bytes, query: bytes, host: str) -> None:
    """RFC 9112 §3.2: the authority of an absolute-form goes before Host."""
    head = parse_head(request(line))
    assert (head.raw_path, head.query, head.host) == (path, query, host)
    assert head.target == line.split()[1]
    assert head.method == line.split()[0].decode()


def test_fields_keep_their_order_and_have_two_names() -> None:
    head = parse_head(request(b"GET / HTTP/1.1", b"X-B:  2 ", b"x-a: 1", b"X-b: \xff\t3"))
    assert head.raw_headers == ((b"Host", b"h"), (b"X-B", b"2"), (b"x-a", b"1"), (b"X-b", b"\xff\t3"))
    assert head.headers == ((b"host", b"h"), (b"x-b", b"2"), (b"x-a", b"1"), (b"x-b", b"\xff\t3"))


@pytest.mark.parametrize(
    ("version", "connection", "kept"),
    [
        (b"1.1", None, True),
        (b"1.1", b"keep-alive", True),
        (b"1.1", b"close", False),
        (b"1.1", b"Close", False),
        (b"1.1", b"closed, enclose", True),
        (b"1.1", b"keep-alive,\tclose ,", False),
        (b"1.1", b"upgrade", True),
        (b"1.0", None, False),
        (b"1.0", b"Keep-Alive", True),
        (b"1.0", b"keep-alive, close", False),
        (b"1.0", b"upgrade", False),
    ],
)
def test_keep_alive_is_as_the_client_wants_it(version: bytes, connection: bytes | None, kept: bool) -> None:
    """RFC 9112 §9.3."""
    fields = [] if connection is None else [b"Connection: " + connection]
    assert parse_head(request(b"GET / HTTP/" + version, *fields)).keep_alive is kept


def test_keep_alive_counts_every_connection_field() -> None:
    head = parse_head(request(b"GET / HTTP/1.1", b"Connection: keep-alive", b"Connection: close"))
    assert not head.keep_alive


@pytest.mark.parametrize(
    ("fields", "framing"),
    [
        ([], (None, False, False)),
        ([b"Content-Length: 0"], (0, False, False)),
        ([b"Content-Length: 00012"], (12, False, True)),
        ([b"Content-Length: " + b"9" * 18], (10**18 - 1, False, True)),
        ([b"Transfer-Encoding: chunked"], (None, True, True)),
        ([b"Transfer-Encoding:\tCHUNKED "], (None, True, True)),
    ],
)
def test_framing_is_by_length_or_by_chunks(fields: list[bytes], framing: tuple[Any, ...]) -> None:
    head = parse_head(request(b"POST / HTTP/1.1", *fields))
    assert (head.content_length, head.chunked, head.has_body) == framing


@pytest.mark.parametrize(
    ("line", "fields", "expected"),
    [
        (b"POST / HTTP/1.1", [b"Content-Length: 1"], True),
        (b"POST / HTTP/1.1", [b"Transfer-Encoding: chunked"], True),
        (b"POST / HTTP/1.1", [b"Content-Length: 0"], False),
        (b"POST / HTTP/1.1", [], False),
        (b"POST / HTTP/1.0", [b"Content-Length: 1"], False),
    ],
)
def test_a_100_is_expected_before_a_body_of_1_1_only(
    line: bytes, fields: list[bytes], expected: bool
) -> None:
    """RFC 9110 §10.1.1."""
    assert parse_head(request(line, b"Expect: 100-Continue", *fields)).expect_continue is expected
    assert parse_head(request(line, *fields)).expect_continue is False


def _status(wire: bytes) -> int | None:
    try:
        parse_head(wire)
    except ProtocolError as error:
        return error.status
    return None


def test_a_field_of_any_byte_is_accepted_or_refused() -> None:
    """Whatever a value may hold by the gate's grammar, what looks into it neither stumbles nor guesses."""
    forms = b"%c a%cb [%c] [::1%c] [v1.%c] [v%c.a] [v1.a]%c a:%c a:1%c %%4%c".split()
    for byte in [0x09, *range(0x20, 0x7F), *range(0x80, 0x100)]:
        for form in forms:
            host = form % byte
            assert _status(request(host=host)) in (None, 400)
            if byte >= 0x80:
                assert _status(request(host=host)) == 400
        coded = (None,) if byte in b"\t " else (400, 501)
        assert _status(request(b"GET / HTTP/1.1", b"Connection: a%cb" % byte)) is None
        assert _status(request(b"GET / HTTP/1.1", b"Expect: 100-continue%c" % byte)) in (None, 417)
        assert _status(request(b"GET / HTTP/1.1", b"Content-Length: 1%c" % byte)) in (None, 400)
        assert _status(request(b"GET / HTTP/1.1", b"Transfer-Encoding: %cchunked" % byte)) in coded
        if 0x20 < byte < 0x7F:
            for target in (b"%c", b"/%c", b"http://%c", b"http://h%c", b"http://h/%c", b"http://[%c]"):
                assert _status(request(b"GET %b HTTP/1.1" % (target % byte))) in (None, 400)


def _pieces(key: Any) -> list[bytes]:
    """The byte strings of a key of a cache."""
    return [key] if isinstance(key, bytes) else [piece for part in key for piece in _pieces(part)]


def test_what_was_parsed_before_never_shows() -> None:
    """Fields that are known give the same head, or the same refusal, as fields that are new."""
    wires = [wire.removeprefix(b"\r\n") for wire in GOOD.values() if b"\r\n\r\n" in wire]
    wires = [wire[: wire.index(b"\r\n\r\n") + 4] for wire in wires]
    first = [parse_head(wire) for wire in wires]
    assert [parse_head(wire) for wire in reversed(wires)] == first[::-1]
    for index in range(1000):  # more than are kept
        parse_head(request(b"GET / HTTP/1.1", b"X: %d" % index))
        assert max(len(heads._known), len(heads._decided)) <= known.COUNT
    parse_head(request(b"GET / HTTP/1.1", b"X: " + b"y" * known.SIZE))
    parse_head(request(b"GET / HTTP/1.1", *[b"X:"] * known.FIELDS))
    for cache in (heads._known, heads._decided):
        assert all(len(b"".join(_pieces(key))) <= known.SIZE for key in cache)
    assert all(len(meaning[0]) <= known.FIELDS for meaning in heads._known.values())
    assert [parse_head(wire) for wire in wires] == first


TOKEN = st.text("!#$%&'*+-.^_`|~09azAZ", min_size=1, max_size=8).map(str.encode)
DECIDING = st.sampled_from([*sorted(heads._DECIDING), b"Content-LENGTH", b"HOST", b"Upgrade", b"Cookie"])
MEANT = st.sampled_from(
    [b"h", b"5", b"05", b"chunked", b"Chunked", b"close", b"keep-alive, x", b"100-continue"]
)
SPACE = st.text(" \t", max_size=2).map(str.encode)
VALUE = MEANT | st.binary(max_size=12).map(lambda raw: bytes(byte for byte in raw if byte not in UNSENT))
UNSENT = {*range(9), *range(10, 32), 127}
FIELD = st.tuples(DECIDING | TOKEN, SPACE, VALUE, SPACE).map(lambda parts: b"%b:%b%b%b\r\n" % parts)


def _judged(judge: Any, *args: Any) -> Any:
    """What it returns, or the status by which it refuses."""
    try:
        return judge(*args)
    except ProtocolError as error:
        return error.status


@given(st.lists(FIELD, max_size=5), st.booleans(), st.sampled_from([b"1.1", b"1.0"]))
def test_fields_that_decide_nothing_are_cut_as_h11_cuts_them(
    fields: list[bytes], host: bool, version: bytes
) -> None:
    """h11 is asked about some fields; of all of them it would say the same."""
    block = version + b"\r\n" + b"Host: h\r\n" * host + b"".join(fields) + b"\r\n"
    every = tuple([(name.lower(), value.rstrip(b" \t")) for name, value in heads._fields_of(block)])
    whole = _judged(heads._ask_h11, every, version)
    part = _judged(heads._meaning_of, block, version)
    if isinstance(whole, int) or isinstance(part, int):
        assert part == whole
        return
    headers, raw_headers, verdict = part
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(b"GET / HTTP/" + block)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    assert (headers, raw_headers) == (tuple(request.headers), tuple(request.headers.raw_items()))
    assert verdict[2:] == whole[2:]


def test_h11_is_asked_once_about_fields_that_differ_in_nothing_that_decides() -> None:
    before = len(heads._decided)
    for index in range(100):
        head = parse_head(request(b"GET / HTTP/1.1", b"Cookie: id=%d" % index, b"Expect-%d: 1" % index))
        assert head.headers[1] == (b"cookie", b"id=%d" % index)
    assert len(heads._decided) <= before + 1


@pytest.mark.parametrize(
    "line",
    [
        b"GET foo HTTP/1.1",
        b"GET * HTTP/1.1",
        b"GET /#a HTTP/1.1",
        b"CONNECT h:1 HTTP/1.1",
        b"CONNECT / HTTP/1.1",
    ],
)
def test_a_bad_line_is_refused_over_known_fields(line: bytes) -> None:
    """What is known of the fields does not help the request line, nor the other way round."""
    fields = b"X-Only-Here: " + line.split()[0]
    fresh = _status(request(line, fields))
    assert fresh is not None
    assert _status(request(b"GET / HTTP/1.1", fields)) is None
    assert _status(request(line, fields)) == fresh
    assert _status(request(b"GET / HTTP/1.0", fields)) is None
    assert _status(request(b"GET / HTTP/2.0", fields)) == 505
    assert _status(request(b"GET / HTTP/1.1", fields)) is None


def test_known_fields_of_another_version_are_not_known() -> None:
    """The version decides what the fields mean, so it is looked up with them."""
    with_coding = (b"Transfer-Encoding: chunked", b"X: versions")
    assert parse_head(request(b"POST / HTTP/1.1", *with_coding)).chunked
    assert _status(request(b"POST / HTTP/1.0", *with_coding)) == 400
    assert parse_head(request(b"GET / HTTP/1.0", b"X: v", host=None)).host is None
    assert _status(request(b"GET / HTTP/1.1", b"X: v", host=None)) == 400
    assert parse_head(request(b"GET / HTTP/1.1", b"X: v")).keep_alive
    assert not parse_head(request(b"GET / HTTP/1.0", b"X: v")).keep_alive


def test_a_refusal_is_the_same_every_time() -> None:
    for status, wire in BAD_HEAD.values():
        for _ in range(2):
            peer = feed([wire], SMALL)
            assert peer.rejected is not None
            assert peer.rejected[0] == status
