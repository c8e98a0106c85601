"""What every driver shares, on the one in memory, whose clock moves when it is told to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import anyio.lowlevel
import pytest

from streamcompat_engine import Exchange, Limits, RequestTimeout, Timeouts, WebSocketSettings
from streamcompat_engine.drivers.memory import MemoryTransport, VirtualClock
from streamcompat_engine.drivers.service import Service
from streamcompat_engine.limits import HURRY
from tests.support.clients import get, post, request
from tests.support.frames import handshake
from tests.support.switched import switch

MIB = 1024 * 1024


@asynccontextmanager
async def connected(
    app: Callable[[Exchange], Awaitable[None]], timeouts: Timeouts, limits: Limits | None = None
) -> AsyncIterator[tuple[MemoryTransport, VirtualClock]]:
    """One connection in memory."""
    clock = VirtualClock()
    service = Service(app, limits or Limits(), timeouts)
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, clock, tasks)
        yield transport, clock
        transport.client.disconnect()


async def settle() -> None:
    """Let everybody run who can."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


async def at_once(exchange: Exchange) -> None:
    exchange.respond(200, (), b"served")


async def test_a_new_connection_brings_its_request_after_a_stop() -> None:
    """Its client sends it as soon as it is connected, so it may be on its way."""
    async with connected(at_once, Timeouts()) as (transport, clock):
        clock.advance(0.2)
        transport._service.stop()
        assert not transport.client.at_eof
        await transport.client.send(get())
        await settle()
        answer = await transport.client.receive(4096)
        assert answer.startswith(b"HTTP/1.1 200") and b"Connection: close" in answer


@pytest.mark.parametrize("age", [0.0, 0.3])
async def test_a_connection_without_a_request_ends_soon_after_a_stop(age: float) -> None:
    async with connected(at_once, Timeouts()) as (transport, clock):
        clock.advance(age)
        transport._service.stop()
        assert transport.client.at_eof == (age > 0)
        clock.advance(HURRY)
        assert transport.client.at_eof
        assert await transport.client.receive(4096) == b""


async def test_half_a_head_is_answered_soon_after_a_stop_and_nothing_lingers() -> None:
    async with connected(at_once, Timeouts()) as (transport, clock):
        await transport.client.send(get()[:9])
        clock.advance(1)
        transport._service.stop()
        clock.advance(HURRY - 0.01)
        assert not transport.client.at_eof
        clock.advance(0.01)
        assert (await transport.client.receive(4096)).startswith(b"HTTP/1.1 408")
        assert transport.client.at_eof
        assert not transport._service.sessions


@pytest.mark.parametrize("timeout", [10.0, None, 0.1])
async def test_a_peer_that_does_not_answer_a_close_is_left_soon_after_a_stop(timeout: float | None) -> None:
    """Whether the Close came after the stop or long before it."""
    for early in (False, True):
        closes = anyio.Event()

        async def app(exchange: Exchange, early: bool = early, closes: anyio.Event = closes) -> None:
            websocket = switch(exchange, WebSocketSettings(close_timeout=timeout), closes.set)
            if not early:
                await closes.wait()
            websocket.close(1001, "")
            exchange.proceed()
            while not websocket.closed:
                await exchange.changed()

        async with connected(app, Timeouts()) as (transport, clock):
            await transport.client.send(handshake())
            await settle()
            if early and timeout != 0.1:
                clock.advance(5)
            transport._service.stop()
            await settle()
            clock.advance(min(HURRY, timeout or HURRY) - 0.01)
            assert not transport.client.at_eof
            clock.advance(0.01)
            await settle()
            assert not transport._service.sessions


async def large(exchange: Exchange) -> None:
    exchange.respond(200, (), bytes(8 * MIB))


async def test_a_peer_that_takes_something_now_and_then_is_not_left() -> None:
    """The time counts from the last byte that it took, not from the first that waited."""
    async with connected(large, Timeouts(write_stall=10, keep_alive=None)) as (transport, clock):
        await transport.client.send(get())
        await settle()
        for _ in range(20):
            clock.advance(9)
            assert await transport.client.receive(1000)
        assert not transport.client.at_eof


async def test_a_peer_that_takes_what_the_system_holds_is_not_left(monkeypatch: pytest.MonkeyPatch) -> None:
    """The system takes no more bytes before a large part of what it holds has left."""
    async with connected(large, Timeouts(write_stall=10, keep_alive=None)) as (transport, clock):
        await transport.client.send(get())
        await settle()
        inside = transport.untaken()
        monkeypatch.setattr(transport, "untaken", lambda: inside)
        monkeypatch.setattr(transport, "unacknowledged", lambda: transport.client.waiting - inside)
        for _ in range(20):
            clock.advance(9)
            assert await transport.client.receive(1000)
        assert not transport.client.at_eof
        clock.advance(12)
        assert transport.client.at_eof


