"""WSGI applications: bodies that stream in both directions, and clients that leave, on every driver."""

from __future__ import annotations

import io
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from streamcompat.asgi_api import ASGIApp, ClientGone, WSGIApplication
from streamcompat.asgi_api.wsgi import build_environ
from streamcompat.site import Site
from tests.support.asgi_apps import Told
from tests.support.clients import PATIENCE, get, post, post_chunks, request
from tests.support.servers import every_driver
from tests.support.websocket_clients import serving

MIB = 1024 * 1024


def hosted(application: Any, threads: int = 2) -> ASGIApp:
    return ASGIApp(WSGIApplication(application, threads))


def echo(environ: Any, start_response: Callable[..., Any]) -> Iterator[bytes]:
    start_response("200 OK", [("X-Path", environ["SCRIPT_NAME"] + "|" + environ["PATH_INFO"])])
    while piece := environ["wsgi.input"].read1(65536):
        yield piece


# ---- bodies ----


@every_driver
def test_a_body_goes_both_ways_piece_by_piece(driver: str) -> None:
    with serving(hosted(echo), driver) as served, served.connect() as client:
        client.send(request("POST", "/", "Transfer-Encoding: chunked"))
        received = b""
        for piece in (b"first", b"second"):
            client.send(b"%x\r\n%b\r\n" % (len(piece), piece))
            while not received.endswith(piece + b"\r\n"):  # before the next one is sent
                received += client.socket.recv(4096)
        client.send(b"0\r\n\r\n")
        while not received.endswith(b"0\r\n\r\n"):
            received += client.socket.recv(4096)
        data = bytes(range(256)) * 2000
        for sent in (post(data), post_chunks([data[:5], data[5:]])):
            client.send(sent)
            assert b"".join(client.response().chunks) == data


def test_the_body_is_a_file() -> None:
    lines: list[bytes] = []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        body = environ["wsgi.input"]
        lines.extend([body.readline(), body.readline(3), body.read(2), *body])
        start_response("200 OK", [])
        return [body.read() + body.readline()]

    with serving(hosted(app)) as served, served.connect() as client:
        client.send(post_chunks([b"on", b"e\ntw", b"o\nthree\n", b"four"]))
        assert client.response().chunks == []
    assert lines == [b"one\n", b"two", b"\nt", b"hree\n", b"four"]


@every_driver
def test_a_cut_body_raises_and_does_not_look_whole(driver: str) -> None:
    told = Told()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        told.tell(environ["wsgi.input"].read(3))
        try:
            environ["wsgi.input"].read()
        except ClientGone as error:
            told.tell(error)
            raise
        raise AssertionError("the body looked whole")

    with serving(hosted(app), driver) as served:
        with served.connect() as client:
            client.send(request("POST", "/", "Content-Length: 10") + b"abc")
            assert told.next() == b"abc"
        assert isinstance(told.next(), ClientGone)
        served.until_empty()


@every_driver
def test_an_upload_waits_for_an_application_that_does_not_read(driver: str) -> None:
    reached, goes_on = threading.Event(), threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        reached.set()
        assert goes_on.wait(PATIENCE)
        start_response("200 OK", [])
        return [str(sum(map(len, iter(lambda: environ["wsgi.input"].read(MIB), b"")))).encode()]

    with serving(hosted(app), driver) as served, served.connect() as client:
        client.socket.setsockopt(1, 7, 65536)  # SOL_SOCKET, SO_SNDBUF
        client.send(request("POST", "/", f"Content-Length: {16 * MIB}"))
        assert reached.wait(PATIENCE)
        client.socket.setblocking(False)
        sent, blocked = 0, 0
        while blocked < 20:
            try:
                sent += client.socket.send(bytes(min(MIB, 16 * MIB - sent)))
                blocked = 0
            except BlockingIOError:
                blocked += 1
                threading.Event().wait(0.01)
            assert sent < 16 * MIB
        client.socket.settimeout(PATIENCE)
        goes_on.set()
        client.send(bytes(16 * MIB - sent))
        assert client.response().chunks == [b"%d" % (16 * MIB)]


@every_driver
def test_a_slow_client_stops_the_application_and_one_that_leaves_closes_it(driver: str) -> None:
    made, closed = [0], threading.Event()

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        try:
            while True:
                made[0] += 1
                yield bytes(65536)
        finally:
            closed.set()

    with serving(hosted(app, threads=1), driver, send_buffer=65536) as served:
        for _ in range(3):  # one thread: each must be free again
            closed.clear()
            client = served.connect(65536)
            client.send(get())
            client.socket.recv(1)
            before = -1
            while made[0] != before:
                before = made[0]
                threading.Event().wait(0.05)
            client.reset()
            assert closed.wait(PATIENCE)
    assert made[0] * 65536 < 3 * 16 * MIB


