from __future__ import annotations

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Blueprint, Sanic
from streamcompat.sanic_api.exceptions import URLBuildError


@pytest.fixture
def app():
    app = Sanic("urls", load_env=False)

    async def handler(request, **parameters):
        pass

    app.add_route(handler, "/", name="root")
    app.add_route(handler, "/plain", name="plain")
    app.add_route(handler, "/slash/", name="slash")
    app.add_route(handler, "/a/<text>/<number:int>", name="both")
    app.add_route(handler, "/n/<n:number>", name="float")
    app.add_route(handler, "/e/<four:[A-z0-9]{4}>", name="expression")
    part = Blueprint("part", url_prefix="/part")
    part.add_route(handler, "/x", name="x")
    app.blueprint(part)
    return app


@pytest.mark.parametrize(
    ("name", "values", "url"),
    [
        ("root", {}, "/"),
        ("plain", {}, "/plain"),
        ("slash", {}, "/slash"),
        ("both", {"text": "x", "number": 5}, "/a/x/5"),
        ("float", {"n": 1.5}, "/n/1.5"),
        ("expression", {"four": "ab12"}, "/e/ab12"),
        ("part.x", {}, "/part/x"),
        ("plain", {"a": "1", "b": ["2", "3"]}, "/plain?a=1&b=2&b=3"),
        ("plain", {"_anchor": "top", "q": "ä b"}, "/plain?q=%C3%A4+b#top"),
        ("plain", {"_method": "POST"}, "/plain"),
        ("plain", {"_server": "h.example"}, "//h.example/plain"),
        ("plain", {"_external": True, "_server": "h.example"}, "http://h.example/plain"),
        ("plain", {"_external": True, "_server": "https://h.example:8"}, "https://h.example:8/plain"),
        ("plain", {"_external": True, "_scheme": "wss", "_server": "h.example"}, "wss://h.example/plain"),
    ],
)
def test_urls(app, name, values, url):
    assert app.url_for(name, **values) == url


@pytest.mark.parametrize(("kind", "which"), [(Sanic, "second"), (Mach9, "first")])
def test_of_several_routes_with_one_name(kind, which, tmp_path):
    app = kind("urls", load_env=False)

    async def handler(request):
        pass

    for path in ("first", "second"):
        app.add_route(handler, f"/{path}")
        app.static(f"/files/{path}", tmp_path)
    assert app.url_for("handler") == f"/{which}"
    assert app.url_for("static", filename="x") == f"/files/{which}/x"


def test_the_servers_name_is_a_setting(app):
    app.config.SERVER_NAME = "https://shop.example"
    assert app.url_for("plain", _external=True) == "https://shop.example/plain"
    assert app.url_for("plain") == "/plain"


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("nowhere", {}, "Endpoint with name `nowhere` was not found"),
        ("both", {"number": 5}, "Required parameter `text` was not passed to url_for"),
        (
            "both",
            {"text": "x", "number": "y"},
            r'Value "y" for parameter `number` does not match pattern for type `int`: \\d\+',
        ),
        ("both", {"text": "x/y", "number": 5}, "does not satisfy pattern"),
        ("expression", {"four": "12345"}, "does not satisfy pattern"),
    ],
)
def test_what_cannot_be_built(app, name, values, message):
    with pytest.raises(URLBuildError, match=message):
        app.url_for(name, **values)


def test_a_scheme_is_for_external_urls(app):
    with pytest.raises(ValueError, match="_external must be True"):
        app.url_for("plain", _scheme="http")
