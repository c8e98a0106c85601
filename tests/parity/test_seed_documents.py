"""The code blocks of the two documents that define the streaming APIs, served unedited on every driver.

`seed_apps/` holds the blocks character for character. Each is served through the aliases, as an old app
would be, and directly, with only the package's name in its imports changed.
"""

from __future__ import annotations

import re
import runpy
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest

from streamcompat import aliases
from streamcompat_engine import Server, ServerConfig
from tests.support.commands import PATIENCE, serve_command
from tests.support.servers import serve_app

SEED_APPS = Path(__file__).parent / "seed_apps"

PIECES = (b"one 1\n", b"two 2\n", b"three 31\n")
BODIES = {
    "one length": b"".join(PIECES),
    "chunked": PIECES,
    "chunk by chunk of a byte": tuple(b"%c" % byte for byte in b"11 one byte each"),
    "nothing": b"",
    "a megabyte": b"0123456789abcdef" * 65536,
}

Loader = Callable[[str], ModuleType]


def _execute(name: str, source: str) -> ModuleType:
    module = ModuleType(name)
    exec(compile(source, str(SEED_APPS / f"{name}.py"), "exec"), vars(module))
    return module


@pytest.fixture(params=["aliased", "direct"])
def load(request: pytest.FixtureRequest) -> Iterator[Loader]:
    """Imports a block of the documents by its file's name."""
    if request.param == "aliased":
        aliases.install()
        yield lambda name: _execute(name, (SEED_APPS / f"{name}.py").read_text())
        aliases.uninstall()
    else:
        yield lambda name: _execute(
            name,
            re.sub(r"^from (sanic|mach9)\b", r"from streamcompat.\1_api", _source(name), flags=re.MULTILINE),
        )


def _source(name: str) -> str:
    return (SEED_APPS / f"{name}.py").read_text()


def _content(body: bytes | tuple[bytes, ...]) -> bytes | Iterator[bytes]:
    """What httpx sends with a Content-Length (bytes) or chunked, one chunk for each (an iterator)."""
    return body if isinstance(body, bytes) else iter(body)


def _whole(body: bytes | tuple[bytes, ...]) -> str:
    return (body if isinstance(body, bytes) else b"".join(body)).decode()


