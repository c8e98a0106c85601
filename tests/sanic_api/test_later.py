"""Names and spellings of Sanic 18.12 to 21.12."""

from __future__ import annotations

import asyncio
import os
import uuid
from datetime import date
from typing import Any

import pytest

from streamcompat.datastructures import Headers
from streamcompat.sanic_api import Blueprint, Sanic, compat, versions
from streamcompat.sanic_api.blueprint_group import BlueprintGroup
from streamcompat.sanic_api.config import Config
from streamcompat.sanic_api.exceptions import NotFound, SanicException
from streamcompat.sanic_api.headers import Accept, parse_accept, parse_forwarded, parse_host, parse_xforwarded
from streamcompat.sanic_api.models.server_types import ConnInfo
from streamcompat.sanic_api.response import empty, html, json, text
from streamcompat.sanic_api.utils import load_module_from_file_location, str_to_bool
from streamcompat.sanic_api.views import HTTPMethodView
from tests.support.exchanges import ask, request_to

pytestmark = pytest.mark.anyio


def request(app: Any, target: str = "/", method: str = "GET", **headers: str) -> Any:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return app.default_request_class.of(request_to(method, target, headers=named), app, "")


class TestResponses:
    async def test_empty(self):
        app = Sanic("app")
        app.route("/")(lambda request: empty())
        app.route("/headers")(lambda request: empty(202, {"X-A": "1"}))
        found = await ask(app, "GET", "/")
        assert (found.status, list(found.headers)) == (204, [])
        found = await ask(app, "GET", "/headers")
        assert (found.status, found.text, list(found.headers)) == (202, "", [(b"X-A", b"1")])

    def test_html_of_objects(self):
        class Page:
            def __html__(self):
                return "<p>"

        class Cell:
            def _repr_html_(self):
                return "<td>"

        assert [html(one).body for one in (Page(), Cell(), "<b>", b"<i>")] == [
            b"<p>",
            b"<td>",
            b"<b>",
            b"<i>",
        ]

    def test_dumps_of_the_app(self):
        try:
            Sanic("app", dumps=lambda value: "own")
            assert json({}).body == b"own"
            assert json({}, dumps=lambda value: "other").body == b"other"
        finally:
            Sanic("app", dumps=__import__("streamcompat.kernel.jsontext", fromlist=["json_dumps"]).json_dumps)

    async def test_a_begun_response_as_a_block(self):
        app = Sanic("app")

        @app.route("/")
        async def handler(request):
            async with await request.respond(content_type="text/csv") as send:
                await send("a")
                await send("b")
            assert request.responded

        found = await ask(app, "GET", "/")
        assert (found.text, found.field("content-type"), found.finished) == ("ab", "text/csv", True)


class TestRequests:
    def test_arguments_of_the_query(self):
        one = request(Sanic("app"), "/?a=1&b=&a=2")
        assert one.query_args == [("a", "1"), ("a", "2")]
        assert one.get_query_args(keep_blank_values=True) == [("a", "1"), ("b", ""), ("a", "2")]
        assert one.get_args(keep_blank_values=True) == {"a": ["1", "2"], "b": [""]}
        assert one.get_args() == one.args
        assert (request(Sanic("app")).query_args, request(Sanic("app")).get_args()) == ([], {})
        with pytest.raises(ValueError):
            request(Sanic("app"), "/?a").get_args(strict_parsing=True)

    def test_ids(self):
        app = Sanic("app")
        made = request(app)
        assert made.id == made.id
        assert isinstance(made.id, uuid.UUID)
        known = uuid.uuid4()
        given = [request(app, x_request_id=text).id for text in (str(known), "17", "abc")]
        assert given == [known, 17, "abc"]
        app.config.REQUEST_ID_HEADER = "X-Other"
        assert request(app, x_other="5").id == 5

    async def test_the_route(self):
        app = Sanic("app")
        seen = []

        @app.middleware("request")
        def early(request):
            seen.append((request.name, request.endpoint))

        @app.get("/x/<a:int>", ctx_label="one", ignore_body=True, unquote=False)
        async def handler(request, a):
            return text(
                f"{request.name} {request.route.ctx.label} {request.route.path} {request.uri_template}"
            )

        assert (await ask(app, "GET", "/x/1")).text == "app.handler one x/<a:int> /x/<a:int>"
        assert (await ask(app, "GET", "/none")).status == 404
        assert seen == [("app.handler", None), (None, None)]
        with pytest.raises(TypeError, match="unknown"):
            app.get("/y", unknown=1)

    def test_the_head(self):
        one = request(Sanic("app"), accept="text/*;q=0.5, application/json, */*;q=0.1")
        assert one.accept == ["application/json", "text/*;q=0.5", "*/*;q=0.1"]
        assert "text/html" in one.accept
        assert one.accept[0].match("application/json")

    def test_connections(self):
        app = Sanic("app")
        one = request(app)
        assert isinstance(one.conn_info, ConnInfo)
        assert one.conn_info.client_ip == one.ip
        one.conn_info.ctx.number = 1
        assert one.conn_info.ctx.number == 1
        assert not one.conn_info.ssl

    def test_urls(self):
        app = Sanic("app")
        app.route("/x/<a>", name="x")(lambda request, a: text(a))
        assert request(app, host="a.example:8000").url_for("x", a="1") == "http://a.example:8000/x/1"
        app.config.PROXIES_COUNT = 1
        proxied = request(
            app, x_forwarded_for="1.2.3.4", x_forwarded_proto="https", x_forwarded_host="b.example"
        )
        assert proxied.url_for("x", a="1") == "https://b.example/x/1"
        assert (proxied.server_name, proxied.server_port, proxied.server_path) == ("b.example", 443, "/")
        app.config.SERVER_NAME = "https://c.example"
        assert request(app).url_for("x", a="1") == "https://c.example/x/1"
        assert request(app).server_name == "c.example"


