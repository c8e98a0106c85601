"""Streaming functions on a stack of their own: a dropped write waits there, and nothing else is different."""

from __future__ import annotations

import asyncio
import contextvars
import csv
import io
import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import Exchange, WriteBufferFull
from tests.support.clients import get, post
from tests.support.servers import DRIVERS, PATIENCE, Gate, eventually, every_driver, serve

CHUNK = bytes(200_000)  # above every mark, so that each write of one waits
Stream = Callable[[Exchange], Awaitable[Any]]
variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="unset")


def streaming(function: Stream) -> Stream:
    """An app that answers with what a streaming function writes."""

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        await exchange.run(function(exchange))  # type: ignore[arg-type]
        exchange.finish()

    return app


def body_of(function: Stream, driver: str, *, receive_buffer: int = 4096, **expected: Any) -> bytes:
    """What a client gets that reads slowly enough to make every large write wait."""
    with serve(streaming(function), driver, **expected) as served:
        with served.connect(receive_buffer) as client:
            client.send(get())
            return client.response().body


@every_driver
def test_a_dropped_write_waits_and_others_run_meanwhile(driver: str) -> None:
    gate = Gate()
    written = 0

    async def stream(exchange: Exchange) -> None:
        nonlocal written
        if exchange.head.target == b"/other":
            exchange.write(b"%d" % written)
            return
        for _ in range(100):
            exchange.write(CHUNK)
            written += 1
        await gate.wait()

    with serve(streaming(stream), driver) as served, served.connect(4096) as client:
        client.send(get("/slow"))
        assert client.socket.recv(1) == b"H"
        client._held = b"H"
        counts = [int(served.get("/other").body) for _ in range(20)]
        assert counts[-1] < 60
        gate.open()
        assert len(client.response().body) == 100 * len(CHUNK)


@every_driver
def test_a_write_from_deep_inside_of_something_synchronous(driver: str) -> None:
    class File:
        def __init__(self, exchange: Exchange) -> None:
            self.exchange = exchange

        def write(self, text: str) -> None:
            self.exchange.write(text.encode())

    async def stream(exchange: Exchange) -> None:
        writer = csv.writer(File(exchange))  # type: ignore[arg-type]
        writer.writerows([number, "x" * 1000] for number in range(3000))

    expected = io.StringIO()
    csv.writer(expected).writerows([number, "x" * 1000] for number in range(3000))
    assert body_of(stream, driver) == expected.getvalue().encode()


@every_driver
def test_what_belongs_to_a_task_belongs_to_it_here(driver: str) -> None:
    seen: list[Any] = []

    def current() -> object:
        return anyio.get_current_task().id, variable.get()

    async def stream(exchange: Exchange) -> str:
        seen.append(current())
        for _ in range(3):
            exchange.write(CHUNK)
            seen.append(current())
            await anyio.lowlevel.checkpoint()
            seen.append(current())
        variable.set("inside")
        return "result"

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        variable.set("outside")
        seen.append(current())
        assert await exchange.run(stream(exchange)) == "result"
        assert variable.get() == "inside"
        exchange.finish()

    with serve(app, driver) as served, served.connect(4096) as client:
        client.send(get())
        assert len(client.response().body) == 3 * len(CHUNK)
    assert len(set(seen)) == 1
    assert variable.get() == "unset"


@every_driver
def test_waiting_of_every_kind(driver: str) -> None:
    async def stream(exchange: Exchange) -> None:
        async def child(number: int) -> None:
            await anyio.lowlevel.checkpoint()
            await exchange.write(b"%d" % number)

        await anyio.sleep(0.001)
        exchange.write(CHUNK)
        with anyio.move_on_after(0.001) as scope:
            await anyio.sleep(PATIENCE)
        assert scope.cancelled_caught
        with anyio.fail_after(PATIENCE):
            exchange.write(CHUNK)
            await exchange.write(CHUNK)
        with anyio.CancelScope(shield=True):
            await anyio.lowlevel.checkpoint()
        async with anyio.create_task_group() as group:
            for number in range(3):
                group.start_soon(child, number)
            exchange.write(CHUNK)
        assert await anyio.to_thread.run_sync(lambda: 5) == 5

    body = body_of(stream, driver)
    assert len(body) == 4 * len(CHUNK) + 3


@pytest.mark.parametrize("driver", DRIVERS[:3])
def test_waiting_of_every_kind_of_asyncio(driver: str) -> None:
    async def stream(exchange: Exchange) -> None:
        outer = asyncio.current_task()
        exchange.write(CHUNK)
        assert asyncio.current_task() is outer
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await asyncio.Event().wait()
        exchange.write(CHUNK)

        async def child(data: bytes) -> None:
            assert asyncio.current_task() is not outer
            await exchange.write(data)

        await asyncio.gather(child(b"1"), child(CHUNK), child(b"3"))
        await asyncio.create_task(exchange.write(b"4"))  # type: ignore[arg-type]
        await asyncio.create_task(exchange.write(CHUNK))  # type: ignore[arg-type]
        await asyncio.wait_for(asyncio.create_task(child(b"5")), PATIENCE)
        future = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(future.set_result, b"6")
        exchange.write(await future)

    assert len(body_of(stream, driver)) == 4 * len(CHUNK) + 5


