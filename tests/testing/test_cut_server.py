"""What the cut server sends, byte for byte and segment for segment."""

from __future__ import annotations

import gzip
import socket
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from streamcompat.testing import CannedResponse, CutServer, Delivery
from streamcompat.testing.canned import Framing, parse

TEXT = "naïve 😀\r\n".encode()


@contextmanager
def connected(
    server: CutServer, request: bytes = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
) -> Iterator[socket.socket]:
    host, _, port = server.url.removeprefix("http://").rstrip("/").rpartition(":")
    with socket.create_connection((host, int(port)), 10) as connection:
        connection.sendall(request)
        yield connection


def pieces(server: CutServer) -> list[bytes]:
    """What arrives, one piece for each read, until the connection ends."""
    with connected(server, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n") as connection:
        return list(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize("cuts", [(), (0,), (1,), (3, 4), tuple(range(1, 20)), (-1, 5), (-20, 0, 999)])
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_each_piece_arrives_by_itself(framing: Framing, cuts: tuple[int, ...]) -> None:
    response = CannedResponse(TEXT, framing=framing)
    with CutServer(response) as server:
        whole = b"".join(pieces(server))
        server.deliver(cuts=cuts)
        got = pieces(server)
    assert b"".join(got) == whole
    head = whole.index(b"\r\n\r\n") + 4
    ends = sorted(head + at for at in cuts if 0 < head + at < len(whole))
    assert [len(piece) for piece in got] == [
        end - start for start, end in zip([0, *ends], [*ends, len(whole)], strict=True)
    ]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a client has not read")
def test_a_client_that_reads_late_sees_the_cuts_all_the_same() -> None:
    with CutServer(CannedResponse(b"abcd", framing="length")) as server:
        server.deliver(cuts=[0, 1, 2, 3])
        with connected(server) as connection:
            found = []
            for _ in range(5):
                time.sleep(0.03)  # far longer than the server's own pause
                found.append(connection.recv(65536))
    assert found[1:] == [b"a", b"b", b"c", b"d"]


def test_chunks_are_something_else_than_cuts() -> None:
    with CutServer(CannedResponse(b"abcdef", trailers={"X-Sum": "1"})) as server:
        server.deliver(chunks=[1, 4])
        (got,) = pieces(server)
    assert got.endswith(b"\r\n\r\n1\r\na\r\n3\r\nbcd\r\n2\r\nef\r\n0\r\nX-Sum: 1\r\n\r\n")
    assert b"Trailer: X-Sum\r\n" in got


@pytest.mark.parametrize("lost_at", [-9, 0, 1, 5, 999])
def test_a_connection_is_lost_where_it_is_told(lost_at: int) -> None:
    with CutServer(CannedResponse(b"abcdef", framing="length")) as server:
        whole = b"".join(pieces(server))
        server.deliver(lost_at=lost_at)
        with connected(server) as connection:  # which would otherwise stay open
            got = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, _ = whole.replace(b"Connection: close\r\n", b"").partition(b"abcdef")
    assert got == (head + b"abcdef"[:lost_at] if lost_at >= 0 else head[:lost_at])


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_coded_body_is_in_blocks(encoding: str) -> None:
    response = CannedResponse(TEXT * 20, encoding=encoding)
    content = response.content()
    assert content.count(b"\x00\x00\xff\xff") == 3
    assert (gzip.decompress if encoding == "gzip" else zlib.decompress)(content) == TEXT * 20
    with CutServer(response) as server, httpx.Client() as client:
        for _ in server.each(most=20):
            assert client.get(server.url).content == TEXT * 20


def test_it_reads_every_request_whole_and_keeps_the_connection() -> None:
    with CutServer(CannedResponse(b"ok", status=201)) as server, httpx.Client() as client:
        assert client.post(f"{server.url}a?b", content=b"x" * 100000).status_code == 201
        assert client.post(server.url, content=iter([b"12", b"345"])).text == "ok"
        assert client.head(server.url).content == b""
        assert client.get(server.url, headers={"Upgrade": "h2c"}).text == "ok"
    assert [(one.method, one.target, len(one.body)) for one in server.requests] == [
        ("POST", "/a?b", 100000),
        ("POST", "/", 5),
        ("HEAD", "/", 0),
        ("GET", "/", 0),
    ]


def test_a_client_that_waits_for_100_gets_it() -> None:
    head = b"POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
    with CutServer(b"ok") as server, connected(server, head) as connection:
        assert connection.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"ab")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 OK\r\n")
        assert server.requests[0].body == b"ab"


def test_a_client_of_http_1_0_gets_no_chunks() -> None:
    with CutServer(b"ok") as server, connected(server, b"GET / HTTP/1.0\r\n\r\n") as connection:
        got = b"".join(iter(lambda: connection.recv(1000), b""))
    assert got.endswith(b"\r\n\r\nok")
    assert b"Transfer-Encoding" not in got


def test_it_ends_with_clients_that_stall_leave_and_talk_nonsense() -> None:
    before = threading.active_count()
    with CutServer(CannedResponse(b"x" * 10_000_000)) as server:
        with connected(server), connected(server, b"\x16\x03\x01 no http"), connected(server) as leaves:
            leaves.close()
            with connected(server, b"GET"):
                pass
            assert httpx.get(server.url).content == b"x" * 10_000_000
    assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(server.url)


def test_each_way_once(cut_server: CutServer) -> None:
    ways = set()
    for url in cut_server.each(CannedResponse(b"abc", framing="length")):
        assert httpx.get(url).text == "abc" if len(ways) < 3 else url == cut_server.url
        ways.add(cut_server.delivery)
    assert {Delivery(), Delivery((1,)), Delivery((2,)), Delivery((1, 2)), Delivery((0,))} <= ways
    assert all(way.lost_at is None for way in ways)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"body": "text"}, TypeError),
        ({"framing": "none"}, ValueError),
        ({"encoding": "br"}, ValueError),
        ({"status": 101}, ValueError),
        ({"body": b"a", "status": 204}, ValueError),
        ({"trailers": {"A": "b"}, "framing": "length"}, ValueError),
        ({"headers": {"Content-Length": "3"}}, ValueError),
        ({"headers": {"A": "b\r\nC: d"}}, ValueError),
    ],
)
def test_what_cannot_be_sent_is_an_error(arguments: dict[str, object], error: type[Exception]) -> None:
    with pytest.raises(error):
        CannedResponse(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_file_is_a_response_or_a_body(end: bytes) -> None:
    assert parse(b"data: a\n\n", "text/event-stream").body == b"data: a\n\n"
    lines = [b"HTTP/1.1 201 Created", b"Content-Type: text/csv", b"X-A: b:c", b"%b", b"", b"a,b\r\n"]
    file = end.join(lines)
    response = parse(file % b"Content-Length: 7")
    assert response == CannedResponse(b"a,b\r\n", "text/csv", "length", 201, {"X-A": "b:c"})
    assert parse(file % b"Connection: close").framing == "close"
    assert parse(file % b"Transfer-Encoding: chunked").framing == "chunked"
    for wrong in (b"HTTP/1.1 200 OK\n", b"HTTP/1.1 now\n\n", b"HTTP/1.1 200 OK\nno field\n\nbody"):
        with pytest.raises(ValueError, match=r"HTTP/1\."):
            parse(wrong)
