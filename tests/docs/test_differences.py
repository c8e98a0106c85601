"""The page on the differences: for each of its rows it is known what shows that it is true.

The rule: a row is held by the records of the originals (where `declared.json` names it), by the tests that
`shown.toml` names for it, or by a test of this file. A row that none of them holds fails.
"""

from __future__ import annotations

import itertools
import json
import re
import tomllib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.mach9_api.router import Router as Mach9Router
from streamcompat.sanic_api import Blueprint, Sanic, compat
from streamcompat.sanic_api.exceptions import NotFound, SanicException
from streamcompat.sanic_api.response import stream, text
from streamcompat.testing import Client
from streamcompat_engine import Limits, WebSocketSettings
from tests.asgi.peer import Peer
from tests.support.commands import ROOT
from tests.support.exchanges import ask

HERE = Path(__file__).parent
TESTS = HERE.parent
PAGE = (ROOT / "docs" / "differences.md").read_text()
RECORDS = TESTS / "parity" / "originals"
SHOWN: dict[str, list[str]] = tomllib.loads((HERE / "shown.toml").read_text())
"""The tests that show a row, by its subject."""
HELD_HERE: set[str] = set()

Test = Callable[..., Awaitable[None] | None]


def shows(*subjects: str) -> Callable[[Test], Test]:
    """Marks a test of this file that shows rows of the page."""
    HELD_HERE.update(subjects)
    return lambda test: test


def subjects() -> list[str]:
    """The first column of each table of the page, without the heads."""
    rows = re.findall(r"^\| (.*?) \|", PAGE, flags=re.MULTILINE)
    return [row for row in rows if row != "subject"]


def held_by_records() -> set[str]:
    declared = [
        json.loads((RECORDS / name).read_text()) for name in ("declared.json", "declared_since_18.json")
    ]
    cases = itertools.chain.from_iterable(one.values() for one in declared)
    return {subject for case in cases for answer in case.values() for subject in answer["why"]}


def names_of(path: Path) -> set[str]:
    """The tests in a file, as `test_a` or `TestA::test_b`."""
    found, within = set(), ""
    for indented, kind, name in re.findall(r"(?m)^( {4})?(?:async )?(class|def) (\w+)", path.read_text()):
        if kind == "class":
            within = name
        else:
            found.add(f"{within}::{name}" if indented else name)
    return found


def test_each_row_is_held() -> None:
    held = held_by_records() | SHOWN.keys() | HELD_HERE
    assert [row for row in subjects() if row not in held] == []


def test_what_holds_a_row_is_of_a_row() -> None:
    assert sorted((SHOWN.keys() | HELD_HERE) - set(subjects())) == []


def test_each_test_that_is_named_exists() -> None:
    named = sorted({test.partition("::")[::2] for tests in SHOWN.values() for test in tests})
    assert [] not in SHOWN.values()
    for file, tests in itertools.groupby(named, key=lambda one: one[0]):
        there = names_of(TESTS / file)
        assert {test for _, test in tests} <= there, file


def test_rows_of_one_subject_have_a_test_each() -> None:
    for subject, rows in Counter(subjects()).items():
        assert rows == 1 or len(SHOWN[subject]) >= rows, subject


# ---- what no other test shows ----


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


def multipart(disposition: str, *between: str, start: str = "--b\r\n", end: str = "--b--\r\n") -> bytes:
    lines = "".join(f"{line}\r\n" for line in between)
    return f"{start}Content-Disposition: form-data; {disposition}\r\n{lines}\r\nx\r\n{end}".encode()


BROKEN_FORMS = {
    "a line of a multipart part's header that ends in a bare LF": (
        "multipart/form-data; boundary=b",
        multipart('name="a"\nX-A: b'),
    ),
    "a multipart delimiter without its two leading dashes": (
        "multipart/form-data; boundary=b",
        multipart('name="a"', start="b\r\n", end="b--\r\n"),
    ),
    "a multipart body without its last delimiter": (
        "multipart/form-data; boundary=b",
        multipart('name="a"', end=""),
    ),
    "more than 32 parameters in `Content-Type` or `Content-Disposition`": (
        "multipart/form-data; boundary=b" + "".join(f"; p{number}=1" for number in range(33)),
        multipart('name="a"'),
    ),
}


