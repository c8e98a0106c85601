"""A WebSocket that the inspector hands on: messages, handshakes, and who closes."""

from __future__ import annotations

import base64
import contextlib
import dataclasses
import hashlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from streamcompat.inspector import websockets
from streamcompat.inspector.passage import passage
from streamcompat.testing.remote.address import parse
from tests.support import frames
from tests.support.asgi_apps import without_lifespan
from tests.support.clients import PATIENCE
from tests.support.frames import handshake
from tests.support.servers import every_driver, serve_app

ended: list[dict[str, Any]] = []
closed = threading.Event()


async def upstream(scope: Any, receive: Any, send: Any) -> None:
    """Echoes, refuses, closes, or fails, as the path says."""
    await receive()
    path = scope["path"]
    if path == "/pre/refuse":
        fields = [(b"x-why", b"caf\xe9")]
        await send({"type": "websocket.http.response.start", "status": 403, "headers": fields})
        await send({"type": "websocket.http.response.body", "body": b"not you"})
        return
    chosen = (scope["subprotocols"] or [None])[-1]
    await send({"type": "websocket.accept", "subprotocol": chosen, "headers": [(b"x-mine", b"1")]})
    await send({"type": "websocket.send", "text": f"{path}?{scope['query_string'].decode()}"})
    if path == "/pre/close":
        await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
    elif path == "/pre/empty":
        await send({"type": "websocket.close", "code": 1005})
    elif path == "/pre/large":
        await send({"type": "websocket.send", "bytes": bytes(websockets.LARGEST + 1)})
    elif path == "/pre/large-text":  # fewer characters than bytes
        await send({"type": "websocket.send", "text": "😀" * (websockets.LARGEST // 4 + 1)})
    elif path == "/pre/fail":
        raise RuntimeError("the upstream fails")
    while (message := await receive())["type"] == "websocket.receive":
        if path == "/pre/take":
            await send({"type": "websocket.send", "text": str(len(message["bytes"]))})
        else:
            await send({**message, "type": "websocket.send"})
    ended.append(message)
    closed.set()


def between(driver: str = "asyncio") -> Iterator[str]:
    app = without_lifespan(upstream)
    app.websocket_settings = dataclasses.replace(app.websocket_settings, message_size=None)
    with serve_app(app) as behind:
        with serve_app(passage(parse(f"{behind}/pre")), driver) as url:
            yield url.replace("http", "ws", 1)


@pytest.fixture
def url() -> Iterator[str]:
    ended.clear()
    closed.clear()
    yield from between()


def opened(url: str, **options: Any) -> ClientConnection:
    return connect(url, open_timeout=PATIENCE, close_timeout=PATIENCE, **options)


@every_driver
def test_messages_of_both_kinds_in_both_directions(driver: str) -> None:
    for url in between(driver):
        with opened(f"{url}/a%2Fb?c=d") as client:
            assert client.recv(PATIENCE) == "/pre/a/b?c=d"
            for message in ("", "é" * 40_000, b"", bytes(range(256)) * 1_000):
                client.send(message)
                assert client.recv(PATIENCE) == message
            client.send(["in ", "frag", "ments"])
            assert client.recv(PATIENCE) == "in fragments"
            assert client.ping().wait(PATIENCE)


def test_the_handshake_is_the_servers(url: str) -> None:
    with opened(url, subprotocols=["one", "two"]) as client:
        assert client.subprotocol == "two"
        assert client.response is not None and client.response.headers["x-mine"] == "1"
    with pytest.raises(InvalidStatus) as refused:
        with opened(f"{url}/refuse"):
            pass
    response = refused.value.response
    assert (response.status_code, response.body, response.headers["x-why"]) == (403, b"not you", "café")


def test_the_servers_close_arrives(url: str) -> None:
    with opened(f"{url}/close") as client:
        client.recv(PATIENCE)
        with pytest.raises(ConnectionClosed) as end:
            client.recv(PATIENCE)
        assert end.value.rcvd is not None
        assert (end.value.rcvd.code, end.value.rcvd.reason) == (4001, "enough")


def test_the_clients_close_arrives(url: str) -> None:
    with opened(url) as client:
        client.close(4002, "done")
    assert closed.wait(PATIENCE)
    assert (ended[0]["code"], ended[0]["reason"]) == (4002, "done")


def test_a_client_that_vanishes(url: str) -> None:
    """The server is not told that it has closed."""
    with opened(url) as client:
        client.socket.shutdown(socket.SHUT_RDWR)
        assert closed.wait(PATIENCE)
    assert ended[0]["code"] == 1006


def test_a_close_without_a_code_stays_one(url: str) -> None:
    with opened(url) as client:
        client.recv(PATIENCE)
        client.socket.sendall(frames.close(None))
        assert closed.wait(PATIENCE)
    assert ended[0]["code"] == 1005
    with opened(f"{url}/empty") as client:
        client.recv(PATIENCE)
        with pytest.raises(ConnectionClosed) as end:
            client.recv(PATIENCE)
        assert end.value.rcvd is not None and end.value.rcvd.code == 1005


def test_the_client_may_send_as_much_as_the_server(url: str) -> None:
    """More than an application gets without asking for it."""
    assert passage(parse("http://127.0.0.1:1")).websocket_settings.message_size == websockets.LARGEST
    size = 1024 * 1024 + 1
    with opened(f"{url}/take", compression=None) as client:
        client.recv(PATIENCE)
        client.send(bytes(size))
        assert client.recv(PATIENCE) == str(size)


@pytest.mark.parametrize(("path", "code"), [("large", 1009), ("large-text", 1009), ("fail", 1011)])
def test_a_server_that_sends_too_much_or_fails(
    url: str, path: str, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websockets, "LARGEST", 100_000)
    with opened(f"{url}/{path}", max_size=None) as client:
        client.recv(PATIENCE)
        with pytest.raises(ConnectionClosed) as end:
            client.recv(PATIENCE)
        assert end.value.rcvd is not None and end.value.rcvd.code == code


def accepts() -> bytes:
    """A server's answer to the handshake with the key of RFC 6455."""
    head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    return head + b"Sec-WebSocket-Accept: " + frames.ACCEPT + b"\r\n\r\n"


@contextlib.contextmanager
def before(says: Any) -> Iterator[str]:
    """The inspector before a server that is a function of its connection and of the head that it reads."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, connection.makefile("rb") as received:
                head = []
                while (line := received.readline()) not in (b"\r\n", b""):
                    head.append(line)
                says(connection, head)

        thread = threading.Thread(target=serve)
        thread.start()
        with serve_app(passage(parse(f"http://127.0.0.1:{listener.getsockname()[1]}"))) as url:
            yield url
        thread.join()


@pytest.mark.parametrize(
    "answer",
    [b"", b"garbage\r\n\r\n", accepts(), b"HTTP/1.1 101 X\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-"],
)
def test_what_is_no_answer_to_a_handshake_is_a_502(answer: bytes) -> None:
    """One of them has the answer to another key."""
    with before(lambda connection, head: connection.sendall(answer)) as url:
        with socket.create_connection(("127.0.0.1", int(url.rpartition(":")[2])), PATIENCE) as connection:
            connection.sendall(handshake())
            assert connection.recv(4096).startswith(b"HTTP/1.1 502 ")


def test_a_server_that_is_gone_without_a_close() -> None:
    with before(lambda connection, head: connection.sendall(_accepted(head) + b"\x81\x02ok")) as url:
        with opened(url.replace("http", "ws", 1)) as client:
            assert client.recv(PATIENCE) == "ok"
            with pytest.raises(ConnectionClosed) as end:
                client.recv(PATIENCE)
            assert end.value.rcvd is not None
            assert (end.value.rcvd.code, end.value.rcvd.reason) == (1011, "the server is gone")


def test_pings_are_answered_where_they_arrive() -> None:
    seen: list[bytes] = []

    def says(connection: socket.socket, head: list[bytes]) -> None:
        connection.sendall(_accepted(head) + b"\x89\x02hi" * 3 + b"\x81\x02ok")
        while sum(map(len, seen)) < 3 * 8:  # three masked Pongs
            seen.append(connection.recv(4096))
        connection.sendall(b"\x88\x00")

    with before(says) as url:
        with opened(url.replace("http", "ws", 1)) as client:
            assert client.recv(PATIENCE) == "ok"
            with pytest.raises(ConnectionClosed):
                client.recv(PATIENCE)
    assert b"".join(seen).count(b"\x8a\x82") == 3


def _accepted(head: list[bytes]) -> bytes:
    """The answer to this handshake."""
    key = next(line for line in head if line.lower().startswith(b"sec-websocket-key:")).split()[1]
    digest = base64.b64encode(hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest())
    return accepts().replace(frames.ACCEPT, digest)
