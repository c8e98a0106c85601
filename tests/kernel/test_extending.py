"""What real old apps hang themselves into, on every driver; none of these apps needs asyncio."""

from __future__ import annotations

import functools

import httpx
import pytest

from streamcompat.mach9_api import Blueprint as Mach9Blueprint
from streamcompat.mach9_api import handlers as mach9_handlers
from streamcompat.mach9_api import request as mach9_request
from streamcompat.mach9_api import views as mach9_views
from streamcompat.sanic_api import Blueprint, Sanic
from streamcompat.sanic_api import handlers as sanic_handlers
from streamcompat.sanic_api import request as sanic_request
from streamcompat.sanic_api import views as sanic_views
from tests.support.commands import PATIENCE
from tests.support.servers import serve_app


@pytest.fixture
def ask(flavour, driver):
    """Asks the app that the test made, over a real connection: `ask(app, method, path, **httpx's)`."""

    def ask(app, method, path, **arguments):
        with serve_app(app, driver) as url:
            return httpx.request(method, url + path, timeout=PATIENCE, **arguments)

    return ask


def streaming(responses, *chunks):
    """A streaming response of either flavour."""

    async def produce(out):
        for chunk in chunks:
            await (getattr(out, "write", None) or out.send)(chunk)

    return responses.stream(produce)


class TestMiddleware:
    def test_header_fields_of_a_streaming_response_as_sanic_cors_edits_them(self, flavour, ask):
        app, responses, _ = flavour

        @app.middleware("response")
        async def cors(request, response):
            response.headers["Access-Control-Allow-Origin"] = request.headers.get("Origin", "*")
            response.headers["Vary"] = ", ".join(filter(None, [response.headers.get("Vary"), "Origin"]))
            response.headers.pop("X-Internal", None)

        @app.get("/")
        async def handler(request):
            response = streaming(responses, b"a", b"b")
            response.headers["Vary"] = "Accept"
            response.headers["X-Internal"] = "secret"
            return response

        answer = ask(app, "GET", "/", headers={"Origin": "https://a.example"})
        assert (answer.text, answer.headers["Transfer-Encoding"]) == ("ab", "chunked")
        assert answer.headers["Access-Control-Allow-Origin"] == "https://a.example"
        assert answer.headers["Vary"] == "Accept, Origin"
        assert "X-Internal" not in answer.headers

    def test_an_answer_to_a_preflight_before_the_route(self, flavour, ask):
        app, responses, _ = flavour

        @app.middleware("request")
        async def preflight(request):
            if request.method == "OPTIONS":
                return responses.text("", headers={"Access-Control-Allow-Methods": "POST"})

        app.post("/", stream=True)(lambda request: responses.text("never"))
        answer = ask(app, "OPTIONS", "/")
        assert (answer.status_code, answer.headers["Access-Control-Allow-Methods"]) == (200, "POST")

    def test_values_that_it_leaves_on_the_request(self, flavour, ask):
        app, responses, _ = flavour

        @app.middleware
        async def authenticate(request):
            request["user"] = request.headers["X-User"]

        app.get("/")(lambda request: streaming(responses, request["user"].encode()))
        assert ask(app, "GET", "/", headers={"X-User": "ann"}).text == "ann"


