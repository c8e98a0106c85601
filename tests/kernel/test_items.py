"""`sse`, `jsonlines`, `csv_rows` and `download` in each flavour, over every implementation of an exchange."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import AsyncIterator, Callable, Iterator
from inspect import isawaitable
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from streamcompat.asgi_api import ASGIApp
from streamcompat.asgi_api import response as asgi_response
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat_engine import Exchange
from tests.support.asgi_apps import without_lifespan
from tests.support.clients import PATIENCE
from tests.support.implementations import IMPLEMENTATIONS, ClientEnd, Request, converse
from tests.support.responses import Response

SLOW = Request(reads=False)


async def made(response: Any) -> Any:
    """What a helper makes; `download` is awaited."""
    return await response if isawaitable(response) else response


class Flavour:
    """A flavour's helpers, and its word for sending an item."""

    def __init__(self, name: str, helpers: ModuleType, word: str) -> None:
        self.name, self.helpers, self.word = name, helpers, word

    def app(self, make: Callable[[ModuleType], Any]) -> Any:
        """An application whose only route answers what `make` makes of the helpers."""
        if self.name == "asgi":

            async def answer(scope: Any, receive: Any, send: Any) -> None:
                await (await made(make(self.helpers)))(scope, receive, send)

            return without_lifespan(answer)
        kind: Any = Sanic if self.name == "sanic" else Mach9
        app = kind("app", load_env=False)

        async def handler(request: Any) -> Any:
            return await made(make(self.helpers))

        app.add_route(handler, "/", methods=["GET", "HEAD"])
        return app


FLAVOURS = [
    Flavour("sanic", sanic_response, "write"),
    Flavour("mach9", mach9_response, "send"),
    Flavour("asgi", asgi_response, "send"),
]


PAIRS = [
    *((name, FLAVOURS[0]) for name in IMPLEMENTATIONS),
    *((name, FLAVOURS[1]) for name in ("asyncio", "trio", "asgi", "fake")),
    *((name, FLAVOURS[2]) for name in ("uvloop", "trio", "memory", "asgi")),
]
"""The flavours share what they do, so not each of them is on every implementation."""
everywhere = pytest.mark.parametrize(
    ("implementation", "flavour"), [pytest.param(*pair, id=f"{pair[0]}-{pair[1].name}") for pair in PAIRS]
)
each_flavour = pytest.mark.parametrize("flavour", [pytest.param(one, id=one.name) for one in FLAVOURS])


@pytest.fixture(autouse=True)
def _is_installed(request: pytest.FixtureRequest) -> None:
    if "implementation" in request.fixturenames:
        name = request.getfixturevalue("implementation")
        if name in ("uvloop", "trio") and importlib.util.find_spec(name) is None:
            pytest.skip(f"{name} is not installed")


def answer_of(
    implementation: str,
    app: Any,
    request: Request | None = None,
    during: Callable[[ClientEnd, Exchange], Any] | None = None,
    logged: tuple[str, ...] = (),
) -> Response:
    """The client's response; `during` runs beside the application."""

    async def run(exchange: Exchange, end: ClientEnd) -> None:
        with anyio.fail_after(PATIENCE):
            async with anyio.create_task_group() as group:
                if during is not None:
                    group.start_soon(during, end, exchange)
                await app.handle(exchange)

    return converse(implementation, run, request, logged)


def sources(items: list[Any], word: str) -> dict[str, Any]:
    """The same items from every kind of source."""

    def generator() -> Iterator[Any]:
        yield from items

    async def asynchronous() -> AsyncIterator[Any]:
        for item in items:
            await anyio.lowlevel.checkpoint()
            yield item

    async def function(writer: Any) -> None:
        for item in items:
            await getattr(writer, word)(item)

    async def yields(writer: Any) -> AsyncIterator[Any]:
        for item in items:
            yield item

    async def returns(writer: Any) -> list[Any]:
        return items

    return {
        "list": items,
        "generator": generator(),
        "asynchronous generator": asynchronous(),
        "function": function,
        "function that yields": yields,
        "function that yields at once": lambda writer: generator(),
        "function that returns": returns,
    }