PROXIES = [
    ({}, {"x-forwarded-for": "1.1.1.1"}, None),
    ({"PROXIES_COUNT": 1}, {"x-forwarded-for": "1.1.1.1, 2.2.2.2"}, {"for": "2.2.2.2"}),
    ({"PROXIES_COUNT": 2}, {"x-forwarded-for": "1.1.1.1, 2.2.2.2"}, {"for": "1.1.1.1"}),
    ({"PROXIES_COUNT": 3}, {"x-forwarded-for": "1.1.1.1, 2.2.2.2"}, None),
    ({"PROXIES_COUNT": 1}, {"x-forwarded-for": "unknown"}, {}),
    ({"PROXIES_COUNT": 1}, {"x-forwarded-for": "2001:DB8::1"}, {"for": "[2001:db8::1]"}),
    ({"REAL_IP_HEADER": "X-Real-IP"}, {"x-real-ip": "3.3.3.3"}, {"for": "3.3.3.3"}),
    ({"REAL_IP_HEADER": "X-Real-IP"}, {"x-forwarded-for": "3.3.3.3"}, None),
    (
        {"PROXIES_COUNT": 1, "FORWARDED_FOR_HEADER": "X-Chain"},
        {
            "x-chain": "1.1.1.1",
            "x-scheme": "http",
            "x-forwarded-proto": "HTTPS",
            "x-forwarded-port": "x",
            "x-forwarded-path": "/a%20b",
        },
        {"for": "1.1.1.1", "proto": "https", "path": "/a b"},
    ),
]
FORWARDED = [
    ("for=1.1.1.1", None),
    ("for=1.1.1.1;secret=s", {"for": "1.1.1.1", "secret": "s"}),
    ('for="[2001:DB8::1]";by=s;proto=HTTPS', {"for": "[2001:db8::1]", "by": "s", "proto": "https"}),
    ("for=1.1.1.1;secret=s, for=2.2.2.2", {"for": "1.1.1.1", "secret": "s"}),
    ("for=1.1.1.1;secret=s, for=2.2.2.2;secret=s", {"for": "2.2.2.2", "secret": "s"}),
    ("for=1.1.1.1;secret=other", None),
    ("broken broken, for=_hidden;secret=s", {"for": "_hidden", "secret": "s"}),
    ('secret="s', None),
]