class TestSubclasses:
    def test_of_the_app(self, flavour, ask):
        base, responses, _ = flavour

        class Shop(type(base)):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.prices = {"tea": "3"}
                self.register_middleware(self.stamp, "response")
                self.add_route(self.price, "/price/<name>")

            async def price(self, request, name):
                return responses.text(request.app.prices[name])

            async def stamp(self, request, response):
                response.headers["X-Shop"] = self.name

        answer = ask(Shop("shop", load_env=False), "GET", "/price/tea")
        assert (answer.text, answer.headers["X-Shop"]) == ("3", "shop")

    def test_of_the_app_that_handles_each_request(self, flavour, ask):
        base, responses, _ = flavour
        seen = []

        class Counting(type(base)):
            async def handle(self, exchange, root_path=""):
                seen.append(exchange.head.method)
                await super().handle(exchange, root_path)

        app = Counting("app", load_env=False)
        app.get("/")(lambda request: responses.text("ok"))
        assert (ask(app, "GET", "/").text, seen) == ("ok", ["GET"])

    @pytest.mark.parametrize("constructor", [True, False])
    def test_of_the_request(self, flavour, ask, constructor):
        base, responses, _ = flavour
        parent = sanic_request.Request if isinstance(base, Sanic) else mach9_request.Request

        class Plain(parent):
            @property
            def user(self):
                return self.headers.get("X-User", "nobody").upper()

        class Constructed(Plain):
            def __init__(self, *args, **kwargs):
                super().__init__(*args, **kwargs)
                self.made = "made"

        app = type(base)("app", load_env=False, request_class=Constructed if constructor else Plain)

        @app.post("/", stream=True)
        async def handler(request):
            pieces = [piece async for piece in request.stream]
            made = getattr(request, "made", "not made")
            return responses.text(f"{request.user} {made} {b''.join(pieces).decode()}")

        answer = ask(app, "POST", "/", headers={"X-User": "ann"}, content=b"body")
        assert answer.text == f"ANN {'made' if constructor else 'not made'} body"

    def test_of_the_error_handler(self, flavour, ask):
        base, responses, exceptions = flavour
        parent = sanic_handlers.ErrorHandler if isinstance(base, Sanic) else mach9_handlers.ErrorHandler

        class AsJSON(parent):
            def default(self, request, exception):
                status = getattr(exception, "status_code", 500)
                return responses.json({"error": str(exception), "path": request.path}, status=status)

        handler = AsJSON() if isinstance(base, Sanic) else AsJSON(base.log)
        app = type(base)("app", load_env=False, error_handler=handler)

        @app.get("/before")
        async def before(request):
            async def produce(out):
                raise exceptions.NotFound("no such thing")

            return responses.stream(produce)

        @app.exception(ZeroDivisionError)
        async def infinite(request, exception):
            return streaming(responses, b"in", b"finite")

        app.get("/zero")(lambda request: 1 / 0)
        answer = ask(app, "GET", "/before")
        assert (answer.status_code, answer.json()) == (404, {"error": "no such thing", "path": "/before"})
        assert ask(app, "GET", "/zero").text == "infinite"

    def test_of_a_view_with_decorators(self, flavour, ask):
        app, responses, _ = flavour
        views = sanic_views if isinstance(app, Sanic) else mach9_views
        calls = []

        def logged(view):
            async def call(request, *args, **kwargs):
                calls.append(request.method)
                return await view(request, *args, **kwargs)

            return call

        class View(views.HTTPMethodView):
            decorators = [logged]

            def __init__(self, greeting):
                self.greeting = greeting

            async def get(self, request, name):
                return responses.text(f"{self.greeting} {name} {request.stream}")

            @views.stream
            async def post(self, request, name):
                return responses.raw(b"".join([piece async for piece in request.stream]))

        app.add_route(View.as_view("hello"), "/<name>")
        assert ask(app, "GET", "/ann").text == "hello ann None"
        assert ask(app, "POST", "/ann", content=b"body").text == "body"
        assert calls == ["GET", "POST"]


