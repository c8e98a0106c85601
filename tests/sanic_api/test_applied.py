"""Extensions of Sanic 21 that make routes by hand and run the middleware, as sanic-plugin-toolkit does."""

from __future__ import annotations

from collections import deque
from functools import partial, update_wrapper
from inspect import isawaitable
from typing import Any

import pytest
from websockets.sync.client import connect

from streamcompat.sanic_api import Blueprint, Sanic, compat
from streamcompat.sanic_api.models.futures import (
    FutureException,
    FutureListener,
    FutureMiddleware,
    FutureRoute,
    FutureSignal,
    FutureStatic,
)
from streamcompat.sanic_api.request import Request
from streamcompat.sanic_api.response import HTTPResponse, text
from tests.support.exchanges import ask
from tests.support.servers import serve_app

pytestmark = pytest.mark.anyio


def route(handler: Any, uri: str, **options: Any) -> FutureRoute:
    """With the fields of 21.3, all of which it had to be given."""
    defaults: dict[str, Any] = {
        "methods": frozenset({"GET"}),
        "host": None,
        "strict_slashes": False,
        "stream": False,
        "version": None,
        "name": None,
        "ignore_body": False,
        "websocket": False,
        "subprotocols": None,
        "unquote": False,
        "static": False,
    }
    return FutureRoute(handler, uri, **(defaults | options))


def named(request: Any, **parameters: Any) -> HTTPResponse:
    return text(f"{request.method} {parameters} {vars(request.route.ctx)}")


@pytest.mark.parametrize(
    ("options", "method", "path", "said"),
    [
        ({}, "GET", "/x/5", "GET {'n': 5} {}"),
        ({"methods": ["PUT"], "version": 2}, "PUT", "/v2/x/5", "PUT {'n': 5} {}"),
        ({"version": 1, "version_prefix": "/api/v"}, "GET", "/api/v1/x/5", "GET {'n': 5} {}"),
        ({"route_context": {"a": 1}, "error_format": "json"}, "GET", "/x/5", "GET {'n': 5} {'a': 1}"),
        ({"stream": True, "methods": ["POST"]}, "POST", "/x/5", "POST {'n': 5} {}"),
    ],
)
async def test_a_route(options, method, path, said):
    app = Sanic("app")
    app._apply_route(route(named, "/x/<n:int>", name="own.x", **options))
    assert (await ask(app, method, path)).text == said
    assert app.url_for("own.x", n=5) == path


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_what_else_is_made_by_hand(tmp_path):
    compat("21.12")
    app = Sanic("app")
    seen: list[str] = []
    (tmp_path / "a.txt").write_text("a file")
    app._apply_static(
        FutureStatic("/f", str(tmp_path), r"/?.+", True, False, False, "own", None, None, None, "dir")
    )
    app._apply_exception_handler(FutureException(lambda request, error: text("caught", 418), [KeyError]))
    app._apply_middleware(FutureMiddleware(lambda request: seen.append(request.path), "request"))
    app._apply_middleware(FutureMiddleware(lambda request: seen.append("named"), "request"), ["app.one"])
    app._apply_route(route(lambda request: text("one"), "/one", name="one"))
    app._apply_route(route(lambda request: {}["none"], "/two", name="two"))
    app._apply_signal(FutureSignal(lambda: seen.append("told"), "own.event.happened", None))
    app._apply_listener(FutureListener(lambda app, loop: seen.append("started"), "before_server_start"))
    assert (await ask(app, "GET", "/f/a.txt")).text == "a file"
    assert (await ask(app, "GET", "/one")).text == "one"
    assert (await ask(app, "GET", "/two")).text == "caught"
    await app.dispatch("own.event.happened", inline=True)
    await app._server_event("init", "before")
    assert seen == ["/f/a.txt", "/one", "named", "/two", "told", "started"]


def test_a_websocket_made_by_hand():
    app = Sanic("app")

    async def echo(request, ws):
        await ws.send(await ws.recv())

    app._apply_route(route(echo, "/ws", websocket=True, subprotocols=["a"]))
    with serve_app(app) as url, connect(f"ws{url.removeprefix('http')}/ws", subprotocols=["a"]) as ws:
        ws.send("hello")
        assert (ws.subprotocol, ws.recv()) == ("a", "hello")


async def awaited(result: Any) -> Any:
    return await result if isawaitable(result) else result


class Toolkit:
    """Puts itself in the place of the app's methods once the app starts, as sanic-plugin-toolkit does."""

    def __init__(self, app: Sanic) -> None:
        self.app = app
        self.handled: list[str] = []
        app._startup = update_wrapper(partial(self.startup, app._startup), app._startup)

    async def startup(self, real: Any) -> None:
        await real()
        app = self.app
        app.handle_request = update_wrapper(partial(self.handle, app.handle_request), self.handle)
        app._run_request_middleware = self.before
        app._run_response_middleware = self.after

    async def handle(self, real: Any, request: Any) -> None:
        try:
            await real(request)
        finally:
            self.handled.append(request.path)

    async def before(self, request: Any, request_name: str | None = None) -> Any:
        app = self.app
        functions = app.request_middleware + app.named_request_middleware.get(request_name, deque())
        if not request.request_middleware_started:
            request.request_middleware_started = True
            for function in functions:
                if response := await awaited(function(request)):
                    return response
        return None

    async def after(self, request: Any, response: Any, request_name: str | None = None) -> Any:
        app = self.app
        response.headers["X-Toolkit"] = "1"
        for function in app.response_middleware + app.named_response_middleware.get(request_name, deque()):
            if replaced := await awaited(function(request, response)):
                return request.stream.respond(replaced)
        return response