@every_driver
def test_a_timeout_interrupts_a_dropped_write(driver: str) -> None:
    """Cancellation reaches the function where it stands: in the write that nobody awaits."""
    steps: list[str] = []

    async def stream(exchange: Exchange) -> None:
        try:
            with anyio.move_on_after(0.1) as scope:  # noqa: ASYNC100
                while True:
                    exchange.write(CHUNK)
            steps.append(f"caught {scope.cancelled_caught}")
        finally:
            steps.append("finally")

    with serve(streaming(stream), driver) as served, served.connect(4096) as client:
        client.send(get())
        assert client.socket.recv(1) == b"H"
        eventually(lambda: len(steps) == 2, "the function ends")
        client._held = b"H"
        body = client.response().body
        assert body
        assert len(body) % len(CHUNK) == 0
    assert steps == ["caught True", "finally"]


@every_driver
@pytest.mark.parametrize("when", ["at once", "after a wait", "after a dropped write"])
def test_its_exceptions_reach_the_caller(driver: str, when: str) -> None:
    caught: list[BaseException] = []

    async def stream(exchange: Exchange) -> None:
        if when == "after a wait":
            await anyio.lowlevel.checkpoint()
        elif when == "after a dropped write":
            exchange.write(CHUNK)
        raise LookupError(when)

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        try:
            await exchange.run(stream(exchange))
        except LookupError as error:
            caught.append(error)
        await exchange.write(b"the end")
        exchange.finish()

    with serve(app, driver) as served, served.connect(4096) as client:
        client.send(get())
        assert client.response().body.endswith(b"the end")
    assert [error.args for error in caught] == [(when,)]
    assert traceback.extract_tb(caught[0].__traceback__)[-1].name == "stream"


@every_driver
def test_exceptions_go_in_and_out_in_both_directions(driver: str) -> None:
    """What is thrown in where it waits can be caught there, and it goes on."""
    steps: list[str] = []

    async def stream(exchange: Exchange) -> None:
        for _ in range(3):
            with anyio.move_on_after(0):
                await anyio.sleep(PATIENCE)
            try:
                with anyio.fail_after(0):
                    await anyio.sleep(PATIENCE)
            except TimeoutError as error:
                steps.append(type(error).__name__)
            try:
                raise KeyError("inner")
            except KeyError:
                exchange.write(CHUNK)
                try:
                    raise
                except KeyError as error:
                    steps.append(type(error).__name__)

    assert len(body_of(stream, driver)) == 3 * len(CHUNK)
    assert steps == ["TimeoutError", "KeyError"] * 3
    assert sys.exc_info() == (None, None, None)


@every_driver
def test_one_within_another(driver: str) -> None:
    async def stream(exchange: Exchange) -> None:
        async def inner(depth: int) -> int:
            exchange.write(CHUNK)
            if depth:
                await anyio.lowlevel.checkpoint()
                assert await exchange.run(inner(depth - 1)) == depth - 1
            exchange.write(CHUNK)
            return depth

        assert await exchange.run(inner(3)) == 3

    assert len(body_of(stream, driver)) == 8 * len(CHUNK)


@every_driver
def test_many_at_once(driver: str) -> None:
    """Streams of several connections are switched back and forth without mixing anything up."""

    async def stream(exchange: Exchange) -> None:
        name = exchange.head.target
        variable.set(name.decode())
        for number in range(20):
            exchange.write(name * 20_000)
            assert variable.get() == name.decode()
            if number % 3 == 0:
                await anyio.lowlevel.checkpoint()
        exchange.write(b"!")

    with serve(streaming(stream), driver) as served:
        clients = [served.connect(4096) for _ in range(10)]
        for number, client in enumerate(clients):
            client.send(get(f"/{number}"))
        for number, client in enumerate(clients):
            with client:
                assert client.response().body == b"/%d" % number * 400_000 + b"!"


@every_driver
def test_it_reads_while_it_writes(driver: str) -> None:
    async def stream(exchange: Exchange) -> None:
        while (piece := await exchange.receive()) is not None:
            exchange.write(piece)
            exchange.write(CHUNK)

    with serve(streaming(stream), driver) as served, served.connect(4096) as client:
        client.send(post(b"x" * 1000))
        body = client.response().body
        assert body.count(b"x") == 1000
        assert (len(body) - 1000) % len(CHUNK) == 0


@every_driver
def test_several_tasks_of_one_function_drop_their_writes(driver: str) -> None:
    """Tasks that it starts are not on its stack: what they drop is bounded by the hard limit."""

    def write_all(exchange: Exchange) -> None:
        while True:
            exchange.write(CHUNK)

    async def stream(exchange: Exchange) -> None:
        async def child() -> None:
            with pytest.raises(WriteBufferFull):
                write_all(exchange)

        async with anyio.create_task_group() as group:
            group.start_soon(child)

    with serve(streaming(stream), driver, logged=["failed"]) as served, served.connect(4096) as client:
        client.send(get())
        assert not client.response_or_cut().complete


@pytest.mark.parametrize("driver", DRIVERS[:3])  # trio does not like a step outside of its own
def test_a_function_that_is_never_resumed_is_closed(driver: str) -> None:
    """Closing the coroutine closes the function, as it would without a stack of its own."""
    steps: list[str] = []

    async def stream(exchange: Exchange) -> None:
        try:
            await anyio.sleep_forever()
        finally:
            steps.append("closed")

    async def app(exchange: Exchange) -> None:
        stepping = exchange.run(stream(exchange)).__await__()
        next(stepping)
        stepping.close()
        exchange.respond(200, (), b"")

    with serve(app, driver) as served:
        assert served.get().status == 200
    assert steps == ["closed"]
