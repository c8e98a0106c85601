"""One request's way through an app, in memory; `test_sockets.py` has the same on real connections."""

from __future__ import annotations

from functools import partial

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.mach9_api.http import BodyChannel
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat.sanic_api.exceptions import NotFound
from streamcompat.sanic_api.request import StreamQueue
from streamcompat.sanic_api.response import text
from streamcompat.sanic_api.views import CompositionView, HTTPMethodView, stream
from streamcompat_engine import BodyTooLarge, ProtocolError, RequestTimeout
from tests.support.exchanges import ask


class TestHandlers:
    async def test_of_every_kind(self, app):
        async def coroutine(request, a):
            return text(f"coroutine {a}")

        def plain(request, a):
            return text(f"plain {a}")

        class Callable:
            async def __call__(self, request, a):
                return text(f"callable {a}")

            def method(self, request, a):
                return text(f"method {a}")

        def bound(prefix, request, a):
            return text(f"{prefix} {a}")

        def forwarding(request, a):
            return coroutine(request, a)

        handlers = {
            "coroutine": coroutine,
            "plain": plain,
            "callable": Callable(),
            "method": Callable().method,
            "partial": partial(bound, "partial"),
        }
        for name, handler in handlers.items():
            app.add_route(handler, f"/{name}/<a:int>")
        for name in handlers:
            assert (await ask(app, "GET", f"/{name}/5")).text == f"{name} 5"
        app.add_route(forwarding, "/forwarding/<a>")
        assert (await ask(app, "GET", "/forwarding/5")).text == "coroutine 5"

    async def test_every_shorthand(self, flavour):
        app, response, _ = flavour
        for method in ("get", "post", "put", "patch", "delete", "options", "head"):
            getattr(app, method)("/x")(lambda request, method=method: response.text(method))
            assert (await ask(app, method.upper(), "/x")).text == method

    async def test_without_the_slash_and_with_a_version_and_a_name(self, app):
        @app.get("x", version=2, name="named")
        def handler(request):
            return text("x")

        assert (await ask(app, "GET", "/v2/x")).status == 200
        assert app.url_for("named") == "/v2/x"

    async def test_what_the_request_knows_of_its_route(self, app):
        @app.get("/a/<b:int>")
        def handler(request, b):
            assert request.app is app
            return text(f"{request.uri_template} {request.match_info}")

        assert (await ask(app, "GET", "/a/5")).text == "/a/<b:int> {'b': 5}"

    async def test_middleware_may_ask_which_route_it_will_be(self, app):
        seen = []

        @app.middleware
        def before(request):
            try:
                seen.append(request.match_info)
            except NotFound as error:
                seen.append(error.status_code)

        app.get("/a/<b:int>")(lambda request, b: text(str(request.match_info)))
        assert (await ask(app, "GET", "/a/5")).text == "{'b': 5}"
        assert (await ask(app, "GET", "/nowhere")).status == 404
        assert seen == [{"b": 5}, 404]

    async def test_a_body_of_none_is_an_error(self, flavour):
        app, response, _ = flavour
        app.get("/")(lambda request: response.raw(None))
        assert (await ask(app, "GET", "/")).status == 500

    async def test_self_of_a_function_is_the_app_or_the_blueprint(self, mach9):
        from streamcompat.mach9_api import Blueprint

        async def handler(self, request):
            return mach9_response.text(self.name)

        part = Blueprint("part")
        part.put("/part")(handler)
        mach9.post("/app")(handler)
        mach9.blueprint(part)
        assert (await ask(mach9, "POST", "/app")).text == "app"
        assert (await ask(mach9, "PUT", "/part")).text == "part"

    def test_self_is_refused_by_sanic_when_it_is_registered(self, app):
        with pytest.raises(ValueError, match="takes 'self'"):

            @app.post("/")
            async def post(self, request):
                pass

    async def test_views(self, app):
        class View(HTTPMethodView):
            def get(self, request):
                return text(f"get {request.stream}")

            @stream
            async def post(self, request):
                return text(f"post {await request.stream.get()!r} {request.body!r}")

        composed = CompositionView()
        composed.add(["GET"], lambda request: text(f"get {request.stream}"))
        composed.add(["POST"], View().post, stream=True)
        app.add_route(View.as_view(), "/class")
        app.add_route(composed, "/composed")
        for path in ("/class", "/composed"):
            assert (await ask(app, "GET", path)).text == "get None"
            assert (await ask(app, "POST", path, b"ab")).text == "post b'ab' b''"
            assert (await ask(app, "PUT", path)).field("allow") == "GET, POST"

    async def test_the_default_name_is_the_modules(self):
        assert Sanic(load_env=False).name == Mach9(load_env=False).name == "test_app"