class TestProxies:
    @pytest.mark.parametrize(("settings", "fields", "found"), PROXIES)
    def test_fields_count_where_the_settings_name_the_proxy(self, settings, fields, found):
        config = Config(load_env=False) | settings
        assert parse_xforwarded(Headers(fields), config) == found

    @pytest.mark.parametrize(("field", "found"), FORWARDED)
    def test_forwarded_counts_with_its_secret(self, field, found):
        assert parse_forwarded(Headers({"forwarded": field}), {"FORWARDED_SECRET": "s"}) == found
        assert parse_forwarded(Headers({"forwarded": field}), {}) is None

    @pytest.mark.parametrize("release", ["0.8", "19.3", "19.6"])
    def test_the_address_counts_once_a_proxy_is_trusted(self, release):
        compat(release)
        app = Sanic("app", load_env=False)
        assert request(app, x_forwarded_for="9.9.9.9").remote_addr == ""
        app.config.PROXIES_COUNT = 1
        assert request(app, x_forwarded_for="9.9.9.9, 8.8.8.8").remote_addr == "8.8.8.8"

    @pytest.mark.parametrize(
        ("host", "found"),
        [
            ("A.example", ("a.example", None)),
            ("a.example:80", ("a.example", 80)),
            ("[2001:db8::1]:80", ("[2001:db8::1]", 80)),
            ("a b", (None, None)),
            ("", (None, None)),
        ],
    )
    def test_hosts(self, host, found):
        assert parse_host(host) == found

    def test_a_forwarded_field_costs_no_more_than_its_length(self):
        # Each would take minutes if a failed match began again behind each character.
        for field in ("a" * 60_000, 'a="' * 20_000, "a=b;" * 20_000 + "!", ', "\\' * 20_000):
            assert parse_forwarded(Headers({"forwarded": field}), {"FORWARDED_SECRET": "s"}) is None

    def test_the_nearest_proxy_is_heard_however_much_stands_before_it(self):
        for before in (",", "!,", 'for="a,', "for=a,by=b,"):
            field = before * 5000 + "for=10.0.0.1;by=s, for=10.0.0.2"
            assert parse_forwarded(Headers({"forwarded": field}), {"FORWARDED_SECRET": "s"}) == {
                "for": "10.0.0.1",
                "by": "s",
            }

    def test_media_types(self):
        assert Accept.parse("text/html;q=0.5") < Accept.parse("text/plain")
        assert [str(one) for one in parse_accept("a/b;q=0.1, */*, c/d, e/*")] == [
            "c/d",
            "e/*",
            "*/*",
            "a/b;q=0.1",
        ]
        assert len(parse_accept("a/b," * 255)) == 255
        for broken in ("text", "text/html;q=2", "/html", "text/html;q=x", "a/b," * 256):
            with pytest.raises(SanicException) as caught:
                parse_accept(broken)
            assert caught.value.status_code == 400


class TestRoutes:
    @pytest.mark.parametrize(
        ("kind", "good", "bad"),
        [
            ("str", {"a": "a", "1": "1"}, ["", "a/b"]),
            ("float", {"1": 1.0, "-1.5": -1.5, ".5": 0.5, "1.": 1.0}, ["x", "1.2.3", "nan", "1e5"]),
            ("slug", {"a-b-1": "a-b-1"}, ["A", "a--b", "-a", "a_b"]),
            ("ymd", {"2021-02-28": date(2021, 2, 28)}, ["2021-02-30", "20210228", "2021-2-3"]),
            ("strorempty", {"": "", "a": "a"}, ["a/b"]),
        ],
    )
    async def test_types(self, kind, good, bad):
        app = Sanic("app")
        seen = []
        app.route(f"/x/<a:{kind}>/y")(lambda request, a: seen.append(a) or text("found"))
        for path in good:
            assert (await ask(app, "GET", f"/x/{path}/y")).text == "found", path
        assert seen == list(good.values())
        for path in bad:
            assert (await ask(app, "GET", f"/x/{path}/y")).status == 404, path
        if kind != "strorempty":
            assert app.url_for(app.router.routes_all[f"/x/<a:{kind}>/y"].name, a=next(iter(good))).startswith(
                "/x/"
            )

    def test_a_type_that_may_be_empty_is_alone(self):
        with pytest.raises(ValueError, match="alone"):
            Sanic("app").route("/<a:strorempty>-<b:strorempty>")(lambda request, a, b: text(a))

    async def test_a_long_path_of_several_slugs_costs_its_length(self):
        app = Sanic("app")
        app.route("/<a:slug>-<b:slug>-<c:slug>")(lambda request, a, b, c: text(a))
        assert (await ask(app, "GET", "/" + "a-" * 4000 + "!")).status == 404

    async def test_versions_and_their_prefixes(self):
        app = Sanic("app")
        blueprint = Blueprint("b", url_prefix="/b", version=2, version_prefix="/api/v")
        blueprint.route("/x")(lambda request: text("blueprint"))
        app.route("/x", version=1, version_prefix="/api/v")(lambda request: text("app"))
        app.blueprint(blueprint)
        other = Blueprint("c")
        other.route("/y")(lambda request: text("other"))
        app.blueprint(other, url_prefix="/c", version=3)
        paths = ("/api/v1/x", "/api/v2/b/x", "/v3/c/y", "/v1/x")
        found = [(await ask(app, "GET", path)).text for path in paths]
        assert found[:3] == ["app", "blueprint", "other"]
        assert found[3].startswith("Error")

    async def test_views_that_say_where_they_belong(self):
        app = Sanic("app")

        class Users(HTTPMethodView, attach=app, uri="/users/<name>"):
            def get(self, request, name):
                return text(name)

        assert (await ask(app, "GET", "/users/ann")).text == "ann"


