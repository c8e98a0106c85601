"""A server at an address behind the inspector: what is handed on, what is not, and what happens to a cut."""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from streamcompat.asgi_api import ASGIApp
from streamcompat.cli import main
from streamcompat.inspector.passage import passage
from streamcompat.testing.remote.address import parse
from tests.support.asgi_apps import START, body, without_lifespan
from tests.support.clients import PATIENCE, connect_to, post_chunks
from tests.support.commands import serve_command
from tests.support.frames import handshake
from tests.support.servers import every_driver, serve_app

left = threading.Event()


async def upstream(scope: Any, receive: Any, send: Any) -> None:
    """Answers with what it was asked, sends a body back as it comes, cuts, or never ends."""
    path = scope["path"]
    if path == "/pre/echo":
        await send(START)
        more = True
        while more:
            message = await receive()
            more = message["more_body"]
            await send(body(message["body"], more))
    elif path == "/pre/cut":
        await send(START)
        await send(body(b"begun", True))
        raise RuntimeError("the upstream fails")
    elif path == "/pre/endless":
        await send(START)
        await send(body(b"begun", True))
        while (await receive())["type"] != "http.disconnect":
            pass
        left.set()
    else:
        seen = [scope["method"], path, scope["query_string"].decode(), dict(scope["headers"])]
        names = sorted(name.decode() for name in seen[3])
        await send({**START, "headers": [(b"x-seen", f"{seen[:3]} {names}".encode())]})
        await send(body(b"" if scope["method"] == "HEAD" else b"answer", more=False))


def between(driver: str = "asyncio") -> Iterator[str]:
    with serve_app(without_lifespan(upstream)) as behind:
        with serve_app(ASGIApp(passage(parse(f"{behind}/pre"))), driver) as url:
            yield url


@pytest.fixture
def url() -> Iterator[str]:
    yield from between()


def test_a_request_is_handed_on_without_what_belongs_to_its_connection(url: str) -> None:
    fields = {"Connection": "keep-alive, X-Mine", "X-Mine": "1", "TE": "trailers", "X-Other": "2"}
    answer = httpx.get(f"{url}/a%2Fb?c=d", headers=fields)
    assert answer.text == "answer"
    seen = answer.headers["x-seen"]
    assert seen.startswith("['GET', '/pre/a/b', 'c=d']") and "x-other" in seen
    assert not {"'x-mine'", "'te'", "'transfer-encoding'"} & set(re.findall(r"'[\w-]+'", seen))


def test_a_response_without_a_body_has_none(url: str) -> None:
    assert httpx.head(f"{url}/").content == b""


@every_driver
def test_a_body_comes_back_while_it_is_sent(driver: str) -> None:
    for url in between(driver):
        with connect_to(url) as connection, connection.makefile("rb") as answer:
            connection.sendall(post_chunks([b"first"], target="/echo").removesuffix(b"0\r\n\r\n"))
            assert answer.readline() == b"HTTP/1.1 200 OK\r\n"
            while answer.readline() != b"\r\n":
                pass
            assert (answer.readline(), answer.readline()) == (b"5\r\n", b"first\r\n")
            connection.sendall(b"6\r\nsecond\r\n0\r\n\r\n")
            assert (answer.readline(), answer.readline()) == (b"6\r\n", b"second\r\n")
            assert answer.readline() == b"0\r\n"
        large = bytes(range(256)) * 10_000
        assert httpx.post(f"{url}/echo", content=large).content == large


def test_a_cut_stays_a_cut(url: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError, match="incomplete|without sending"):
        httpx.get(f"{url}/cut")


def test_the_server_learns_that_the_client_has_left(url: str) -> None:
    left.clear()
    with httpx.stream("GET", f"{url}/endless") as answer:
        assert next(answer.iter_raw()) == b"begun"
    assert left.wait(PATIENCE)


def test_a_server_that_is_not_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with serve_app(ASGIApp(passage(parse(f"http://127.0.0.1:{port}")))) as url:
        answer = httpx.post(url, content=b"x")
        assert answer.status_code == 502 and f"127.0.0.1:{port}" in answer.text


def test_a_websocket_is_refused(url: str) -> None:
    port = int(url.rpartition(":")[2])
    with socket.create_connection(("127.0.0.1", port), PATIENCE) as connection:
        connection.sendall(handshake())
        assert connection.recv(4096).startswith(b"HTTP/1.1 501 ")


def test_the_command_stands_before_the_server() -> None:
    with serve_app(without_lifespan(upstream)) as behind:
        with serve_command("--url", f"{behind}/pre", verb="inspect") as command:
            assert f"every request is handed on to {behind}/pre\n" in command.said
            assert "inspector on http://127.0.0.1:" in command.said
            assert httpx.get(f"{command.url}/x").text == "answer"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("app.py", "--url", "http://127.0.0.1:1"), 2, "give a TARGET or --url, not both"),
        (("--url", "127.0.0.1:1"), 3, "127.0.0.1:1 is not the address of a server"),
        (("--url", "http://192.0.2.1"), 3, "http://192.0.2.1 is not on this machine"),
        (("--url", "http://127.0.0.1:1", "--workers", "2"), 3, "needs a single process"),
    ],
)
def test_what_cannot_be_stood_before(
    arguments: tuple[str, ...], status: int, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        found = main(["inspect", *arguments])
    except SystemExit as end:
        found = int(end.code or 0)
    assert (found, message in capsys.readouterr().err) == (status, True)
