"""What an app answers when something goes wrong, in memory."""

from __future__ import annotations

import logging

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat.sanic_api.response import text
from streamcompat.site import Site
from streamcompat.testing import Client
from streamcompat_engine import ClientDisconnected
from tests.support.exchanges import ask


def failing(app, response, error=ZeroDivisionError, first=b""):
    """A route / whose streaming function fails with `error` after it wrote `first`."""

    @app.get("/")
    async def handler(request):
        async def produce(out):
            if first:
                await (getattr(out, "write", None) or out.send)(first)
            raise error

        return response.stream(produce)


class TestErrors:
    async def test_not_found(self, flavour):
        exchange = await ask(flavour[0], "GET", "/nowhere")
        assert (exchange.status, exchange.text) == (404, "Error: Requested URL /nowhere not found")
        assert exchange.field("content-type") == "text/plain; charset=utf-8"

    async def test_method_not_allowed(self, flavour):
        app, response, _ = flavour
        app.post("/")(lambda request: response.text("x"))
        exchange = await ask(app, "GET", "/")
        assert (exchange.status, exchange.text) == (405, "Error: Method GET not allowed for URL /")
        assert exchange.field("allow") == "POST"

    async def test_an_exception_that_is_an_answer_is_not_logged(self, flavour, caplog):
        app, _, exceptions = flavour

        @app.get("/")
        async def handler(request):
            raise exceptions.InvalidUsage("no", status_code=418)

        exchange = await ask(app, "GET", "/")
        assert (exchange.status, exchange.text) == (418, "Error: no")
        assert caplog.records == []

    async def test_any_other_exception_tells_nothing_and_is_logged_once(self, flavour, caplog):
        app, _, _ = flavour

        @app.get("/fails/<a>")
        async def handler(request, a):
            raise ZeroDivisionError("secret")

        exchange = await ask(app, "GET", "/fails/x")
        assert exchange.status == 500
        assert exchange.field("content-type") == "text/html; charset=utf-8"
        assert "<h1>Internal Server Error</h1>" in exchange.text
        assert "secret" not in exchange.text
        (record,) = caplog.records
        assert record.levelno == logging.ERROR
        assert "GET /fails/x on route /fails/<a>" in record.message
        assert "ZeroDivisionError: secret" in record.message

    async def test_debugging_shows_the_traceback_escaped(self, flavour):
        app, _, _ = flavour
        app.set_debug(True)

        @app.get("/")
        async def handler(request):
            raise ZeroDivisionError("<script>")

        exchange = await ask(app, "GET", "/")
        assert exchange.status == 500
        assert "ZeroDivisionError" in exchange.text
        assert "test_errors.py" in exchange.text
        assert "<script>" not in exchange.text

    @pytest.mark.parametrize("answer", [None, "text", b"bytes", 5])
    async def test_what_is_no_response(self, flavour, answer):
        app, _, _ = flavour
        app.get("/")(lambda request: answer)
        exchange = await ask(app, "GET", "/")
        message = (
            "response does not have get_message()" if isinstance(app, Mach9) else "Invalid response type"
        )
        assert (exchange.status, exchange.text) == (500, f"Error: {message}")

    async def test_handlers_of_exceptions_the_first_that_fits(self, flavour):
        app, response, exceptions = flavour
        seen = []

        @app.exception(KeyError, [exceptions.NotFound, (ValueError,)])
        def some(request, exception):
            seen.append((request.path, type(exception)))
            return response.text("some", 500)

        @app.exception(Exception)
        async def rest(request, exception):
            return response.text("rest", 500)

        for name, error in {"key": KeyError, "unicode": UnicodeError, "type": TypeError}.items():

            def handler(request, error=error):
                raise error("x")

            app.get(f"/{name}")(handler)
        assert [(await ask(app, "GET", path)).text for path in ("/key", "/unicode", "/none", "/type")] == [
            "some",
            "some",
            "some",
            "rest",
        ]
        assert seen[0] == ("/key", KeyError)

    async def test_an_exception_handler_may_stream(self, flavour):
        app, response, _ = flavour

        @app.exception(ZeroDivisionError)
        def handler(request, exception):
            async def produce(out):
                await (getattr(out, "write", None) or out.send)(b"streamed")

            return response.stream(produce, 500)

        failing(app, response)
        exchange = await ask(app, "GET", "/")
        assert (exchange.status, exchange.chunks) == (500, [b"streamed"])

    @pytest.mark.parametrize("asynchronous", [False, True])
    async def test_an_exception_handler_that_fails(self, flavour, caplog, asynchronous):
        app, _, _ = flavour

        def handler(request, exception):
            raise KeyError("second")

        async def coroutine(request, exception):
            raise KeyError("second")

        app.exception(ZeroDivisionError)(coroutine if asynchronous else handler)

        @app.get("/")
        def fail(request):
            raise ZeroDivisionError("first")

        exchange = await ask(app, "GET", "/")
        assert (exchange.status, exchange.text) == (500, "An error occurred while handling an error")
        (record,) = caplog.records
        assert "KeyError: 'second'" in record.message

    async def test_a_custom_error_handler(self, app):
        from streamcompat.sanic_api.handlers import ErrorHandler

        class Mine(ErrorHandler):
            def default(self, request, exception):
                if isinstance(exception, ZeroDivisionError):
                    return text("mine", 500)
                return super().default(request, exception)

        app = Sanic("app", error_handler=Mine(), load_env=False)
        app.get("/")(lambda request: 1 / 0)
        assert (await ask(app, "GET", "/")).text == "mine"
        assert (await ask(app, "GET", "/x")).status == 404

    async def test_a_stream_that_fails_before_its_first_byte(self, flavour, caplog):
        app, response, _ = flavour
        failing(app, response)
        exchange = await ask(app, "GET", "/")
        assert exchange.status == 500
        assert "Internal Server Error" in exchange.text
        assert not exchange.aborted
        assert len(caplog.records) == 1

    async def test_and_after_it_is_cut_and_logged_once_with_the_route(self, flavour, caplog):
        app, response, _ = flavour
        failing(app, response, first=b"first")
        exchange = await ask(app, "GET", "/")
        assert (exchange.status, exchange.chunks) == (200, [b"first"])
        assert exchange.aborted
        assert not exchange.finished
        (record,) = caplog.records
        assert "GET / on route / (" in record.message
        assert "failed after 5 bytes of its response" in record.message
        assert record.exc_info[0] is ZeroDivisionError

    async def test_a_length_that_is_not_reached(self, app, caplog):
        @app.get("/<text>")
        async def handler(request, text):
            def produce(out):
                if text != "nothing":
                    out.write(text)

            return sanic_response.stream(produce, headers={"Content-Length": "5"})

        assert (await ask(app, "GET", "/nothing")).status == 500
        cut = await ask(app, "GET", "/xyz")
        assert cut.aborted
        assert len(caplog.records) == 2

    @pytest.mark.parametrize("first", [b"", b"first"])
    async def test_a_client_that_leaves_is_no_crash(self, flavour, caplog, first):
        app, response, _ = flavour
        failing(app, response, ClientDisconnected, first)
        exchange = await ask(app, "GET", "/")
        assert exchange.aborted
        assert not exchange.finished
        assert caplog.records == []

    async def test_nor_one_that_leaves_while_its_body_is_read(self, flavour, caplog):
        app, response, _ = flavour
        app.post("/")(lambda request: response.text("x"))
        exchange = await ask(app, "POST", "/", b"a", ClientDisconnected())
        assert exchange.log == ["abort"]
        assert caplog.records == []

    async def test_text_to_a_channel_is_an_error_in_the_app(self, mach9, caplog):
        @mach9.get("/")
        async def handler(request):
            async def send(channel):
                await channel.send("text")

            return mach9_response.stream(send)

        assert (await ask(mach9, "GET", "/")).status == 500
        assert "channel.send() takes bytes, not str: pass text.encode()" in caplog.text

    @pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\0"])
    @pytest.mark.parametrize("streaming", [False, True])
    async def test_a_header_that_may_not_be_sent(self, flavour, caplog, value, streaming):
        app, response, _ = flavour

        @app.get("/")
        async def handler(request):
            if streaming:
                return response.stream(None, headers={"X-A": value})
            return response.text("x", headers={"X-A": value})

        exchange = await ask(app, "GET", "/")
        assert exchange.status == 500
        assert exchange.field("x-a") is None
        assert "InvalidHeader" in caplog.text

    async def test_such_a_header_of_an_error_page(self, flavour, caplog):
        app, response, _ = flavour

        @app.exception(ZeroDivisionError)
        def handler(request, exception):
            return response.text("x", headers={"X-A": "\r\n"})

        failing(app, response)
        exchange = await ask(app, "GET", "/")
        assert (exchange.status, exchange.text) == (500, "An error occurred while handling an error")
        assert "InvalidHeader" in caplog.text

    @pytest.mark.parametrize("debug", [False, True])
    @pytest.mark.parametrize(
        ("error", "message"), [("InvalidUsage", "Error: \\ud800"), ("ValueError", "ValueError: \\ud800")]
    )
    async def test_a_message_that_cannot_be_encoded(self, flavour, debug, error, message, monkeypatch):
        """As of what JSON says, where a client may send a lone surrogate."""
        app, _, exceptions = flavour
        app.error_handler.debug = debug
        # pytest-xdist cannot pass on a record that cannot be encoded.
        monkeypatch.setattr(app.error_handler, "log", lambda *record: None)

        @app.post("/")
        async def handler(request):
            raise getattr(exceptions, error, ValueError)(request.json)

        answer = await ask(app, "POST", "/", b'"\\ud800"')
        assert answer.status == (400 if error == "InvalidUsage" else 500)
        assert (message in answer.text) == (debug or error == "InvalidUsage")

    @pytest.mark.parametrize("debug", [False, True])
    async def test_an_exception_that_python_cannot_tell(self, flavour, debug, caplog):
        app, _, _ = flavour
        app.error_handler.debug = debug

        class Untold(Exception):
            @property
            def __notes__(self):
                raise RuntimeError

        @app.get("/")
        async def handler(request):
            raise Untold("what it is")

        answer = await ask(app, "GET", "/")
        assert answer.status == 500
        assert ("what it is" in answer.text) == debug
        assert "GET / on route" in caplog.text and "Untold" in caplog.text

    @pytest.mark.parametrize("policy", ["raise", "cancel", "ignore"])
    async def test_the_route_says_what_a_leaving_client_means(self, app, policy):
        app.get("/x")(lambda request: text("x"))
        app.get("/", on_disconnect=policy)(lambda request: text("x"))
        assert (await ask(app, "GET", "/")).on_disconnect == policy
        assert (await ask(app, "GET", "/x")).on_disconnect == "raise"