@each_flavour
@pytest.mark.parametrize("kind", sources([], ""))
def test_the_same_bytes_from_every_source(flavour: Flavour, kind: str) -> None:
    rows: list[Any] = [{"a": 1, "b": "é"}, {"a": 2, "b": 'x"\n'}]
    for name, items, expected in (
        ("sse", ["a\nb", {"c": 1}], b'data: a\ndata: b\n\ndata: {"c":1}\n\n'),
        ("jsonlines", [{"a": 1}, None], b'{"a":1}\nnull\n'),
        ("csv_rows", rows, 'a,b\r\n1,é\r\n2,"x""\n"\r\n'.encode()),
    ):
        source = sources(items, flavour.word)[kind]
        app = flavour.app(lambda helpers, name=name, source=source: getattr(helpers, name)(source))
        answer = answer_of("memory", app)
        assert (answer.status, answer.body, answer.complete) == (200, expected, True), name
        fields = {field.lower(): value for field, value in answer.fields}
        assert fields[b"x-accel-buffering"] == b"no", name


@everywhere
def test_events_on_every_implementation(implementation: str, flavour: Flavour) -> None:
    items = sources(["a", "b"], flavour.word)["asynchronous generator"]
    app = flavour.app(lambda helpers: helpers.sse(items, headers={"X-A": "b"}))
    answer = answer_of(implementation, app)
    fields = {name.lower(): value for name, value in answer.fields}
    assert fields[b"content-type"] == b"text/event-stream"
    assert fields[b"cache-control"] == b"no-store"
    assert fields[b"x-accel-buffering"] == b"no"
    assert fields[b"x-a"] == b"b"
    assert (answer.status, answer.body, answer.complete) == (200, b"data: a\n\ndata: b\n\n", True)


@everywhere
def test_the_head_leaves_before_the_first_event(implementation: str, flavour: Flavour) -> None:
    """A browser opens the stream by it."""
    opened = anyio.Event()

    async def items() -> AsyncIterator[str]:
        await opened.wait()
        yield "x"

    async def wait(end: ClientEnd, exchange: Exchange) -> None:
        while not exchange.committed:
            await anyio.lowlevel.checkpoint()
        opened.set()

    app = flavour.app(lambda helpers: helpers.sse(items()))
    assert answer_of(implementation, app, during=wait).body == b"data: x\n\n"


@everywhere
def test_a_client_that_leaves_ends_a_source_that_waits(implementation: str, flavour: Flavour) -> None:
    waits = anyio.Event()
    ended: list[str] = []

    async def items() -> AsyncIterator[str]:
        try:
            yield "x"
            waits.set()
            await anyio.sleep_forever()
        finally:
            ended.append("generator")

    async def leave(end: ClientEnd, exchange: Exchange) -> None:
        await waits.wait()
        await end.leave()

    app = flavour.app(lambda helpers: helpers.sse(items()))
    answer = answer_of(implementation, app, SLOW, leave)
    assert ended == ["generator"]
    assert not answer.complete


@everywhere
@pytest.mark.parametrize("plain", [True, False])
def test_a_slow_client_is_waited_for(implementation: str, flavour: Flavour, plain: bool) -> None:
    if implementation == "fake":
        pytest.skip("its peer takes everything")
    made = 0
    row = ["x" * 10_000]
    total = 300

    def rows() -> Iterator[list[str]]:
        nonlocal made
        for _ in range(total):
            made += 1
            yield row

    async def each() -> AsyncIterator[list[str]]:
        for one in rows():
            yield one

    seen: list[int] = []

    async def read_once_it_waits(end: ClientEnd, exchange: Exchange) -> None:
        while not exchange.blocked:
            await anyio.lowlevel.checkpoint()
        for _ in range(20):  # turns in which a source that does not wait would go on
            await anyio.lowlevel.checkpoint()
        seen.append(made)
        await end.read()

    app = flavour.app(lambda helpers: helpers.csv_rows(rows() if plain else each()))
    answer = answer_of(implementation, app, SLOW, read_once_it_waits)
    assert answer.complete and len(answer.body) == total * 10_002
    assert made == total and seen[0] < total // 2, "3 MB were made for a client that reads nothing"


@everywhere
def test_a_source_that_fails_cuts_the_response(implementation: str, flavour: Flavour) -> None:
    closed: list[bool] = []

    def rows() -> Iterator[list[int]]:
        try:
            yield [1]
            yield [2]
            raise LookupError("no third row")
        finally:
            closed.append(True)

    app = flavour.app(lambda helpers: helpers.csv_rows(rows()))
    answer = answer_of(implementation, app, logged=("",) if flavour.name == "asgi" else ("failed after",))
    assert (answer.status, answer.body, answer.complete) == (200, b"1\r\n2\r\n", False)
    assert closed == [True]


@each_flavour
def test_a_source_that_fails_at_once_is_a_page_of_its_own(flavour: Flavour) -> None:
    async def items() -> AsyncIterator[int]:
        raise LookupError("none")
        yield 1

    app = flavour.app(lambda helpers: helpers.jsonlines(items()))
    answer = answer_of("memory", app)
    assert (answer.status, answer.complete) == (500, True)


