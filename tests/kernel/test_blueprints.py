from __future__ import annotations

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.blueprints import Blueprint as Mach9Blueprint
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.blueprints import Blueprint
from streamcompat.sanic_api.response import text
from tests.support.exchanges import ask


def answering(name):
    async def handler(request, **parameters):
        return text(name)

    handler.__name__ = name
    return handler


async def test_routes_get_the_prefix_and_the_name(app):
    part = Blueprint("part", url_prefix="/part")
    part.get("/x")(answering("x"))
    part.post("/y", name="other")(answering("y"))
    part.add_route(answering("z"), "/z/<a:int>", methods=["PUT"])
    app.blueprint(part)
    assert (await ask(app, "GET", "/part/x")).text == "x"
    assert (await ask(app, "POST", "/part/y")).text == "y"
    assert (await ask(app, "PUT", "/part/z/5")).text == "z"
    assert (await ask(app, "GET", "/x")).status == 404
    assert app.url_for("part.x") == "/part/x"
    assert app.url_for("part.other") == "/part/y"


async def test_another_prefix_when_it_is_registered(app):
    part = Blueprint("part", url_prefix="/part")
    part.get("/x")(answering("x"))
    app.blueprint(part, url_prefix="/other")
    assert (await ask(app, "GET", "/other/x")).text == "x"
    assert (await ask(app, "GET", "/part/x")).status == 404


async def test_a_prefix_that_ends_with_a_slash(app):
    part = Blueprint("part", url_prefix="/")
    part.get("/x")(answering("x"))
    app.blueprint(part)
    assert (await ask(app, "GET", "/x")).text == "x"


@pytest.mark.parametrize(
    ("prefix", "uri", "path"),
    [
        ("/part", "", "/part"),
        ("/part", "y", "/party"),
        ("/part/", "y", "/part/y"),
        ("/part/", "/y", "/part//y"),
        (None, "y", "/y"),
        ("part", "/y", "/part/y"),
    ],
)
async def test_prefix_and_path_are_put_together_as_they_are(app, tmp_path, prefix, uri, path):
    part = Blueprint("part", url_prefix=prefix, strict_slashes=True)
    part.get(uri)(answering("x"))
    part.static(uri + ".css", __file__)
    part.add_websocket_route(answering("ws"), uri + "/ws", strict_slashes=True)
    app.blueprint(part)
    assert set(app.router.routes_all) == {path, path + ".css", path + "/ws"}


async def test_a_blueprint_says_by_itself_whether_slashes_count():
    app = Sanic("app", load_env=False, strict_slashes=True)
    for name, options in (
        ("own", {}),
        ("apps", {"strict_slashes": None}),
        ("strict", {"strict_slashes": True}),
    ):
        part = Blueprint(name, url_prefix=f"/{name}", **options)
        part.get("/x")(answering("x"))
        part.get("/strict", strict_slashes=True)(answering("strict"))
        app.blueprint(part)
    statuses = {name: (await ask(app, "GET", f"/{name}/x/")).status for name in ("own", "apps", "strict")}
    assert statuses == {"own": 200, "apps": 404, "strict": 404}
    assert (await ask(app, "GET", "/own/strict/")).status == 404


async def test_defaults_of_its_routes(app):
    part = Blueprint("part", host="a.example", version=1, strict_slashes=True)
    part.get("/x")(answering("x"))
    part.get("/y", host="b.example", version=2, strict_slashes=False)(answering("y"))
    app.blueprint(part)
    a, b = {"host": "a.example"}, {"host": "b.example"}
    assert (await ask(app, "GET", "/v1/x", headers=a)).text == "x"
    assert (await ask(app, "GET", "/v1/x/", headers=a)).status == 404
    assert (await ask(app, "GET", "/v1/x", headers=b)).status == 404
    assert (await ask(app, "GET", "/v2/y/", headers=b)).text == "y"


async def test_streaming(app):
    part = Blueprint("part")

    @part.stream("/x")
    async def handler(request):
        return text(repr([piece async for piece in request.stream]))

    app.blueprint(part)
    assert (await ask(app, "POST", "/x", b"a", b"b")).text == "[b'a', b'b']"


async def test_middleware_and_handlers_of_exceptions_are_the_apps(app):
    part = Blueprint("part")
    calls = []

    @part.middleware
    def first(request):
        calls.append("request")

    @part.middleware("response")
    def second(request, response):
        calls.append("response")

    @part.exception(ZeroDivisionError)
    def divided(request, exception):
        return text("divided", 500)

    app.blueprint(part)
    app.get("/")(lambda request: 1 / 0)
    assert (await ask(app, "GET", "/")).text == "divided"
    assert calls == ["request", "response"]


def test_listeners_are_the_apps(app):
    part = Blueprint("part")

    @part.listener("before_server_start")
    def listener(app, loop):
        pass

    part.listeners["after_server_stop"].append(listener)
    app.blueprint(part)
    app.listeners["after_server_start"].append(listener)
    assert app.listeners == {
        event: [listener] for event in ("before_server_start", "after_server_stop", "after_server_start")
    }


async def test_one_blueprint_on_two_apps(app, mach9):
    part = Mach9Blueprint("part", "/part")

    async def handler(self, request):
        return text(f"{self.name} {request.app.name}")

    part.get("/x")(handler)
    mach9.blueprint(part)
    other = type(mach9)("other", load_env=False)
    other.blueprint(part)
    assert (await ask(mach9, "GET", "/part/x")).text == "part app"
    assert (await ask(other, "GET", "/part/x")).text == "part other"


async def test_groups(app):
    a, b, c = Blueprint("a", "/a"), Blueprint("b", "/b"), Blueprint("c")
    for part in (a, b, c):
        part.get("/x")(answering(part.name))
    inner = Blueprint.group(a, [b], url_prefix="/inner")
    app.blueprint(Blueprint.group(inner, c, url_prefix="/outer"))
    assert (await ask(app, "GET", "/outer/inner/a/x")).text == "a"
    assert (await ask(app, "GET", "/outer/inner/b/x")).text == "b"
    assert (await ask(app, "GET", "/outer/x")).text == "c"


def test_names_are_unique(app):
    part = Blueprint("part")
    app.register_blueprint(part)
    app.blueprint(part)
    with pytest.raises(AssertionError, match='A blueprint with the name "part" is already registered'):
        app.blueprint(Blueprint("part"))
    assert app.blueprints == {"part": part}
    assert repr(part) == "<Blueprint 'part'>"


async def test_a_blueprint_reads_in_the_words_of_its_own_flavour():
    async def sanic_handler(request):
        return text(repr([await request.stream.get(), await request.stream.get()]))

    async def mach9_handler(request):
        return text(repr((await request.stream.receive())["content"]))

    for app in (Sanic("mixed"), Mach9("mixed")):
        old, new = Blueprint("old"), Mach9Blueprint("new")
        old.stream("/old")(sanic_handler)
        new.post("/new", stream=True)(mach9_handler)
        app.blueprint([old, new])
        assert (await ask(app, "POST", "/old", b"piece")).text == "[b'piece', None]"
        assert (await ask(app, "POST", "/new", b"piece")).text == "b'piece'"
