"""What is checked of `Expect`, HTTP/1.0, pipelining, forms, WebSockets and stalled peers."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

import websockets
from websockets.sync.client import ClientConnection, connect

from tests.servers.links import H1, PATIENCE, answer, sent_until_blocked
from tests.servers.registry import (
    MIB,
    TAKEN,
    asked,
    expect,
    http10,
    multipart,
    pipelining,
    raw,
    sockets,
    stalled,
    stalled_http1,
)
from tests.servers.running import Running

# ---- Expect ----

EXPECTING = b"Host: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"


def _statuses(received: bytes) -> list[bytes]:
    return [line[9:12] for line in received.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


@expect
def a_100_is_sent_when_the_body_is_read(server: Running) -> None:
    link = server.h1()
    with contextlib.closing(link.sock):
        link.sock.sendall(b"POST /sink HTTP/1.1\r\n" + EXPECTING)
        received = b""
        while b"100" not in received and (piece := link.sock.recv(4096)):
            received += piece
        link.sock.sendall(b"abc")
        while piece := link.sock.recv(4096):
            received += piece
    assert _statuses(received) == [b"100", b"200"]


@expect
def no_100_is_sent_when_the_body_is_not_read(server: Running) -> None:
    link = server.h1()
    received = b""
    with contextlib.closing(link.sock):
        link.sock.sendall(b"POST /early HTTP/1.1\r\n" + EXPECTING)
        with contextlib.suppress(TimeoutError, ConnectionResetError):
            while b"too much" not in received and (piece := link.sock.recv(4096)):
                received += piece
    assert _statuses(received) == [b"413"]


@expect
def a_body_that_does_not_wait_for_the_100(server: Running) -> None:
    received = raw(server, b"POST /sink HTTP/1.1\r\n" + EXPECTING + b"abc")
    assert _statuses(received)[-1:] == [b"200"] and received.endswith(b"3")


# ---- HTTP/1.0 ----


@http10
def a_get_of_http_10(server: Running) -> None:
    received = raw(server, b"GET / HTTP/1.0\r\n\r\n")
    assert received.partition(b"\r\n\r\n")[2] == b"hello"


@http10
def a_stream_to_http_10_is_not_chunked(server: Running) -> None:
    head, _, body = raw(server, b"GET /chunks/3/2 HTTP/1.0\r\n\r\n").partition(b"\r\n\r\n")
    assert b"chunked" not in head.lower() and body == b"AABBCC"


@http10
def an_upload_of_http_10(server: Running) -> None:
    received = raw(server, b"POST /sink HTTP/1.0\r\nContent-Length: 5\r\n\r\nabcde")
    assert received.endswith(b"\r\n\r\n5")


# ---- pipelining ----


@pipelining
def requests_at_once_are_answered_in_order(server: Running) -> None:
    sent = b"".join(b"GET /args/%d HTTP/1.1\r\nHost: a\r\n\r\n" % number for number in range(5))
    link = server.h1()
    with contextlib.closing(link.sock):
        link._methods = ["GET"] * 5
        link.sock.sendall(sent)
        assert [json.loads(answer(link).body)[0] for _ in range(5)] == list("01234")


@pipelining
def uploads_at_once_are_answered_in_order(server: Running) -> None:
    one = b"POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"
    two = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n0\r\n\r\n"
    link = server.h1()
    with contextlib.closing(link.sock):
        link._methods = ["POST", "POST", "GET"]
        link.sock.sendall(one + two + b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert [answer(link).body for _ in range(3)] == [b"3", b"de", b"hello"]


# ---- forms ----


@multipart
def a_form(server: Running) -> None:
    kind = ("Content-Type", "application/x-www-form-urlencoded")
    with asked(server, "POST", "/form", kind, body=b"a=1&a=2&b=%C3%A9") as link:
        assert json.loads(answer(link).body) == [{"a": ["1", "2"], "b": ["é"]}, {}]


def _multipart(size: int) -> bytes:
    return (
        b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
        b'--b\r\nContent-Disposition: form-data; name="f"; filename="x.bin"\r\n\r\n%b\r\n--b--\r\n'
        % bytes(size)
    )


@multipart
def a_file_in_a_multipart_form(server: Running) -> None:
    kind = ("Content-Type", "multipart/form-data; boundary=b")
    with asked(server, "POST", "/form", kind, body=_multipart(500_000)) as link:
        assert json.loads(answer(link).body) == [{"a": ["1"]}, {"f": ["x.bin", 500_000]}]


@multipart
def a_multipart_form_without_a_length(server: Running) -> None:
    kind, data = ("Content-Type", "multipart/form-data; boundary=b"), _multipart(100_000)
    with asked(server, "POST", "/form", kind, length=-1) as link:
        for at in range(0, len(data), 7001):
            link.send(data[at : at + 7001])
        link.end()
        assert json.loads(answer(link).body) == [{"a": ["1"]}, {"f": ["x.bin", 100_000]}]


# ---- WebSocket ----


def _socket(server: Running, target: str, **options: Any) -> ClientConnection:
    times = {"open_timeout": PATIENCE, "close_timeout": PATIENCE, "proxy": None}
    return connect(f"ws://127.0.0.1:{server.port}{target}", **{**times, **options})


@sockets
def messages_go_both_ways(server: Running) -> None:
    with _socket(server, "/ws/echo") as client:
        client.recv(PATIENCE)
        for message in ("héllo", b"\x00\xff", "", "a" * 100_000):
            client.send(message)
            assert client.recv(PATIENCE) == message


@sockets
def a_subprotocol(server: Running) -> None:
    spoken = "b" if server.flavour == "sanic" else None  # Mach9 had no word for them
    with _socket(server, "/ws/echo", subprotocols=["a", "b"]) as client:
        assert client.recv(PATIENCE) == f"subprotocol {spoken}"
        assert client.subprotocol == spoken


@sockets
def a_handler_that_closes(server: Running) -> None:
    code, reason = (4001, "enough") if server.flavour == "sanic" else (1000, "")
    with _socket(server, "/ws/closes") as client:
        assert client.recv(PATIENCE) == "last"
        with contextlib.suppress(websockets.ConnectionClosed):
            client.recv(PATIENCE)
        assert (client.close_code, client.close_reason) == (code, reason)


@sockets
def a_client_that_closes(server: Running) -> None:
    before = server.done("ws over")
    with _socket(server, "/ws/echo") as client:
        client.recv(PATIENCE)
        client.close(1001)
    assert server.until(lambda: server.done("ws over") == before + 1), "the handler goes on"


@sockets
def a_client_that_vanishes(server: Running) -> None:
    before = server.done("ws over")
    with _socket(server, "/ws/echo") as client:
        client.recv(PATIENCE)
        client.socket.shutdown(socket.SHUT_RDWR)
        assert server.until(lambda: server.done("ws over") == before + 1), "the handler goes on"


# ---- stalled peers: bytes and memory ----


@stalled
def a_client_that_does_not_read_stops_the_handler(server: Running) -> None:
    before, memory = server.done("endless"), server.process.memory()
    with asked(server, "GET", "/endless", receive_buffer=65536) as link:
        link.until(lambda response: response.status != 0)
        made = (server.settled("endless") - before) * 65536
        grown = server.process.memory() - memory
    assert made < TAKEN, f"{made} bytes were made for a client that does not read"
    assert grown < 2 * TAKEN, f"memory has grown by {grown} bytes"


@stalled_http1
def a_handler_that_does_not_read_stops_the_client(server: Running) -> None:
    memory = server.process.memory()
    with asked(server, "POST", "/stalls", length=64 * MIB) as link:
        assert isinstance(link, H1)
        taken = sent_until_blocked(link, 64 * MIB)
        grown = server.process.memory() - memory
        link.sock.close()
    server.release("stalls")
    assert taken < TAKEN, f"{taken} bytes were taken for a handler that does not read"
    assert grown < 2 * TAKEN, f"memory has grown by {grown} bytes"


@stalled_http1
def a_websocket_that_does_not_read_stops_the_handler(server: Running) -> None:
    before, memory = server.done("floods"), server.process.memory()
    with _socket(server, "/ws/floods", max_queue=1, ping_interval=None, compression=None) as client:
        client.recv(PATIENCE)
        made = (server.settled("floods") - before) * 65536
        grown = server.process.memory() - memory
        client.socket.shutdown(socket.SHUT_RDWR)
    assert made < TAKEN, f"{made} bytes were made for a client that does not read"
    assert grown < 2 * TAKEN, f"memory has grown by {grown} bytes"