class TestBlueprints:
    async def test_groups(self):
        app = Sanic("app")
        first, second, third = (Blueprint(name, url_prefix=f"/{name}") for name in "abc")
        inner = Blueprint.group(first, second, url_prefix="/in", version=1)
        outer = Blueprint.group(inner, third, url_prefix="/out")
        seen = []
        for one in (first, second, third):
            one.route("/")(lambda request: text("found"))

        @outer.middleware("request")
        def both(request):
            seen.append("outer")

        @inner.on_response
        def only(request, response):
            seen.append("inner")

        @inner.exception(NotFound)
        def missing(request, exception):
            return text("missing", 404)

        assert isinstance(outer, BlueprintGroup)
        assert (inner.version, outer.url_prefix, len(outer), outer[0]) == (1, "/out", 3, first)
        compat("19.12", app)
        app.blueprint(outer)
        assert (await ask(app, "GET", "/v1/out/in/a/")).text == "found"
        assert (await ask(app, "GET", "/out/c/")).text == "found"
        assert seen == ["outer", "inner", "outer"]

    @pytest.mark.parametrize(
        ("release", "seen"), [("0.8", "bbaa"), ("19.9", "bbaa"), ("19.12", "ba"), ("21.12", "ba")]
    )
    async def test_middleware_of_its_routes_by_release(self, release, seen):
        compat(release)
        app = Sanic("app")
        ran = []
        for name in "ab":
            blueprint = Blueprint(name, url_prefix=f"/{name}")
            blueprint.route("/")(lambda request: text("x"))
            blueprint.middleware("request")(lambda request, name=name: ran.append(name))
            app.blueprint(blueprint)
        await ask(app, "GET", "/b/")
        await ask(app, "GET", "/a/")
        assert sorted(ran) == sorted(seen)

    async def test_named_middleware_runs_behind_that_of_all_routes(self):
        app = Sanic("app")
        ran = []
        app.route("/a", name="a")(_named("a"))
        app.route("/b")(_named("b"))
        app.register_named_middleware(lambda request: ran.append("named"), ["app.a"])
        app.register_named_middleware(lambda request, response: ran.append("after"), ["app.a"], "response")
        app.on_request(lambda request: ran.append("all"))
        assert set(app.named_request_middleware) == {"app.a"}
        await ask(app, "GET", "/a")
        await ask(app, "GET", "/b")
        assert ran == ["all", "named", "after", "all"]
        with pytest.raises(ValueError):
            app.register_named_middleware(print, ["app.a"], "both")

    async def test_copies(self):
        app = Sanic("app")
        first = Blueprint("first", url_prefix="/first")
        first.route("/")(lambda request: text("found"))
        with pytest.raises(SanicException):
            assert first.apps
        app.blueprint(first)
        second = first.copy("second", url_prefix="/second", version=2)
        assert (first.registered, first.apps, second.apps) == (True, [app], [app])
        assert (await ask(app, "GET", "/v2/second/")).text == "found"
        second.ctx.x = 1
        assert not hasattr(first.ctx, "x")


def _named(name):
    def handler(request):
        return text(name)

    handler.__name__ = name
    return handler


