"""Heads, with h11 as the authority: it judges request heads and writes every response head.

The rule: the meaning of a head's fields depends only on their bytes, and the bytes of a response head only on
the arguments. So both results are kept in bounded caches, for heads that repeat (the requests of one client,
the responses of one handler). h11 is asked about the fields that decide something (`_DECIDING`). The other
fields and the request line are cut here, as the gate's grammar allows of them nothing that h11's does not.
"""

from __future__ import annotations

import functools
import http
import re
from collections.abc import Iterable
from typing import Final, NamedTuple, NoReturn

import h11

from ..errors import InvalidHeader, ProtocolError
from ..events import Fields, RequestHead
from ..exchange.response import NO_BODY
from .gate import check_fields, check_reason, check_trailers
from .known import FIELDS, SIZE, keep

_UNDERSCORED: Final = (b"content_length", b"transfer_encoding")
"""Names that a server with CGI's rules, where `_` equals `-`, reads as framing (RFC 9112 §11.2)."""
_DECIDING: Final = frozenset(
    (
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"connection",
        b"expect",
        b"content-type",
        b"upgrade",
        *_UNDERSCORED,
    )
)
_AUTHORITY: Final = re.compile(
    # RFC 9110 §7.2, RFC 3986 §3.2.2: a registered name, an IPv4 address or a bracketed IPv6 one; a port.
    rb"(?:(?:[A-Za-z0-9\-._~!$&'()*+,;=]|%[0-9A-Fa-f]{2})*|\[[0-9A-Fa-f:.]+\]|\[[Vv][0-9A-Fa-f]+"
    rb"\.[A-Za-z0-9\-._~!$&'()*+,;=:]+\])"
    rb"(?::[0-9]{0,5})?"
).fullmatch
_fields_of: Final = re.compile(rb"\n([^:\r\n]+):[ \t]*([^\r\n]*)").findall
_split_line: Final = re.compile(rb"([^ ]+) ([^ ]+) HTTP/(([0-9])\.[0-9])\r\n").match
_ABSOLUTE: Final = re.compile(rb"[Hh][Tt][Tt][Pp][Ss]?://([^/?]+)(/[^?]*)?(?:\?(.*))?").fullmatch
_LENGTH_LINES: Final = re.compile(rb"(?i:\r\nContent-Length:)[ \t]*([^\r]*)")
_CODING_LINES: Final = re.compile(rb"(?i:\r\nTransfer-Encoding:)[ \t]*([^\r]*)")
_MAX_LENGTH_DIGITS: Final = 18  # below 2**63


class _Verdict(NamedTuple):
    """What h11 says of the fields that decide something; see RequestHead for the other parts.

    Attributes:
        fields: those fields as h11 has them.
        is_same: they are as they were sent; h11 writes some values anew.
    """

    fields: Fields
    is_same: bool
    host: str | None
    content_length: int | None
    chunked: bool
    keep_alive: bool
    expect_continue: bool
    upgrades: bool


_Meaning = tuple[Fields, Fields, _Verdict]
"""What a block of fields means: the fields, the same with their names as sent, and the verdict."""

_known: Final[dict[bytes, _Meaning]] = {}
_decided: Final[dict[tuple[bytes, Fields], _Verdict]] = {}


def parse_head(wire: bytes) -> RequestHead:
    """Parse the head of a request that passed the gate.

    Raises: ProtocolError: h11 rejects the head, or RFC 9110 or RFC 9112 forbids what h11 accepts.
    """
    line = _split_line(wire)
    assert line is not None
    method, target, version = line.group(1, 2, 3)
    block = wire[line.start(3) :]  # with the version, which decides what the fields mean
    meaning = _known.get(block)
    if meaning is None:
        meaning = _meaning_of(block, version)
        if len(block) <= SIZE and len(meaning[0]) <= FIELDS:
            keep(_known, block, meaning)
    headers, raw_headers, verdict = meaning
    raw_path, query, host = target, b"", verdict.host
    if target[0] != 0x2F or b"#" in target:
        raw_path, query, host = _split_target(method, target, host)
    elif b"?" in target:
        raw_path, _, query = target.partition(b"?")
    if method == b"CONNECT":
        raise ProtocolError(501, "CONNECT is not supported")
    return RequestHead(
        method.decode(),
        target,
        raw_path,
        query,
        version.decode(),
        headers,
        raw_headers,
        host,
        verdict.content_length,
        verdict.chunked,
        verdict.keep_alive,
        verdict.expect_continue,
        wire,
        upgrades=verdict.upgrades,
    )


