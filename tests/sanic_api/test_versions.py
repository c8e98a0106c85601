"""Sanic's releases: what they spell in different ways is one; the switch decides where they contradict."""

from __future__ import annotations

import logging

import anyio
import pytest

from streamcompat.sanic_api import Blueprint, Sanic, compat, versions
from streamcompat.sanic_api.exceptions import SanicException, Unauthorized
from streamcompat.sanic_api.handlers import ErrorHandler
from streamcompat.sanic_api.request import Request
from streamcompat.sanic_api.response import file, file_stream, text
from streamcompat.site import Site
from tests.support.commands import serve_command
from tests.support.exchanges import ask, request_to

OLD = ["0.5", "0.6", "0.7"]


def request(**headers):
    app = Sanic("app", load_env=False)
    return app.default_request_class.of(request_to("GET", "/", headers=headers), app, "")


@pytest.mark.parametrize(
    ("release", "ip"),
    [
        ("0.5.4", ("192.0.2.1", 5000)),
        ("0.6", ("192.0.2.1", 5000)),
        ("0.7", "192.0.2.1"),
        ("0.8.3", "192.0.2.1"),
    ],
)
def test_the_clients_address(release, ip):
    compat(release)
    assert request().ip == ip
    assert request().socket == ("192.0.2.1", 5000)


@pytest.mark.parametrize(
    ("release", "header", "token"),
    [
        ("0.5", "Bearer Token x", "x"),
        ("0.5", "Bearer x", "Bearer x"),
        ("0.6", "Bearer Token x", "Token x"),
        ("0.6", "Bearer x", "x"),
        ("0.8", "Token x", "x"),
        ("0.8", "Basic x", "Basic x"),
    ],
)
def test_the_token(release, header, token):
    compat(release)
    assert request(authorization=header).token == token


@pytest.mark.parametrize("release", versions.RELEASES)
def test_no_token(release):
    compat(release)
    assert request().token is None


@pytest.mark.parametrize("release", versions.RELEASES)
def test_a_scheme_by_position_or_by_name(release):
    compat(release)
    quoted = "'r'" if release in ("0.5", "0.6", "0.7") else '"r"'
    for error in (Unauthorized("m", "Basic", realm="r"), Unauthorized("m", scheme="Basic", realm="r")):
        assert error.headers == {"WWW-Authenticate": f"Basic realm={quoted}"}
        assert error.status_code == 401
    assert Unauthorized("m", 499).status_code == 499
    assert Unauthorized("m").headers == {}


class TestFiles:
    @pytest.fixture
    def location(self, tmp_path):
        path = tmp_path / "data.bin"
        path.write_bytes(b"0123456789")
        return path

    async def test_by_position_as_in_08(self, location):
        whole = await file(location, 201, "a/b", {"X-A": "b"}, "name.txt")
        assert (whole.status, whole.content_type, whole.headers["X-A"]) == (201, "a/b", "b")
        assert whole.headers["Content-Disposition"] == 'attachment; filename="name.txt"'
        assert (await file_stream(location, 203, 2, "a/b")).status == 203

    @pytest.mark.parametrize("release", ["0.7", "0.8"])
    async def test_a_type_where_it_was_before_08(self, location, release):
        compat(release)
        whole = await file(location, "a/b", {"X-A": "b"}, "name.txt")
        assert (whole.status, whole.content_type, whole.headers["X-A"]) == (200, "a/b", "b")
        whole = await file(location, None, {"X-A": "b"})
        assert (whole.status, whole.headers["X-A"]) == (200, "b")
        assert (await file(location=location)).body == b"0123456789"

    @pytest.mark.parametrize("release", ["0.5", "0.6"])
    async def test_a_range_where_it_was_before_07(self, location, release):
        class Range:
            start, end, size, total = 2, 4, 3, 10

        compat(release)
        assert (await file(location, "a/b", None, Range())).body == b"234"

    @pytest.mark.parametrize("release", OLD)
    async def test_the_size_of_a_chunk_where_it_was_before_08(self, location, release):
        compat(release)
        app = Sanic("app", load_env=False)
        app.get("/")(lambda request: file_stream(location, 4, "a/b"))
        exchange = await ask(app, "GET", "/")
        assert (exchange.status, exchange.chunks) == (200, [b"0123", b"4567", b"89"])

    async def test_too_many(self, location):
        compat("0.7")
        with pytest.raises(TypeError, match=r"file\(\) takes location, mime_type, headers, filename, _range"):
            await file(location, 1, 2, 3, 4, 5)


