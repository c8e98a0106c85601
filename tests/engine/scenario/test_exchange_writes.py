"""Several tasks that write to one response, and writes that nobody awaits."""

from __future__ import annotations

import asyncio
import threading

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import (
    Exchange,
    Limits,
    WriteBufferFull,
)
from tests.support.clients import get, post
from tests.support.responses import Response
from tests.support.servers import DRIVERS, PATIENCE, Gate, every_driver, serve

# ---- several writers ----


@every_driver
def test_several_tasks_write_to_one_response(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        async def write(name: bytes) -> None:
            for number in range(50):
                await exchange.write(name * 2000 + b"%d" % number)

        exchange.start(200, ())
        async with anyio.create_task_group() as group:
            for name in (b"a", b"b", b"c", b"d"):
                group.start_soon(write, name)
        exchange.finish()

    with serve(app, driver) as served, served.connect(receive_buffer=4096) as client:
        client.send(get())
        chunks = client.response().chunks
        assert len(chunks) == 200
        for name in (b"a", b"b", b"c", b"d"):
            own = [chunk for chunk in chunks if chunk[:1] == name]
            assert own == [name * 2000 + b"%d" % number for number in range(50)]


@every_driver
def test_many_tasks_that_await_their_writes_are_no_failure(driver: str) -> None:
    """Together they may write more than the hard limit, which is for writes that nobody awaits."""
    chunk = bytes(64 * 1024)

    async def app(exchange: Exchange) -> None:
        async def write() -> None:
            for _ in range(5):
                await exchange.write(chunk)

        exchange.start(200, ())
        async with anyio.create_task_group() as group:
            for _ in range(40):
                group.start_soon(write)
        exchange.finish()

    limits = Limits(outbound_hard=128 * 1024)
    with serve(app, driver, limits=limits, send_buffer=64 * 1024) as served:
        with served.connect(64 * 1024) as client:
            client.send(get())
            assert client.response().chunks == [chunk] * 200


@every_driver
def test_a_write_can_be_a_task(driver: str) -> None:
    """A write is as good as a coroutine, whether or not it has to wait."""
    chunk = bytes(100_000)

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        async with anyio.create_task_group() as group:
            group.start_soon(exchange.write, b"x")
            group.start_soon(exchange.write, chunk)
        if served.driver != "trio":
            assert await asyncio.create_task(exchange.write(b"x")) is None  # type: ignore[arg-type]
            assert await asyncio.create_task(exchange.write(chunk)) is None  # type: ignore[arg-type]
            await asyncio.gather(*[exchange.write(data) for data in (b"x", chunk, b"x", chunk)])
            await asyncio.wait_for(exchange.write(chunk), PATIENCE)
            await asyncio.shield(exchange.write(chunk))
        exchange.finish()

    with serve(app, driver) as served, served.connect(receive_buffer=4096) as client:
        client.send(get())
        expected = {"trio": 2}.get(driver, 10)
        assert len(client.response().chunks) == expected


@every_driver
def test_a_task_that_is_cancelled_while_it_writes(driver: str) -> None:
    chunk = bytes(1_000_000)
    gate = Gate()

    async def app(exchange: Exchange) -> None:
        async def write() -> None:
            while True:
                await exchange.write(chunk)

        exchange.start(200, ())
        async with anyio.create_task_group() as group:
            group.start_soon(write)
            await gate.wait()
            group.cancel_scope.cancel()
        await exchange.write(b"last")
        exchange.finish()

    with serve(app, driver) as served, served.connect(receive_buffer=4096) as client:
        client.send(get())
        gate.until_reached()
        gate.open()
        chunks = client.response().chunks
        assert chunks[-1] == b"last"
        assert set(chunks[:-1]) == {chunk}


@every_driver
def test_one_of_several_that_wait_for_the_client_is_cancelled(driver: str) -> None:
    """The others go on when there is room."""
    gate = Gate()
    done: list[int] = []
    caught: list[bool] = []

    async def app(exchange: Exchange) -> None:
        scope = anyio.CancelScope()

        async def write(number: int) -> None:
            await exchange.drain()
            done.append(number)

        async def write_at_times() -> None:
            with scope:
                await write(0)
            caught.append(scope.cancelled_caught)

        exchange.start(200, ())
        while not exchange.blocked:
            exchange.write(bytes(100_000))
        async with anyio.create_task_group() as group:
            group.start_soon(write, 1)
            group.start_soon(write_at_times)
            group.start_soon(write, 2)
            await anyio.wait_all_tasks_blocked()
            scope.cancel()
            await anyio.wait_all_tasks_blocked()
            await gate.wait()
        exchange.finish()

    with serve(app, driver, send_buffer=64 * 1024) as served, served.connect(receive_buffer=4096) as client:
        client.send(get())
        gate.until_reached()
        assert (caught, done) == ([True], [])
        gate.open()
        client.response()
        assert sorted(done) == [1, 2]


# ---- writes that nobody awaits, outside of `run` ----


@every_driver
@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_dropped_writes_end_at_the_hard_limit(driver: str, size: int) -> None:
    """Nothing can make this application wait: the response is cut, visibly, and it is told."""
    limits = Limits(outbound_hard=300_000)

    async def app(exchange: Exchange) -> None:
        def write_all() -> None:
            while True:
                exchange.write(b"x" * size)
                most[0] = max(most[0], len(exchange._slot._session.connection.writer.queue))

        exchange.start(200, ())
        with pytest.raises(WriteBufferFull):
            write_all()
        with pytest.raises(WriteBufferFull):
            exchange.write(b"x")
        with pytest.raises(WriteBufferFull):
            exchange.finish()
        raise LookupError

    most = [0]
    with serve(app, driver, limits=limits, logged=["failed"], send_buffer=64 * 1024) as served:
        with served.connect(receive_buffer=64 * 1024) as client:
            client.send(get())
            served.until_empty()
            assert not client.response_or_cut().complete
    assert most[0] < 50_000  # tiny chunks count for more than their bytes


@every_driver
def test_dropped_writes_below_the_limit_are_all_sent(driver: str) -> None:
    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        for number in range(10_000):
            exchange.write(b"%d\n" % number)
        exchange.finish()

    with serve(app, driver) as served, served.connect() as client:
        client.send(get())
        assert client.response().body == b"".join(b"%d\n" % number for number in range(10_000))


@every_driver
def test_drain_waits_for_what_was_dropped(driver: str) -> None:
    """An echo that drops its writes and drains before each read is bounded."""
    most = [0]

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        while True:
            await exchange.drain()
            if (piece := await exchange.receive()) is None:
                break
            exchange.write(piece)
            most[0] = max(most[0], exchange._slot._session.unsent())
        exchange.finish()

    body = bytes(20_000_000)
    with serve(app, driver) as served, served.connect() as client:
        sender = threading.Thread(target=client.send, args=(post(body),))
        sender.start()
        assert client.response().body == body
        sender.join(PATIENCE)
    assert most[0] < 1024 * 1024


@pytest.mark.parametrize("driver", DRIVERS[:3])
def test_a_task_that_drains_when_the_connection_is_closing_already(driver: str) -> None:
    gate, drained = Gate(), threading.Event()
    tasks: list[asyncio.Task[None]] = []

    async def app(exchange: Exchange) -> None:
        async def drain() -> None:
            await gate.wait()
            await exchange.drain()
            drained.set()

        if exchange.head.target == b"/other":
            exchange.respond(200, (), b"other")
            return
        tasks.append(asyncio.create_task(drain()))
        exchange.respond(200, (), bytes(2_000_000))

    with (
        serve(app, driver, send_buffer=64 * 1024) as served,
        served.connect(64 * 1024) as client,
    ):
        client.send(get("/", "Connection: close"))
        assert client.socket.recv(1) == b"H"
        gate.until_reached()
        gate.open()
        for _ in range(3):
            assert served.get("/other").body == b"other"
        assert not drained.is_set()
        client._held = b"H"
        assert len(client.response().body) == 2_000_000
        assert drained.wait(PATIENCE)


@every_driver
def test_facts_of_an_exchange(driver: str) -> None:
    facts: list[object] = []

    async def app(exchange: Exchange) -> None:
        head = exchange.head
        facts.extend([head.method, head.raw_path, head.query, head.host, head.http_version])
        facts.extend([exchange.scheme, exchange.status, exchange.bytes_sent, exchange.disconnected])
        exchange.respond(202, (), b"four", b"Fine")
        facts.extend([exchange.status, exchange.bytes_sent])
        assert exchange.transport is not None

    with serve(app, driver) as served, served.connect() as client:
        client.send(get("/a%20b?c=d"))
        answer: Response = client.response()
        assert (answer.reason, answer.headers[b"content-length"]) == (b"Fine", b"4")
        assert b"date" in answer.headers
    assert facts == ["GET", b"/a%20b", b"c=d", "test", "1.1", "http", None, 0, False, 202, 4]
