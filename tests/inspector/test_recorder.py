"""What the recorder keeps, on the driver whose clock moves when it is told to."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import pytest

from streamcompat.inspector import recorder as recording
from streamcompat.inspector.recorder import FIELDS, GATHERED, SINGLE, VALUE, Recorder
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream
from streamcompat_engine import Direction, Exchange, Limits, MemoryTransport, Service, Timeouts, VirtualClock
from tests.engine.unit.test_session import settle
from tests.support.clients import get, post, request
from tests.support.frames import CLOSE, TEXT, close, frame, handshake, text


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """A recorder has no loop."""
    return "asyncio"


async def recorded(app: Callable[[Exchange], Awaitable[None]], *requests: bytes) -> list[dict[str, Any]]:
    """What is kept of requests whose client reads everything."""
    kept = Recorder(lambda: 0.0)
    service = Service(app, Limits(), Timeouts(), observer=kept)
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, VirtualClock(), tasks)
        for request in requests:
            await transport.client.send(request)
            await settle()
        transport.client.disconnect()
        await settle()
    return kept.since(0, 10_000)[0]


async def echo(exchange: Exchange) -> None:
    exchange.start(200, ())
    while (piece := await exchange.receive()) is not None:
        await exchange.write(piece)
    exchange.finish()


async def test_an_exchange_from_its_beginning_to_its_end() -> None:
    kept = await recorded(echo, post(b"\xc3"))
    assert [(one["k"], one["x"], one.get("d")) for one in kept] == [
        ("begun", 1, None),
        ("chunk", 1, "in"),
        ("chunk", 1, "out"),
        ("sent", 1, None),
        ("ended", 1, None),
    ]
    begun, read, written, _, ended = kept
    assert (begun["method"], begun["path"]) == ("POST", "/")
    assert (read["size"], read["first"], read["cuts"]) == (1, "c3", ["character", "line"])
    assert (written["size"], written["chunks"]) == (1, 1) and written["unsent"] > 0
    assert (ended["end"], ended["status"], ended["sent"], ended["whole"]) == ("whole", 200, 1, False)


async def test_no_secret_is_kept() -> None:
    async def app(exchange: Exchange) -> None:
        exchange.respond(200, [(b"Set-Cookie", b"hidden-1")], b"ok")

    request = get("/path?key=hidden-2", "Authorization: hidden-3", "Cookie: hidden-4", "X-Key: hidden-5")
    kept = await recorded(app, request.replace(b"\r\n\r\n", b"\r\nAccept: text/plain\r\n\r\n"))
    text = json.dumps(kept)
    assert "hidden" not in text
    assert "/path?..." in text and "text/plain" in text
    assert kept[-1]["whole"]


async def test_the_route_that_answered() -> None:
    app = Sanic("app", load_env=False)

    @app.get("/item/<number:int>")
    async def item(request: Any, number: int) -> Any:
        return stream(lambda response: response.write(str(number)))

    kept = await recorded(app.handle, get("/item/5"), get("/none"))
    routes = [one["route"].partition(" ")[0] for one in kept if one["k"] == "ended"]
    assert routes == ["/item/<number:int>", ""]


async def test_a_request_that_is_rejected() -> None:
    (rejected,) = await recorded(echo, b"NOT HTTP\r\n\r\n")
    assert (rejected["k"], rejected["x"], rejected["status"]) == ("rejected", None, 400)


async def test_chunks_beyond_many_share_their_marks() -> None:
    now = 0.0
    kept = Recorder(lambda: now)
    many = 1000

    async def app(exchange: Exchange) -> None:
        nonlocal now
        exchange.start(200, ())
        for _ in range(SINGLE + many):
            now += GATHERED / 100
            await exchange.write(b"xy")
        exchange.finish()

    service = Service(app, Limits(), Timeouts(), observer=kept)
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, VirtualClock(), tasks)
        await transport.client.send(get())
        await settle()
        transport.client.disconnect()
    marks = [one for one in kept.since(0, 10_000)[0] if one["k"] == "chunk"]
    later = marks[SINGLE:]
    assert all(one["chunks"] == 1 for one in marks[:SINGLE])
    assert 10 <= len(later) <= 11
    assert sum(one["chunks"] for one in later) == many and sum(one["size"] for one in later) == 2 * many
    assert [one["t"] for one in marks] == sorted(one["t"] for one in marks)


async def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recording, "KEPT", 12)

    async def app(exchange: Exchange) -> None:
        exchange.respond(200, (), b"x" * 100_000)

    kept = Recorder()
    service = Service(app, Limits(), Timeouts(), observer=kept)
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, VirtualClock(), tasks)
        for _ in range(10):
            await transport.client.send(get())
            await settle()
            await transport.client.receive(200_000)
        transport.client.disconnect()
    found, last = kept.since(0, 1000)
    assert (len(found), last) == (12, 30)
    assert not kept._running
    assert found[-1]["k"] == "ended"


def test_a_page_goes_on_where_it_was() -> None:
    kept = Recorder()
    for number in range(5):
        kept.rejected(None, 400 + number, "")
    assert kept.since(0, 2)[1] == 2
    found, last = kept.since(2, 2)
    assert ([one["status"] for one in found], last) == ([402, 403], 4)
    assert kept.since(5, 2) == ([], 5)
    assert len(kept.since(99, 10)[0]) == 5, "a number of another run"


async def test_pauses_beyond_many_are_left_out_in_pairs() -> None:
    now = 0.0
    kept = Recorder(lambda: now)
    seen: list[Exchange] = []

    async def app(exchange: Exchange) -> None:
        nonlocal now
        seen.append(exchange)
        for _ in range(SINGLE + 100):
            for on in (True, False):
                now += GATHERED / 20
                kept.waits(exchange, Direction.OUT, on)
        exchange.respond(200, (), b"")

    service = Service(app, Limits(), Timeouts(), observer=kept)
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, VirtualClock(), tasks)
        await transport.client.send(get())
        await settle()
        transport.client.disconnect()
    waits = [one["on"] for one in kept.since(0, 10_000)[0] if one["k"] == "waits"]
    assert waits == [True, False] * (len(waits) // 2)
    assert 2 * (SINGLE + 9) <= len(waits) <= 2 * (SINGLE + 11)


async def test_a_page_that_comes_late_knows_what_runs_and_counts_right(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(recording, "KEPT", 20)
    late: list[dict[str, Any]] = []
    now = 0.0

    async def app(exchange: Exchange) -> None:
        nonlocal now
        exchange.start(200, ())
        kept.waits(exchange, Direction.OUT, True)
        now = 2.0
        kept.waits(exchange, Direction.OUT, False)
        for _ in range(100):
            await exchange.write(b"xyz")
        found, last = kept.since(0, 1000)
        late.extend(found)
        assert len(found) == 21 and kept.since(last, 1000) == ([], last), "the beginning, and what is kept"
        assert kept.since(last - 5, 1000) == (found[-5:], last), "a page that has seen the beginning"
        kept.waits(exchange, Direction.OUT, True)
        now = 3.0
        exchange.finish()

    kept = Recorder(lambda: now)
    service = Service(app, Limits(), Timeouts(), observer=kept)
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, VirtualClock(), tasks)
        await transport.client.send(get("/long"))
        await settle()
        transport.client.disconnect()
    begun, *marks = late
    assert (begun["k"], begun["path"]) == ("begun", "/long")
    assert {one["k"] for one in marks} <= {"chunk", "sent"}
    mark = max(marks, key=lambda one: one["t"] and one.get("n", 0))
    assert (marks[-1]["n"], marks[-1]["sum"], mark["size"]) == (100, 300, 3)
    found, _ = kept.since(0, 1000)
    assert found[0]["k"] != "begun", "what has ended needs none"
    assert found[-1]["pauses"] == {"in": [0, 0.0, False], "out": [2, 3.0, True]}


async def ends_as_asked(exchange: Exchange) -> None:
    """Reads the request's body, and ends as its path says."""
    if exchange.head.target == b"/large":
        exchange.body_limit = 2
    while await exchange.receive() is not None:
        pass
    exchange.start(200, ())
    await exchange.write(b"x")
    if exchange.head.target == b"/cut":
        exchange.abort()
    else:
        exchange.finish()


