"""Routes out of the tables of frameworks: all of them, once per method, each with a target to reach it."""

from __future__ import annotations

import enum
import functools
from collections.abc import Callable
from typing import Any, Literal
from uuid import UUID

import pytest

from streamcompat.asgi_api import ASGIApp
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import text
from streamcompat.site import Site
from streamcompat.testing import TestClient
from streamcompat.testing.frameworks import FRAMEWORKS, framework_of
from streamcompat.testing.probe import probe
from streamcompat.testing.routes import Needs, NoSuchRoute, Target, chosen, routes_of
from tests.testing.framework_apps import FRAMEWORKS as APPS


async def bare(scope: Any, receive: Any, send: Any) -> None: ...


EVERY = pytest.mark.parametrize("make", APPS.values(), ids=APPS)


@EVERY
def test_every_route_is_found_and_reached(make: Callable[[], Any]) -> None:
    app = make()
    routes = {route.name.partition("{")[0].partition("<")[0]: route for route in routes_of(app)}
    assert {"GET /", "POST /echo", "POST /upper", "PUT /api/items/"} <= routes.keys()
    sent = {"POST /echo": b"a", "POST /upper": b"a", "PUT /api/items/": b"a"}
    with TestClient(app) as client:
        for name, body in sent.items():
            method, target = routes[name].method, routes[name].target
            assert client.request(method, target, content=body).status == 200, name


@EVERY
def test_those_that_may_have_a_body_are_probed(make: Callable[[], Any]) -> None:
    names = {route.name.partition("{")[0].partition("<")[0] for route in chosen(make(), [])}
    assert names - {"POST /", "WEBSOCKET /chat"} == {"POST /echo", "POST /upper", "PUT /api/items/"}


@EVERY
def test_a_handler_that_streams_is_told_from_one_that_does_not(make: Callable[[], Any]) -> None:
    streams = {route.uri: route.streams for route in chosen(make(), [])}
    assert streams["/echo"]
    assert not any(stream for uri, stream in streams.items() if uri.startswith("/api"))


@EVERY
def test_a_websocket_is_in_the_list_and_says_what_it_is(make: Callable[[], Any]) -> None:
    if make is APPS["django"]:
        pytest.skip("Django has no WebSockets of its own")
    (route,) = [route for route in routes_of(make()) if route.uri == "/chat"]
    assert (route.name, route.is_websocket, route.why_not) == ("WEBSOCKET /chat", True, "")
    (found,) = probe(make(), routes=["WEBSOCKET /chat"]).routes
    assert found.takes and not found.broken and not found.unchecked


def test_a_table_is_known_for_each_framework_of_the_tests() -> None:
    assert FRAMEWORKS.keys() == APPS.keys()


# ---- Starlette's table ----


def starlette_routes() -> Any:
    pytest.importorskip("starlette", reason="starlette is not installed")
    from starlette import routing

    return routing


async def handler(request: Any) -> Any:
    return None


def listed(routes: list[Any], **parameters: str) -> dict[str, Target]:
    from starlette.applications import Starlette

    return {route.name: route for route in routes_of(Starlette(routes=routes), Needs(parameters=parameters))}


def test_each_converter_has_a_value() -> None:
    routing = starlette_routes()
    found = listed(
        [
            routing.Route("/{one}/{two:int}/{three:float}/{four:uuid}/{five:path}", handler),
            routing.Route("/a{b:int}c", handler),
        ]
    )
    everything = found["GET /{one}/{two:int}/{three:float}/{four:uuid}/{five:path}"]
    assert everything.target == "/x/1/1/00000000-0000-0000-0000-000000000000/x"
    assert found["GET /a{b:int}c"].target == "/a1c"


def test_a_value_that_is_given_is_taken_and_quoted() -> None:
    routing = starlette_routes()
    found = listed([routing.Mount("/{user}", routes=[routing.Route("/{n:int}", handler)])], user="a b", n="7")
    assert found["GET /{user}/{n:int}"].target == "/a%20b/7"


def test_a_mount_within_a_mount_a_host_and_a_class() -> None:
    routing = starlette_routes()
    from starlette.endpoints import HTTPEndpoint

    class Endpoint(HTTPEndpoint):
        async def post(self, request: Any) -> None:
            await request.body()

        async def patch(self, request: Any) -> None:
            async for _ in request.stream():
                pass

    deep = [routing.Mount("/b", routes=[routing.Route("/c", Endpoint)])]
    found = listed([routing.Mount("/a", routes=deep), routing.Host("{sub}.example", routing.Router(deep))])
    assert found.keys() == {"POST /a/b/c", "PATCH /a/b/c", "POST /b/c", "PATCH /b/c"}
    assert (found["POST /b/c"].host, found["POST /a/b/c"].host) == ("x.example", None)
    assert (found["POST /b/c"].streams, found["PATCH /b/c"].streams) == (False, True)