def _raw_exchange(url: str, request: bytes) -> bytes:
    """All that the server writes on a connection until it closes it."""
    host, port = urlsplit(url).hostname, urlsplit(url).port
    with socket.create_connection((host, port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def _read_until(connection: socket.socket, end: bytes) -> bytes:
    got = b""
    while not got.endswith(end):
        piece = connection.recv(65536)
        assert piece, f"the connection ended after {got!r}"
        got += piece
    return got


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/stream"), ("PUT", "/bp_stream"), ("POST", "/method_view"), ("POST", "/composition_view")],
)
def test_mach9_request_streaming(load: Loader, driver: str, method: str, path: str) -> None:
    with serve_app(load("mach9_request_streaming").app, driver) as url, httpx.Client(base_url=url) as client:
        for body in BODIES.values():
            response = client.request(method, path, content=_content(body))
            assert (response.status_code, response.text) == (200, _whole(body))
            assert response.headers["content-type"].startswith("text/plain")
        other = "PUT" if method == "POST" else "POST"
        assert client.request(other, path, content=b"x").status_code == 405
        assert client.request(method, f"{path}/further", content=b"x").status_code == 404


def test_mach9_echo(load: Loader, driver: str) -> None:
    with serve_app(load("mach9_response_streaming").app, driver) as url, httpx.Client(base_url=url) as client:
        for body in BODIES.values():
            response = client.post("/post/1", content=_content(body))
            assert (response.status_code, response.text) == (200, _whole(body))
            assert response.headers["transfer-encoding"] == "chunked"
        assert client.post("/post/", content=b"x").status_code == 404


def test_mach9_response_streaming(load: Loader, driver: str) -> None:
    with serve_app(load("mach9_response_streaming").app, driver) as url:
        response = httpx.get(f"{url}/get")
        assert (response.status_code, response.content) == (200, b"foobar")
        raw = _raw_exchange(url, b"GET /get HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        # A chunk for each send; the empty one neither ends the body nor appears in it.
        assert raw.endswith(b"\r\n\r\n3\r\nfoo\r\n3\r\nbar\r\n0\r\n\r\n")


def test_sanic_response_streaming(load: Loader, driver: str) -> None:
    with serve_app(load("sanic_response_streaming").app, driver) as url:
        response = httpx.get(f"{url}/")
        assert (response.status_code, response.content) == (200, b"foo,bar")
        assert response.headers["content-type"] == "text/csv"
        raw = _raw_exchange(url, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        assert raw.endswith(b"\r\n\r\n4\r\nfoo,\r\n3\r\nbar\r\n0\r\n\r\n")


@pytest.mark.parametrize(
    ("path", "replaces"), [("/stream", True), ("/bp_stream", True), ("/composition_view", False)]
)
def test_sanic_request_streaming(load: Loader, driver: str, path: str, replaces: bool) -> None:
    with serve_app(load("sanic_request_streaming").app, driver) as url, httpx.Client(base_url=url) as client:
        for body in BODIES.values():
            expected = _whole(body).replace("1", "A") if replaces else _whole(body)
            response = client.post(path, content=_content(body))
            assert (response.status_code, response.text) == (200, expected)
        response = client.get("/get")
        assert (response.status_code, response.text) == (200, "OK")
        assert client.get(path).status_code == 405


@pytest.mark.parametrize(
    ("name", "path"), [("sanic_request_streaming", "/stream"), ("mach9_response_streaming", "/post/1")]
)
def test_an_echo_answers_while_the_request_is_still_being_sent(
    load: Loader, driver: str, name: str, path: str
) -> None:
    with serve_app(load(name).app, driver) as url:
        address = (urlsplit(url).hostname, urlsplit(url).port)
        with socket.create_connection(address, timeout=PATIENCE) as connection:
            connection.sendall(
                f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
                + b"5\r\nfirst\r\n"
            )
            assert _read_until(connection, b"first\r\n").endswith(b"\r\n\r\n5\r\nfirst\r\n")
            connection.sendall(b"6\r\nsecond\r\n")
            assert _read_until(connection, b"second\r\n") == b"6\r\nsecond\r\n"
            connection.sendall(b"0\r\n\r\n")
            assert _read_until(connection, b"0\r\n\r\n") == b"0\r\n\r\n"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_sanic_database_streaming(postgres: dict[str, str]) -> None:
    # The block opens its connection with database='test' and leaves it to the end of the process.
    connection = await asyncpg.connect(
        host=postgres["PGHOST"], user=postgres["PGUSER"], database=postgres["PGDATABASE"]
    )
    try:
        await connection.execute("CREATE DATABASE test")
    finally:
        await connection.close()
    block = str(SEED_APPS / "sanic_database_streaming.py")
    with serve_command(block, "--alias", env=postgres) as command:
        async with httpx.AsyncClient() as client:
            response = await client.get(f"{command.url}/")
    assert (response.status_code, response.text) == (200, "012345678910")


@pytest.mark.parametrize(
    ("name", "method", "path", "answer"),
    [
        ("mach9_request_streaming", "POST", "/stream", "a body"),
        ("mach9_response_streaming", "GET", "/get", "foobar"),
        ("sanic_response_streaming", "GET", "/", "foo,bar"),
        ("sanic_request_streaming", "POST", "/stream", "a body"),
    ],
)
def test_the_command_line_serves_the_file_as_it_is(name: str, method: str, path: str, answer: str) -> None:
    with serve_command(str(SEED_APPS / f"{name}.py"), "--alias") as command:
        content = b"a body" if method == "POST" else None
        assert httpx.request(method, command.url + path, content=content).text == answer


@pytest.mark.parametrize("name", ["mach9_request_streaming", "sanic_request_streaming"])
def test_run_as_a_script_it_serves_where_the_document_says(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    configs: list[ServerConfig] = []

    class RecordingServer(Server):
        def run(self) -> None:
            configs.append(self.config)

    monkeypatch.setattr("streamcompat.serving.servable.Server", RecordingServer)
    aliases.install()
    try:
        runpy.run_path(str(SEED_APPS / f"{name}.py"), run_name="__main__")
    finally:
        aliases.uninstall()
    assert [(config.host, config.port) for config in configs] == [("127.0.0.1", 8000)]