@shows(*BROKEN_FORMS)
@pytest.mark.anyio
@pytest.mark.parametrize("subject", BROKEN_FORMS)
async def test_a_form_that_is_broken_is_empty_and_its_parts_a_400(
    flavour: Any, subject: str, caplog: pytest.LogCaptureFixture
) -> None:
    app, response, _ = flavour

    @app.post("/form")
    async def form(request: Any) -> Any:
        return response.text(f"{len(request.form)} {len(request.files)}")

    @app.post("/parts", stream=True)
    async def parts(request: Any) -> Any:
        return response.text(str([part async for part in request.parts()]))

    kind, body = BROKEN_FORMS[subject]
    assert (await ask(app, "POST", "/form", body, headers={"content-type": kind})).text == "0 0"
    (record,) = caplog.records
    assert record.exc_info is None
    assert (await ask(app, "POST", "/parts", body, headers={"content-type": kind})).status == 400


@shows("the head of a streamed response")
@pytest.mark.anyio
@pytest.mark.parametrize("first", ["", "x", None])
async def test_the_head_leaves_with_the_first_chunk(app: Sanic, first: str | None) -> None:
    @app.get("/")
    async def handler(request: Any) -> Any:
        async def produce(response: Any) -> None:
            if first is not None:
                await response.write(first)
            raise ZeroDivisionError

        return stream(produce)

    async with Client(app) as client:
        found = await client.get("/")
    assert (found.status, found.complete) == ((500, True) if first is None else (200, False))


@shows("a Content-Length given to a whole response")
@pytest.mark.anyio
@pytest.mark.parametrize("length", ["2", "4"])
async def test_a_wrong_length_is_an_error(flavour: Any, length: str) -> None:
    app, response, _ = flavour
    app.get("/")(lambda request: response.HTTPResponse("abc", headers={"Content-Length": length}))
    async with Client(app) as client:
        found = await client.get("/")
        assert (found.status, found.complete) == (500, True)


@shows("the status line for a client of HTTP/1.0")
@pytest.mark.anyio
async def test_the_version_is_the_servers(flavour: Any) -> None:
    app, response, _ = flavour
    app.get("/")(lambda request: response.text("x"))
    async with Client(app) as client, client.connect() as connection:
        await connection.send(b"GET / HTTP/1.0\r\n\r\n")
        head = await connection.receive()
    assert head.startswith(b"HTTP/1.1 200 OK\r\n") and b"\r\ntransfer-encoding:" not in head.lower()


@shows("literal text in a route with parameters")
@pytest.mark.anyio
async def test_literal_text_is_no_expression(flavour: Any) -> None:
    app, response, _ = flavour
    for uri in ("/a.b", "/c+/<name>", "/d/<name:[a-z]{2}>"):
        app.get(uri)(lambda request, name="": response.text(name or "x"))
    for path, status in (
        *(("/a.b", 200), ("/aXb", 404), ("/c+/x", 200), ("/cc/x", 404)),
        *(("/d/ab", 200), ("/d/abc", 404), ("/d/1ab", 404)),
    ):
        assert (await ask(app, "GET", path)).status == status, path


@shows("middleware for neither `request` nor `response`")
def test_middleware_is_for_one_of_two(flavour: Any) -> None:
    app, _, _ = flavour
    for attach_to in ("both", "requests", ""):
        with pytest.raises(ValueError, match="request"):
            app.register_middleware(print, attach_to)


@shows("a `Router` of the app's own")
@pytest.mark.anyio
async def test_a_router_of_mach9s_is_asked_by_resolve() -> None:
    asked = []

    class Own(Mach9Router):
        def resolve(self, path: str, method: str, host: str | None = None) -> Any:
            asked.append(path)
            return super().resolve("/x", method, host)

    app = Mach9("app", load_env=False, router=Own())
    app.get("/x")(lambda request: mach9_response.text(request.path))
    assert (await ask(app, "GET", "/y")).text == "/y"
    assert asked == ["/y"]