def with_blueprint(app: Any) -> Any:
    """Middleware of all routes and of a blueprint, which counts how often it ran."""
    blueprint = Blueprint("bp", url_prefix="/bp")

    async def before(request):
        request.ctx.before = [*getattr(request.ctx, "before", []), "bp"]

    async def after(request, response):
        response.headers["X-Bp"] = response.headers.get("X-Bp", "") + "1"

    async def early(request):
        request.ctx.before = ["app"]
        return text("early") if request.path == "/early" else None

    async def replace(request, response):
        return text("replaced") if request.path == "/replaced" else None

    blueprint.middleware("request")(before)
    blueprint.middleware("response")(after)

    @blueprint.route("/x")
    async def x(request):
        return text(",".join(request.ctx.before))

    @app.route("/replaced")
    async def replaced(request):
        return text("own")

    @app.route("/respond")
    async def responds(request):
        response = await request.respond(content_type="text/plain")
        await response.send("sent")

    app.blueprint(blueprint)
    app.middleware("request")(early)
    app.middleware("response")(replace)
    return app


def test_methods_replaced_at_the_start_are_called_and_run_each_middleware_once():
    compat("21.6")
    app = with_blueprint(Sanic("app"))
    toolkit = Toolkit(app)
    _, found = app.test_client.get("/bp/x")
    assert (found.text, found.headers["x-bp"], found.headers["x-toolkit"]) == ("app,bp", "1", "1")
    _, found = app.test_client.get("/early")
    assert (found.text, found.headers["x-toolkit"]) == ("early", "1")
    _, found = app.test_client.get("/replaced")
    assert (found.text, found.headers.get("x-bp")) == ("replaced", None)
    assert set(toolkit.handled) == {"/bp/x", "/early", "/replaced"}


def test_a_replaced_runner_of_response_middleware_sees_a_response_that_a_handler_began():
    compat("21.6")
    app = Sanic("app")
    Toolkit(app)

    @app.route("/respond")
    async def responds(request):
        response = await request.respond(content_type="text/plain")
        await response.send("sent")

    _, found = app.test_client.get("/respond")
    assert (found.text, found.headers["x-toolkit"]) == ("sent", "1")


class Calls(Sanic):
    """Calls the original's runners, in the middle of its own."""

    async def _run_request_middleware(self, request, request_name=None):
        return await super()._run_request_middleware(request, request_name)

    async def _run_response_middleware(self, request, response, request_name=None):
        return await super()._run_response_middleware(request, response, request_name)


class Handles(Sanic):
    async def handle_request(self, request):
        await super().handle_request(request)


class Tells(Sanic):
    def __init__(self, name):
        super().__init__(name)
        self.add_signal(lambda **context: None, "http.lifecycle.request")


@pytest.mark.parametrize("kind", [Sanic, Calls, Handles, Tells])
@pytest.mark.parametrize("late", [False, True], ids=["registered later", "registered before"])
async def test_middleware_of_a_blueprint_runs_once_whatever_is_overridden(kind, late):
    compat("21.6")
    app = with_blueprint(kind("app"))
    if late:
        app.handle_request = app.handle_request
    found = await ask(app, "GET", "/bp/x")
    assert (found.text, found.field("x-bp")) == ("app,bp", "1")
    found = await ask(app, "GET", "/early")
    assert (found.text, found.field("x-bp")) == ("early", None)
    assert (await ask(app, "GET", "/replaced")).text == "replaced"
    assert (await ask(app, "GET", "/respond")).text == "sent"


def test_a_subclass_is_started_up_before_its_first_listener_each_time():
    order: list[str] = []

    class Own(Sanic):
        async def _startup(self):
            await super()._startup()
            order.append("startup")

    app = Own("app")

    @app.listener("before_server_start")
    def listens(app, loop):
        order.append("listener")

    for _ in range(2):
        with serve_app(app):
            pass
    assert order == ["startup", "listener"] * 2


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_start_by_hand_is_not_repeated_by_the_server():
    order: list[str] = []

    class Own(Sanic):
        async def _startup(self):
            await super()._startup()
            order.append("startup")

    app = Own("app")
    await app._startup()
    await app._server_event("init", "before")
    assert order == ["startup"]


@pytest.mark.parametrize(("release", "usual"), [("0.8", None), ("21.9", None), ("21.12", Request)])
def test_the_class_of_requests_that_an_app_was_not_given(release, usual):
    compat(release)
    assert Sanic("usual").request_class is usual
    given = type("Given", (Request,), {})
    assert Sanic("given", request_class=given).request_class is given