async def test_a_peer_that_takes_no_more_is_left() -> None:
    async with connected(large, Timeouts(write_stall=10, keep_alive=None)) as (transport, clock):
        await transport.client.send(get())
        await settle()
        clock.advance(9)
        assert await transport.client.receive(1000)
        clock.advance(9)
        assert not transport.client.at_eof
        clock.advance(3)  # with up to a second until the last byte was noticed
        assert transport.client.at_eof
        assert transport.client.reset


async def test_a_body_is_not_late_while_reading_is_paused() -> None:
    """It is, above the high-water mark and from there to the low one, and the handler is the slow side."""
    found: list[object] = []
    go_on = anyio.Event()

    async def slow(exchange: Exchange) -> None:
        try:
            found.append(await exchange.receive())
            await go_on.wait()
            while piece := await exchange.receive():
                found.append(piece)
        except RequestTimeout:
            found.append("late")

    limits = Limits(inbound_high=100, inbound_low=10)
    async with connected(slow, Timeouts(body_idle=20), limits) as (transport, clock):
        await transport.client.send(request("POST", "/", "Content-Length: 300") + b"x" * 60)
        await transport.client.send(b"y" * 60)
        await settle()
        assert (found, transport.session.reading_paused) == ([b"x" * 60], True)
        clock.advance(1000)
        go_on.set()
        await settle()
        assert (found[1:], transport.session.reading_paused) == ([b"y" * 60], False)
        clock.advance(19)
        await transport.client.send(b"z")
        clock.advance(19)
        await settle()
        assert found[2:] == [b"z"]
        clock.advance(2)
        await settle()
        assert found[3:] == ["late"]


async def test_the_lingering_begins_when_the_answer_has_left() -> None:
    async with connected(large, Timeouts(linger=2, write_stall=None)) as (transport, clock):
        await transport.client.send(post(bytes(MIB))[:1000])
        await settle()
        received = 0
        while received < 8 * MIB:
            clock.advance(1.9)
            received += len(await transport.client.receive(MIB))
            await transport.client.send(b"more")
        clock.advance(1.9)
        await transport.client.send(b"more")
        assert transport.connected
        clock.advance(2.1)
        assert not transport.connected


async def test_a_connection_is_not_idle_while_its_answer_is_taken() -> None:
    """The client has all of the keep-alive time for its next request."""
    async with connected(large, Timeouts(keep_alive=5, write_stall=None)) as (transport, clock):
        await transport.client.send(get())
        await settle()
        while transport.session.unsent():
            clock.advance(4)
            assert await transport.client.receive(MIB)
        clock.advance(4)
        await transport.client.send(get())
        await settle()
        assert transport.session.unsent()
        clock.advance(100)
        while transport.session.unsent():
            assert await transport.client.receive(MIB)
        clock.advance(6)
        assert not transport.connected


async def test_a_cancellation_of_the_applications_own_is_a_failure_like_any_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def app(exchange: Exchange) -> None:
        raise asyncio.CancelledError

    async with connected(app, Timeouts()) as (transport, _):
        await transport.client.send(get())
        await settle()
        assert (await transport.client.receive()).startswith(b"HTTP/1.1 500 ")
    assert "the application failed on GET /" in caplog.text


async def test_what_is_written_leaves_when_the_application_waits() -> None:
    """Not a turn of the loop later, and what was written in one go leaves together."""
    looked: list[bool] = []

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        for _ in range(3):
            exchange.write(b"one")
            exchange.write(b"two")
            looked.append(bool(exchange._slot._session.connection.writer.queue))
            await anyio.lowlevel.checkpoint()
            looked.append(bool(exchange._slot._session.connection.writer.queue))
        exchange.finish()

    async with connected(app, Timeouts()) as (transport, _):
        handed: list[list[bytes]] = []
        transmit = transport.transmit
        transport.transmit = lambda data: (handed.append(data), transmit(data))[1]  # type: ignore[method-assign]
        await transport.client.send(get())
        await settle()
        assert looked == [True, False] * 3
        assert [b"".join(data).count(b"two") for data in handed] == [1, 1, 1, 0]


async def test_what_another_task_writes_leaves_in_its_turn() -> None:
    """The application waits already, so nothing of its own makes it leave."""
    gate, taken = anyio.Event(), anyio.Event()

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())

        async def later() -> None:
            await gate.wait()
            exchange.write(b"later")
            await taken.wait()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(later)
        exchange.finish()

    async with connected(app, Timeouts()) as (transport, _):
        await transport.client.send(get())
        await settle()
        gate.set()
        await settle()
        assert b"later" in await transport.client.receive()
        taken.set()
        await settle()