@pytest.mark.parametrize(
    ("release", "names"), [("0.6", ("sanic", "network")), ("0.7", ("root", "sanic.access"))]
)
async def test_the_loggers(release, names, caplog):
    compat(release)
    caplog.set_level(logging.INFO)
    app = Sanic("app", load_env=False)
    app.get("/")(lambda request: 1 / 0)
    app.started(None, None)
    await ask(app, "GET", "/")
    assert [record.name for record in caplog.records] == list(names)


@pytest.mark.parametrize(
    ("release", "status", "body"),
    [("0.6", 408, b"Error: Request Timeout"), ("0.7", 503, b"Error: Response Timeout")],
)
async def test_a_handler_that_is_too_slow(release, status, body):
    compat(release)
    app = Sanic("app", load_env=False)
    exchange = request_to("GET", "/")
    await app.answer_overdue(app.default_request_class.of(exchange, app, ""), exchange)
    assert (exchange.status, exchange.body) == (status, body)


async def test_a_removed_route_that_was_cached(app):
    app.get("/a")(lambda request: text("a"))
    app.get("/b/<x>")(lambda request, x: text(x))
    app.remove_route("/a", clean_cache=False)
    app.remove_route("/b/<x>", clean_cache=False)
    assert [(await ask(app, "GET", path)).status for path in ("/a", "/a/", "/b/1")] == [200, 200, 200]
    assert "/a" not in app.router.routes_all
    app.get("/a")(lambda request: text("new"))
    assert [(await ask(app, "GET", path)).body for path in ("/a", "/a/", "/b/1")] == [b"new", b"new", b"1"]
    app.remove_route("/a")
    assert [(await ask(app, "GET", path)).status for path in ("/a", "/a/", "/b/1")] == [404, 404, 404]


@pytest.mark.parametrize("release", versions.RELEASES)
@pytest.mark.parametrize("in_app", [False, True])
async def test_paths_are_matched_as_sent_before_08_and_since_21(release, in_app):
    app = Sanic("early", load_env=False) if in_app else None
    compat(release, app)
    app = app or Sanic("app", load_env=False)
    app.route("/<a>")(lambda request, a: text(a))
    encoded, slash = await ask(app, "GET", "/a%20b"), await ask(app, "GET", "/x%2Fy")
    if release in OLD or release == "21.12":
        assert (encoded.text, slash.text) == ("a%20b", "x%2Fy")
    else:
        assert (encoded.text, slash.status) == ("a b", 404)


@pytest.mark.parametrize("release", ["0.4", "0.9", "17.3", "18.3", "21.11", "22.3", "", "x"])
def test_another_release(release):
    with pytest.raises(ValueError, match=r"the release must be one of 0.5, 0.6, 0.7, 0.8"):
        compat(release)


def test_from_the_command_line(tmp_path):
    import httpx

    (tmp_path / "old.py").write_text(
        "from sanic import Sanic\n"
        "from sanic.response import text\n"
        "app = Sanic(__name__)\n"
        "@app.route('/')\n"
        "async def index(request):\n"
        "    return text(type(request.ip).__name__)\n"
    )
    for options, kind in (([], "str"), (["--compat", "0.5"], "tuple")):
        with serve_command("old.py", "--alias", *options, cwd=tmp_path) as command:
            assert httpx.get(command.url).text == kind


