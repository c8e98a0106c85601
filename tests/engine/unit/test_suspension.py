"""Streaming functions on a stack of their own: a dropped write waits there, and nothing else is different."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import csv
import functools
import gc
import io
import sys
import traceback
import weakref
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import greenlet
import pytest

from streamcompat_engine import Exchange, WriteBufferFull, drive, wait
from tests.support.clients import get, post
from tests.support.commands import serve_program
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


WITHOUT = """
import sys
sys.modules["greenlet"] = None  # as where it is not installed
from streamcompat_engine import Lifespan, Server, ServerConfig, WriteBufferFull

async def stream(exchange):
    if exchange.head.target == b"/awaited":
        for _ in range(50):
            await exchange.write(bytes(100_000))
        return
    try:
        while True:
            exchange.write(bytes(100_000))
    except WriteBufferFull:
        print("full", flush=True)
        raise

async def app(exchange):
    exchange.start(200, ())
    await exchange.run(stream(exchange))
    exchange.finish()

class Says(Lifespan):
    def listening(self, addresses):
        print(addresses[0], flush=True)

name = sys.argv[1]
driver = "asyncio" if name == "uvloop" else name
Server(app, ServerConfig(port=0, driver=driver, uvloop=name == "uvloop"), lifespan=Says()).run()
"""


@every_driver
def test_a_stack_serves_one_function_after_another(driver: str) -> None:
    """And nothing of the one before is left on it, neither its values nor its context."""
    stacks: list[int] = []
    seen: list[str] = []
    values: list[weakref.ref[Value]] = []

    class Value:
        pass

    async def stream(exchange: Exchange) -> None:
        stacks.append(id(greenlet.getcurrent()))
        seen.append(variable.get())
        variable.set("of another request")
        value = Value()
        values.append(weakref.ref(value))
        exchange.write(b"one")
        if exchange.head.target == b"/fails":
            raise ValueError
        await anyio.lowlevel.checkpoint()

    with serve(streaming(stream), driver, logged=["ValueError"]) as served, served.connect() as client:
        kept = served.server._service.stacks
        for _ in range(5):
            client.send(get())
            assert client.response().body == b"one"
        assert len(set(stacks)) == len(kept) == 1
        assert seen == ["unset"] * 5
        gc.collect()
        assert not any(value() for value in values)
        client.send(get("/fails"))
        assert not client.response_or_cut().complete
        assert kept == []


@every_driver
def test_many_stacks_are_not_kept(driver: str) -> None:
    stacks: set[int] = set()

    async def stream(exchange: Exchange) -> None:
        stacks.add(id(greenlet.getcurrent()))
        exchange.write(CHUNK)  # its wait keeps the stack

    with serve(streaming(stream), driver, send_buffer=4096) as served, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.connect(receive_buffer=4096)) for _ in range(50)]
        for client in clients:
            client.send(get())
        eventually(lambda: len(stacks) == 50, "every write to wait")
        for client in clients:
            assert client.response().body == CHUNK
        assert 0 < len(served.server._service.stacks) <= 32


@every_driver
def test_functions_that_wait_for_something_else_share_one_stack(driver: str) -> None:
    """A stack takes 16 KiB and more, and an event stream waits most of the time."""
    gate = Gate()
    stacks: list[int] = []

    async def stream(exchange: Exchange) -> None:
        exchange.write(b"one")
        stacks.append(id(greenlet.getcurrent()))
        await gate.wait()
        stacks.append(id(greenlet.getcurrent()))

    with serve(streaming(stream), driver) as served, contextlib.ExitStack() as stack:
        clients = [stack.enter_context(served.connect()) for _ in range(20)]
        for client in clients:
            client.send(get())
        eventually(lambda: len(stacks) == 20, "every function to wait")
        gate.open()
        for client in clients:
            assert client.response().body == b"one"
        assert (len(stacks), len(set(stacks))) == (40, 1)


def test_functions_within_functions_whose_writes_wait() -> None:
    """Each write switches to whoever runs its function then, also after others have had the stacks."""
    stacks: list[Any] = []
    log: list[tuple[int, str]] = []

    async def inner(number: int) -> int:
        for turn in range(3):
            wait(functools.partial(asyncio.sleep, 0.001 * (number + turn)))
            log.append((number, "written"))
            await asyncio.sleep(0)
        return number

    async def outer(number: int) -> int:
        await asyncio.sleep(0)
        result = await drive(inner(number), stacks)
        wait(lambda: asyncio.sleep(0))
        log.append((number, "done"))
        return result

    async def driven(number: int) -> int:
        return await drive(outer(number), stacks)

    async def main() -> list[int]:
        return await asyncio.gather(*(driven(number) for number in range(5)))

    assert asyncio.run(main()) == list(range(5))
    for number in range(5):
        assert [what for who, what in log if who == number] == ["written"] * 3 + ["done"]


def test_without_greenlet_the_hard_limit_holds(driver: str, tmp_path: Path) -> None:
    with serve_program(tmp_path, WITHOUT, driver, forked=False) as script:
        with script.connect(4096) as client:
            client.send(get("/dropped"))
            assert script.line() == "full"
            assert not client.response_or_cut().complete
        with script.connect(4096) as client:
            client.send(get("/awaited"))
            assert len(client.response().body) == 50 * 100_000
        script.process.terminate()
        assert script.process.wait(PATIENCE) == 0
        assert script.errors().count("WriteBufferFull:") == 1
