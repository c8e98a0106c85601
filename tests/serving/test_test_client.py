"""`app.test_client` and the originals' `testing` modules, used as the originals' own tests use them."""

from __future__ import annotations

import asyncio
import io
import sys

import httpx
import pytest

from streamcompat.mach9_api.testing import Mach9TestClient
from streamcompat.sanic_api.exceptions import ServerError
from streamcompat.sanic_api.response import json, redirect, stream, text
from streamcompat.sanic_api.testing import HOST, PORT, SanicTestClient
from tests.support.clients import PATIENCE
from tests.support.servers import serve_app

METHODS = ["get", "post", "put", "delete", "patch", "options", "head"]


@pytest.mark.parametrize("method", METHODS)
def test_request_and_response(flavour, method):
    app, responses, _ = flavour

    @app.route("/x", methods=[method.upper()])
    async def handler(request):
        return responses.text("body", 201, {"X-A": "b"})

    request, response = getattr(app.test_client, method)("/x?a=1", headers={"X-C": "d"})
    assert (request.method, request.args.get("a"), request.headers["x-c"]) == (method.upper(), "1", "d")
    assert (response.status, response.reason, response.headers["x-a"]) == (201, "Created", "b")
    assert response.text == ("" if method == "head" else "body")
    assert response.body == response.text.encode()
    assert response.json is None
    assert response.content_type == "text/plain"
    assert repr(response) == f"<ClientResponse 201 http://127.0.0.1:{PORT}/x?a=1>"


def test_the_addresses_that_old_tests_compare(app):
    app.get("/x/")(lambda request: text(request.url))
    request, response = app.test_client.get("/x/", params={"q": "a b"})
    assert request.url == response.text == f"http://{HOST}:{PORT}/x/?q=a+b"
    assert str(response.url) == request.url
    assert response.url.path == "/x/"
    assert request.host == f"{HOST}:{PORT}"


def test_a_port_of_its_own(app):
    app.get("/")(lambda request: text(str(request.transport.get_extra_info("sockname")[1])))
    with serve_app(app) as url:  # to learn of one that is free
        port = int(url.rpartition(":")[2])
    request, response = SanicTestClient(app, port).get("/")
    assert (response.text, request.host) == (str(port), f"{HOST}:{port}")


class TestWhatIsSent:
    @pytest.fixture
    def echo(self, app):
        @app.post("/")
        async def handler(request):
            return json([request.body.decode(), request.content_type, request.form, request.json_or_none])

        app.request_class = type("R", (app.default_request_class,), {"json_or_none": None})
        return app.test_client

    def ask(self, client, **arguments):
        _, response = client.post("/", **arguments)
        body, kind, form, _ = response.json
        return body, kind.partition(";")[0], form

    def test_text_and_bytes(self, echo):
        assert self.ask(echo, data="ä") == ("ä", "text/plain", {})
        assert self.ask(echo, data=b"b") == ("b", "application/octet-stream", {})
        assert (
            self.ask(echo, data="{}", headers={"content-type": "application/json"})[1] == "application/json"
        )
        assert self.ask(echo) == ("", "application/octet-stream", {})

    def test_a_form(self, echo):
        for data in ({"a": "1", "b": ["2", "3"]}, [("a", "1"), ("b", "2"), ("b", "3")]):
            assert self.ask(echo, data=data)[1:] == (
                "application/x-www-form-urlencoded",
                {"a": ["1"], "b": ["2", "3"]},
            )

    def test_json(self, echo):
        assert self.ask(echo, json={"a": 1})[:2] == ('{"a":1}', "application/json")

    def test_a_file(self, app):
        @app.post("/")
        async def handler(request):
            file = request.files.get("f")
            return json([file.name, file.body.decode(), request.form.get("a")])

        upload = io.BytesIO(b"content")
        upload.name = "/tmp/name.txt"
        _, response = app.test_client.post("/", data={"f": upload, "a": "1"})
        assert response.json == ["name.txt", "content", "1"]

    @pytest.mark.parametrize("asynchronous", [True, False])
    def test_a_stream(self, flavour, asynchronous):
        app, responses, _ = flavour
        seen = []

        @app.post("/", stream=True)
        async def handler(request):
            seen.append(request.headers.get("transfer-encoding"))

            async def copy(out):
                async for piece in request.stream:
                    await (getattr(out, "write", None) or out.send)(piece)

            return responses.stream(copy)

        pieces = [b"a" * 100_000, "b"]

        async def generator():
            for piece in pieces:
                yield piece

        _, response = app.test_client.post("/", data=generator() if asynchronous else iter(pieces))
        assert response.body == b"a" * 100_000 + b"b"
        assert seen == ["chunked"]

    def test_cookies_and_authorization(self, app):
        @app.get("/")
        async def handler(request):
            return json([request.cookies, request.headers["authorization"]])

        _, response = app.test_client.get("/", cookies={"a": "1"}, auth=("user", "secret"))
        assert response.json == [{"a": "1"}, "Basic dXNlcjpzZWNyZXQ="]


