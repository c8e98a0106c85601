"""Who waits for a slow peer, and when: the flow alone, without a wire."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import ClientDisconnected, Limits, WriteBufferFull
from streamcompat_engine.exchange.flow import CHUNK_COST, Flow

HARD = 10 * (100 + CHUNK_COST)


def flow() -> Flow:
    return Flow(Limits(outbound_hard=HARD), anyio.Event)


async def test_nobody_waits_while_the_peer_keeps_up() -> None:
    with anyio.fail_after(5):
        await flow().writable()


async def test_writers_wait_until_the_peer_has_caught_up() -> None:
    waited, order = flow(), []
    waited.block()

    async def write(name: str) -> None:
        await waited.wait(100, waited.writable)
        order.append(name)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write, "a")
            tasks.start_soon(write, "b")
            for _ in range(5):
                await anyio.lowlevel.checkpoint()
            assert order == [] and waited.blocked
            waited.unblock()
    assert sorted(order) == ["a", "b"] and not waited.blocked


async def test_a_writer_that_is_woken_while_the_peer_is_slow_again_waits_on() -> None:
    waited, done = flow(), False
    waited.block()

    async def write() -> None:
        nonlocal done
        await waited.writable()
        done = True

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(write)
            for _ in range(3):
                await anyio.lowlevel.checkpoint()
                waited.unblock()
                waited.block()
                await anyio.lowlevel.checkpoint()
                assert not done
            waited.unblock()
    assert done


async def test_dropped_writes_are_counted_up_to_the_hard_limit() -> None:
    dropped = flow()
    dropped.block()
    for _ in range(10):
        dropped.wait(100, dropped.writable)
    with pytest.raises(WriteBufferFull, match=f"{HARD} bytes wait for a slow client"):
        dropped.wait(100, dropped.writable)


async def test_tiny_writes_count_for_what_they_take_in_memory() -> None:
    dropped = flow()
    dropped.block()
    for _ in range(HARD // CHUNK_COST):
        dropped.wait(0, dropped.writable)
    with pytest.raises(WriteBufferFull):
        dropped.wait(0, dropped.writable)


async def test_a_write_that_is_awaited_is_not_dropped() -> None:
    """However often it waits, a writer that minds the peer never meets the limit."""
    minded = flow()
    with anyio.fail_after(5):
        for _ in range(50):
            minded.block()
            waits = minded.wait(100, minded.writable)
            minded.unblock()
            await waits


async def test_what_was_dropped_is_forgotten_once_the_peer_has_taken_it() -> None:
    dropped = flow()
    for _ in range(3):
        dropped.block()
        for _ in range(10):
            dropped.wait(100, dropped.writable)
        dropped.unblock()
        dropped.forget()


async def test_a_peer_that_is_gone_is_an_error_of_the_wait() -> None:
    gone = flow()
    gone.block()

    async def drain() -> None:
        await gone.writable()
        raise ClientDisconnected

    waits = gone.wait(100, drain)
    gone.unblock()
    with pytest.raises(ClientDisconnected):
        await waits