def test_an_application_of_another_kind_that_is_mounted_has_its_own_routes() -> None:
    routing = starlette_routes()
    old = Mach9("mounted_below_starlette")

    @old.get("/hello/<n:int>")
    async def hello(request: Any, n: int) -> Any:
        return text("hello")

    found = listed([routing.Mount("/old", app=old), routing.Mount("/raw", app=bare)])
    assert found["GET /old/hello/<n:int>"].target == "/old/hello/1"
    assert "routes cannot be listed" in found["* /raw/*"].why_not
    assert found["* /raw/*"].is_probed, "so that a report says it"


def test_files_are_a_route_that_is_not_probed() -> None:
    routing = starlette_routes()
    from starlette.staticfiles import StaticFiles

    found = listed([routing.Mount("/static", StaticFiles(directory="."))])
    assert [(name, route.is_probed) for name, route in found.items()] == [("GET /static/{path:path}", False)]


def test_middleware_is_looked_through() -> None:
    routing = starlette_routes()
    from starlette.applications import Starlette
    from starlette.middleware.gzip import GZipMiddleware

    app = Starlette(routes=[routing.Route("/a", handler, methods=["POST"])])

    class Own:
        def __init__(self, app: Any) -> None:
            self.app = app

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
            await self.app(scope, receive, send)

    for wrapped in (GZipMiddleware(app), Own(Own(app)), ASGIApp(GZipMiddleware(Own(app)))):
        assert [route.name for route in routes_of(wrapped)] == ["POST /a"]


def test_a_wrapper_around_itself_ends() -> None:
    class Ring:
        app: Any

        async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    ring = Ring()
    ring.app = ring
    assert framework_of(ring) is None


def test_the_same_in_a_site() -> None:
    routing = starlette_routes()
    from starlette.applications import Starlette

    site = Site()
    site.mount(ASGIApp(Starlette(routes=[routing.Route("/a", handler, methods=["POST"])])), "/new")
    assert [(route.name, route.target) for route in routes_of(site)] == [("POST /new/a", "/new/a")]


# ---- FastAPI's types ----


class Colour(enum.Enum):
    RED = "red"


def test_the_type_of_an_argument_gives_the_value() -> None:
    fastapi = pytest.importorskip("fastapi", reason="fastapi is not installed")
    types = {"a": int, "b": bool, "c": UUID, "d": Colour, "e": Literal["on", "off"], "f": str, "g": float}

    async def typed(**values: Any) -> Any:
        return {}

    app = fastapi.FastAPI(openapi_url=None)
    for name, kind in types.items():
        scope: dict[str, Any] = {"kind": kind}
        exec(f"async def one({name}: kind): return {{}}", scope)
        app.post(f"/{name}/{{{name}}}")(scope["one"])
    with TestClient(app) as client:
        for route in routes_of(app):
            assert client.post(route.target).status == 200, (route.name, route.target)


def test_a_router_within_a_router() -> None:
    fastapi = pytest.importorskip("fastapi", reason="fastapi is not installed")
    inner, outer = fastapi.APIRouter(prefix="/{b}"), fastapi.APIRouter(prefix="/a")

    async def one(b: str) -> Any:
        return b

    inner.post("/c")(one)
    outer.include_router(inner)
    app = fastapi.FastAPI(openapi_url=None)
    app.include_router(outer, prefix="/v1")
    assert [(route.name, route.target) for route in routes_of(app)] == [("POST /v1/a/{b}/c", "/v1/a/x/c")]


# ---- routes that cannot be listed ----


def test_routes_of_a_bare_application_are_given() -> None:
    (route,) = chosen(bare, ["POST /echo"])
    assert (route.name, route.target, route.streams, route.why_not) == ("POST /echo", "/echo", True, "")
    (route,) = chosen(bare, ["put /items/{n}/<rest:path>"], Needs(parameters={"n": "7"}))
    assert (route.method, route.target) == ("PUT", "/items/7/x")


def test_they_are_given_with_their_method() -> None:
    with pytest.raises(NoSuchRoute, match="give the method of /echo too"):
        chosen(bare, ["/echo"])


def test_a_route_that_is_not_in_a_table_is_no_route() -> None:
    routing = starlette_routes()
    from starlette.applications import Starlette

    app = Starlette(routes=[routing.Route("/a", handler), routing.Mount("/raw", app=bare)])
    with pytest.raises(NoSuchRoute, match="the app has GET /a"):
        chosen(app, ["POST /b"])
    (route,) = chosen(app, ["POST /raw/b"])
    assert route.target == "/raw/b"


def test_a_handler_within_a_partial_is_looked_into() -> None:
    routing = starlette_routes()

    async def streams(word: str, request: Any) -> Any:
        async for _ in request.stream():
            pass

    found = listed([routing.Route("/a", functools.partial(streams, "x"), methods=["POST"])])
    assert found["POST /a"].streams
