"""Signals and error pages of Sanic 21.12."""

from __future__ import annotations

import asyncio

import pytest

from streamcompat.sanic_api import Blueprint, Sanic, compat
from streamcompat.sanic_api.exceptions import InvalidSignal, NotFound, SanicException
from streamcompat.sanic_api.signals import Event
from tests.support.exchanges import ask

pytestmark = pytest.mark.anyio


UNSENT = [
    "http.lifecycle.begin",
    "http.lifecycle.complete",
    "http.lifecycle.read_body",
    "http.lifecycle.send",
]


class TestSignals:
    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    async def test_dispatch(self):
        app = Sanic("app")
        ran = []
        app.signal("user.made.<name>")(lambda **values: ran.append(values))
        app.add_signal(lambda **values: "first true", "user.made.ann")
        assert await app.dispatch("user.made.ann", context={"by": 1}, inline=True) == "first true"
        assert ran == [{"name": "ann", "by": 1}]
        await (await app.dispatch("user.made.bob"))
        assert ran[1:] == [{"name": "bob"}]
        with pytest.raises(NotFound):
            await app.dispatch("user.gone.x", inline=True)
        assert await app.dispatch("user.gone.x", inline=True, fail_not_found=False) is None

    async def test_conditions(self):
        app = Sanic("app")
        ran = []
        app.signal("a.b.c", condition={"k": 1})(lambda: ran.append("exclusive"))
        app.signal("a.b.c", condition={"k": 1}, exclusive=False)(lambda: ran.append("open"))
        app.signal("a.b.c")(lambda: ran.append("plain"))
        await app.dispatch("a.b.c", inline=True)
        await app.dispatch("a.b.c", condition={"k": 1}, inline=True)
        assert ran == ["open", "plain", "exclusive", "open"]

    async def test_waiting(self):
        app = Sanic("app")
        app.add_signal(None, "a.b.c")
        waiting = asyncio.ensure_future(app.event("a.b.c", timeout=30))
        await asyncio.sleep(0)
        await app.dispatch("a.b.c")
        await waiting
        with pytest.raises(NotFound):
            await app.event("x.y.z")

    @pytest.mark.parametrize("event", ["a", "a.b", "<a>.b.c", "http.other.x", "server.other.x", *UNSENT])
    def test_names(self, event):
        with pytest.raises(InvalidSignal):
            Sanic("app").signal(event)(print)

    async def test_those_of_blueprints(self):
        app, blueprint, ran = Sanic("app"), Blueprint("b"), []
        blueprint.signal("a.b.c")(lambda: ran.append(1))
        app.blueprint(blueprint)
        await app.dispatch("a.b.c", inline=True)
        assert ran == [1]

    def test_one_that_is_not_sent_says_what_is(self):
        with pytest.raises(
            InvalidSignal, match=r"there are http\.lifecycle\.exception, .*http\.routing\.before"
        ):
            Sanic("app").signal(Event.HTTP_LIFECYCLE_SEND)(print)


PAGES = [
    ("20.3", {"accept": "application/json"}, "text/html", "gone"),
    ("21.6", {"accept": "application/json"}, "text/html", "gone"),
    ("21.6", {}, "text/html", "gone"),
    ("21.9", {}, "text/plain", "⚠️ 410 — Gone"),
    ("19.12", {}, "text/plain", "Error: gone"),
    ("20.12", {}, "text/html", "<title>⚠️ 410 — Gone</title>"),
    ("21.12", {}, "text/plain", "⚠️ 410 — Gone"),
    ("21.12", {"accept": "text/html"}, "text/html", "<p>gone"),
    ("21.12", {"accept": "application/json"}, "application/json", '"message":"gone"'),
    ("21.12", {"content-type": "application/json"}, "application/json", '"status":410'),
    ("21.12", {"accept": "x/y"}, "text/html", "gone"),
    ("21.12", {"accept": "broken"}, "text/plain", "gone"),
]


class TestErrorPages:
    @pytest.mark.parametrize(("release", "fields", "kind", "said"), PAGES)
    async def test_by_release_and_request(self, release, fields, kind, said):
        compat(release)
        app = Sanic("app", load_env=False)

        @app.route("/")
        async def fails(request):
            raise SanicException("gone", 410)

        found = await ask(app, "GET", "/", headers=fields)
        assert found.status == 410
        assert (found.field("content-type") or "").startswith(kind)
        assert said in found.text

    @pytest.mark.parametrize(
        ("form", "accepts", "kind"),
        [
            ("json", None, "application/json"),
            ("text", None, "text/plain"),
            ("html", None, "text/html"),
            ("json", "text/html", "text/html"),
            ("auto", "application/json", "application/json"),
            (None, None, "text/html"),
        ],
    )
    async def test_that_of_a_route(self, form, accepts, kind):
        compat("21.12")
        app = Sanic("app", load_env=False)
        app.config.FALLBACK_ERROR_FORMAT = "html"

        @app.route("/", error_format=form)
        async def fails(request):
            raise SanicException("gone", 410)

        found = await ask(app, "GET", "/", headers={"accept": accepts} if accepts else {})
        assert (found.status, (found.field("content-type") or "").partition(";")[0]) == (410, kind)
        with pytest.raises(SanicException, match="Unknown format: xml"):
            app.route("/other", error_format="xml")

    @pytest.mark.parametrize("form", ["html", "json", "text"])
    @pytest.mark.parametrize("debug", [False, True])
    async def test_what_came_from_outside_is_escaped_and_details_stay_inside(self, form, debug):
        compat("21.12")
        app = Sanic("app", load_env=False)
        app.config.FALLBACK_ERROR_FORMAT = form
        app.set_debug(debug)

        @app.route("/<name>")
        async def fails(request, name):
            raise RuntimeError(f"secret <{name}>")

        found = await ask(app, "GET", "/<script>")
        assert found.status == 500
        assert ("secret" in found.text) is debug
        if form == "html":
            assert "<script>" not in found.text

    async def test_the_context_is_shown(self):
        compat("21.12")
        app = Sanic("app", load_env=False)

        @app.route("/")
        async def fails(request):
            raise SanicException("no", 400, context={"why": "<x>"}, extra={"hidden": 1})

        for accept, said in (
            ("text/html", "&lt;x&gt;"),
            ("application/json", '"why":"<x>"'),
            ("text/plain", '"<x>"'),
        ):
            found = await ask(app, "GET", "/", headers={"accept": accept})
            assert said in found.text
            assert "hidden" not in found.text

    def test_messages(self):
        class Own(SanicException):
            message = "own"
            quiet = True

        assert (str(Own()), Own().quiet, str(SanicException(status_code=404))) == ("own", True, "Not Found")
        assert SanicException("m", 500, quiet=True).quiet
