"""Each message is divided alike, whole, byte by byte and cut anywhere."""

from __future__ import annotations

from collections import deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.testing.messages import Messages, Part
from streamcompat.testing.wire import cut

HEAD = b"POST /a HTTP/1.1\r\nHost: a\r\n"
REQUESTS = (
    HEAD + b"Content-Length: 3\r\n\r\nabc"
    b"GET / HTTP/1.1\r\n\r\n"
    + HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n2;a=b\r\nde\r\n1\r\nf\r\n0\r\nX: y\r\n\r\n"
    b"HEAD / HTTP/1.1\n\nGET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n\x81\x00\r\n\r\n"
)
RESPONSES = (
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
    b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 101 Switching Protocols\r\n\r\n\x81\x00\r\n\r\n"
)


def joined(parts: list[Part]) -> list[tuple[str, bytes]]:
    """The parts, with neighbours of one kind as one."""
    found: list[tuple[str, bytes]] = []
    for kind, data, _ in parts:
        if found and found[-1][0] == kind and kind in ("content", "raw"):
            found[-1] = (kind, found[-1][1] + data)
        else:
            found.append((kind, data))
    return found


def divided(pieces: list[bytes], methods: deque[str], responses: bool = False) -> list[tuple[str, bytes]]:
    messages = Messages(methods, responses)
    parts = [part for piece in pieces for part in messages.feed(piece)]
    assert messages.rest() == b""
    return joined(parts)


@given(st.sets(st.integers(1, len(REQUESTS))))
def test_requests(offsets: set[int]) -> None:
    methods: deque[str] = deque()
    parts = divided(cut(REQUESTS, offsets), methods)
    assert [kind for kind, _ in parts] == [
        *("head", "content", "head", "head", "content", "end", "head", "head", "raw")
    ]
    contents = [data for kind, data in parts if kind != "head"]
    assert contents == [b"abc", b"def", b"X: y\r\n\r\n", b"\x81\x00\r\n\r\n"]
    assert list(methods) == ["POST", "GET", "POST", "HEAD", "GET"]


@given(st.sets(st.integers(1, len(RESPONSES))))
def test_responses(offsets: set[int]) -> None:
    parts = divided(cut(RESPONSES, offsets), deque(["POST", "GET", "POST", "HEAD", "GET"]), responses=True)
    assert [data for kind, data in parts if kind != "head"] == [b"ok", b"a", b"\r\n", b"\x81\x00\r\n\r\n"]
    assert sum(kind == "head" for kind, _ in parts) == 6


@pytest.mark.parametrize(
    ("responses", "data"),
    [
        (True, b"SSH-2.0-OpenSSH_9.2\r\n"),
        (True, b"220 mail.example ESMTP\r\n"),
        (True, b"\x16\x03\x03\x00"),
        (False, b"\x16\x03\x01\x02"),
        (False, b"EHLO there\r\n"),
        (False, b"GET /\r\n"),
        (False, b'{"id": 1}\n'),
    ],
)
def test_nothing_of_another_protocol_is_held_back(responses: bool, data: bytes) -> None:
    messages = Messages(deque(), responses)
    assert list(messages.feed(data)) == [Part("raw", data)]
    assert list(messages.feed(b"more")) == [Part("raw", b"more")]


@pytest.mark.parametrize(
    "data", [b"x" * 2_000_000, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nno\r\nsize"]
)
def test_what_is_no_http_is_handed_on(data: bytes) -> None:
    messages = Messages(deque())
    parts = [part for piece in cut(data, range(0, len(data), 65536)) for part in messages.feed(piece)]
    assert b"".join(part.data for part in parts) + messages.rest() == data
    assert parts[-1].kind == "raw"