# Every place where the releases contradict each other: what the handler does, and the answers of 0.5 and 0.8.
PLACES = {
    "ip": (lambda request, location: repr(request.ip), "('192.0.2.1', 5000)", "'192.0.2.1'"),
    "token": (lambda request, location: request.token, "x", "Token x"),
    "challenge": (
        lambda request, location: Unauthorized("m", scheme="Basic", realm="r").headers["WWW-Authenticate"],
        "Basic realm='r'",
        'Basic realm="r"',
    ),
}


def every_place(location):
    """An app with a handler for each place."""
    app = Sanic("app", load_env=False)

    def add(path, told):
        app.get(path)(lambda request: text(told(request, location)))

    for place, (told, _, _) in PLACES.items():
        add(f"/{place}", told)
    # What 0.8 takes for a status the older ones take for a content type, or for the size of a chunk.
    app.get("/file")(lambda request: file(location, 201))
    app.get("/file_stream")(lambda request: file_stream(location, 203))
    app.get("/range")(lambda request: file(location, None, None, Range()))
    app.get("/fails")(lambda request: 1 / 0)
    app.get("/slow")(lambda request: text("late"))
    return app


class Range:
    start, end, size, total = 2, 4, 3, 10


@pytest.fixture(params=["the process", "an app"])
def two_releases(request, tmp_path):
    """A site of an app of 0.5 at `/old` and one of 0.8 at `/new`, the older one by either way of choosing."""
    location = tmp_path / "data.bin"
    location.write_bytes(b"0123456789")
    new = every_place(location)
    if request.param == "the process":
        compat("0.5")
        old = every_place(location)
    else:
        old = every_place(location)
        compat("0.5", old)
    site = Site()
    site.mount(old, "/old")
    site.mount(new, "/new")
    return site


class TestTwoReleasesInOneSite:
    @pytest.mark.parametrize("place", PLACES)
    async def test_what_a_handler_sees(self, two_releases, place):
        _, older, newer = PLACES[place]
        for prefix, told in (("/old", older), ("/new", newer)):
            exchange = await ask(
                two_releases, "GET", f"{prefix}/{place}", headers={"authorization": "Bearer Token x"}
            )
            assert exchange.text == told

    async def test_the_second_argument_of_file(self, two_releases):
        """A status since 0.8; before it a content type, which a number cannot be."""
        new = await ask(two_releases, "GET", "/new/file")
        old = await ask(two_releases, "GET", "/old/file")
        assert (new.status, new.body, old.status) == (201, b"0123456789", 500)

    async def test_the_second_argument_of_file_stream(self, two_releases):
        new = await ask(two_releases, "GET", "/new/file_stream")
        old = await ask(two_releases, "GET", "/old/file_stream")
        assert (new.status, old.status) == (203, 200)
        assert new.chunks == old.chunks == [b"0123456789"]

    async def test_the_fourth_argument_of_file(self, two_releases):
        """A range before 0.7, the file's name since."""
        assert (await ask(two_releases, "GET", "/old/range")).body == b"234"
        assert (await ask(two_releases, "GET", "/new/range")).status == 500

    async def test_the_loggers(self, two_releases, caplog):
        caplog.set_level(logging.INFO)
        for prefix, names in (("/old", ["sanic", "network"]), ("/new", ["root", "sanic.access"])):
            caplog.clear()
            for app in two_releases.apps:
                app.started(None, None)
            await ask(two_releases, "GET", f"{prefix}/fails")
            assert [record.name for record in caplog.records] == names

    async def test_a_handler_that_is_too_slow(self, two_releases):
        statuses = []
        for app in (mount.app for mount in two_releases.mounts):
            exchange = request_to("GET", "/slow")
            await app.answer_overdue(app.default_request_class.of(exchange, app, ""), exchange)
            statuses.append((app.log.name, exchange.status))
        assert sorted(statuses) == [("root", 503), ("sanic", 408)]

    async def test_answers_that_are_made_at_the_same_time(self, two_releases):
        """Each handler goes on after the other has begun."""
        turn = anyio.Event()
        quotes = {}

        def register(app, name):
            @app.get("/waits")
            async def waits(request):
                if name == "first":
                    await turn.wait()
                quotes[name] = Unauthorized("m", scheme="Basic", realm="r").headers["WWW-Authenticate"][-1]
                turn.set()
                return text(name)

        old, new = two_releases.mounts[0].app, two_releases.mounts[1].app
        if old.dialect.release != (0, 5):
            old, new = new, old
        register(old, "first")
        register(new, "second")
        async with anyio.create_task_group() as group:
            group.start_soon(ask, two_releases, "GET", "/old/waits")
            await anyio.wait_all_tasks_blocked()
            group.start_soon(ask, two_releases, "GET", "/new/waits")
        assert quotes == {"first": "'", "second": '"'}

    async def test_an_error_handler_that_the_app_was_given(self, tmp_path, caplog):
        class Own(ErrorHandler):
            pass

        app = Sanic("app", load_env=False, error_handler=Own())
        compat("0.6", app)
        app.get("/")(lambda request: 1 / 0)
        await ask(app, "GET", "/")
        assert [record.name for record in caplog.records] == ["sanic"]

    def test_a_release_of_an_app_is_not_that_of_the_process(self):
        compat("0.5", Sanic("app", load_env=False))
        assert request().ip == "192.0.2.1"
        assert Sanic("other", load_env=False).dialect.release == (0, 8)

    def test_another_release_for_an_app(self):
        with pytest.raises(ValueError, match=r"the release must be one of 0.5, 0.6, 0.7, 0.8"):
            compat("0.4", Sanic("app", load_env=False))