@shows(
    "a client that sends fast",
    "a body that the handler does not read",
    "messages that wait for the handler",
    "a client that falls silent",
    "the number of a form's fields and files",
)
def test_the_numbers_of_the_page_are_the_defaults(flavour: Any) -> None:
    limits = Limits()
    assert (limits.inbound_high, limits.drain_size) == (128 * 1024, 256 * 1024)
    settings = WebSocketSettings()
    assert (settings.waiting_messages, settings.waiting_bytes) == (32, 64 * 1024)
    assert (settings.ping_interval, settings.ping_timeout) == (20, 20)
    config = flavour[0].config
    assert (config.FORM_MAX_FIELDS, config.WEBSOCKET_READ_LIMIT) == (1000, 64 * 1024)


@shows("`WEBSOCKET_WRITE_LIMIT`")
def test_a_limit_of_websockets_without_effect(flavour: Any) -> None:
    app, _, _ = flavour
    before = app.server_config()
    app.config.WEBSOCKET_WRITE_LIMIT = 1
    assert app.server_config() == before
    assert Limits().outbound_high == 64 * 1024


@shows("`async for message in ws`")
@pytest.mark.anyio
@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_loop_over_messages_ends_with_the_client(app: Sanic, code: int) -> None:
    ended = []

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        async for message in ws:
            ended.append(message)
        ended.append("ended")

    async with Client(app) as client, client.websocket("/") as ws:
        await ws.send("x")
        await ws.close(code)
    assert ended == ["x", "ended"]


# ---- the Sanic flavour ----


@pytest.fixture(autouse=True)
def release_afterwards() -> Iterator[None]:
    yield
    compat("0.8")


@shows("`request.body` of a streamed request")
@pytest.mark.anyio
async def test_the_body_of_a_streamed_request_is_bytes(app: Sanic) -> None:
    @app.post("/", stream=True)
    async def handler(request: Any) -> Any:
        before = (request.body, request.json, dict(request.form))
        await request.receive_body()
        return text(f"{before} {request.body!r}")

    assert (await ask(app, "POST", "/", b"abc")).text == "(b'', None, {}) b'abc'"


@shows("`is_request_stream=True`")
@pytest.mark.anyio
@pytest.mark.parametrize("said", [{}, {"is_request_stream": True}, {"is_request_stream": False}])
async def test_any_route_may_stream(said: dict[str, bool]) -> None:
    app = Sanic("app", load_env=False)
    for name, value in said.items():
        setattr(app, name, value)

    @app.post("/", stream=True)
    async def handler(request: Any) -> Any:
        return text(repr(await request.stream.get()))

    app.post("/whole")(lambda request: text(repr(request.stream)))
    assert (await ask(app, "POST", "/", b"abc")).text == "b'abc'"
    assert (await ask(app, "POST", "/whole", b"abc")).text == "None"


@shows("a path that several routes have (21.x)")
@pytest.mark.anyio
async def test_paths_that_several_routes_have(app: Sanic) -> None:
    compat("21.12", app)
    app.get("/users")(lambda request: text("users"))
    app.get("/users/<name>")(lambda request, name: text(name))
    app.get("/x/<a:int>", name="get")(lambda request, a: text(f"get {a}"))
    app.post("/x/<a:str>", name="post")(lambda request, a: text(f"post {a}"))
    assert (await ask(app, "GET", "/users/")).text == "users"
    assert (await ask(app, "GET", "/x/5")).text == "get 5"
    assert (await ask(app, "POST", "/x/5")).text == "post 5"
    refused = await ask(app, "PUT", "/x/5")
    assert (refused.status, refused.field("allow")) == (405, "GET, POST")
    first = Blueprint("first", url_prefix="/first")
    first.get("/", name="index")(lambda request: text("x"))
    app.blueprint([first, first.copy("second", url_prefix="/second")])
    assert app.url_for("first.index").rstrip("/") == "/first"
    assert app.url_for("second.index").rstrip("/") == "/second"


