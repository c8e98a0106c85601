"""Both flavours on real connections, over every driver; back-pressure is in `tests/parity`."""

from __future__ import annotations

import threading

import httpx
import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat.site import Site
from streamcompat_engine import ClientDisconnected
from tests.support.clients import answers_to, connect_to
from tests.support.commands import PATIENCE
from tests.support.servers import serve_app


class Told:
    """What a handler learned, for the test's thread to wait for."""

    def __init__(self):
        self.what = []
        self._event = threading.Event()

    def __call__(self, what):
        self.what.append(what)
        self._event.set()

    def wait(self):
        assert self._event.wait(PATIENCE), "the handler was told nothing"
        return self.what


@pytest.fixture
def told():
    return Told()


def test_a_client_is_told_for_how_long_its_connection_is_kept(flavour, driver):
    app, response, _ = flavour
    app.config.KEEP_ALIVE_TIMEOUT = 7
    app.get("/")(lambda request: response.text("x"))
    app.get("/stream")(lambda request: response.stream(nothing))
    with serve_app(app, driver) as url, httpx.Client(base_url=url) as client:
        for path in ("/", "/stream", "/nowhere"):
            headers = client.get(path).headers
            assert (headers["connection"], headers["keep-alive"]) == ("keep-alive", "timeout=7")
        last = client.get("/", headers={"Connection": "close"}).headers
        assert last["connection"] == "close"
        assert "keep-alive" not in last


async def nothing(sink):
    pass