class TestHandlers:
    def test_decorated(self, flavour, ask):
        app, responses, _ = flavour

        def authorized(role):
            def decorate(handler):
                @functools.wraps(handler)
                async def call(request, *args, **kwargs):
                    if request.headers.get("X-Role") != role:
                        return responses.text("forbidden", 403)
                    return await handler(request, *args, **kwargs)

                return call

            return decorate

        @app.post("/<name>", stream=True)
        @authorized("admin")
        async def handler(request, name):
            return responses.text(name + "".join([piece.decode() async for piece in request.stream]))

        assert ask(app, "POST", "/a", content=b"b").status_code == 403
        assert ask(app, "POST", "/a", content=b"b", headers={"X-Role": "admin"}).text == "ab"
        assert app.url_for("handler", name="x") == "/x"

    def test_an_object_that_can_be_called(self, flavour, ask):
        app, responses, _ = flavour

        class Counter:
            __name__ = "counter"

            def __init__(self):
                self.count = 0

            async def __call__(self, request, step):
                self.count += step
                return responses.text(str(self.count))

        app.add_route(Counter(), "/count/<step:int>")
        assert ask(app, "GET", "/count/3").text == "3"
        assert app.url_for("counter", step=1) == "/count/1"

    def test_a_partial(self, flavour, ask):
        app, responses, _ = flavour

        async def greet(greeting, request, name):
            return responses.text(f"{greeting}, {name}")

        app.add_route(functools.partial(greet, "hello"), "/hello/<name>")
        app.add_route(functools.partial(greet, "bye"), "/bye/<name>", name="bye")
        assert ask(app, "GET", "/hello/ann").text == "hello, ann"
        assert ask(app, "GET", "/bye/ann").text == "bye, ann"
        assert app.url_for("bye", name="x") == "/bye/x"

    def test_a_partial_of_a_streaming_handler(self, flavour, ask):
        app, responses, _ = flavour
        views = sanic_views if isinstance(app, Sanic) else mach9_views

        @views.stream
        async def copy(prefix, request):
            return responses.raw(prefix + b"".join([piece async for piece in request.stream]))

        app.add_route(functools.partial(copy, b"> "), "/", methods=["POST"])
        assert ask(app, "POST", "/", content=b"body").text == "> body"

    def test_without_a_request(self, flavour, ask):
        app, responses, _ = flavour

        @app.route("/")
        async def handler():
            return streaming(responses, b"nothing asked")

        assert ask(app, "GET", "/").text == "nothing asked"

    def test_a_plain_function_and_a_lambda(self, flavour, ask):
        app, responses, _ = flavour

        @app.route("/plain")
        def plain(request):
            return responses.text("plain")

        app.add_route(lambda request: responses.text("lambda"), "/lambda")
        assert ask(app, "GET", "/plain").text == "plain"
        assert ask(app, "GET", "/lambda").text == "lambda"

    @pytest.mark.parametrize("asynchronous", [False, True])
    def test_a_streaming_function_that_yields_is_an_error(self, flavour, ask, asynchronous):
        app, responses, _ = flavour

        def pieces(response):
            yield b"a"

        async def later(response):
            yield b"a"

        @app.route("/")
        def handler(request):
            return responses.stream(later if asynchronous else pieces)

        assert ask(app, "GET", "/").status_code == 500

    def test_a_method_of_an_object_on_a_blueprint(self, flavour, ask):
        app, responses, _ = flavour
        blueprint = (Blueprint if isinstance(app, Sanic) else Mach9Blueprint)("bp", url_prefix="/bp")

        class Service:
            async def upload(self, request):
                return responses.raw(b"".join([piece async for piece in request.stream])[::-1])

        blueprint.add_route(Service().upload, "/", methods=["POST"], stream=True)
        app.blueprint(blueprint)
        assert ask(app, "POST", "/bp/", content=b"abc").text == "cba"


def test_an_exception_of_the_apps_own(flavour, ask):
    app, responses, exceptions = flavour
    base = getattr(exceptions, "SanicException", None) or exceptions.Mach9Exception

    class OutOfTea(base):
        status_code = 418

    @app.get("/<way>")
    async def handler(request, way):
        if way == "raised":
            raise OutOfTea("no tea")

        async def produce(out):
            raise OutOfTea("no tea")

        return responses.stream(produce)

    for way in ("raised", "streamed"):
        answer = ask(app, "GET", f"/{way}")
        assert (answer.status_code, answer.text) == (418, "Error: no tea")