@everywhere
def test_a_heartbeat_while_the_source_is_silent(implementation: str, flavour: Flavour) -> None:
    if implementation == "fake":
        pytest.skip("it is always blocked")
    beaten = anyio.Event()

    async def items() -> AsyncIterator[str]:
        await beaten.wait()
        yield "x"

    async def wait(end: ClientEnd, exchange: Exchange) -> None:
        while not exchange.bytes_sent:
            await anyio.lowlevel.checkpoint()
        beaten.set()

    app = flavour.app(lambda helpers: helpers.sse(items(), heartbeat=0.001))
    answer = answer_of(implementation, app, during=wait)
    assert answer.complete and answer.body.endswith(b"data: x\n\n")
    assert answer.body.replace(b":\n\n", b"") == b"data: x\n\n" != answer.body


@each_flavour
def test_heartbeats_do_not_pile_up_before_a_slow_client(flavour: Flavour) -> None:
    async def items() -> AsyncIterator[str]:
        while True:
            yield "x" * 60_000

    sent: list[int] = []

    async def leave(end: ClientEnd, exchange: Exchange) -> None:
        while not exchange.blocked:
            await anyio.lowlevel.checkpoint()
        for _ in range(5):
            sent.append(exchange.bytes_sent)
            await anyio.sleep(0.005)
        await end.leave()

    app = flavour.app(lambda helpers: helpers.sse(items(), heartbeat=0.001))
    answer_of("memory", app, SLOW, leave)
    assert {count % len(f"data: {'x' * 60_000}\n\n") for count in sent} == {0}, "something was sent between"


@each_flavour
@pytest.mark.parametrize(("field", "expected"), [(None, None), ("", None), ("41", "41"), ("é", "é")])
def test_the_last_event_that_a_client_had(flavour: Flavour, field: str | None, expected: str | None) -> None:
    seen = []

    async def items(writer: Any) -> AsyncIterator[str]:
        seen.append(writer.last_event_id)
        yield "x"

    headers = () if field is None else (("Last-Event-ID", field),)
    answer_of("memory", flavour.app(lambda helpers: helpers.sse(items)), Request(headers=headers))
    assert seen == [expected]


@each_flavour
def test_nothing_is_made_for_head(flavour: Flavour) -> None:
    def items() -> Iterator[str]:
        raise AssertionError("the source runs")
        yield "x"

    app = flavour.app(lambda helpers: helpers.sse(items()))
    answer = answer_of("memory", app, Request("HEAD"))
    assert (answer.status, answer.body, answer.complete) == (200, b"", True)
    assert (b"text/event-stream") in [value for _, value in answer.fields]


@each_flavour
def test_other_tasks_run_beside_a_source_that_never_waits(flavour: Flavour) -> None:
    made = 0
    seen: list[int] = []

    async def items() -> AsyncIterator[int]:
        nonlocal made
        for made in range(2000):
            yield made

    async def look(end: ClientEnd, exchange: Exchange) -> None:
        while made < 1999:
            seen.append(made)
            await anyio.lowlevel.checkpoint()

    answer_of("memory", flavour.app(lambda helpers: helpers.jsonlines(items())), during=look)
    assert max(b - a for a, b in zip(seen, seen[1:], strict=False)) < 300


def test_a_route_that_ignores_disconnects_goes_on(app: Sanic) -> None:
    """As it does in `stream`: its work matters, not its answer."""
    done: list[int] = []
    left = anyio.Event()

    async def items() -> AsyncIterator[int]:
        yield 1
        await left.wait()
        for number in (2, 3):
            yield number
            done.append(number)

    @app.get("/", on_disconnect="ignore")
    async def handler(request: Any) -> Any:
        return sanic_response.jsonlines(items())

    async def leave(end: ClientEnd, exchange: Exchange) -> None:
        while not exchange.bytes_sent:
            await anyio.lowlevel.checkpoint()
        await end.leave()
        while not exchange.disconnected:
            await anyio.lowlevel.checkpoint()
        left.set()

    answer_of("memory", app, during=leave)
    assert done == [2, 3]


def test_sanics_writes_need_not_be_awaited(app: Sanic) -> None:
    async def items(response: Any) -> None:
        for _ in range(1000):
            response.write(["x" * 1000])

    async def read(end: ClientEnd, exchange: Exchange) -> None:
        while not exchange.blocked:
            await anyio.lowlevel.checkpoint()
        await end.read()

    @app.get("/")
    async def handler(request: Any) -> Any:
        return sanic_response.csv_rows(items)

    answer = answer_of("memory", app, SLOW, read)
    assert answer.complete and len(answer.body) == 1_002_000


