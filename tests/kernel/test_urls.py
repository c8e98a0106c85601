from __future__ import annotations

import asyncio
import re
from urllib.parse import unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streamcompat.asgi import ASGI
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.exceptions import URLBuildError as Mach9URLBuildError
from streamcompat.sanic_api import Blueprint, Sanic
from streamcompat.sanic_api.exceptions import URLBuildError
from streamcompat.sanic_api.response import redirect, text
from streamcompat.site import Site
from tests.support.exchanges import ask


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


PATTERNS = {
    "string": r"[^/]+",
    "int": r"\d+",
    "number": r"[0-9\\.]+",
    "alpha": r"[A-Za-z]+",
    "path": r"[^/].*?",
    "own": r"[^x]+",
    "odd": r"/?.+",
}
ROUTES = {name: "/n/<v>" if name == "string" else f"/n/<v:{name}>" for name in PATTERNS}
ROUTES |= {"own": "/n/<v:[^x]+>", "odd": "/<v:/?.+>"}


def survives(kind, name, value):
    """What a handler is given for the URL that `url_for` builds with `value`."""
    app = kind("app", load_env=False)
    got = []

    @app.route(ROUTES[name], name="n") if kind is Sanic else app.route(ROUTES[name])
    async def n(request, v):
        got.append(v)
        return text("ok")

    url = app.url_for("n", v=value)
    assert re.fullmatch(r"/(?!/)(?:[A-Za-z0-9/:@!$&'()*+,;=~._-]|%[0-9A-F]{2}|%[0-9A-Fa-f]{2})*", url)
    asyncio.run(ask(app, "GET", url))
    return got


@given(st.sampled_from(sorted(PATTERNS)), st.data())
def test_a_value_reaches_its_handler_as_it_was(name, data):
    value = data.draw(
        st.from_regex(PATTERNS[name], fullmatch=True)
        | st.text("ab /?#%&=+.\n\\x;:@é2510", min_size=1).filter(
            lambda text: re.fullmatch(PATTERNS[name], text)
        )
    )
    cast = {"int": int, "number": float}.get(name, str)
    try:
        expected = cast(value)
        value.encode()
        if name == "own" and "/" in value:
            raise ValueError("a pattern that does not speak of slashes matches none")
    except ValueError:
        with pytest.raises(URLBuildError):
            survives(Sanic, name, value)
        return
    assume(not (name == "path" and "\n" in value))
    assert survives(Sanic, name, value) == [expected]


@given(st.sampled_from(["string", "path", "own"]), st.text("ab /?#%&=+.\\x;:@é2510", min_size=1))
def test_a_value_reaches_mach9s_handler_as_it_is_sent(name, value):
    """Handlers of Mach9 are given paths percent-encoded, so what is so already is left as it is."""
    try:
        (got,) = survives(Mach9, name, value)
    except Mach9URLBuildError:
        assert not re.fullmatch(PATTERNS[name], value) or (name == "own" and "/" in value)
        return
    assert unquote(got) == unquote(value)
    assert survives(Mach9, name, got) == [got]


@pytest.mark.parametrize("value", ["a?b", "a#b", "100%25", "100%", "a b", "ä", "a;b=c", "a+b", "\\", "\n"])
def test_what_a_url_has_its_own_use_for(value):
    assert survives(Sanic, "string", value) == [value]
    (got,) = survives(Mach9, "string", value)
    assert unquote(got) == unquote(value)


def test_what_is_encoded_already_reaches_mach9s_handler_unchanged():
    assert survives(Mach9, "string", "100%25") == ["100%25"]


@pytest.mark.parametrize(
    ("name", "value"), [("number", "1.2.3"), ("int", "9" * 5000), ("string", "\ud800"), ("int", "x")]
)
def test_no_url_is_built_that_leads_nowhere(name, value):
    with pytest.raises(URLBuildError):
        survives(Sanic, name, value)


def test_a_literal_part_is_encoded_too(app):
    async def handler(request, **values):
        pass

    app.add_route(handler, "/ä b/<x>", name="literal")
    assert app.url_for("literal", x="y") == "/%C3%A4%20b/y"


