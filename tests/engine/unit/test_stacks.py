"""The stacks of streaming functions: one serves many, few are kept, and without greenlet there are none."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import gc
import weakref
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import greenlet

from streamcompat_engine import Exchange, drive, wait
from tests.engine.unit.test_suspension import CHUNK, streaming, variable
from tests.support.clients import get
from tests.support.commands import serve_program
from tests.support.servers import PATIENCE, Gate, eventually, every_driver, serve

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