@pytest.mark.parametrize(("release", "ip", "token"), [("0.5", (None, None), "x"), ("0.8", None, "Token x")])
def test_a_request_made_by_hand_has_the_release_of_the_process(release, ip, token):
    compat(release)
    made = Request(b"/", {"authorization": "Bearer Token x"})
    assert (made.ip, made.token) == (ip, token)


def with_parameters(release: str | None) -> Sanic:
    """An app with typed routes; a release that is chosen after they are registered decides all the same."""
    app = Sanic("app", load_env=False)

    @app.route("/text/<value>")
    @app.route("/int/<value:int>", name="whole")
    @app.route("/number/<value:number>")
    @app.route("/between/<value:int>x")
    @app.route("/decoded/<value>", unquote=True)
    async def handler(request, value):
        return text(repr(value))

    if release is not None:
        compat(release, app)
    return app


SENT_AS_IT_IS = {
    "/text/a%20b": "'a%20b'",
    "/text/a%2Fb": "'a%2Fb'",
    "/decoded/a%2Fb%20c": "'a/b c'",
}
DECODED = {"/text/a%20b": "'a b'", "/text/a%2Fb": None, "/decoded/a%2Fb%20c": None, "/decoded/a%20b": "'a b'"}
NEGATIVE = {"/int/-5": "-5", "/number/-1.5": "-1.5", "/between/-12x": "-12", "/int/-": None, "/int/--5": None}
REFUSED = dict.fromkeys(NEGATIVE)
ALWAYS = {"/int/5": "5", "/number/1.5": "1.5", "/between/12x": "12", "/int/5-": None, "/number/1-1": None}
PATHS = {
    "0.5": SENT_AS_IT_IS | REFUSED,
    "0.7": SENT_AS_IT_IS | REFUSED,
    "0.8": DECODED | REFUSED,
    "18.12": DECODED | REFUSED,
    "19.3": DECODED | NEGATIVE,
    "20.12": DECODED | NEGATIVE,
    "21.3": SENT_AS_IT_IS | NEGATIVE,
    "21.12": SENT_AS_IT_IS | NEGATIVE,
}


@pytest.mark.parametrize("of_app", [False, True], ids=["the process", "an app"])
@pytest.mark.parametrize("release", PATHS)
async def test_how_paths_are_matched(release, of_app):
    if not of_app:
        compat(release)
    app = with_parameters(release if of_app else None)
    for path, expected in (PATHS[release] | ALWAYS).items():
        found = await ask(app, "GET", path)
        assert (found.status, found.text if expected else None) == (200 if expected else 404, expected), path
    if release >= "19":
        assert app.url_for("whole", value="-5") == "/int/-5"