class TestApps:
    def test_the_registry(self):
        app = Sanic("registered")
        assert Sanic.get_app("registered") is app
        assert Sanic.get_app("made", force_create=True) is Sanic.get_app("made")
        with pytest.raises(SanicException, match="not found"):
            Sanic.get_app("nobody")
        Sanic("hidden", register=False)
        with pytest.raises(SanicException):
            Sanic.get_app("hidden")

    def test_contexts(self):
        app, other = Sanic("a"), Sanic("b", ctx={"own": 1})
        app.ctx.value = 1
        assert (app.ctx.value, other.ctx) == (1, {"own": 1})

    def test_extensions_are_refused_with_a_word(self):
        with pytest.raises(RuntimeError, match="sanic-ext"):
            Sanic("a").extend()

    async def test_listeners(self):
        app = Sanic("app")
        ran = []
        for name in ("before_server_start", "main_process_start", "after_server_start", "main_process_stop"):
            getattr(app, name)(lambda app, loop, name=name: ran.append(name))
        app.listener(lambda app, loop: ran.append("by function"), "after_server_stop")
        app.signal("server.shutdown.before")(lambda app, loop: ran.append("signal"))
        app.listener("server.init.after")(lambda app, loop: ran.append("by event"))
        life = app.lifespan()
        for step in (life.before_start, life.after_start, life.before_stop, life.after_stop):
            await step(None)
        assert ran == [
            "main_process_start",
            "before_server_start",
            "after_server_start",
            "by event",
            "signal",
            "by function",
            "main_process_stop",
        ]

    def test_settings(self, tmp_path, monkeypatch):
        app = Sanic("app", load_env=False)
        app.update_config({"A": 1, "b": 2})
        path = tmp_path / "settings.py"
        path.write_text("C = 3\nd = 4\n")
        monkeypatch.setenv("FOLDER", str(tmp_path))
        app.update_config("${FOLDER}/settings.py")
        app.update_config(type("Own", (), {"E": 5, "f": 6}))
        assert {name: app.config.get(name) for name in "AbCdEf"} == {
            "A": 1, "b": None, "C": 3, "d": None, "E": 5, "f": None,
        }  # fmt: skip
        with pytest.raises(SanicException, match="NOTHING"):
            load_module_from_file_location("${NOTHING}/x.py")

    def test_prefixes_and_types_of_variables(self, monkeypatch):
        for name in list(os.environ):
            if name.startswith(("SANIC_", "MINE_")):
                monkeypatch.delenv(name)
        monkeypatch.setenv("MINE_FLAG", "off")
        monkeypatch.setenv("MINE_NUMBER", "1")
        assert Sanic("app", env_prefix="MINE_").config.FLAG == "off"
        compat("19.12")
        config = Config(env_prefix="MINE_")
        assert (config.FLAG, config.NUMBER) == (False, 1)
        config = Config(
            env_prefix="MINE_", converters=[lambda text: {"off": "own"}[text] if text == "off" else int("x")]
        )
        assert (config.FLAG, config.NUMBER) == ("own", 1)
        assert not hasattr(Sanic("app", env_prefix="").config, "FLAG")

    @pytest.mark.parametrize(("word", "value"), [("yes", True), ("Off", False), ("1", True), ("2", None)])
    def test_words(self, word, value):
        if value is None:
            with pytest.raises(ValueError):
                str_to_bool(word)
        else:
            assert str_to_bool(word) is value

    def test_the_release_is_what_was_chosen(self):
        import streamcompat.sanic_api as sanic

        assert sanic.__version__ == "0.8.3"
        compat("21.12")
        assert sanic.__version__ == "21.12.2"
        compat("20.3")
        assert (sanic.__version__, versions.chosen()) == ("20.3.0", (20, 3))


class TestTasks:
    @pytest.fixture
    def anyio_backend(self):
        return "asyncio"

    async def test_named_tasks(self):
        app = Sanic("app")
        with pytest.raises(RuntimeError):
            app.add_task(lambda: None, name="early")
        app.started(asyncio.get_running_loop(), None)
        task = app.add_task(asyncio.Event().wait(), name="waits")
        assert app.get_task("waits") is task
        assert list(app.tasks) == [task]
        await app.cancel_task("waits")
        assert task.cancelled()
        app.purge_tasks()
        assert app.get_task("waits", raise_exception=False) is None
        with pytest.raises(SanicException):
            app.get_task("waits")
        app.stopped()