def primed(head: RequestHead) -> h11.Connection:
    """A server-side h11 connection that has read this head and expects the body."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=len(head.wire) + 1)
    connection.receive_data(head.wire)
    connection.next_event()
    return connection


def _meaning_of(block: bytes, version: bytes) -> _Meaning:
    """The meaning of a block of fields: h11's verdict on those that decide something, among all of them.

    Raises: ProtocolError.
    """
    sent = _fields_of(block)
    if b" \r" in block or b"\t\r" in block:
        sent = [(name, value.rstrip(b" \t")) for name, value in sent]
    headers = [(name.lower(), value) for name, value in sent]
    asked = tuple([field for field in headers if field[0] in _DECIDING])
    verdict = _decided.get((version, asked))
    if verdict is None:
        verdict = _ask_h11(asked, version)
        if sum([len(name) + len(value) for name, value in asked]) <= SIZE and len(asked) <= FIELDS:
            keep(_decided, (version, asked), verdict)
    if not verdict.is_same:
        written = iter(verdict.fields)
        headers = [next(written) if field[0] in _DECIDING else field for field in headers]
        sent = [(name, value) for (name, _), (_, value) in zip(sent, headers, strict=True)]
    return tuple(headers), tuple(sent), verdict


def _ask_h11(fields: Fields, version: bytes) -> _Verdict:
    if version not in (b"1.1", b"1.0"):
        raise ProtocolError(505, f"HTTP/{version.decode()} is not supported")  # RFC 9110 §15.6.6
    http11 = version == b"1.1"
    wire = b"GET / HTTP/%b\r\n%b\r\n" % (version, b"".join([b"%b:%b\r\n" % field for field in fields]))
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=len(wire) + 1)
    try:
        connection.receive_data(wire)
        request = connection.next_event()
    except h11.RemoteProtocolError as error:
        if error.error_status_hint == 501:
            _refuse_codings(_CODING_LINES.findall(wire), bool(_LENGTH_LINES.search(wire)), http11)
        raise ProtocolError(error.error_status_hint, str(error)) from None
    if type(request) is not h11.Request:
        raise ProtocolError(400, "not a request head")
    headers: Fields = tuple(request.headers)
    special: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        special.setdefault(name, []).append(value)
    for name in _UNDERSCORED:
        if name in special:
            raise ProtocolError(400, "a framing field with an underscore")
    # RFC 9110 §8.3: some recipients use the first of several, some the last.
    if len(set(special.get(b"content-type", ()))) > 1:
        raise ProtocolError(400, "conflicting Content-Type fields")
    host = _host(special.get(b"host"), http11)
    length, chunked = _framing(special, http11, wire)
    options = _options(special.get(b"connection", ()))
    return _Verdict(
        headers,
        headers == fields,
        host,
        length,
        chunked,
        # RFC 9112 §9.3: HTTP/1.1 connections persist by default, HTTP/1.0 ones only on request.
        keep_alive=b"close" not in options and (http11 or b"keep-alive" in options),
        expect_continue=_expects_continue(special.get(b"expect"), http11) and (chunked or bool(length)),
        upgrades=b"upgrade" in special,
    )


def _options(values: list[bytes] | tuple[()]) -> list[bytes]:
    """The members of a comma-separated field, in lower case (RFC 9110 §5.6.1)."""
    return [option.strip(b" \t").lower() for value in values for option in value.split(b",")]


def _host(values: list[bytes] | None, http11: bool) -> str | None:
    """The Host (RFC 9112 §3.2): exactly one in 1.1, at most one in 1.0, and well-formed in both.

    An empty Host is refused, as RFC 9112 §3.3 allows: an http URI has a host (RFC 9110 §4.2.1).
    """
    if values is None:
        if http11:
            raise ProtocolError(400, "no Host")
        return None
    if len(values) != 1 or not _AUTHORITY(values[0]) or values[0][:1] in (b"", b":"):
        raise ProtocolError(400, "a malformed Host")
    return values[0].decode()


def _split_target(method: bytes, target: bytes, host: str | None) -> tuple[bytes, bytes, str | None]:
    """The path, the query and the host of a target that is not plain origin-form (RFC 9112 §3.2)."""
    if b"#" in target:
        raise ProtocolError(400, "a fragment in the request target")
    if target == b"*" and method == b"OPTIONS":
        return target, b"", host
    absolute = _ABSOLUTE(target)
    if absolute is None or not _AUTHORITY(absolute[1]) or absolute[1][:1] in (b"", b":"):
        if method == b"CONNECT":
            return target, b"", host
        raise ProtocolError(400, "a malformed request target")
    path, query = absolute[2] or b"", absolute[3]
    if not path and method == b"OPTIONS" and query is None:
        path = b"*"  # RFC 9112 §3.2.4
    return path or b"/", query or b"", absolute[1].decode()


def _framing(special: dict[bytes, list[bytes]], http11: bool, wire: bytes) -> tuple[int | None, bool]:
    """How the body is framed: (content length, chunked), by RFC 9112 §6."""
    codings = special.get(b"transfer-encoding")
    lengths = special.get(b"content-length")
    if codings is not None:
        if not http11 or lengths is not None or len(codings) != 1 or codings[0].lower() != b"chunked":
            _refuse_codings(codings, lengths is not None, http11)
        return None, True
    if lengths is None:
        return None, False
    # h11 merges equal lengths; two of them are refused here (RFC 9112 §6.3 allows both).
    lines = _LENGTH_LINES.findall(wire)
    if len(lines) != 1 or lines[0].rstrip(b" \t") != lengths[0] or not lengths[0].isdigit():
        raise ProtocolError(400, "a malformed Content-Length")
    if len(lengths[0]) > _MAX_LENGTH_DIGITS:
        # RFC 9112 §11.2: other implementations may overflow or truncate such a number.
        raise ProtocolError(400, "the Content-Length is too large")
    return int(lengths[0]), False


def _refuse_codings(codings: list[bytes], beside_length: bool, http11: bool) -> NoReturn:
    if not http11:
        raise ProtocolError(400, "Transfer-Encoding in HTTP/1.0")  # RFC 9112 §6.1
    if beside_length:
        raise ProtocolError(400, "Content-Length beside Transfer-Encoding")  # RFC 9112 §6.3
    *others, last = _options(codings)
    if others and all(others) and last == b"chunked" and last not in others:
        raise ProtocolError(501, "a transfer coding other than chunked")  # RFC 9112 §6.1
    # RFC 9112 §6.3: unless chunked is the last coding, the end of the body is unknown.
    raise ProtocolError(400, "a malformed Transfer-Encoding")


def _expects_continue(values: list[bytes] | None, http11: bool) -> bool:
    if values is None or not http11:  # RFC 9110 §10.1.1: ignored in 1.0
        return False
    if _options(values) != [b"100-continue"]:
        raise ProtocolError(417, "an expectation that cannot be met")
    return True


NONE: Final = 0
"""A response without a body: to HEAD, 204, 304."""
LENGTH: Final = 1
"""A body framed by Content-Length."""
CHUNKED: Final = 2
"""A body in chunked coding."""
UNTIL_CLOSE: Final = 3
"""A body that ends with the connection, for HTTP/1.0 (RFC 9112 §6.3)."""


class ResponseHead(NamedTuple):
    """A response head ready for the wire.

    Attributes:
        wire: its bytes, the empty line included.
        framing: NONE, LENGTH, CHUNKED or UNTIL_CLOSE.
        length: the Content-Length that was declared, for LENGTH.
        keep_alive: the connection may be kept after this response.
    """

    wire: bytes
    framing: int
    length: int
    keep_alive: bool


_OURS: Final = (b"close", b"keep-alive", b"")
"""Connection options that only the server sends."""
_REQUEST_11: Final = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"
"""The request for h11 before a chunked response, which it writes only for an HTTP/1.1 client."""
_CODING_LINE: Final = b"\r\nTransfer-Encoding: chunked\r\n"
"""What h11 also writes for HEAD, as RFC 9112 §6.1 allows; it is removed if there is no body."""


@functools.lru_cache(256)
def response_head(
    http11: bool,
    is_head: bool,
    keep_alive: bool,
    status: int,
    reason: bytes | None,
    fields: Fields,
    standing: Fields,
    length: int | None,
    kept_for: int | None = None,
) -> ResponseHead:
    """Decide a response's framing and let h11 write its head.

    Args:
        http11: the client speaks HTTP/1.1.
        is_head: the method of the request is HEAD.
        keep_alive: the request and the server both allow that the connection is kept.
        fields: the handler's fields, without Transfer-Encoding.
        standing: fields that are added unless `fields` have them, such as Date (RFC 9110 §6.6.1).
        length: bytes of the body, if known; used if `fields` do not declare it.
        kept_for: the seconds of `Keep-Alive: timeout`; `None` for no such field.
    Raises: InvalidHeader.
    """
    checked, declared = checked_fields(status, reason, fields, length)
    kept, closes = _connection_fields(checked, standing)
    keep_alive = keep_alive and not closes
    bodiless = is_head or status in NO_BODY
    if declared is not None:
        kept.append((b"Content-Length", declared))
        framing = LENGTH
    elif bodiless:
        framing = NONE
        # In 1.0, h11 closes after a response without a length.
        keep_alive = keep_alive and (http11 or not is_head)
    elif http11:
        framing = CHUNKED
    else:
        framing, keep_alive = UNTIL_CLOSE, False
    if not keep_alive:
        kept.append((b"Connection", b"close"))
    elif not http11 or kept_for is not None:
        kept.append((b"Connection", b"keep-alive"))
        if kept_for is not None:
            kept.append((b"Keep-Alive", b"timeout=%d" % kept_for))
    if reason is None:
        reason = _reason(status)
    wire = _written(status, kept, reason, http11 and framing in (CHUNKED, NONE))
    if framing == NONE:
        wire = wire.replace(_CODING_LINE, b"\r\n")
    return ResponseHead(wire, NONE if bodiless else framing, int(declared or 0), keep_alive)


def checked_fields(
    status: int, reason: bytes | None, fields: Iterable[tuple[bytes, bytes]], length: int | None
) -> tuple[list[tuple[bytes, bytes]], bytes | None]:
    """The fields of a final response as the handler gave them, and apart from them its Content-Length.

    Args:
        length: of the body, where it is known and `fields` do not declare it.
    Returns: the fields without Content-Length; the value of that, `None` where the response has none.
    Raises: InvalidHeader.
    """
    if not 200 <= status <= 999:
        raise InvalidHeader(f"not the status of a final response: {status}")
    fields = tuple(fields)
    check_fields(fields)
    if reason is not None:
        check_reason(reason)
    kept: list[tuple[bytes, bytes]] = []
    declared: bytes | None = None
    for name, value in fields:
        lower = name.lower()
        if lower == b"content-length":
            if declared not in (None, value) or not value.isdigit() or len(value) > _MAX_LENGTH_DIGITS:
                raise InvalidHeader(f"not a Content-Length: {value[:100]!r}")
            declared = value
        elif lower == b"transfer-encoding":
            raise InvalidHeader("only the server may set Transfer-Encoding")
        else:
            kept.append((name, value))
    if status == 204:  # RFC 9110 §8.6
        return kept, None
    if status == 205:  # RFC 9110 §15.3.6: its framing says that there is no content
        return kept, b"0"
    if declared is None and length is not None and status != 304:  # the same: a GET's length or none
        declared = b"%d" % length
    return kept, declared


def _connection_fields(
    fields: list[tuple[bytes, bytes]], standing: Fields
) -> tuple[list[tuple[bytes, bytes]], bool]:
    """The fields with the standing ones, and whether the handler asks for the connection to be closed."""
    kept: list[tuple[bytes, bytes]] = []
    names: set[bytes] = set()
    closes = False
    for name, value in fields:
        lower = name.lower()
        if lower == b"connection":
            # The server says once whether the connection is kept, whatever the handler says of it.
            options = _options([value])
            closes = closes or b"close" in options
            others = [option for option in options if option not in _OURS]
            if others:
                kept.append((name, b", ".join(others)))
        else:
            names.add(lower)
            kept.append((name, value))
    kept += [field for field in standing if field[0].lower() not in names]
    return kept, closes


def _written(status: int, fields: list[tuple[bytes, bytes]], reason: bytes, to_http11: bool) -> bytes:
    """The bytes of the head, by h11; with `to_http11` h11 knows that the client speaks HTTP/1.1."""
    connection = h11.Connection(h11.SERVER)
    if to_http11:
        connection.receive_data(_REQUEST_11)
        connection.next_event()
    try:
        wire = connection.send(h11.Response(status_code=status, headers=fields, reason=reason))
    except h11.LocalProtocolError as error:
        raise InvalidHeader(str(error)) from None
    assert wire is not None
    return wire


_UPGRADE: Final = b"GET / HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
"""The request for h11 before a 101, which it writes only for a client that asks for an upgrade."""


def switching_head(fields: Fields) -> ResponseHead:
    """A 101, written by h11 (RFC 9110 §15.2.2); the bytes after it belong to another protocol.

    Raises: InvalidHeader.
    """
    check_fields(fields)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(_UPGRADE)
    connection.next_event()
    wire = connection.send(
        h11.InformationalResponse(status_code=101, headers=list(fields), reason=_reason(101))
    )
    assert wire is not None
    return ResponseHead(wire, UNTIL_CLOSE, 0, False)


def early_hints(fields: Fields) -> bytes:
    """A 103, written by h11 (RFC 8297).

    Raises: InvalidHeader.
    """
    check_fields(fields)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(_REQUEST_11)
    connection.next_event()
    try:
        wire = connection.send(
            h11.InformationalResponse(status_code=103, headers=list(fields), reason=_reason(103))
        )
    except h11.LocalProtocolError as error:
        raise InvalidHeader(str(error)) from None
    assert wire is not None
    return wire


def _reason(status: int) -> bytes:
    try:
        return http.HTTPStatus(status).phrase.encode()
    except ValueError:
        return b""


def trailer_block(fields: Fields) -> bytes:
    """The last chunk and a trailer section, written by h11 (RFC 9112 §7.1.2).

    Raises: InvalidHeader.
    """
    check_trailers(fields)
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(_REQUEST_11)
    connection.next_event()
    connection.send(h11.Response(status_code=200, headers=[]))
    wire = connection.send(h11.EndOfMessage(headers=list(fields)))
    assert wire is not None
    return wire