@shows("the order of the signals of a request")
@pytest.mark.anyio
async def test_the_order_of_signals(app: Sanic) -> None:
    compat("21.12", app)
    told: list[str] = []
    app.signal("http.routing.before")(lambda request: told.append("routing"))
    app.signal("http.middleware.before", condition={"attach_to": "request"})(
        lambda request, response: told.append("middleware")
    )

    @app.on_request
    def answers(request: Any) -> Any:
        return text("no") if request.path == "/answered" else None

    app.get("/")(lambda request: text("x"))
    assert (await ask(app, "GET", "/")).text == "x"
    assert told == ["middleware", "routing"]
    told.clear()
    assert (await ask(app, "GET", "/answered")).text == "no"
    assert told == ["middleware"]


@shows("a SanicException whose message is `None`")
@pytest.mark.parametrize(
    ("release", "said"),
    [("0.8", ["None"] * 3), ("21.3", ["None"] * 3), ("21.6", ["own", "Internal Server Error", "None"])],
)
def test_an_exception_without_a_message(release: str, said: list[str]) -> None:
    class Own(SanicException):
        message = "own"

    compat(release)
    assert [str(one) for one in (Own(None), SanicException(None, 500), NotFound(None))] == said


@shows("two apps of one name")
def test_the_last_app_of_a_name_counts() -> None:
    apps = [Sanic("of one name") for _ in range(2)]
    assert Sanic.get_app("of one name") is apps[1]


@shows("`ignore_body` of a route")
@pytest.mark.anyio
@pytest.mark.parametrize("method", ["GET", "DELETE", "POST"])
async def test_a_body_is_never_ignored(app: Sanic, method: str) -> None:
    app.route("/", methods=[method], ignore_body=True)(lambda request: text(request.body.decode()))
    assert (await ask(app, method, "/", b"abc")).text == "abc"


# ---- the Mach9 flavour ----


@shows("`channel.send(...)` that is not awaited")
@pytest.mark.anyio
async def test_a_send_that_is_not_awaited_sends(mach9: Mach9) -> None:
    @mach9.get("/")
    async def handler(request: Any) -> Any:
        async def produce(channel: Any) -> None:
            channel.send(b"one ")
            await channel.send(b"two ")
            channel.send(b"three")

        return mach9_response.stream(produce)

    assert (await ask(mach9, "GET", "/")).text == "one two three"


# ---- behind an ASGI server ----


@shows(
    "limits on heads and fields, malformed requests, the time for a head, KEEP_ALIVE_TIMEOUT, "
    "a client that takes nothing"
)
@pytest.mark.anyio
async def test_limits_of_heads_are_the_asgi_servers(flavour: Any) -> None:
    app, response, _ = flavour
    app.get("/")(lambda request: response.text(str(len(request.headers["x-long"]))))
    long = [(b"x-long", b"x" * 200_000), *((b"x-%d" % number, b"") for number in range(500))]
    assert (await Peer(headers=long).ask(app)).chunks == [b"200000"]
    async with Client(app) as client:
        assert (await client.get("/", headers={"X-Long": "x" * 200_000})).status == 431


@shows("`Connection: close` with a 413 whose body is unread")
@pytest.mark.anyio
async def test_a_refused_upload_says_close_on_the_engine_alone(flavour: Any) -> None:
    app, response, _ = flavour
    app.config.REQUEST_MAX_SIZE = 10
    app.post("/")(lambda request: response.text("x"))
    body = b"x" * 1_000_000
    peer = await Peer("POST", body=[body, b"x"]).ask(app)
    assert peer.status == 413 and b"connection" not in peer.headers
    async with Client(app) as client:
        for length, connection in (200_000, b"keep-alive"), (1_000_000, b"close"):
            async with client.connect() as connected:
                await connected.send(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % length)
                head = await connected.receive()
            assert b" 413 " in head and b"\r\nConnection: %b\r\n" % connection in head


@shows("`request.transport`")
@pytest.mark.anyio
async def test_the_transport_behind_asgi_knows_both_ends(app: Sanic) -> None:
    @app.get("/")
    async def handler(request: Any) -> Any:
        ends = [request.transport.get_extra_info(name) for name in ("peername", "sockname", "cipher")]
        return text(repr(ends))

    (found,) = (await Peer().ask(app)).chunks
    assert found.decode() == "[('192.0.2.1', 5000), ('192.0.2.2', 80), None]"