class TestWhatComesBack:
    def test_cookies(self, app):
        @app.get("/")
        async def handler(request):
            response = text("")
            response.cookies["a"] = "b c"
            response.cookies["a"]["httponly"] = True
            response.cookies["d"] = "e"
            return response

        _, response = app.test_client.get("/")
        assert response.cookies["a"].value == "b c"
        assert response.cookies["a"]["httponly"] is True
        assert response.cookies["d"].value == "e"
        assert len(response.headers.getall("set-cookie")) == 2

    def test_redirects(self, flavour):
        app, responses, _ = flavour
        app.get("/1")(lambda request: responses.redirect("/2"))
        app.get("/2")(lambda request: responses.redirect(request.url.replace("/2", "/3")))
        app.get("/3")(lambda request: responses.text("there"))
        request, response = app.test_client.get("/1")
        assert (request.path, response.text, response.url.path) == ("/1", "there", "/3")
        assert [(earlier.status, earlier.url.path) for earlier in response.history] == [
            (302, "/1"),
            (302, "/2"),
        ]
        _, response = app.test_client.get("/1", allow_redirects=False)
        assert (response.status, response.headers["Location"], response.history) == (302, "/2", ())

    def test_header_names_as_they_were_sent(self, flavour):
        """aiohttp gave them so, and old tests list or compare them."""
        app, responses, _ = flavour
        sent = {"X-ONE": "1", "x-two": "2", "X-Three-and-Four": "3"}
        app.get("/")(lambda request: responses.text("", headers=sent))
        app.get("/1")(lambda request: responses.redirect("/", headers={"X-Was": "1"}))
        _, response = app.test_client.get("/1")
        assert {name: value for name, value in response.headers.items() if name.lower() in "x-one x-two"} == {
            "X-ONE": "1",
            "x-two": "2",
        }
        assert {"X-Three-and-Four", "Content-Type", "Content-Length", "Date"} <= set(response.headers)
        assert {"X-Was", "Location"} <= set(response.history[0].headers)
        assert response.headers["x-ONE"] == "1" and "CONTENT-type" in response.headers

    def test_a_header_that_is_repeated_or_not_ascii(self, app):
        @app.get("/")
        async def handler(request):
            return text("", headers=[("X-A", "1"), ("x-a", "ä"), ("X-A", "3")])

        _, response = app.test_client.get("/")
        assert response.headers.getall("X-A") == ["1", "ä", "3"]

    def test_json_and_text_only_where_they_are(self, app):
        app.get("/json")(lambda request: json({"a": [1]}))
        app.get("/plain")(lambda request: text('{"a": 1}'))
        app.get("/broken")(lambda request: text("{", content_type="application/json"))
        app.get("/bytes")(lambda request: text(b"\xff", content_type="image/png"))
        found = [
            app.test_client.get(f"/{kind}", gather_request=False) for kind in ("json", "plain", "broken")
        ]
        assert [response.json for response in found] == [{"a": [1]}, None, None]
        response = app.test_client.get("/bytes", gather_request=False)
        assert (response.text, response.body) == (None, b"\xff")

    @pytest.mark.parametrize("host", ["localhost", "LOCALHOST", HOST])
    def test_the_server_by_its_other_name(self, app, host):
        """The originals listened at the port that the address shows."""
        app.get("/")(lambda request: text(request.host))
        app.get("/away")(lambda request: redirect(f"http://{host}:{PORT}/"))
        for uri in (f"http://{host}:{PORT}/", f"//{host}:{PORT}/", "/away"):
            request, response = app.test_client.get(uri)
            assert (response.status, response.text) == (200, f"{host.lower()}:{PORT}"), uri
            assert response.url.host == host.lower()

    def test_another_server(self, app):
        app.get("/")(lambda request: text("this one"))
        other = type(app)("other", load_env=False)
        other.get("/")(lambda request: text("the other one"))
        with serve_app(other) as url:
            request, response = app.test_client.get(f"{url}/")
            assert (request, response.text) == (None, "the other one")
            assert app.test_client.get(url.removeprefix("http:"))[1].text == "the other one"