def test_no_url_names_a_host_by_a_value():
    assert survives(Sanic, "odd", "/evil.example") == ["/evil.example"]


@pytest.mark.parametrize("strict", [True, False])
async def test_a_url_leads_to_its_own_handler_where_the_last_slash_tells(strict):
    app = Sanic("app", load_env=False)
    if not strict:
        app.add_route(lambda request: text("without"), "/x", name="without")
    app.add_route(lambda request: text("with"), "/x/", name="with", strict_slashes=strict)
    assert (await ask(app, "GET", app.url_for("with"))).text == "with"


@pytest.fixture
def mounted():
    """An app that redirects to a handler of its own, from a route, an error page and a streaming function."""
    app = Sanic("mounted", load_env=False)

    @app.route("/from")
    async def start(request):
        return redirect(app.url_for("end", name="a b"))

    @app.route("/n/<name>")
    async def end(request, name):
        return text(f"{name} {app.url_for('end', name=name, _external=True, _server='h')}")

    @app.exception(KeyError)
    async def lost(request, exception):
        return redirect(app.url_for("end", name="lost"))

    @app.route("/fails")
    async def fails(request):
        raise KeyError

    app.static("/files", ".")

    @app.route("/file")
    async def file(request):
        return text(app.url_for("static", filename="a b"))

    return app


@pytest.mark.parametrize("prefix", ["", "/x", "/x/y"])
async def test_urls_of_a_mounted_app_have_its_prefix(mounted, prefix):
    site: Site = Site()
    inner = Site()
    inner.mount(mounted, prefix="/y" if prefix == "/x/y" else "")
    site.mount(inner, prefix="/x" if prefix else "")
    for start, name in (("/from", "a b"), ("/fails", "lost")):
        location = (await ask(site, "GET", prefix + start)).field("location")
        assert location.startswith(prefix + "/n/")
        answer = await ask(site, "GET", location)
        assert answer.text == f"{name} http://h{location}"
    assert (await ask(site, "GET", prefix + "/file")).text == prefix + "/files/a%20b"
    assert mounted.url_for("start") == "/from"  # outside of a request nothing is known of a prefix


async def test_an_app_at_two_places_builds_urls_of_the_one_that_was_asked(mounted):
    site = Site()
    site.mount(mounted, prefix="/x")
    site.mount(mounted)
    assert (await ask(site, "GET", "/x/from")).field("location") == "/x/n/a%20b"
    assert (await ask(site, "GET", "/from")).field("location") == "/n/a%20b"


@pytest.mark.parametrize(
    ("root_path", "path", "location"),
    [
        ("", "/from", "/n/a%20b"),
        ("/x", "/x/from", "/x/n/a%20b"),
        ("/x/", "/x/from", "/x/n/a%20b"),
        ("/x", "/from", "/x/n/a%20b"),  # a server that leaves the prefix out of the path
        ("/fro", "/from", "/fro/n/a%20b"),
    ],
)
async def test_urls_behind_asgi_have_its_root_path(mounted, root_path, path, location):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "raw_path": path.encode(), "query_string": b""}
    scope |= {"headers": [], "root_path": root_path, "http_version": "1.1", "scheme": "http", "client": None}
    await ASGI(mounted)(scope | {"server": None}, receive, send)
    fields = {name.lower(): value for name, value in sent[0]["headers"]}
    assert fields[b"location"].decode() == location


@pytest.mark.parametrize(
    ("to", "location"),
    [
        ("/n/a b", "/n/a%20b"),
        ("/n/a b?c=d e#f g", "/n/a%20b?c=d+e#f%20g"),
        ("/a#b?c d", "/a#b?c%20d"),
        ("/a+b", "/a+b"),
        ("/a%20b", "/a%20b"),
        ("http://h/ä b", "http://h/%C3%A4%20b"),
    ],
)
def test_a_space_is_a_plus_in_a_query_alone(to, location):
    assert redirect(to).headers["Location"] == location
