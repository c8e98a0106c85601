"""A request head means what RFC 9112 says, whatever was parsed before; a response head says what it means."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import InvalidHeader, ProtocolError
from streamcompat_engine.http1 import heads, known
from streamcompat_engine.http1.gate import FORBIDDEN_TRAILERS
from streamcompat_engine.http1.heads import (
    CHUNKED,
    LENGTH,
    NONE,
    UNTIL_CLOSE,
    ResponseHead,
    parse_head,
    response_head,
    trailer_block,
)
from tests.support.catalogue import BAD_HEAD, GOOD
from tests.support.wire import DATE, SMALL, feed, request

# ---- request heads ----


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
        assert all(len(block) <= known.SIZE for block in cache)
    assert all(len(meaning.headers) <= known.FIELDS for meaning in heads._known.values())
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


@given(st.lists(FIELD, max_size=5), st.booleans(), st.sampled_from([b"1.1", b"1.0"]))
def test_fields_that_decide_nothing_are_cut_as_h11_cuts_them(
    fields: list[bytes], host: bool, version: bytes
) -> None:
    """h11 is asked about some fields; of all of them it would say the same."""
    block = version + b"\r\n" + b"Host: h\r\n" * host + b"".join(fields) + b"\r\n"
    verdicts = []
    for judge in (heads._meaning_of, lambda block, version: heads._ask_h11(b"GET / HTTP/" + block, version)):
        try:
            verdicts.append(judge(block, version)._replace(upgrades=False))
        except ProtocolError as error:
            verdicts.append(error.status)
    assert verdicts[0] == verdicts[1]


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


# ---- response heads ----

FIELDS = ((b"Content-Type", b"text/plain"), (b"X-A", b"1"), (b"x-a", b"2"))


def _head(
    *fields: tuple[bytes, bytes],
    http11: bool = True,
    is_head: bool = False,
    keep_alive: bool = True,
    status: int = 200,
    reason: bytes | None = None,
    length: int | None = None,
    kept_for: int | None = None,
) -> ResponseHead:
    return response_head(
        http11, is_head, keep_alive, status, reason, fields, ((b"Date", DATE),), length, kept_for
    )


def _parsed(head: ResponseHead) -> h11.Response:
    """What a client makes of it; it must be one whole head."""
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method="GET", target="/", headers=[("Host", "h")]))
    client.send(h11.EndOfMessage())
    client.receive_data(head.wire)
    event = client.next_event()
    assert isinstance(event, h11.Response)
    assert head.wire.endswith(b"\r\n\r\n")
    assert head.wire.count(b"\r\n\r\n") == 1
    return event


def _values(response: h11.Response, name: bytes) -> list[bytes]:
    return [value for key, value in response.headers if key == name]


@pytest.mark.parametrize("status", [200, 201, 204, 205, 206, 301, 304, 404, 500, 599, 999])
@pytest.mark.parametrize("length", [None, 0, 5])
@pytest.mark.parametrize("http11", [True, False])
@pytest.mark.parametrize("is_head", [True, False])
@pytest.mark.parametrize("keep_alive", [True, False])
def test_framing_and_connection_are_those_of_the_rfc(
    status: int, length: int | None, http11: bool, is_head: bool, keep_alive: bool
) -> None:
    """RFC 9112 §6 and §9.3, for every kind of response: how it is framed, and whether the client may stay."""
    head = _head(*FIELDS, http11=http11, is_head=is_head, keep_alive=keep_alive, status=status, length=length)
    response = _parsed(head)
    lengths, codings = _values(response, b"content-length"), _values(response, b"transfer-encoding")
    connection = _values(response, b"connection")
    assert response.status_code == status
    assert _values(response, b"x-a") == [b"1", b"2"]
    assert _values(response, b"date") == [DATE]
    assert len(lengths) + len(codings) <= 1
    bodiless = is_head or status in (204, 205, 304)
    if bodiless:
        assert head.framing == NONE
    if status == 204:
        assert lengths == codings == []  # RFC 9110 §8.6, RFC 9112 §6.1
    elif status == 205:
        assert lengths == [b"0"]  # RFC 9110 §15.3.6
    elif status == 304:
        assert lengths == []  # RFC 9110 §8.6: nobody knows what a 200 would have had
    elif length is not None:
        assert lengths == [b"%d" % length]
        assert head.framing == (NONE if is_head else LENGTH)
    elif http11:
        assert codings == ([] if is_head else [b"chunked"])
        assert head.framing == (NONE if is_head else CHUNKED)
    elif not bodiless:
        assert lengths == codings == []
        assert head.framing == UNTIL_CLOSE
        assert not head.keep_alive
    if not keep_alive:
        assert not head.keep_alive
    if head.keep_alive:
        assert connection == ([] if http11 else [b"keep-alive"])
    else:
        assert connection == [b"close"]
    if http11:
        assert head.keep_alive is keep_alive


@pytest.mark.parametrize("http11", [True, False])
def test_a_declared_length_stands(http11: bool) -> None:
    head = _head((b"content-LENGTH", b"7"), http11=http11)
    assert (head.framing, head.length, head.keep_alive) == (LENGTH, 7, True)
    assert _values(_parsed(head), b"content-length") == [b"7"]
    again = _head((b"Content-Length", b"7"), http11=http11, length=9)
    assert (again.framing, again.length) == (LENGTH, 7)


def test_a_304_keeps_the_length_that_it_is_given() -> None:
    """RFC 9110 §8.6: the handler may know what a 200 would have had."""
    assert _values(_parsed(_head((b"Content-Length", b"7"), status=304, length=0)), b"content-length") == [
        b"7"
    ]
    assert _values(_parsed(_head((b"Content-Length", b"7"), status=204, length=0)), b"content-length") == []


@pytest.mark.parametrize("value", [b"", b"-1", b"+1", b"1 ", b"1,1", b"0x1", b"1" * 19, "²".encode(), b"a"])
def test_a_declared_length_is_a_number(value: bytes) -> None:
    with pytest.raises(InvalidHeader):
        _head((b"Content-Length", value))


def test_two_lengths_are_one_or_an_error() -> None:
    head = _head((b"Content-Length", b"5"), (b"content-length", b"5"))
    assert _values(_parsed(head), b"content-length") == [b"5"]
    with pytest.raises(InvalidHeader):
        _head((b"Content-Length", b"5"), (b"content-length", b"6"))


def test_a_coding_is_not_the_handlers_to_set() -> None:
    for value in (b"chunked", b"gzip"):
        with pytest.raises(InvalidHeader):
            _head((b"transfer-Encoding", value))


@pytest.mark.parametrize("http11", [True, False])
@pytest.mark.parametrize("keep_alive", [True, False])
@pytest.mark.parametrize(
    ("values", "others"),
    [
        ([b"close"], []),
        ([b"keep-alive"], []),
        ([b"Keep-Alive", b"Close"], []),
        ([b"keep-alive, close"], []),
        ([b"Upgrade"], [b"upgrade"]),
        ([b"upgrade, close"], [b"upgrade"]),
        ([b""], []),
    ],
)
def test_a_response_never_says_both_that_it_is_kept_and_closed(
    values: list[bytes], others: list[bytes], keep_alive: bool, http11: bool
) -> None:
    """A handler may ask for a close; whether the connection is kept is said once."""
    head = _head(
        *[(b"Connection", value) for value in values], http11=http11, keep_alive=keep_alive, length=0
    )
    closes = any(b"close" in value.lower() for value in values)
    assert head.keep_alive is (keep_alive and not closes)
    said = [
        option.lower().strip()
        for value in _values(_parsed(head), b"connection")
        for option in value.split(b",")
    ]
    ours = [b"close"] if not head.keep_alive else [] if http11 else [b"keep-alive"]
    assert sorted(said) == sorted(others + ours)


def test_a_date_of_the_handlers_stands() -> None:
    assert _values(_parsed(_head((b"date", b"never"))), b"date") == [b"never"]


@pytest.mark.parametrize("status", [-1, 0, 100, 101, 199, 1000])
def test_a_final_response_has_a_final_status(status: int) -> None:
    with pytest.raises(InvalidHeader):
        _head(status=status)


def test_a_status_may_be_an_enumeration() -> None:
    assert _head(status=HTTPStatus.NOT_FOUND).wire.startswith(b"HTTP/1.1 404 Not Found\r\n")


@pytest.mark.parametrize(
    ("status", "reason", "line"),
    [
        (200, None, b"HTTP/1.1 200 OK\r\n"),
        (299, None, b"HTTP/1.1 299 \r\n"),
        (200, b"", b"HTTP/1.1 200 \r\n"),
        (200, b"F\xfcr dich\t!", b"HTTP/1.1 200 F\xfcr dich\t!\r\n"),
    ],
)
def test_a_reason_is_the_handlers_or_the_usual_one(status: int, reason: bytes | None, line: bytes) -> None:
    assert _head(status=status, reason=reason).wire.startswith(line)


@pytest.mark.parametrize("evil", [b"\r", b"\n", b"\0", b"\r\nX-Evil: 1", b"\x01", b"\x1b", b"\x7f", b"\x0b"])
def test_nothing_of_a_handler_splits_a_head(evil: bytes) -> None:
    for fields, reason in (
        (((b"A", b"b" + evil),), None),
        (((b"A", evil + b"b"),), None),
        (((b"A" + evil, b"b"),), None),
        (((b"Content-Length", b"5" + evil),), None),
        (((b"Connection", b"close" + evil),), None),
        (((b"Date", evil),), None),
        ((), b"OK" + evil),
    ):
        with pytest.raises(InvalidHeader):
            _head(*fields, reason=reason)


NAMES = st.sampled_from([b"A", b"x-B", b"Connection", b"Content-Length", b"Date", b"a b"]) | st.binary(
    max_size=3
)
VALUES = st.sampled_from([b"5", b"close", b"keep-alive, x", b"v w", b" v", b"v\t", b"", b"\xff"]) | st.binary(
    max_size=3
)


@given(
    st.lists(st.tuples(NAMES, VALUES), max_size=4),
    st.none() | st.just(b"Fine") | st.binary(max_size=3),
    st.sampled_from([200, 204, 299, 304, 404, 500, 999]) | st.integers(0, 1100),
    st.none() | st.integers(0, 99),
)
def test_any_fields_give_one_head_or_a_typed_error(
    fields: list[tuple[bytes, bytes]], reason: bytes | None, status: int, length: int | None
) -> None:
    """What goes on the wire is what a strict reader reads back: this status, these fields, nothing else."""
    try:
        head = _head(*fields, reason=reason, status=status, length=length)
    except InvalidHeader:
        return
    line, _, rest = head.wire.partition(b"\r\n")
    assert line == b"HTTP/1.1 %d %b" % (status, (_usual(status) if reason is None else reason))
    lines = rest.removesuffix(b"\r\n\r\n").split(b"\r\n")
    ours = (b"connection:", b"content-length:", b"transfer-encoding:")
    given = [b"%b: %b" % field for field in fields]
    if b"date" not in [name.lower() for name, _ in fields]:
        given.append(b"Date: " + DATE)
    assert [line for line in lines if not line.lower().startswith(ours)] == [
        line for line in given if not line.lower().startswith(ours)
    ]
    assert b"\n" not in b"".join(lines)
    assert b"\r" not in b"".join(lines)


def _usual(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""


# ---- trailers ----


def test_trailers_are_what_h11_writes_after_a_last_chunk() -> None:
    assert trailer_block(((b"Checksum", b"abc"), (b"X", b""))) == b"0\r\nChecksum: abc\r\nX: \r\n\r\n"
    assert trailer_block(()) == b"0\r\n\r\n"


@pytest.mark.parametrize("name", sorted(FORBIDDEN_TRAILERS))
def test_a_forbidden_trailer_is_an_error_in_any_case(name: bytes) -> None:
    """RFC 9110 §6.5.1."""
    for spelled in (name, name.title(), name.upper()):
        with pytest.raises(InvalidHeader):
            trailer_block(((b"Fine", b"1"), (spelled, b"1")))


@pytest.mark.parametrize("evil", [b"\r\n", b"\n", b"\r", b"\0", b"\x7f"])
def test_a_trailer_is_checked_like_a_field(evil: bytes) -> None:
    for field in ((b"A", b"b" + evil), (b"A" + evil, b"b"), (b"", b"b"), (b"A ", b"b")):
        with pytest.raises(InvalidHeader):
            trailer_block((field,))


@pytest.mark.parametrize("http11", [True, False])
def test_a_client_is_told_for_how_long_its_connection_is_kept(http11: bool) -> None:
    kept = _parsed(_head(http11=http11, length=1, kept_for=5)).headers
    assert (b"keep-alive", b"timeout=5") in kept
    assert (b"connection", b"keep-alive") in kept
    closed = _parsed(_head(http11=http11, length=1, kept_for=5, keep_alive=False)).headers
    assert (b"connection", b"close") in closed
    assert b"keep-alive" not in dict(closed)
    unsaid = dict(_parsed(_head(length=1)).headers)
    assert b"keep-alive" not in unsaid
    assert b"connection" not in unsaid