def test_a_websockets_handshake(app):
    opened = []

    @app.websocket("/feed")
    async def feed(request, ws):
        opened.append(ws.subprotocol)

    request, response = app.test_client.get(
        "/feed",
        headers={
            "Upgrade": "websocket",
            "Connection": "upgrade",
            "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
            "Sec-WebSocket-Version": "13",
        },
    )
    assert (response.status, request.scheme, opened) == (101, "ws", [None])


class TestTheServer:
    def test_it_starts_and_stops_for_each_request(self, flavour):
        app, responses, _ = flavour
        calls = []
        for event in ("before_server_start", "after_server_start", "before_server_stop", "after_server_stop"):
            app.listener(event)(lambda app, loop, event=event: calls.append(event))
        app.get("/")(lambda request: calls.append("handler") or responses.text(""))
        for _ in range(2):
            app.test_client.get("/")
        assert calls == 2 * [
            "before_server_start",
            "after_server_start",
            "handler",
            "before_server_stop",
            "after_server_stop",
        ]
        assert not app.request_middleware
        assert len(app.listeners["after_server_start"]) == 1
        assert not app.is_running

    def test_its_arguments(self, app, driver):
        app.get("/")(lambda request: 1 / 0)
        _, response = app.test_client.get(
            "/", debug=True, server_kwargs={"driver": driver, "auto_reload": False, "access_log": False}
        )
        assert response.status == 500
        assert "ZeroDivisionError" in response.text
        assert app.debug is True

    def test_errors_are_answers(self, app):
        @app.get("/")
        async def handler(request):
            raise ServerError("no")

        assert app.test_client.get("/", gather_request=False).text == "Error: no"
        assert app.test_client.get("/nowhere")[1].status == 404

    def test_a_request_that_fails(self, app):
        @app.get("/")
        async def handler(request):
            async def produce(response):
                response.write("x")
                raise ValueError("cut")

            return stream(produce)

        with pytest.raises(ValueError, match="Exception during request: "):
            app.test_client.get("/")
        assert not app.request_middleware
        with pytest.raises(ValueError, match="Exception during request: "):
            app.test_client.get("/", nonsense=True)

    def test_a_listener_that_fails(self, app):
        app.listener("before_server_start")(lambda app, loop: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            app.test_client.get("/")
        assert not app.request_middleware
        assert app.listeners["after_server_start"] == []

    def test_an_app_that_hangs(self, app):
        @app.get("/")
        async def handler(request):
            await asyncio.Event().wait()

        app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 0
        with pytest.raises(ValueError, match="ReadTimeout"):
            app.test_client.get("/", timeout=httpx.Timeout(PATIENCE, read=0.1))


def test_each_flavours_own_name(app, mach9):
    assert type(app.test_client) is SanicTestClient
    assert type(mach9.test_client) is Mach9TestClient
    assert Mach9TestClient(mach9).app is mach9


def test_without_httpx_it_says_what_is_missing(app, monkeypatch):
    monkeypatch.setitem(sys.modules, "httpx", None)
    with pytest.raises(
        ImportError, match=r"app.test_client needs httpx: pip install 'streamcompat\[testing\]'"
    ):
        app.test_client.get("/")


def test_it_reads_while_it_sends(flavour):
    """So an echo is not held up, and nothing has to wait on disk until the client has sent everything."""
    app, responses, _ = flavour
    app.config.ENGINE_LIMIT_SPILL_SIZE = 0

    @app.post("/", stream=True)
    async def handler(request):
        pieces = getattr(request.stream, "receive", None)

        async def echo(channel):
            if pieces is None:
                while (piece := await request.stream.get()) is not None:
                    await channel.write(piece)
            else:
                while (piece := await pieces())["more_content"] or piece["content"]:
                    await channel.send(piece["content"])

        return responses.stream(echo)

    body = bytes(range(256)) * 64 * 1024
    _, response = app.test_client.post("/", data=body)
    assert response.body == body