# ---- answers ----


def listed(environ: Any, start_response: Any) -> list[bytes]:
    start_response("201 Made", [("Content-Type", "text/plain"), ("X-A", "é")])
    return [b"a", b"b"]


def written(environ: Any, start_response: Any) -> tuple[bytes, ...]:
    write = start_response("200 OK", [])
    write(b"a")
    write(b"")
    return (b"b", b"c")


def replaced(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [("X-A", "1")])
    yield b""
    try:
        raise ValueError
    except ValueError:
        start_response("503 Later", [("X-A", "2")], sys.exc_info())
    yield b"later"


def test_how_an_application_may_answer() -> None:
    apps = {"/listed": listed, "/written": written, "/replaced": replaced}

    def app(environ: Any, start_response: Any) -> Any:
        return apps[environ["PATH_INFO"]](environ, start_response)

    with serving(hosted(app)) as served, served.connect() as client:
        one = served.get("/listed")
        assert (one.status, one.field(b"content-length"), one.chunks) == (201, [b"2"], [b"ab"])
        assert one.field(b"x-a") == ["é".encode("latin-1")]
        assert served.get("/written").chunks == [b"a", b"bc"]
        one = served.get("/replaced")
        assert (one.status, one.field(b"x-a"), one.chunks) == (503, [b"2"], [b"later"])
        client.send(request("HEAD", "/listed") + get("/listed"))
        assert client.response("HEAD").chunks == [] and client.response().chunks == [b"ab"]


def late(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])
    yield b"a"
    try:
        raise ValueError("on purpose")
    except ValueError:
        start_response("500 Late", [], sys.exc_info())


def twice(environ: Any, start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    start_response("200 OK", [])
    return []


def silent(environ: Any, start_response: Any) -> list[bytes]:
    return [b"a"]


def no_text(environ: Any, start_response: Any) -> Iterator[Any]:
    start_response("200 OK", [])
    yield "text"


def fails(environ: Any, start_response: Any) -> list[bytes]:
    raise ValueError("on purpose")


def leaves(environ: Any, start_response: Any) -> list[bytes]:
    sys.exit("on purpose")


def interrupts(environ: Any, start_response: Any) -> Iterator[bytes]:
    start_response("200 OK", [])
    raise KeyboardInterrupt
    yield b""


def closes(environ: Any, start_response: Any) -> list[bytes]:
    raise GeneratorExit


@every_driver
@pytest.mark.parametrize(
    ("app", "logged"),
    [
        (leaves, "the application raised SystemExit"),
        (interrupts, "the application raised KeyboardInterrupt"),
        (closes, "the application raised GeneratorExit"),
        (late, "GET / failed after 1 bytes of its response, which is cut"),
        (twice, "start_response was called already"),
        (silent, "the application has not called start_response"),
        (no_text, "GET / failed before its response"),
        (fails, "ValueError: on purpose"),
    ],
    ids=lambda one: getattr(one, "__name__", ""),
)
def test_an_application_that_fails(driver: str, app: Any, logged: str) -> None:
    with serving(hosted(app), driver, logged=(logged,)) as served, served.connect() as client:
        client.send(get())
        response = client.response_or_cut()
    assert (response.status, response.complete) == ((200, False) if app is late else (500, True))


@pytest.mark.parametrize(
    "status", ["OK", "20", "099 x", "2000 OK", "٢٠٠ OK", " 200 OK", "200 OK\r\nX: y", "200\n"]
)
def test_a_malformed_status_is_the_applications_fault(status: str) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response(status, [])
        return [b"a"]

    with serving(hosted(app), logged=("a malformed status",)) as served:
        assert served.get().status == 500


@every_driver
def test_one_request_that_ends_python_ends_no_other(driver: str) -> None:
    reached, goes_on = threading.Event(), threading.Event()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        if environ["PATH_INFO"] == "/exit":
            sys.exit(1)
        start_response("200 OK", [])
        reached.set()
        assert goes_on.wait(PATIENCE)
        return [b"whole"]

    with serving(hosted(app), driver, logged=("SystemExit",)) as served, served.connect() as client:
        client.send(get("/"))
        assert reached.wait(PATIENCE)
        assert served.get("/exit").status == 500
        goes_on.set()
        assert client.response().chunks == [b"whole"]


# ---- threads ----


@every_driver
def test_requests_wait_while_all_threads_are_taken(driver: str) -> None:
    running, goes_on, told = [0], threading.Event(), Told()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        running[0] += 1
        told.tell(running[0])
        assert goes_on.wait(PATIENCE)
        running[0] -= 1
        start_response("200 OK", [])
        return [b"ok"]

    with serving(hosted(app, threads=1), driver) as served:
        clients = [served.connect() for _ in range(3)]
        for client in clients:
            client.send(get())
        assert told.next() == 1
        goes_on.set()
        assert [client.response().chunks for client in clients] == [[b"ok"]] * 3
        assert [told.next(), told.next()] == [1, 1]
        for client in clients:
            client.close()


@every_driver
def test_a_stop_does_not_wait_for_a_thread_that_hangs(driver: str) -> None:
    reached, goes_on = threading.Event(), threading.Event()

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [])
        yield b"a"
        reached.set()
        assert goes_on.wait(PATIENCE)
        yield b"b"

    with serving(hosted(app), driver, grace=0.1) as served:
        client = served.connect()
        client.send(get())
        assert reached.wait(PATIENCE)
    threads = [thread for thread in threading.enumerate() if thread.name == "WSGI request"]
    assert threads and all(thread.daemon for thread in threads)
    goes_on.set()
    for thread in threads:  # what it sends now raises, and nobody waits for it
        thread.join(PATIENCE)
        assert not thread.is_alive()
    client.close()


