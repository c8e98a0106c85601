"""The list of the routes of 21.x; what it says was asked of Sanic 21.12."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from streamcompat.sanic_api import Blueprint, Sanic, compat
from streamcompat.sanic_api.response import text
from streamcompat.sanic_api.router import Router, url_hash
from streamcompat.sanic_api.views import HTTPMethodView


async def handler(request: Any, **parameters: Any) -> Any:
    return text("")


class View(HTTPMethodView):
    async def get(self, request, number):
        return text("")

    async def post(self, request, number):
        return text("")


LISTED = [
    ("/", "", False, ("",), {}),
    ("/b/", "b", False, ("b",), {}),
    ("/c/<x>", "c/<x:str>", False, ("c", "<x:str>"), {1: ("x", "str", str, False)}),
    ("/d/<x:int>/e", "d/<x:int>/e", False, ("d", "<x:int>", "e"), {1: ("x", "int", int, False)}),
    ("/f/<x:path>", "f/<x:path>", False, ("f", "<x:path>"), {1: ("x", "path", str, False)}),
    ("/g/<x:[a-z]{3}>", "g/<x:[a-z]{3}>", False, ("g", "<x:[a-z]{3}>"), {1: ("x", "[a-z]{3}", str, True)}),
    ("/h/<x:a/b>", "h/<x:a/b>", False, ("h", "<x:a/b>"), {1: ("x", "a/b", str, True)}),
    ("/i/<n:float>", "i/<n:float>", False, ("i", "<n:float>"), {1: ("n", "float", float, False)}),
]


@pytest.mark.parametrize(("uri", "path", "strict", "parts", "params"), LISTED)
def test_one_route(uri, path, strict, parts, params):
    compat("21.12")
    app = Sanic("app")
    app.add_route(handler, uri, methods=["GET", "PUT"], name="own", ctx_a=1)
    (route,) = app.router.routes
    assert (route.name, route.methods, route.handler) == ("app.own", {"GET", "PUT"}, handler)
    assert (route.path, route.uri, route.strict, route.parts) == (path, f"/{path}", strict, parts)
    found = {index: (one.name, one.label, one.cast, one.regex) for index, one in sorted(route.params.items())}
    assert found == params
    assert (route.regex, route.static) == (any(one[3] for one in params.values()), not params)
    assert (vars(route.ctx), route.requirements) == ({"a": 1}, {})
    (group,) = app.router.groups.values()
    (again,) = group
    assert (again.name, len(group), group[0].path, group.raw_path) == (route.name, 1, path, uri.strip("/"))


def test_several_routes_and_their_order(tmp_path):
    compat("21.12")
    app = Sanic("app")
    blueprint = Blueprint("bp", url_prefix="/bp", version=1)
    blueprint.add_route(handler, "/x/<y:ymd>", name="x")
    app.blueprint(blueprint)
    app.add_route(View.as_view(), "/view/<number:int>")
    app.add_route(handler, "/many/<x:[a-z]>", name="expression")
    app.add_route(handler, "/s/", strict_slashes=True, name="s")
    app.get("/m", name="first")(handler)
    app.post("/m", name="second")(handler)
    app.add_route(handler, "/hosted", host="a.example", name="hosted")
    app.static("/files", tmp_path, name="files")
    found = [(route.name, route.path, sorted(route.methods)) for route in app.router.routes]
    assert found == [
        ("app.s", "s/", ["GET"]),
        ("app.second", "m", ["POST"]),
        ("app.first", "m", ["GET"]),
        ("app.hosted", "hosted", ["GET"]),
        ("app.bp.x", "v1/bp/x/<y:ymd>", ["GET"]),
        ("app.View", "view/<number:int>", ["GET", "POST"]),
        ("app.files", "files/<__file_uri__:path>", ["GET", "HEAD"]),
        ("app.expression", "many/<x:[a-z]>", ["GET"]),
    ]
    keys = list(app.router.groups)
    assert keys[3:5] == [("v1", "bp", "x", "<__dynamic__:ymd>"), ("view", "<__dynamic__:int>")]
    day = app.router.groups[keys[3]].params[3]
    assert day.cast("2021-03-04") == datetime.date(2021, 3, 4)
    assert app.router.groups["hosted",][0].requirements == {"host": "a.example"}
    assert str(app.router.routes[0]) == "<Route: name=app.s path=s/>"
    assert str(app.router.groups["m",]) == "<RouteGroup: path=m len=2>"


def test_a_router_that_a_program_makes_knows_its_app():
    router = Router()
    app = Sanic("app", router=router)
    app.add_route(handler, "/x", name="x")
    assert [route.name for route in router.routes] == ["app.x"]


@pytest.mark.parametrize(("release", "grouped"), [("0.8", False), ("20.12", False), ("21.3", True)])
def test_the_routes_by_kind(release, grouped):
    compat(release)
    app = Sanic("app")
    for uri in ("/s", "/d/<x>", "/n/<x:int>", "/r/<x:[a-z]/[a-z]>"):
        app.add_route(handler, uri, strict_slashes=True, name=uri)
    router = app.router
    if grouped:
        assert list(router.routes_static) == [("s",)]
        assert list(router.routes_dynamic) == [("d", "<__dynamic__:str>"), ("n", "<__dynamic__:int>")]
        assert list(router.routes_regex) == [("r", "<__dynamic__:[a-z]/[a-z]>")]
        return
    assert {uri: route.handler for uri, route in router.routes_static.items()} == {"/s": handler}
    assert [route.uri for route in router.routes_dynamic[url_hash("/d/5")]] == ["/d/<x>", "/n/<x:int>"]
    assert router.routes_dynamic[url_hash("/")] == []
    assert [route.uri for route in router.routes_always_check] == ["/r/<x:[a-z]/[a-z]>"]
