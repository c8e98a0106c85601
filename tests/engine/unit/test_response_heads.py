"""A response head says what it means, whatever the application has given; and so do trailers."""

from __future__ import annotations

from http import HTTPStatus

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat_engine import InvalidHeader
from streamcompat_engine.http1.gate import FORBIDDEN_TRAILERS
from streamcompat_engine.http1.heads import (
    CHUNKED,
    LENGTH,
    NONE,
    UNTIL_CLOSE,
    ResponseHead,
    response_head,
    trailer_block,
)
from tests.support.wire import DATE

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