class TestOptions:
    """OPTIONS of a path whose routes do not have it."""

    async def asked(self, app, target="/", host="a"):
        async with Client(app) as client:
            response = await client.options(target, headers={"Host": host})
            return response.status, response.headers.get("allow"), response.body

    async def test_it_is_answered_with_the_methods_of_the_path(self, flavour, tmp_path):
        app, responses, _ = flavour
        (tmp_path / "a.txt").write_text("a")
        app.get("/")(lambda request: responses.text("x"))
        app.post("/")(lambda request: responses.text("x"))
        app.put("/<name>/x", stream=True)(lambda request, name: responses.text("x"))
        app.static("/s", str(tmp_path))
        app.route("/any", methods=None)(lambda request: responses.text("any"))
        assert await self.asked(app) == (204, "GET, OPTIONS, POST", b"")
        assert await self.asked(app, "/a/x?q=1") == (204, "OPTIONS, PUT", b"")
        assert await self.asked(app, "/s/a.txt") == (204, "GET, HEAD, OPTIONS", b"")
        assert (await self.asked(app, "/any"))[2] == b"any"
        assert (await self.asked(app, "/nowhere"))[0] == 404

    async def test_of_a_host_and_of_a_site(self, flavour):
        app, responses, _ = flavour
        app.route("/", methods=["DELETE"], host="one.example")(lambda request: responses.text("x"))
        app.get("/", host="two.example")(lambda request: responses.text("x"))
        site = Site()
        site.mount(app, "/shop")
        for host, allow in (("one.example", "DELETE, OPTIONS"), ("two.example:80", "GET, OPTIONS")):
            assert await self.asked(app, "/", host) == (204, allow, b"")
            assert await self.asked(site, "/shop/", host) == (204, allow, b"")

    async def test_a_route_of_its_own_is_called(self, flavour):
        app, responses, _ = flavour
        app.get("/")(lambda request: responses.text("x"))
        app.route("/", methods=["OPTIONS"])(lambda request: responses.text("mine"))
        assert await self.asked(app) == (200, None, b"mine")

    async def test_a_405_of_a_routes_own_stays(self, flavour):
        app, responses, exceptions = flavour

        @app.route("/", methods=["OPTIONS"])
        async def handler(request):
            raise exceptions.InvalidUsage("no", status_code=405)

        assert (await self.asked(app))[0] == 405

    async def test_middleware_sees_it(self, flavour):
        app, responses, _ = flavour
        app.get("/")(lambda request: responses.text("x"))

        @app.middleware("response")
        def allow_origin(request, response):
            response.headers["Access-Control-Allow-Origin"] = "*"

        async with Client(app) as client:
            response = await client.options("/")
        assert (response.status, response.headers["access-control-allow-origin"]) == (204, "*")

    async def test_an_exception_handler_of_the_apps_comes_first(self, flavour):
        """Old apps answer preflights by it."""
        app, responses, exceptions = flavour
        app.get("/")(lambda request: responses.text("x"))
        refused = getattr(exceptions, "MethodNotSupported", exceptions.InvalidUsage)

        @app.exception(refused)
        def preflight(request, exception):
            return responses.text("mine")

        assert await self.asked(app) == (200, None, b"mine")

    async def test_of_a_websockets_path(self, app):
        @app.websocket("/")
        async def feed(request, ws):
            pass

        assert await self.asked(app) == (204, "GET, OPTIONS", b"")
