"""The benchmark client: the bytes it makes, and that it sees where a response ends, however it is cut."""

import socket
import threading

import pytest

from benchmarks.client import streams, wire
from benchmarks.client.wire import LAST_CHUNK, ResponseReader, WrongResponse

HEAD = b"HTTP/1.1 200 OK\r\nkeep-alive: timeout=60\r\ntransfer-encoding: chunked\r\n\r\n"


@pytest.fixture
def pair():
    client, server = socket.socketpair()
    client.settimeout(10)
    server.settimeout(10)
    with client, server:
        yield client, server


def answer(server, *parts):
    """Sends the parts as separate writes from another thread."""

    def send():
        for part in parts:
            server.sendall(part)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("pieces", [1, 3, 10, 25])
def test_an_upload_is_as_long_as_its_head_says(chunked, pieces):
    work = streams.upload("/up", b"x" * 100, pieces, chunked=chunked, block=1000)
    body = work.block * work.repeats + work.rest
    assert work.wire == len(body)
    assert b"X-Wire: %d\r\n" % len(body) in work.head
    assert body.count(b"x") == work.body == 100 * pieces
    if chunked:
        assert body == wire.chunk(b"x" * 100) * pieces + LAST_CHUNK
    else:
        assert b"Content-Length: %d\r\n" % len(body) in work.head


@pytest.mark.parametrize("size", [1, 15, 16, 100, 4096, 65536])
def test_the_size_of_a_framed_chunk(size):
    assert wire.framed_size(size) == len(wire.chunk(b"x" * size))


def test_every_mark_of_a_unique_request_is_numbered():
    first, second = (wire.numbered(wire.unique_get(), number) for number in (1, 2))
    assert wire.MARK not in first
    assert first != second
    assert len(first) == len(second)


def test_a_response_is_read_with_its_chunks(pair):
    client, server = pair
    body = wire.chunk(b"abc") + wire.chunk(b"de") + LAST_CHUNK
    thread = answer(server, HEAD + body, HEAD + body)
    reader = ResponseReader(client)
    for _ in range(2):
        response = reader.response()
        assert (response.status, response.body, response.chunks) == (200, b"abcde", [3, 2])
        assert response.wire == len(body)
    thread.join()


@pytest.mark.parametrize("cut", [1, 2, 3, 5, 7, 1000])
def test_a_download_ends_at_its_last_chunk_however_it_is_cut(pair, cut):
    client, server = pair
    body = wire.chunk(b"x" * 100) * 5 + LAST_CHUNK
    response = HEAD + body
    parts = [response[start : start + cut] for start in range(0, len(response), cut)]
    thread = answer(server, *parts)
    assert streams.download(client, b"GET / HTTP/1.1\r\n\r\n", 500) == len(body)
    thread.join()


def test_a_head_that_ends_like_a_last_chunk_is_not_the_end(pair):
    client, server = pair
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nkeep-alive: 60\r\n\r\n"
    assert head.endswith(LAST_CHUNK)
    thread = answer(server, head, wire.chunk(b"x") + LAST_CHUNK)
    assert streams.download(client, b"GET / HTTP/1.1\r\n\r\n", 1) == 6 + len(LAST_CHUNK)
    thread.join()


def test_another_status_is_a_wrong_response(pair):
    client, server = pair
    thread = answer(server, b"HTTP/1.1 500 Oh\r\ncontent-length: 0\r\n\r\n")
    with pytest.raises(WrongResponse, match="500"):
        streams.download(client, b"GET / HTTP/1.1\r\n\r\n", 10)
    thread.join()


def test_a_stream_that_is_cut_is_a_wrong_response(pair):
    client, server = pair
    server.sendall(HEAD + wire.chunk(b"x" * 100))
    server.shutdown(socket.SHUT_WR)
    with pytest.raises(WrongResponse, match="middle"):
        streams.download(client, b"GET / HTTP/1.1\r\n\r\n", 100)