class TestFailures:
    def test_before_the_first_chunk_there_is_an_error_page(self, flavour, driver, caplog):
        app, response, _ = flavour

        @app.get("/<name>")
        async def handler(request, name):
            async def produce(out):
                raise ZeroDivisionError("secret")

            return response.stream(produce)

        with serve_app(app, driver) as url, httpx.Client(base_url=url) as client:
            for _ in range(2):
                answer = client.get("/x")
                assert answer.status_code == 500
                assert "<h1>Internal Server Error</h1>" in answer.text
        assert len([record for record in caplog.records if record.levelname == "ERROR"]) == 2

    def test_after_it_the_response_is_visibly_cut_and_logged_once(self, flavour, driver, caplog):
        app, response, _ = flavour

        @app.get("/fails")
        async def handler(request):
            async def produce(out):
                await (getattr(out, "write", None) or out.send)(b"first")
                raise ZeroDivisionError("secret")

            return response.stream(produce)

        with serve_app(app, driver) as url:
            answer = answers_to(url, b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 200 ")
        assert answer.endswith(b"\r\n5\r\nfirst\r\n")
        (record,) = [record for record in caplog.records if record.levelname in ("ERROR", "WARNING")]
        assert "GET /fails on route /fails" in record.getMessage()

    def test_a_header_with_a_line_end_is_never_on_the_wire(self, flavour, driver, caplog):
        app, response, _ = flavour
        app.get("/")(lambda request: response.text("x", headers={"X-A": "a\r\nX-Evil: 1"}))
        app.get("/stream")(lambda request: response.stream(None, headers={"X-A": "a\nX-Evil: 1"}))
        with serve_app(app, driver) as url:
            for path in (b"/", b"/stream"):
                answer = answers_to(url, b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" % path)
                assert answer.startswith(b"HTTP/1.1 500 ")
                assert b"Evil" not in answer
        assert caplog.text.count("InvalidHeader") >= 2

    def test_a_request_that_is_none(self, flavour, driver):
        with serve_app(flavour[0], driver) as url:
            answer = answers_to(url, b"GET / HTTP/1.1\r\nHost: x\r\nbad header\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert b"Connection: close" in answer

    def test_a_body_whose_framing_breaks_is_answered_once(self, flavour, driver, caplog):
        app, response, _ = flavour
        app.post("/")(lambda request: response.text("x"))
        with serve_app(app, driver) as url:
            answer = answers_to(
                url, b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
            )
        assert answer.startswith(b"HTTP/1.1 400 ")
        assert answer.count(b"HTTP/1.1 ") == 1
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []

    def test_too_large_a_body_is_answered_once(self, flavour, driver):
        app, response, _ = flavour
        app.config.REQUEST_MAX_SIZE = 10
        app.post("/")(lambda request: response.text("x"))
        with serve_app(app, driver) as url:
            answer = httpx.post(url, content=b"x" * 11)
            assert (answer.status_code, answer.text) == (413, "Error: Payload Too Large")


UPLOAD = b"POST /%b HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\npart"


class TestClientsThatLeave:
    """The client sends a part of its body, or reads a part of the answer, and is gone."""

    @pytest.fixture
    def sanic(self, told):
        app = Sanic("leaving", load_env=False)

        async def upload(request):
            try:
                assert await request.stream.get() == b"part"
                told("part")
                await request.stream.get()
            except BaseException as error:
                told(type(error).__name__)
                raise

        app.stream("/raise", name="raise")(upload)
        app.stream("/cancel", name="cancel", on_disconnect="cancel")(upload)

        @app.get("/endless")
        async def endless(request):
            async def write(response):
                try:
                    while True:
                        response.write(b"x" * 65536)
                        await response.write(b"x")
                except BaseException as error:
                    told(type(error).__name__)
                    raise

            return sanic_response.stream(write)

        return app

    @pytest.fixture
    def mach9(self, told):
        app = Mach9("leaving", load_env=False)

        @app.post("/raise", stream=True)
        async def upload(request):
            assert (await request.stream.receive())["content"] == b"part"
            told("part")
            chunk = await request.stream.receive()
            told(chunk)
            assert chunk == await request.stream.receive()
            return mach9_response.text("nobody reads this")

        @app.get("/endless")
        async def endless(request):
            async def send(channel):
                try:
                    while True:
                        await channel.send(b"x" * 65536)
                except BaseException as error:
                    told(type(error).__name__)
                    raise

            return mach9_response.stream(send)

        return app

    @pytest.mark.parametrize("policy", ["raise", "cancel"])
    def test_sanics_read_raises_or_is_cancelled(self, sanic, driver, told, caplog, policy):
        with serve_app(sanic, driver) as url:
            with connect_to(url) as connection:
                connection.sendall(UPLOAD % policy.encode())
                told.wait()
            # The server's end waits for the handler.
        (_, error) = told.what
        assert (
            error == "ClientDisconnected" if policy == "raise" else error in ("CancelledError", "Cancelled")
        )
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []

    def test_mach9s_read_says_closed(self, mach9, driver, told, caplog):
        with serve_app(mach9, driver) as url, connect_to(url) as connection:
            connection.sendall(UPLOAD % b"raise")
            told.wait()
            connection.close()
        assert told.what[1] == {"content": b"", "closed": True, "more_content": False}
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []

    @pytest.mark.parametrize("name", ["sanic", "mach9"])
    def test_a_write_raises(self, name, driver, told, caplog, request):
        with serve_app(request.getfixturevalue(name), driver) as url, connect_to(url) as connection:
            connection.sendall(b"GET /endless HTTP/1.1\r\nHost: x\r\n\r\n")
            assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
            connection.close()
            assert told.wait() == [ClientDisconnected.__name__]
        assert [record for record in caplog.records if record.levelname == "ERROR"] == []


def test_two_flavours_in_one_server(driver):
    sanic, mach9 = Sanic("sanic", load_env=False), Mach9("mach9", load_env=False)

    @sanic.stream("/echo")
    async def first(request):
        async def write(response):
            while (body := await request.stream.get()) is not None:
                response.write(body)

        return sanic_response.stream(write)

    @mach9.post("/echo", stream=True)
    async def second(self, request):
        async def send(channel):
            while (chunk := await request.stream.receive())["more_content"]:
                await channel.send(chunk["content"])

        return mach9_response.stream(send)

    site = Site()
    site.mount(sanic, "/sanic")
    site.mount(mach9, "/mach9")
    with serve_app(site, driver) as url, httpx.Client(base_url=url) as client:
        for flavour in ("sanic", "mach9"):
            answer = client.post(f"/{flavour}/echo", content=iter([b"one", b"two"]))
            assert (answer.text, answer.headers["transfer-encoding"]) == ("onetwo", "chunked")
        assert client.get("/sanic/echo").headers["allow"] == "POST"
        assert client.get("/else").text == "Error: Requested URL /else not found"
