"""A server at an address behind the inspector: what is handed on, what is not, and what happens to a cut."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from streamcompat.cli import main
from streamcompat.inspector.passage import passage
from streamcompat.testing.remote.address import parse
from tests.support.asgi_apps import START, body, without_lifespan
from tests.support.clients import PATIENCE, answers_to, connect_to, get, post, post_chunks
from tests.support.commands import serve_command
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
        with serve_app(passage(parse(f"{behind}/pre")), driver) as url:
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


def test_what_frames_the_body_is_handed_on_whatever_connection_names(url: str) -> None:
    """Else the server would take the body for the next request."""
    sent = post(b"GET /x HTTP/1.1", "Connection: close, Content-Length", target="/echo")
    assert answers_to(url, sent).endswith(b"\r\n\r\nGET /x HTTP/1.1")


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
    with serve_app(passage(parse(f"http://127.0.0.1:{port}"))) as url:
        answer = httpx.post(url, content=b"x")
        assert answer.status_code == 502 and f"127.0.0.1:{port}: " in answer.text
        assert "refused" in answer.text


@contextlib.contextmanager
def behind(answer: bytes) -> Iterator[str]:
    """The inspector before a server that says this once it has read a head, and then closes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                head = b""
                while b"\r\n\r\n" not in head:
                    head += connection.recv(4096)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(
                    65536
                ):  # what is not read would reset the connection, and lose the answer
                    pass

        thread = threading.Thread(target=serve)
        thread.start()
        with serve_app(passage(parse(f"http://127.0.0.1:{listener.getsockname()[1]}"))) as url:
            yield url
        thread.join()


NOT_VALID = [
    (b"", "without a response"),
    (b"HTTP/1.1 200 OK\r\nContent-", "without a response"),
    (b"garbage\r\n\r\n", "not a valid HTTP response"),
    (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n", "not a valid HTTP"),
    (b"HTTP/1.1 200 OK\r\nX: a\x01b\r\nContent-Length: 2\r\n\r\nok", "control byte"),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nok", "not a valid HTTP"),
]


@pytest.mark.parametrize(("answer", "why"), NOT_VALID)
def test_what_is_no_response_is_a_502_that_says_why(answer: bytes, why: str) -> None:
    with behind(answer) as url:
        response = httpx.get(url)
        assert response.status_code == 502 and why in response.text


def test_what_a_response_has_arrives() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n"
    with behind(head + b"X: caf\xe9\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 7\r\n\r\n") as url:
        answer = answers_to(url, get("/", "Connection: close"))
        assert answer.endswith(b"2\r\nok\r\n0\r\nx-sum: 7\r\n\r\n")
        for field in (b"set-cookie: a=1\r\n", b"set-cookie: b=2\r\n", b"x: caf\xe9\r\n"):
            assert field in answer


def test_an_early_answer_to_a_body_that_is_not_read() -> None:
    with behind(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nbig") as url:
        answer = httpx.post(url, content=bytes(8 * 1024 * 1024))
        assert (answer.status_code, answer.text) == (413, "big")


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