class TestBodies:
    async def test_a_plain_route_has_the_whole_body(self, flavour):
        app, response, _ = flavour

        @app.post("/")
        async def handler(request):
            return response.text(f"{request.body!r} {request.stream}")

        assert (await ask(app, "POST", "/", b"ab", b"cd")).text == "b'abcd' None"

    async def test_a_stream_route_has_the_stream(self, app):
        @app.stream("/", methods=("POST", "PUT"))
        async def handler(request):
            assert isinstance(request.stream, StreamQueue)
            return text(f"{[piece async for piece in request.stream]} {request.body!r} {request.json}")

        assert (await ask(app, "PUT", "/", b"ab", b"cd")).text == "[b'ab', b'cd'] b'' None"

    async def test_mach9s_is_a_body_channel(self, mach9):
        @mach9.post("/", stream=True)
        async def handler(request):
            assert isinstance(request.stream, BodyChannel)
            return mach9_response.text((await request.stream.receive())["content"].decode())

        assert (await ask(mach9, "POST", "/", b"ab")).text == "ab"

    async def test_too_large(self, flavour):
        app, response, exceptions = flavour
        app.config.REQUEST_MAX_SIZE = 3
        app.post("/")(lambda request: response.text("x"))
        app.post("/more", body_limit=4)(lambda request: response.text("x"))
        too_large = await ask(app, "POST", "/", b"abcd")
        assert (too_large.status, too_large.text) == (413, "Error: Payload Too Large")
        assert (await ask(app, "POST", "/more", b"abcd")).status == 200

        @app.exception(exceptions.PayloadTooLarge)
        def handler(request, exception):
            return response.text("mine", 413)

        assert (await ask(app, "POST", "/", b"abcd")).text == "mine"

    async def test_a_limit_on_a_stream_is_the_engines(self, app):
        @app.stream("/", body_limit=5)
        async def handler(request):
            await request.stream.get()

        exchange = await ask(app, "POST", "/", BodyTooLarge(5))
        assert (exchange.body_limit, exchange.status) == (5, 413)

    @pytest.mark.parametrize(
        ("error", "status", "page"),
        [
            (RequestTimeout(), 408, "Error: Request Timeout"),
            (ProtocolError(400, "a bad chunk"), 400, "Error: a bad chunk"),
        ],
    )
    async def test_what_the_engine_finds_wrong_with_a_body(self, flavour, error, status, page):
        app, response, _ = flavour
        app.post("/")(lambda request: response.text("x"))
        exchange = await ask(app, "POST", "/", error)
        assert (exchange.status, exchange.text) == (status, page)

    async def test_json_that_is_none(self, flavour):
        app, response, _ = flavour
        app.post("/")(lambda request: response.json(request.json))
        exchange = await ask(app, "POST", "/", b"{")
        assert (exchange.status, exchange.text) == (400, "Error: Failed when parsing body as json")


class TestStreaming:
    async def test_writes_of_every_kind_awaited_or_not(self, app):
        @app.get("/")
        async def handler(request):
            async def write(response):
                response.write("ä")
                await response.write(b"b")
                response.write("")
                response.write(42)
                await response.write(b"")
                response.write(bytearray(b"c"))

            return sanic_response.stream(write, 201, {"X-A": "b"}, "text/csv")

        exchange = await ask(app, "GET", "/")
        assert exchange.chunks == ["ä".encode(), b"b", b"42", b"c"]
        assert exchange.status == 201
        assert exchange.headers == [(b"X-A", b"b"), (b"Content-Type", b"text/csv")]
        assert exchange.log == ["start", "run", "finish"]

    async def test_mach9s_channel(self, mach9):
        @mach9.get("/")
        async def handler(request):
            async def send(channel):
                await channel.send(b"foo")
                await channel.send(b"")
                await channel.send(b"bar")

            return mach9_response.stream(send)

        exchange = await ask(mach9, "GET", "/")
        assert exchange.chunks == [b"foo", b"bar"]
        assert exchange.finished

    async def test_a_plain_function_may_write(self, app):
        @app.get("/")
        def handler(request):
            return sanic_response.stream(lambda response: response.write("x"))

        assert (await ask(app, "GET", "/")).chunks == [b"x"]

    async def test_nothing_is_produced_for_head(self, app):
        produced = []

        @app.route("/", methods=["GET", "HEAD"])
        async def handler(request):
            return sanic_response.stream(produced.append)

        exchange = await ask(app, "HEAD", "/")
        assert exchange.finished
        assert produced == []

    async def test_cookies_that_are_set_before_it_starts(self, app):
        @app.get("/")
        async def handler(request):
            async def write(response):
                response.write("x")

            response = sanic_response.stream(write)
            response.cookies["a"] = "1"
            return response

        assert (await ask(app, "GET", "/")).field("set-cookie") == "a=1; Path=/"


class TestExtending:
    async def test_a_request_class(self, flavour):
        app, response, _ = flavour
        base = app.default_request_class

        class Mine(base):
            @property
            def shouted(self):
                return self.path.upper()

        app.request_class = Mine
        app.get("/x")(lambda request: response.text(request.shouted))
        assert (await ask(app, "GET", "/x")).text == "/X"

    async def test_attributes_in_the_request(self, flavour):
        app, response, _ = flavour

        @app.middleware
        def authenticate(request):
            request["user"] = "me"

        app.get("/")(lambda request: response.text(request["user"]))
        assert (await ask(app, "GET", "/")).text == "me"

    async def test_an_app_without_any_middleware_awaits_nothing(self, app):
        """The common way of a request is one step: nothing in it waits by itself."""

        @app.get("/")
        async def handler(request):
            return text("x")

        from tests.support.exchanges import request_to

        exchange = request_to("GET", "/")
        with pytest.raises(StopIteration):
            app.handle(exchange).send(None)
        assert exchange.text == "x"