@pytest.mark.parametrize(("release", "files"), [("0.8", {}), ("18.12", {}), ("19.3", {"f": [("", 0)]})])
async def test_a_file_that_nobody_chose(release, files):
    compat(release)
    app = Sanic("app", load_env=False)

    @app.post("/")
    async def handler(request):
        found = {name: [(one.name, len(one.body)) for one in sent] for name, sent in request.files.items()}
        return text(repr((found, sorted(request.form))))

    body = (
        b'--x\r\nContent-Disposition: form-data; name="f"; filename=""\r\n'
        b"Content-Type: application/octet-stream\r\n\r\n\r\n--x--\r\n"
    )
    found = await ask(app, "POST", "/", body, headers={"content-type": "multipart/form-data; boundary=x"})
    assert found.text == repr((files, [] if files else ["f"]))


class Overrides(Sanic):
    async def handle_request(self, request, write_callback, stream_callback):
        await super().handle_request(request, write_callback, stream_callback)


@pytest.mark.anyio
@pytest.mark.parametrize("kind", [Sanic, Overrides])
@pytest.mark.parametrize(
    ("release", "runs"),
    [("0.8", True), ("19.9", True), ("19.12", False), ("20.12", False), ("21.3", True), ("21.12", True)],
)
async def test_request_middleware_where_no_route_matches(release, runs, kind):
    compat(release)
    app = kind("app")
    seen = []

    @app.middleware("request")
    async def before(request):
        seen.append(request.path)
        return text("maintenance", 503) if request.path.startswith("/none") else None

    @app.middleware("response")
    async def after(request, response):
        response.headers["X-After"] = "1"

    @app.post("/one")
    async def one(request):
        return text(request.body.decode())

    assert (await ask(app, "POST", "/one", b"bo", b"dy")).text == "body"
    found = await ask(app, "GET", "/none")
    assert (found.status, found.field("x-after")) == (503 if runs else 404, "1")
    assert (await ask(app, "GET", "/one")).status == 405
    assert seen == (["/one", "/none", "/one"] if runs else ["/one"])


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("release", "pair"), [("0.8", False), ("19.12", True), ("20.12", True), ("21.3", False)]
)
async def test_what_a_decorator_leaves(release, pair):
    compat(release)
    app = Sanic("app")

    @app.get("/a")
    @app.route("/b")
    async def handler(request, said="called"):
        return text(said)

    @app.websocket("/ws")
    async def echo(request, ws):
        pass

    assert [isinstance(one, tuple) for one in (handler, echo)] == [pair, pair]
    assert (handler.__name__, (await handler(None)).body) == ("handler", b"called")
    if pair:
        routes, function = handler
        assert (routes, function.__name__) == ([], "handler")
    app.add_route(handler, "/c")
    assert [(await ask(app, "GET", path)).text for path in ("/a", "/b", "/c")] == ["called"] * 3
    assert app.add_route(echo, "/d") is echo
    assert not isinstance(Blueprint("bp").route("/e")(handler), tuple)


def test_the_name_of_a_route_of_a_plugin():
    app = Sanic("app")

    def handler(request):
        return text("")

    vars(handler)["__blueprintname__"] = "plugin"
    app.route("/x")(handler)
    assert app.url_for("plugin.handler") == "/x"


@pytest.mark.parametrize(("release", "fallback"), [("0.8", True), ("20.12", True), ("21.9", False)])
def test_the_message_of_an_exception_whose_class_has_none(release, fallback):
    compat(release)

    class Own(SanicException):
        message = "own"

    class Sets(SanicException):
        def __init__(self):
            super().__init__("given")
            self.message = "set"

    assert getattr(SanicException("given"), "message", "fallback") == ("fallback" if fallback else "")
    assert str(SanicException("given")) == "given"
    assert (Own("given").message, Sets().message) == ("own", "set")
