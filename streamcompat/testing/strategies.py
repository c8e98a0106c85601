"""Hypothesis strategies for the traffic of a connection: bodies, cuts, requests, and client behaviours.

The rule: each shrinks to what a person would write: fewer cuts, shorter bodies, plain letters, fewer fields.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import urlencode

from streamcompat.testing import cuts as cutting
from streamcompat.testing.behaviour import Behaviour
from streamcompat.testing.wire import MalformedRequest, Request

try:
    from hypothesis import strategies as st
    from hypothesis.strategies import SearchStrategy
except ImportError as _error:
    raise ImportError(
        "streamcompat.testing.strategies needs Hypothesis: pip install 'streamcompat[testing]'"
    ) from _error

__all__ = [
    "KINDS",
    "MalformedRequest",
    "bodies",
    "chunkings",
    "client_behaviours",
    "headers",
    "malformed_requests",
    "requests",
    "segmentations",
]

BOUNDARY: Final = "boundary"
_DENSE: Final = 48
"""Length of the stretch of offsets in which many cuts are made at once."""

# Sorted by length in UTF-8, a plain character of each length first, as a counterexample shrinks to it. They
# include a combining accent, a joiner, a byte order mark, and separators that do not end a line.
_CHARACTERS: Final = "a01 \tzéÄñ߿\u0301\u0085€中한\u200d\ufeff\u2028\ufffd😀𝄞\U0010ffff"
_ESCAPED: Final = '"\\\n'
"""Characters that JSON escapes with a backslash."""

CONTENT_TYPES: Final = {
    "text": "text/plain; charset=utf-8",
    "lines": "text/plain; charset=utf-8",
    "json": "application/json",
    "jsonlines": "application/x-ndjson",
    "form": "application/x-www-form-urlencoded",
    "multipart": f"multipart/form-data; boundary={BOUNDARY}",
    "binary": "application/octet-stream",
}
KINDS: Final = tuple(CONTENT_TYPES)
"""The kinds of bodies."""


# ---- bodies ----


def _texts(max_size: int = 40, characters: str = _CHARACTERS) -> SearchStrategy[str]:
    # Not `st.text`, which would shrink towards its own order of characters.
    return st.lists(st.sampled_from(characters), max_size=max_size).map("".join)


def _values() -> SearchStrategy[Any]:
    plain = st.none() | st.booleans() | st.integers(-1000, 1000) | _texts(10, _CHARACTERS + _ESCAPED)
    return st.recursive(
        plain,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts(6), inner, max_size=4),
        max_leaves=8,
    )


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode()


@st.composite
def _lines(draw: st.DrawFn, items: SearchStrategy[bytes]) -> bytes:
    """Lines with LF or CR LF at their ends; the last line may lack it."""
    lines = draw(st.lists(items, max_size=6))
    end = draw(st.sampled_from([b"\n", b"\r\n"]))
    return end.join(lines) + (end if draw(st.booleans()) and lines else b"")


def _form() -> SearchStrategy[bytes]:
    fields = st.lists(st.tuples(_texts(6).filter(bool), _texts(10)), min_size=1, max_size=4)
    return fields.map(lambda pairs: urlencode(pairs).encode())


@st.composite
def _multipart(draw: st.DrawFn) -> bytes:
    name = st.text("abc", min_size=1, max_size=4)
    parts = draw(st.lists(st.tuples(name, st.none() | name, st.binary(max_size=20)), min_size=1, max_size=3))
    body = b""
    for field, filename, content in parts:
        disposition = f'form-data; name="{field}"' + (f'; filename="{filename}"' if filename else "")
        body += f"--{BOUNDARY}\r\nContent-Disposition: {disposition}\r\n\r\n".encode() + content + b"\r\n"
    return body + f"--{BOUNDARY}--\r\n".encode()


def _of(kind: str) -> SearchStrategy[bytes]:
    if kind == "text":
        return _texts().map(str.encode)
    if kind == "lines":
        return _lines(_texts(12).map(str.encode))
    if kind == "json":
        return _values().map(_json)
    if kind == "jsonlines":
        return _lines(_values().map(_json))
    if kind == "form":
        return _form()
    if kind == "multipart":
        return _multipart()
    if kind == "binary":
        return st.binary(max_size=60)
    raise ValueError(f"{kind!r} is not a kind of body: use one of {', '.join(KINDS)}")


def bodies(*kinds: str) -> SearchStrategy[bytes]:
    """Bodies of the given kinds (by default of all `KINDS`); most are short, all are valid.

    Raises: ValueError: a kind is unknown.
    """
    return st.one_of([_of(kind) for kind in kinds or KINDS])


# ---- cuts ----


def segmentations(data: bytes) -> SearchStrategy[tuple[int, ...]]:
    """Ways in which a network may cut the data: offsets in ascending order, each within the data.

    Short data is cut in every possible way. Longer data gets one or two cuts, a few cuts, or many close
    together down to single bytes; they are biased towards CR LF, chunk headers, boundaries and UTF-8
    sequences. Shrinks to the fewest cuts.
    """
    size = len(data)
    if size <= cutting.SHORT:
        return st.sampled_from(list(cutting.every(size)) or [()])
    anywhere = st.integers(1, size - 1)
    sharp = cutting.interesting(data)
    offset = st.sampled_from(sharp) | anywhere if sharp else anywhere
    few = st.lists(offset, max_size=2, unique=True)
    some = st.lists(offset, max_size=8, unique=True)
    return (few | some | _dense(size)).map(lambda offsets: tuple(sorted(offsets)))


@st.composite
def _dense(draw: st.DrawFn, size: int) -> list[int]:
    """Many cuts in one stretch of the data.

    Each offset draws a number, and is cut if that number reaches a common threshold. So each cut can shrink
    away separately, which is impossible with a list of all offsets.
    """
    start = draw(st.integers(0, max(size - _DENSE, 0)))
    threshold = draw(st.integers(1, 4))
    return [
        offset
        for offset in range(start + 1, min(start + _DENSE, size))
        if draw(st.integers(0, 4)) >= threshold
    ]


def chunkings(data: bytes) -> SearchStrategy[tuple[int, ...] | None]:
    """How a client may frame the data: `None` for Content-Length, else the offsets at which HTTP chunks end.
    Use it for the `chunks` of a request."""
    return st.none() | segmentations(data)


# ---- requests ----

_NAMES: Final = ("Accept", "Cookie", "User-Agent", "X-Request-Id", "Authorization", "x")
_VALUE: Final = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20).map(str.strip)


def headers(max_size: int = 4) -> SearchStrategy[tuple[tuple[str, str], ...]]:
    """Header fields that every server accepts, without Host and the fields that frame a message."""
    token = st.lists(st.sampled_from("abcXYZ019-_."), min_size=1, max_size=12).map("".join)
    framing = {"host", "content-length", "transfer-encoding", "te", "connection", "expect", "upgrade"}
    names = (st.sampled_from(_NAMES) | token).filter(lambda name: name.lower() not in framing)
    return st.lists(
        st.tuples(names, _VALUE), max_size=max_size, unique_by=lambda field: field[0].lower()
    ).map(tuple)


_headers = headers


@st.composite
def requests(
    draw: st.DrawFn,
    target: str | SearchStrategy[str] = "/",
    method: str | SearchStrategy[str] = "POST",
    bodies: SearchStrategy[bytes] | None = None,
    headers: SearchStrategy[tuple[tuple[str, str], ...]] | None = None,
    kinds: Sequence[str] = (),
) -> Request:
    """Requests, framed by Content-Length or in chunks.

    Args:
        target, method: values or strategies.
        bodies: by default those of `kinds`, with their content type.
        headers: by default those of `headers()`. A Content-Type among them takes precedence.
    """
    fields = draw(_headers() if headers is None else headers)
    if bodies is not None:
        data = draw(bodies)
    else:
        kind = draw(st.sampled_from(tuple(kinds) or KINDS))
        data = draw(_of(kind))
        if not any(name.lower() == "content-type" for name, _ in fields):
            fields = (*fields, ("Content-Type", CONTENT_TYPES[kind]))
    where, how = _drawn(draw, target), _drawn(draw, method)
    return Request(how, where, tuple(fields), data, draw(chunkings(data)))


def _drawn(draw: st.DrawFn, value: str | SearchStrategy[str]) -> str:
    return value if isinstance(value, str) else draw(value)


_HOST: Final = b"Host: testserver\r\n"


def _post(fields: bytes, body: bytes = b"", line: bytes = b"POST /%b HTTP/1.1\r\n") -> bytes:
    return line + fields + b"\r\n" + body


# The error and the request that contains it, with a placeholder for some letters of the path.
_MALFORMED: Final = {
    "no Host (RFC 9112 §3.2)": _post(b"A: b\r\n"),
    "two Hosts (RFC 9112 §3.2)": _post(_HOST + b"Host: other\r\n"),
    "white space before the colon (RFC 9112 §5.1)": _post(_HOST + b"A : b\r\n"),
    "a field without a colon (RFC 9112 §5)": _post(_HOST + b"A\r\n"),
    "a folded field (RFC 9112 §5.2)": _post(_HOST + b"A: b\r\n c\r\n"),
    "a control character in a field (RFC 9110 §5.5)": _post(_HOST + b"A: \x00\r\n"),
    "an empty field name (RFC 9110 §5.1)": _post(_HOST + b": b\r\n"),
    "a length that is not a number (RFC 9110 §8.6)": _post(_HOST + b"Content-Length: +1\r\n", b"x"),
    "two lengths (RFC 9112 §6.3)": _post(_HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n", b"xx"),
    "a length beside chunks (RFC 9112 §6.1)": _post(
        _HOST + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"
    ),
    "an unknown transfer coding (RFC 9112 §6.1)": _post(_HOST + b"Transfer-Encoding: x\r\n"),
    "an unknown version (RFC 9112 §2.3)": _post(_HOST, line=b"POST /%b HTTP/3.7\r\n"),
    "no target (RFC 9112 §3)": _post(_HOST, line=b"POST %b\r\n"),
    "a method that is not a token (RFC 9110 §9.1)": _post(_HOST, line=b"PO(ST /%b HTTP/1.1\r\n"),
}


def malformed_requests() -> SearchStrategy[MalformedRequest]:
    """Requests that each break one rule for heads, so that a server must respond with 4xx or 5xx and close.
    Shrinks to the simplest request for its rule."""
    return st.builds(
        lambda why, path: MalformedRequest(why, _MALFORMED[why].replace(b"%b", path.encode())),
        st.sampled_from(sorted(_MALFORMED)),
        st.text("abc", max_size=4),
    )


@st.composite
def client_behaviours(draw: st.DrawFn, request: Request | None = None) -> Behaviour:
    """Client behaviours: send at once, send slowly, stop reading, disconnect, or pipeline requests.

    Args:
        request: the request that the client will send, so that cuts and disconnects fall within its bytes.
    """
    request = request or Request("POST", "/", body=bytes(64))
    framed = request.framed()
    kind = draw(st.sampled_from(["plain", "slow", "stalling", "vanishing", "pipelining"]))
    given: dict[str, Any] = {}
    if kind == "slow":
        given["pause"] = draw(st.sampled_from([0.1, 1.0, 4.0]))
    elif kind == "stalling":
        given["stall_after"] = draw(st.integers(0, 64 * 1024))
    elif kind == "vanishing":
        given["vanish_at"] = draw(st.integers(-len(request.head()) + 1, len(framed)))
    elif kind == "pipelining":
        given["times"] = draw(st.integers(2, 4))
    return Behaviour(kind, cuts=draw(segmentations(framed)), **given)