def test_in_a_site_it_has_its_own_path() -> None:
    site = Site()
    site.mount(hosted(echo), "/a b")
    site.mount(hosted(echo), "/old")
    with serving(site) as served:
        assert served.get("/old/x%20y").field(b"x-path") == [b"/old|/x y"]
        assert served.get("/old").field(b"x-path") == [b"/old|"]


def test_a_websocket_is_refused() -> None:
    handshake = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13")
    with serving(hosted(echo)) as served, served.connect() as client:
        client.send(request("GET", "/", *handshake, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="))
        assert client.response().status == 403


# ---- what it is told ----


def test_the_environment() -> None:
    scope = {
        "method": "PUT",
        "http_version": "1.1",
        "scheme": "https",
        "root_path": "/é",
        "path": "/é/x/\ufffd",
        "raw_path": b"/%C3%A9/x%2Fy/%ff",
        "query_string": b"a=%20",
        "server": ("h", 81),
        "client": ("c", 82),
        "headers": [
            (b"content-length", b"3"),
            (b"content-type", b"t"),
            (b"x-a", b"1"),
            (b"x-a", b"\xff"),
            (b"x_a", b"smuggled"),
            (b"content_length", b"9"),
            (b"cookie", b"a=1"),
            (b"cookie", b"b=2"),
            (b"proxy", b"evil"),
        ],
    }
    body = io.BufferedReader(io.BytesIO(b""))  # type: ignore[arg-type]
    environ = build_environ(scope, body)
    assert {name: value for name, value in environ.items() if not name.startswith("wsgi.")} == {
        "REQUEST_METHOD": "PUT",
        "SCRIPT_NAME": "/Ã©",
        "PATH_INFO": "/x/y/ÿ",
        "QUERY_STRING": "a=%20",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "h",
        "SERVER_PORT": "81",
        "REMOTE_ADDR": "c",
        "REMOTE_PORT": "82",
        "CONTENT_LENGTH": "3",
        "CONTENT_TYPE": "t",
        "HTTP_X_A": "1,ÿ",
        "HTTP_COOKIE": "a=1; b=2",
    }
    assert (environ["wsgi.input"], environ["wsgi.url_scheme"]) == (body, "https")
    unix = build_environ({**scope, "server": ("/run/x", None), "client": None}, body)
    assert (unix["SERVER_NAME"], unix["SERVER_PORT"], "REMOTE_ADDR" in unix) == ("localhost", "443", False)


def test_the_standard_library_finds_nothing_against_it() -> None:
    from wsgiref.validate import validator

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain")])
        return iter([environ["wsgi.input"].read(5), environ["wsgi.input"].readline()])

    with serving(hosted(validator(app))) as served, served.connect() as client:
        client.send(post(b"12345rest\n"))
        assert client.response().chunks == [b"12345", b"rest\n"]
