"""What apps override is called, in the way of each release; what is never called is named in the log."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from streamcompat.kernel.app import App
from streamcompat.sanic_api import Blueprint, Sanic
from streamcompat.sanic_api.exceptions import InvalidSignal
from streamcompat.sanic_api.handlers import ErrorHandler
from streamcompat.sanic_api.overridden import NEVER_CALLED
from streamcompat.sanic_api.request import Request
from streamcompat.sanic_api.response import HTTPResponse, StreamingHTTPResponse, stream, text
from streamcompat.sanic_api.router import Router
from streamcompat.sanic_api.signals import SENT, Event
from streamcompat.sanic_api.views import HTTPMethodView
from tests.support.exchanges import ask

pytestmark = pytest.mark.anyio


class BeforeTwenty(Sanic):
    """As apps of 0.5 to 20.6 wrap it."""

    async def handle_request(self, request, write_callback, stream_callback):
        request["asked"] = [request.path]

        def written(response):
            response.headers["X-Asked"] = ",".join(request["asked"])
            write_callback(response)

        await super().handle_request(request, written, stream_callback)
        self.handled = request.path


class SinceTwenty(Sanic):
    """As apps of 20.9 to 21.12 wrap it."""

    async def handle_request(self, request):
        await super().handle_request(request)
        self.handled = request.path


class ByAnyArguments(Sanic):
    """As instrumentation wraps it."""

    async def handle_request(self, *args, **kwargs):
        self.handled = args[0].path
        return await super().handle_request(*args, **kwargs)


def with_routes(app: Any) -> Any:
    @app.route("/", methods=["GET", "POST"])
    async def index(request):
        return text(f"index {request.body.decode()}")

    @app.route("/plain")
    def plain(request):
        return text("plain")

    @app.route("/stream")
    async def streaming(request):
        async def write(response):
            await response.write("one ")
            await response.write("two")

        return stream(write)

    @app.route("/fails")
    async def fails(request):
        raise RuntimeError("on purpose")

    @app.route("/nothing")
    async def nothing(request):
        return None

    @app.post("/upload", stream=True)
    async def upload(request):
        body = b""
        while (piece := await request.stream.get()) is not None:
            body += piece
        return text(body.decode())

    @app.route("/respond")
    async def responds(request):
        response = await request.respond(content_type="text/plain")
        await response.send("sent")

    @app.middleware("request")
    async def early(request):
        if request.path == "/early":
            return text("early")
        return None

    @app.middleware("response")
    def late(request, response):
        response.headers["X-Late"] = "1"

    app.add_route(View.as_view(), "/view/<name>")
    return app


class View(HTTPMethodView):
    def get(self, request, name):
        return text(f"view {name}")


ASKED = [
    ("GET", "/", []),
    ("POST", "/", [b"bo", b"dy"]),
    ("GET", "/plain", []),
    ("GET", "/stream", []),
    ("GET", "/fails", []),
    ("GET", "/nothing", []),
    ("POST", "/upload", [b"a", b"b"]),
    ("GET", "/respond", []),
    ("GET", "/early", []),
    ("GET", "/view/x", []),
    ("GET", "/none", []),
    ("PUT", "/", []),
    ("HEAD", "/stream", []),
]


@pytest.mark.parametrize("kind", [BeforeTwenty, SinceTwenty, ByAnyArguments])
@pytest.mark.parametrize(("method", "path", "pieces"), ASKED)
async def test_an_overridden_handle_request_is_called_and_changes_no_answer(kind, method, path, pieces):
    plain, wrapped = with_routes(Sanic("plain")), with_routes(kind("wrapped"))
    expected = await ask(plain, method, path, *pieces)
    found = await ask(wrapped, method, path, *pieces)
    fields = [field for field in found.headers if field[0] != b"X-Asked"]
    assert (found.status, found.text, fields) == (expected.status, expected.text, list(expected.headers))
    assert (found.finished, found.aborted) == (expected.finished, expected.aborted)
    assert wrapped.handled == path
    if kind is BeforeTwenty and path in ("/", "/plain"):
        assert found.field("x-asked") == path


async def test_one_that_answers_nothing_is_a_500_and_one_that_fails_too():
    class Silent(Sanic):
        async def handle_request(self, request):
            pass

    class Failing(Sanic):
        def handle_request(self, request):
            raise RuntimeError("on purpose")

    for app in (Silent("a"), Failing("b")):
        found = await ask(app, "GET", "/")
        assert (found.status, found.finished) == (500, True)


async def test_middleware_runners_that_are_replaced_on_an_app_are_called():
    app = with_routes(Sanic("app"))
    seen = []

    async def before(request):
        seen.append("before")
        return text("replaced") if request.path == "/replaced" else None

    async def after(request, response):
        seen.append("after")
        response.headers["X-After"] = "1"
        return response

    app._run_request_middleware = before
    app._run_response_middleware = after
    found = await ask(app, "GET", "/")
    assert (found.text, found.field("x-after"), found.field("x-late")) == ("index ", "1", None)
    assert (await ask(app, "GET", "/replaced")).text == "replaced"
    assert (await ask(app, "GET", "/none")).field("x-after") == "1"
    assert seen == ["before", "after"] * 3


async def test_middleware_runners_of_a_subclass_know_the_route():
    class Named(Sanic):
        async def _run_request_middleware(self, request, request_name=None):
            self.named = request_name
            return await super()._run_request_middleware(request, request_name)

        async def _run_response_middleware(self, request, response, request_name):
            return await super()._run_response_middleware(request, response, request_name)

    app = with_routes(Named("app"))
    assert (await ask(app, "GET", "/plain")).field("x-late") == "1"
    assert app.named == "app.plain"
    assert (await ask(app, "GET", "/early")).text == "early"


async def test_an_overridden_router_is_asked():
    class Upper(Router):
        def get(self, request):
            if request.path == "/elsewhere":
                return (lambda request, name: text(f"hello {name}")), ["router"], {}, "/elsewhere"
            return super().get(request)

    class Later(Router):
        def get(self, path, method, host):
            return super().get("/plain" if path == "/other" else path, method, host)

    app = with_routes(Sanic("app", router=Upper()))
    assert (await ask(app, "GET", "/elsewhere")).text == "hello router"
    assert (await ask(app, "POST", "/upload", b"x")).text == "x"
    assert (await ask(app, "GET", "/none")).status == 404
    assert (await ask(with_routes(Sanic("app", router=Later())), "GET", "/other")).text == "plain"


class Wrapper:
    """As a wrapper of instrumentation: it is equal to what it wraps."""

    def __init__(self, wrapped: Any, seen: list[str]) -> None:
        self.wrapped = self.__wrapped__ = wrapped
        self.seen = seen

    def __get__(self, app: Any, owner: type | None = None) -> Wrapper:
        return Wrapper(self.wrapped.__get__(app, owner), self.seen)

    def __eq__(self, other: object) -> bool:
        return bool(self.wrapped == other)

    def __hash__(self) -> int:
        return hash(self.wrapped)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        self.seen.append(getattr(self.wrapped, "__name__", ""))
        return self.wrapped(*arguments, **options)


async def test_what_instrumentation_puts_on_the_class_and_on_the_router_is_called(monkeypatch):
    seen: list[str] = []
    monkeypatch.setattr(Sanic, "handle_request", Wrapper(Sanic.handle_request, seen))
    app = Sanic("app")
    router: Any = app.router
    router.add, router.get = Wrapper(router.add, seen), Wrapper(router.get, seen)
    with_routes(app)
    assert set(seen) == {"add"}
    seen.clear()
    assert (await ask(app, "GET", "/plain")).text == "plain"
    assert seen == ["handle_request", "get"]


async def test_error_handlers_are_asked():
    class Own(ErrorHandler):
        def default(self, request, exception):
            return text(f"own {exception}", 418)

    class Whole(ErrorHandler):
        def response(self, request, exception):
            return text("whole", 418)

    assert (await ask(with_routes(Sanic("a", error_handler=Own())), "GET", "/fails")).text == "own on purpose"
    assert (await ask(with_routes(Sanic("b", error_handler=Whole())), "GET", "/none")).text == "whole"


def test_an_app_that_overrides_nothing_goes_the_kernels_way():
    class Plain(Sanic):
        def page(self, uri):
            return self.route(uri)

    app = Plain("app")
    assert "handle" not in vars(app)
    assert type(app).handle is App.handle
    assert "handle" in vars(BeforeTwenty("app"))


KINDS = {
    "Blueprint": Blueprint,
    "ErrorHandler": ErrorHandler,
    "HTTPResponse": HTTPResponse,
    "Request": Request,
    "Router": Router,
    "Sanic": Sanic,
    "StreamingHTTPResponse": StreamingHTTPResponse,
}


@pytest.mark.parametrize(("kind", "method"), [(kind, name) for kind in KINDS for name in NEVER_CALLED[kind]])
def test_what_is_never_called_is_named_once(kind, method, caplog):
    type("Own", (KINDS[kind],), {method: lambda self: None, "page": lambda self: None})
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert method in record.getMessage()
    assert NEVER_CALLED[kind][method] in record.getMessage()


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_called_is_not_named(kind, caplog):
    names = {
        "handle_request",
        "get",
        "response",
        "default",
        "lookup",
        "json",
        "write",
        "blueprint",
        "register",
    }
    type("Own", (KINDS[kind],), {name: lambda self: None for name in names - NEVER_CALLED[kind].keys()})
    assert caplog.records == []


OF_REQUESTS = sorted(str(one.value) for one in SENT)


def with_signals(app: Any, seen: list[tuple[str, Any]], **failing: str) -> Any:
    """An app that remembers every signal of a request."""

    def remember(event: str, condition: dict[str, str] | None = None) -> None:
        @app.signal(event, condition=condition)
        async def handler(**context):
            seen.append((event, context))
            if event == failing.get("event"):
                raise RuntimeError("a signal failed")

    for event in OF_REQUESTS:
        if event.startswith("http.middleware"):
            for attached in ("request", "response"):
                remember(event, {"attach_to": attached})
        else:
            remember(event)
    return app


@pytest.mark.parametrize(("method", "path", "pieces"), ASKED)
async def test_signals_of_a_request_change_no_answer(method, path, pieces):
    seen: list[tuple[str, Any]] = []
    plain, told = with_routes(Sanic("plain")), with_signals(with_routes(Sanic("told")), seen)
    expected = await ask(plain, method, path, *pieces)
    found = await ask(told, method, path, *pieces)
    assert (found.status, found.text, list(found.headers)) == (
        expected.status,
        expected.text,
        list(expected.headers),
    )
    assert (found.finished, found.aborted) == (expected.finished, expected.aborted)
    events = [event for event, _ in seen]
    assert events[:3] == ["http.lifecycle.request", "http.lifecycle.handle", "http.middleware.before"]
    assert events.count("http.lifecycle.response") == 1
    refused = method in ("PUT", "HEAD")
    failing = refused or path in ("/fails", "/nothing", "/none")
    assert ("http.lifecycle.exception" in events) == failing
    assert ("http.routing.before" in events) == (path != "/early")
    assert ("http.routing.after" in events) == (not refused and path not in ("/early", "/none"))
    assert [events.count(f"http.middleware.{when}") for when in ("before", "after")] == [2, 2]


async def test_what_signals_are_told_and_what_they_may_change():
    app = with_routes(Sanic("app"))
    told = []

    @app.signal("http.routing.after")
    async def routed(request, route, kwargs, handler):
        told.append((route.path, kwargs, handler.__name__))

    @app.signal(Event.HTTP_LIFECYCLE_RESPONSE)
    def answered(request, response):
        response.headers["X-Told"] = request.ctx.said

    @app.signal("http.lifecycle.<step>")
    async def steps(step, request, **rest):
        request.ctx.said = f"{getattr(request.ctx, 'said', '')}{step} "

    @app.signal("http.lifecycle.exception")
    async def failed(request, exception):
        told.append(str(exception))

    found = await ask(app, "GET", "/view/x")
    assert (found.text, found.field("x-told")) == ("view x", "request handle ")
    assert (await ask(app, "GET", "/fails")).field("x-told") == "request handle exception "
    assert told == [("view/<name>", {"name": "x"}, "View"), ("fails", {}, "fails"), "on purpose"]


@pytest.mark.parametrize("event", OF_REQUESTS)
@pytest.mark.parametrize("path", ["/plain", "/stream", "/fails", "/respond"])
async def test_a_signal_that_fails_leaves_one_whole_answer(event, path):
    seen: list[tuple[str, Any]] = []
    app = with_signals(with_routes(Sanic("app")), seen, event=event)
    found = await ask(app, "GET", path)
    assert found.finished or found.aborted
    assert found.status in (200, 500)
    if event == "http.lifecycle.exception":
        assert found.status == (500 if path == "/fails" else 200)


async def test_what_fails_after_its_head_is_told_too():
    app, told = Sanic("app"), []

    @app.route("/")
    async def cut(request):
        async def write(response):
            await response.write("x" * 100)
            raise RuntimeError("on purpose")

        return stream(write)

    app.signal("http.lifecycle.exception")(lambda request, exception: told.append(str(exception)))
    assert (await ask(app, "GET", "/")).aborted
    assert told == ["on purpose"]


def test_signals_of_requests_are_registered_before_the_app_is_served():
    app = Sanic("app")
    app.signal("own.event.x")(print)
    assert "handle" not in vars(app)
    app.is_running = True
    with pytest.raises(InvalidSignal, match="before the app is served"):
        app.signal("http.lifecycle.request")(print)
    app.is_running = False
    blueprint = Blueprint("b")
    blueprint.signal("http.lifecycle.request")(print)
    app.blueprint(blueprint)
    assert "handle" in vars(app)


class Prefixed:
    """Overrides of `Router.add` with the arguments of each time; each puts `/p` before the path."""

    class Of05(Router):
        def add(self, uri, methods, handler, host=None, strict_slashes=False):
            super().add("/p" + uri, methods, handler, host, strict_slashes)

    class Of08(Router):
        def add(self, uri, methods, handler, host=None, strict_slashes=False, version=None, name=None):
            return super().add("/p" + uri, methods, handler, host, strict_slashes, version, name)

    class Of21(Router):
        def add(self, uri, methods, handler, host=None, strict_slashes=False, stream=False, **rest):
            return super().add(
                "/p" + uri, methods, handler, host=host, strict_slashes=strict_slashes, stream=stream, **rest
            )

    class Any(Router):
        def add(self, uri, *args, **kwargs):
            super().add("/p" + uri, *args, **kwargs)


@pytest.mark.parametrize("router", [Prefixed.Of05, Prefixed.Of08, Prefixed.Of21, Prefixed.Any])
async def test_a_router_that_adds_in_its_own_way(router, caplog):
    app = Sanic("app", router=router())
    app.get("/a", name="given")(lambda request: text("a"))
    app.post("/b", stream=True, body_limit=2)(lambda request: text(str(request.stream is not None)))
    blueprint = Blueprint("blueprint", url_prefix="/in")
    blueprint.get("/c", name="c")(lambda request: text("c"))
    app.blueprint(blueprint)
    assert (await ask(app, "GET", "/p/a")).text == "a"
    assert (await ask(app, "POST", "/p/b", b"x")).text == "True"
    assert (await ask(app, "GET", "/p/in/c")).text == "c"
    assert (await ask(app, "GET", "/a")).status == 404
    assert (app.url_for("given"), app.url_for("blueprint.c")) == ("/p/a", "/p/in/c")
    assert not caplog.records


def test_a_router_is_told_of_an_argument_that_there_is_not():
    with pytest.raises(TypeError, match="unknown"):
        Router().add("/", None, lambda request: text(""), unknown=1)
