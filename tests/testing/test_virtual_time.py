"""The clock that jumps: what takes no time, what takes real time, and that nothing jumps unasked."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor

import anyio
import anyio.abc
import anyio.lowlevel
import anyio.to_thread
import pytest

from streamcompat.testing.assertions import run
from streamcompat.testing.virtual_time import BlockingLoop, Jumps

BACKENDS = pytest.mark.parametrize("backend", ["asyncio", "trio"])
LONG = 3600.0


@BACKENDS
def test_a_sleep_takes_no_time(backend: str) -> None:
    async def sleeps() -> float:
        begun = anyio.current_time()
        for _ in range(100):
            await anyio.sleep(LONG)
        return anyio.current_time() - begun

    begun = time.monotonic()
    assert run(sleeps, backend) >= 100 * LONG
    assert time.monotonic() - begun < LONG


@BACKENDS
def test_the_order_of_timers_stays(backend: str) -> None:
    async def both() -> list[int]:
        order: list[int] = []

        async def one(number: int) -> None:
            await anyio.sleep(number)
            order.append(number)

        async with anyio.create_task_group() as group:
            for number in (30, 10, 20):
                group.start_soon(one, number)
        return order

    assert run(both, backend) == [10, 20, 30]


@BACKENDS
def test_a_thread_that_waits_for_a_lock_works(backend: str) -> None:
    """Its frame is that of an idle thread, as is that of a thread that was just given its job."""

    async def works() -> bool:
        done = threading.Event()
        timer = threading.Timer(0.05, done.set)
        with anyio.move_on_after(LONG) as scope:
            timer.start()
            await anyio.to_thread.run_sync(done.wait, abandon_on_cancel=True)
        return scope.cancelled_caught

    assert run(works, backend) is False


@BACKENDS
def test_a_thread_takes_real_time(backend: str) -> None:
    async def works() -> bool:
        with anyio.move_on_after(LONG) as scope:
            for _ in range(3):
                await anyio.to_thread.run_sync(time.sleep, 0.02)
        return scope.cancelled_caught

    assert run(works, backend) is False


def test_a_pool_and_an_executor_take_real_time() -> None:
    async def works() -> bool:
        try:
            async with asyncio.timeout(LONG):
                await asyncio.to_thread(time.sleep, 0.02)
                with ThreadPoolExecutor(1) as pool:
                    for _ in range(3):
                        await asyncio.wrap_future(pool.submit(time.sleep, 0.02))
        except TimeoutError:
            return False
        return True

    assert run(works, "asyncio")


@BACKENDS
def test_a_socket_takes_real_time(backend: str) -> None:
    ours, theirs = socket.socketpair()

    def answer() -> None:
        theirs.recv(1)
        theirs.sendall(b"x")

    async def asks() -> bytes:
        ours.setblocking(False)
        threading.Timer(0.05, answer).start()
        ours.send(b"?")
        with anyio.fail_after(LONG):
            await anyio.wait_readable(ours)
        return ours.recv(1)

    with ours, theirs:
        assert run(asks, backend) == b"x"


@BACKENDS
def test_time_stands_between_two_calls(backend: str) -> None:
    async def begin() -> list[str]:
        async def later() -> None:
            await anyio.sleep(LONG)
            done.append("later")

        group.start_soon(later)
        return done

    async def nothing() -> None:
        await anyio.lowlevel.checkpoint()

    @contextlib.asynccontextmanager
    async def grouped() -> AsyncIterator[anyio.abc.TaskGroup]:
        async with anyio.create_task_group() as made:
            yield made

    done: list[str] = []
    with BlockingLoop(backend) as loop:
        group = loop.enter(grouped())
        loop.call(begin)
        for _ in range(20):
            loop.call(nothing)
        assert done == []
        loop.call(anyio.sleep, LONG + 1)
        assert done == ["later"]


def test_a_thread_with_the_number_of_one_that_has_ended_is_another_one() -> None:
    """The system gives numbers again: what it does must not pass for what was there before."""

    def started() -> tuple[threading.Thread, threading.Event]:
        over = threading.Event()
        thread = threading.Thread(target=over.wait)
        thread.start()
        return thread, over

    for _ in range(100):
        first, over = started()
        jumps = Jumps()
        assert jumps.threads() == []
        over.set()
        first.join()
        second, over = started()
        found = jumps.threads()
        over.set()
        second.join()
        assert len(found) == 1
        if second.ident == first.ident:
            return
    pytest.skip("the system gave no number again")