@each_flavour
@pytest.mark.parametrize("helper", ["sse", "jsonlines", "csv_rows"])
@pytest.mark.parametrize("source", ["text", b"bytes", {"a": 1}, 5, None])
def test_what_is_no_source(flavour: Flavour, helper: str, source: Any) -> None:
    with pytest.raises(TypeError, match=f"not from {type(source).__name__}$"):
        getattr(flavour.helpers, helper)(source)


@each_flavour
def test_a_coroutine_is_no_source(flavour: Flavour) -> None:
    async def items() -> None: ...

    coroutine = items()
    with pytest.raises(TypeError, match="pass the function itself"):
        flavour.helpers.sse(coroutine)
    coroutine.close()


@each_flavour
def test_a_wrong_parameter_fails_when_the_response_is_made(flavour: Flavour) -> None:
    with pytest.raises(TypeError):
        flavour.helpers.csv_rows([], delimeter=";")


@each_flavour
def test_an_item_that_cannot_be_encoded_leaves_the_others_whole(flavour: Flavour) -> None:
    app = flavour.app(lambda helpers: helpers.jsonlines([1, math.nan, 2]))
    answer = answer_of("memory", app)
    assert (answer.body, answer.complete) == (b"1\n", False)


def test_a_star_import_brings_only_the_originals_names() -> None:
    for module in (sanic_response, mach9_response):
        assert not {"Event", "sse", "jsonlines", "csv_rows", "download"} & set(module.__all__)


def test_asgi_applications_are_mounted() -> None:
    assert isinstance(FLAVOURS[2].app(lambda helpers: helpers.sse([])), ASGIApp)


# ---- a file with progress ----


@pytest.fixture
def large(tmp_path: Path) -> Path:
    path = tmp_path / "a b.csv"
    path.write_bytes(bytes(range(256)) * 600)
    return path


@everywhere
def test_a_download_tells_its_progress(implementation: str, flavour: Flavour, large: Path) -> None:
    told: list[tuple[int, int | None]] = []
    app = flavour.app(lambda helpers: helpers.download(large, lambda *sent: told.append(sent)))
    answer = answer_of(implementation, app)
    assert answer.body == large.read_bytes() and answer.complete
    assert answer.field(b"content-length") == [b"153600"]
    assert answer.field(b"content-type")[0].startswith(b"text/csv")
    assert answer.field(b"content-disposition") == [b'attachment; filename="a b.csv"']
    assert told == [(65536, 153600), (131072, 153600), (153600, 153600)]


@each_flavour
def test_a_progress_that_waits_and_an_empty_file(flavour: Flavour, tmp_path: Path) -> None:
    told: list[tuple[int, int | None]] = []

    async def progress(sent: int, size: int | None) -> None:
        await anyio.lowlevel.checkpoint()
        told.append((sent, size))

    (tmp_path / "empty").touch()
    answer = answer_of("memory", flavour.app(lambda helpers: helpers.download(tmp_path / "empty", progress)))
    assert (answer.body, answer.complete, told) == (b"", True, [(0, 0)])
    assert answer.field(b"content-type") == [b"application/octet-stream"]


@each_flavour
def test_a_download_whose_client_reads_nothing_or_leaves(flavour: Flavour, tmp_path: Path) -> None:
    """No piece is told for which there was no room, and nothing after the client has left."""
    path = tmp_path / "file"
    path.write_bytes(bytes(8 * 1024 * 1024))
    told: list[int] = []

    async def during(end: ClientEnd, exchange: Exchange) -> None:
        while not exchange.blocked:
            await anyio.lowlevel.checkpoint()
        blocked = len(told)
        assert told == [65536 * (number + 1) for number in range(blocked)] and told[-1] < 2 * 1024 * 1024
        await end.leave()

    app = flavour.app(lambda helpers: helpers.download(path, lambda sent, size: told.append(sent)))
    answer_of("memory", app, SLOW, during)
    assert told[-1] < 2 * 1024 * 1024


@each_flavour
def test_a_file_that_shrinks_while_it_is_downloaded_is_cut(flavour: Flavour, large: Path) -> None:
    app = flavour.app(lambda helpers: helpers.download(large, lambda sent, size: large.write_bytes(b"short")))
    answer = answer_of("memory", app, logged=("FileShrunk",))
    assert not answer.complete


@each_flavour
def test_a_file_that_is_not_there(flavour: Flavour, tmp_path: Path) -> None:
    app = flavour.app(lambda helpers: helpers.download(tmp_path / "none"))
    assert answer_of("memory", app, logged=("FileNotFoundError",)).status == 500
