"""What Sanic 21.x decides otherwise than the releases before."""

from __future__ import annotations

import json
from typing import Any

import pytest

from streamcompat.sanic_api import Blueprint, Sanic, compat, errorforms
from streamcompat.sanic_api.exceptions import NotFound, SanicException, URLBuildError
from streamcompat.sanic_api.handlers import ErrorHandler
from streamcompat.sanic_api.response import HTTPResponse, html, text
from streamcompat.sanic_api.response import json as json_response
from streamcompat.sanic_api.views import HTTPMethodView
from tests.support.exchanges import ask, request_to

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def release_afterwards():
    yield
    compat("0.8")


class Lost(NotFound):
    pass


def with_blueprint() -> Sanic:
    """An app and a blueprint that both answer NotFound, and the app also KeyError, by two handlers."""
    app = Sanic("app")
    blueprint = Blueprint("blueprint", url_prefix="/blueprint")

    def says(word: str) -> Any:
        return lambda request, exception: text(word)

    app.exception(LookupError)(says("lookup"))
    app.exception(KeyError)(says("key"))
    app.exception(KeyError)(says("key again"))
    app.exception(NotFound)(says("app"))
    blueprint.exception((NotFound, ZeroDivisionError))(says("blueprint"))

    @app.get("/lost", name="given")
    @blueprint.get("/lost", name="given")
    def lost(request):
        raise Lost("x")

    @app.get("/zero")
    def zero(request):
        return text(str(1 // 0))

    @app.get("/key")
    @blueprint.get("/key")
    def key(request):
        return text({}["x"])

    app.blueprint(blueprint)
    return app


class TestExceptionHandlers:
    async def answers(self, release: str) -> list[str]:
        compat(release)
        app = with_blueprint()
        paths = ("/lost", "/blueprint/lost", "/nowhere", "/blueprint/nowhere", "/key", "/blueprint/key")
        return [(await ask(app, "GET", path)).text for path in paths]

    async def test_the_first_that_fits_until_21_3(self):
        for release in ("0.8", "20.12", "21.3"):
            assert await self.answers(release) == ["app"] * 4 + ["lookup"] * 2
        assert (await ask(with_blueprint(), "GET", "/zero")).text == "blueprint"

    async def test_the_last_of_the_nearest_class_in_21_6(self):
        assert await self.answers("21.6") == ["blueprint"] * 4 + ["key again"] * 2
        assert (await ask(with_blueprint(), "GET", "/zero")).text == "blueprint"

    async def test_those_of_a_blueprint_for_its_routes_since_21_9(self):
        for release in ("21.9", "21.12"):
            assert await self.answers(release) == ["app", "blueprint", "app", "app"] + ["key again"] * 2
            assert (await ask(with_blueprint(), "GET", "/zero")).status == 500

    async def test_a_release_that_is_chosen_for_the_app(self):
        app = with_blueprint()
        compat("21.12", app)
        assert (await ask(app, "GET", "/blueprint/lost")).text == "blueprint"
        assert (await ask(app, "GET", "/lost")).text == "app"

    @pytest.mark.parametrize("release", ["0.8", "21.12"])
    async def test_overridden_with_the_arguments_of_either_time(self, release):
        class Old(ErrorHandler):
            def add(self, exception, handler):
                super().add(exception, handler)

            def lookup(self, exception):
                return super().lookup(exception)

        class New(ErrorHandler):
            seen: list[str | None] = []

            def lookup(self, exception, route_name=None):
                self.seen.append(route_name)
                return super().lookup(exception, route_name)

        compat(release)
        for handler in (Old(), New()):
            app = Sanic("app", error_handler=handler)
            blueprint = Blueprint("blueprint")
            blueprint.exception(ZeroDivisionError)(lambda request, exception: text("zero"))
            blueprint.get("/")(lambda request: text(str(1 // 0)))
            app.blueprint(blueprint)
            assert (await ask(app, "GET", "/")).text == "zero"
            assert (await ask(app, "GET", "/none")).status == 404
        assert New.seen[-2:] == ["app.blueprint.<lambda>", None]


class TestNames:
    def app(self) -> Sanic:
        app = Sanic("app")
        blueprint = Blueprint("blueprint")

        @app.get("/a", name="given")
        @blueprint.get("/b", name="given")
        def handler(request):
            return text(f"{request.endpoint} {request.name}")

        class View(HTTPMethodView):
            def get(self, request, x=None):
                return handler(request)

        app.add_route(View.as_view(), "/view", name="one")
        app.add_route(View.as_view(), "/view/<x>", name="two")
        app.blueprint(blueprint)
        return app

    async def test_the_name_that_a_route_was_given(self):
        for release, endpoints in (
            ("20.9", ["app.handler", "app.blueprint.handler", "app.View", "app.View"]),
            ("20.12", ["app.given", "app.blueprint.given", "app.one", "app.two"]),
            ("21.12", ["app.given", "app.blueprint.given", "app.one", "app.two"]),
        ):
            compat(release)
            app = self.app()
            found = [(await ask(app, "GET", path)).text for path in ("/a", "/b", "/view", "/view/x")]
            assert [one.split()[0] for one in found] == endpoints
            assert [one.split()[1] for one in found] == [
                "app.given",
                "app.blueprint.given",
                "app.one",
                "app.two",
            ]

    async def test_middleware_by_name(self):
        for release, name in (
            ("19.12", "given"),
            ("20.12", "blueprint.given"),
            ("20.12", "app.given"),
            ("21.12", "app.given"),
        ):
            compat(release)
            app = self.app()
            app.register_named_middleware(lambda request: text("stopped"), [name])
            wanted = "/b" if "." in name and not name.startswith("app") else "/a"
            for path in ("/a", "/b", "/view"):
                assert ((await ask(app, "GET", path)).text == "stopped") == (path == wanted), release

    def test_url_for_by_the_name_of_the_app(self, tmp_path):
        (tmp_path / "file").touch()
        app = self.app()
        app.static("/files", str(tmp_path))
        app.static("/others", str(tmp_path), name="others")
        assert app.url_for("app.given") == app.url_for("given") == "/a"
        assert app.url_for("app.blueprint.given") == "/b"
        assert app.url_for("app.two", x="y") == "/view/y"
        assert app.url_for("app.static", filename="file") == "/files/file"
        for name in ("app.others", "others"):
            assert app.url_for(name, filename="file") == "/others/file"
        assert app.url_for("given", _host="h.example", _scheme="https") == "https://h.example/a"
        for name in ("app.none", "none", "app."):
            with pytest.raises(URLBuildError, match=name):
                app.url_for(name)


class TestErrorForms:
    async def test_by_the_handler(self):
        def make() -> Sanic:
            app = Sanic("app")

            @app.get("/json")
            async def as_json(request):
                if request.args:
                    return json_response({})
                raise SanicException("x", 400)

            @app.get("/text")
            async def as_text(request):
                if request.args:
                    return text("")
                raise SanicException("x", 400)

            @app.get("/mixed")
            async def mixed(request):
                if request.args:
                    return html("") if request.body else text("")
                if request.cookies:
                    return html("")
                if request.json:
                    return text("")
                raise SanicException("x", 400)

            @app.get("/told", error_format="json")
            async def told(request):
                if request.args:
                    return text("")
                raise SanicException("x", 400)

            return app

        async def types(release: str, **headers: str) -> list[str]:
            compat(release)
            app = make()
            return [
                (await ask(app, "GET", path, headers=headers)).field("content-type").partition(";")[0]
                for path in ("/json", "/text", "/mixed", "/told")
            ]

        # `json_response` is no name of Sanic's.
        assert await types("21.12") == ["text/plain", "text/plain", "text/plain", "application/json"]
        assert await types("21.12", accept="text/html") == ["text/html"] * 4
        assert await types("21.12", accept="*/*") == [
            "text/html",
            "text/plain",
            "text/html",
            "application/json",
        ]
        assert await types("21.6") == ["text/html"] * 3 + ["application/json"]

    def test_the_text_of_a_handler(self):
        def returns_json(request):
            return json(request)

        def two(request):
            if request:
                return json(request)
            return text("x")

        def attribute(request):
            return json.dumps(request)

        assert errorforms.of_handler(returns_json) == "json"
        assert [errorforms.of_handler(one) for one in (two, attribute, print, object())] == [None] * 4
        assert errorforms.of_handler(eval("lambda request: json({})")) is None


async def test_the_page_of_a_range_has_its_own_type(tmp_path):
    (tmp_path / "file.txt").write_text("content")
    for release, kind in (("0.8", "text/plain"), ("20.12", "text/html; charset=utf-8")):
        compat(release)
        app = Sanic("app")
        app.static("/file.txt", str(tmp_path / "file.txt"), use_content_range=True)
        found = await ask(app, "GET", "/file.txt", headers={"range": "bytes=50-"})
        assert (found.status, found.field("content-range")) == (416, "bytes */7")
        assert found.field("content-type") == kind


@pytest.mark.parametrize(
    ("release", "kinds"),
    [
        ("0.8", ["text/plain"] * 4),
        ("19.9", ["text/plain"] * 4),
        ("19.12", [None, None, "text/plain", "text/plain"]),
    ],
)
async def test_an_empty_response_that_was_told_no_type_has_none_since_19_12(release, kinds):
    compat(release)
    app = Sanic("app")
    app.get("/0")(lambda request: HTTPResponse(status=204))
    app.get("/1")(lambda request: HTTPResponse())
    app.get("/2")(lambda request: HTTPResponse(content_type="text/plain"))
    app.get("/3")(lambda request: HTTPResponse("x"))
    found = [await ask(app, "GET", f"/{number}") for number in range(4)]
    assert [dict(one.headers).get(b"Content-Type", b"").decode() or None for one in found] == kinds


def test_the_scheme_and_host_that_a_trusted_proxy_says():
    app = Sanic("app")

    def request(**headers: str) -> Any:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return app.default_request_class.of(request_to("GET", "/", headers=named), app, "")

    fields = {"x_forwarded_for": "192.0.2.9", "x_forwarded_proto": "https", "host": "x.example"}
    assert request(**fields).scheme == "http"
    app.config.PROXIES_COUNT = 1
    assert (request(**fields).scheme, request(**fields).url) == ("https", "https://x.example/")
    assert request(**fields).server_port == 443
    assert request(host="x.example", upgrade="websocket").scheme == "ws"
    fields["x_forwarded_host"] = "y.example:8000"
    assert (request(**fields).host, request(**fields).url) == ("y.example:8000", "https://y.example:8000/")
    assert request(**fields).headers["host"] == "x.example"
    app.config.SERVER_NAME = "https://z.example/"
    assert request(**fields).host == "y.example:8000"
    compat("20.6", app)
    assert (request(**fields).host, request(host="x.example").host) == ("z.example", "z.example")


async def test_routes_go_by_the_host_field_itself():
    compat("21.12")
    app = Sanic("app")
    app.config.PROXIES_COUNT = 1
    app.get("/", host="x.example", name="x")(lambda request: text(f"{request.host} {request.name}"))
    app.get("/", host="y.example", name="y")(lambda request: text("y"))
    headers = {"host": "x.example", "x-forwarded-for": "192.0.2.9", "x-forwarded-host": "y.example"}
    assert (await ask(app, "GET", "/", headers=headers)).text == "y.example app.x"


def test_one_value_of_a_field():
    app = Sanic("app")
    one = app.default_request_class.of(request_to("GET", "/", headers={"x-a": "1"}), app, "")
    assert (one.headers.getone("X-A"), one.headers.getone("x-b", None)) == ("1", None)
    with pytest.raises(KeyError):
        one.headers.getone("x-b")


@pytest.mark.parametrize(("release", "kind"), [("20.12", "text/plain; charset=utf-8"), ("21.3", None)])
async def test_a_204_has_no_type_since_21_3(release, kind):
    compat(release)
    app = Sanic("app")
    app.get("/0")(lambda request: text("", 204))
    app.get("/1")(lambda request: text("", 204, headers={"X-A": "1"}))
    app.get("/2")(lambda request: text("", 204, headers={"Content-Type": "text/x"}))
    found = [(await ask(app, "GET", f"/{number}")).field("content-type") for number in range(3)]
    assert found == [kind, kind, "text/x"]


@pytest.mark.parametrize(
    ("release", "files"), [("19.12", None), ("20.6", None), ("20.9", "1"), ("21.12", "1")]
)
async def test_middleware_of_a_blueprint_runs_for_its_files_since_20_9(release, files, tmp_path):
    (tmp_path / "file").touch()
    compat(release)
    app, blueprint = Sanic("app"), Blueprint("blueprint")
    blueprint.static("/files", str(tmp_path))
    blueprint.get("/")(lambda request: text("x"))

    @blueprint.middleware("response")
    def mark(request, response):
        response.headers["X-A"] = "1"

    app.blueprint(blueprint)
    assert (await ask(app, "GET", "/")).field("x-a") == "1"
    assert (await ask(app, "GET", "/files/file")).field("x-a") == files


async def test_static_files_say_that_text_is_utf8(tmp_path):
    kinds = {"a.txt": "text/plain", "a.html": "text/html", "a.png": "image/png", "a.unknown": None}
    for name in kinds:
        (tmp_path / name).write_text("x")

    async def types(**options: str) -> list[str]:
        app = Sanic("app")
        app.static("/", str(tmp_path), **options)
        return [(await ask(app, "GET", f"/{name}")).field("content-type") for name in kinds]

    assert await types() == ["text/plain", "text/html", "image/png", "text/plain"]
    compat("20.12")
    assert await types() == ["text/plain", "text/html", "image/png", "text/plain"]
    compat("21.3")
    utf8 = "; charset=utf-8"
    wanted = [f"text/plain{utf8}", f"text/html{utf8}", "image/png", "application/octet-stream"]
    assert await types() == wanted
    assert await types(content_type="text/x; charset=latin-1") == ["text/x; charset=latin-1"] * 4
    assert await types(content_type="text/x") == [f"text/x{utf8}"] * 4


@pytest.mark.parametrize(
    ("release", "value"), [("0.8", "yes"), ("18.12", "yes"), ("19.3", True), ("21.12", True)]
)
def test_words_in_the_environment_are_truth_values_since_19_3(release, value, monkeypatch):
    monkeypatch.setenv("SANIC_WORD", "yes")
    compat(release)
    assert Sanic("app").config.WORD == value


async def test_error_pages_are_html_alone_until_20_6():
    compat("20.6")
    app = Sanic("app")
    app.config.FALLBACK_ERROR_FORMAT = "json"
    headers = {"content-type": "application/json"}
    found = await ask(app, "GET", "/<b>", headers=headers)
    assert (found.status, found.field("content-type")) == (404, "text/html; charset=utf-8")
    assert found.text == (
        "<!DOCTYPE html><meta charset=UTF-8><title>404 — Not Found</title>"
        "<style>html { font-family: sans-serif }</style>\n"
        "<h1>⚠️ 404 — Not Found</h1><p>Requested URL /&lt;b> not found\n"
    )
    compat("20.9")
    app = Sanic("app")
    app.config.FALLBACK_ERROR_FORMAT = "json"
    assert (await ask(app, "GET", "/none")).field("content-type") == "application/json"