BAD_CHUNK = request("POST", "/", "Transfer-Encoding: chunked") + b"Z\r\n"
ENDS = {
    "whole": (post(b"12345"), "whole", ""),
    "the application gives it up": (get("/cut"), "cut", "the response was cut"),
    "the body is too large": (post(b"12345", target="/large"), "whole", "longer than 2 bytes"),
    "the framing is broken": (BAD_CHUNK, "whole", "400: a malformed chunk size"),
    "the client leaves": (post(b"12345")[:-1], "left", "the client is gone"),
}


@pytest.mark.parametrize("case", ENDS)
async def test_how_it_ended_and_why(case: str) -> None:
    sent, end, why = ENDS[case]
    ended = (await recorded(ends_as_asked, sent))[-1]
    assert (ended["k"], ended["end"]) == ("ended", end)
    assert why in ended["why"] and bool(why) == bool(ended["why"])


CLOSES = {
    "the client, with a code": (close(4002, b"done"), "closed with 4002 done"),
    "the client, without one": (frame(CLOSE), "closed with 1005"),
    "the client vanishes": (b"", "closed with 1006"),
    "the application, and the client vanishes": (text("close"), "closed with 1006"),
    "the application, with an answer": (text("close") + close(4001, b""), "closed with 4001"),
    "a message that is not valid": (frame(TEXT, b"\xff"), "closed with 1007"),
}


@pytest.mark.parametrize("case", CLOSES)
async def test_how_a_websocket_was_closed(case: str) -> None:
    app = Sanic("app", load_env=False)

    @app.websocket("/ws")
    async def serve(request: Any, ws: Any) -> None:
        async for _ in ws:
            await ws.close(4001)

    frames, why = CLOSES[case]
    ended = (await recorded(app.handle, handshake(target="/ws") + frames))[-1]
    assert ended["why"].startswith(why)


async def test_a_request_with_many_fields() -> None:
    kept = await recorded(echo, get("/", *(f"Accept: {'x' * 300}" for _ in range(40))))
    assert len(kept[0]["fields"]) == FIELDS
    assert max(len(value) for _, value in kept[0]["fields"]) == VALUE


async def test_the_messages_of_a_websocket() -> None:
    app = Sanic("app", load_env=False)

    @app.websocket("/ws")
    async def back(request: Any, ws: Any) -> None:
        await ws.send(f"you said {await ws.recv()}")
        await ws.send(b"\xc3")

    kept = await recorded(app.handle, handshake(target="/ws") + text("hé"))
    marks = [(one["d"], bytes.fromhex(one["first"]), one["cuts"]) for one in kept if one["k"] == "chunk"]
    assert marks == [("in", "hé".encode(), []), ("out", "you said hé".encode(), []), ("out", b"\xc3", [])]
    assert [one["status"] for one in kept if one["k"] in ("sent", "ended")] == [101, 101]
