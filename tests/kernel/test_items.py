"""`sse`, `jsonlines` and `csv_rows` in each flavour, over every implementation of an exchange."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Iterator
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from streamcompat.asgi_api import ASGIApp
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat_engine import Exchange
from tests.kernel.itemflavours import FLAVOURS, SLOW, Flavour, answer_of, each_flavour, everywhere
from tests.support.implementations import ClientEnd, Request


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
@pytest.mark.parametrize("heartbeat", [0, -1.0, float("nan")])
def test_a_heartbeat_that_cannot_be_waited_for(flavour: Flavour, heartbeat: float) -> None:
    """Without a wait it would send heartbeats as fast as it can."""
    with pytest.raises(ValueError, match=f"not after {heartbeat}$"):
        flavour.helpers.sse([], heartbeat=heartbeat)


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
