"""A session that is a WebSocket: its times, floods and slow peers, in memory, where time stands still."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import anyio
import pytest

from streamcompat_engine import (
    ClientDisconnected,
    Exchange,
    Limits,
    ResponseStateError,
    Timeouts,
    WebSocketSettings,
)
from streamcompat_engine.drivers.memory import MemoryTransport, VirtualClock
from streamcompat_engine.drivers.service import Service
from tests.engine.unit.test_session import settle
from tests.support.frames import PING, PONG, TEXT, Frame, close, closing, frame, frames, handshake, text
from tests.support.switched import echo, receive, switch

MIB = 1024 * 1024


@asynccontextmanager
async def connected(
    app: Callable[[Exchange], Awaitable[None]], timeouts: Timeouts | None = None
) -> AsyncIterator[tuple[MemoryTransport, VirtualClock]]:
    """One connection whose handshake is done."""
    clock = VirtualClock()
    service = Service(app, Limits(), timeouts or Timeouts())
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, clock, tasks)
        await transport.client.send(handshake())
        await settle()
        assert (await transport.client.receive()).startswith(b"HTTP/1.1 101 ")
        yield transport, clock
        transport.client.disconnect()


async def test_a_silent_client_is_pinged_and_left() -> None:
    settings = WebSocketSettings(ping_interval=20, ping_timeout=10)
    async with connected(functools.partial(echo, settings=settings), Timeouts(linger=2)) as (
        transport,
        clock,
    ):
        clock.advance(20)
        (ping,) = frames(await transport.client.receive())
        assert ping.opcode == PING
        await transport.client.send(frame(PONG, ping.payload))
        clock.advance(19)
        await transport.client.send(text("hello"))
        await settle()
        assert frames(await transport.client.receive()) == [Frame(TEXT, b"hello")]
        clock.advance(20)
        assert frames(await transport.client.receive())[0].opcode == PING
        clock.advance(10)
        (found,) = frames(await transport.client.receive())
        assert found.payload[:2] == (1011).to_bytes(2, "big")
        clock.advance(2)  # it may say more, for a while
        await settle()
        assert not transport.connected


async def test_a_client_that_takes_nothing_is_left() -> None:
    ended: list[object] = []

    async def flood(exchange: Exchange) -> None:
        websocket = switch(exchange)
        try:
            while True:
                await exchange.write(websocket.message(bytes(MIB)))
        except ClientDisconnected as error:
            ended.append(type(error))
            raise
        finally:
            ended.append(websocket.code)

    async with connected(flood, Timeouts(write_stall=30)) as (transport, clock):
        clock.advance(29)
        await settle()
        assert ended == []
        clock.advance(3)
        await settle()
        assert ended == [ClientDisconnected, 1006]
        assert transport.client.reset


async def test_pings_to_a_client_that_takes_nothing_are_not_piled_up() -> None:
    async def stall(exchange: Exchange) -> None:
        websocket = switch(exchange)
        await exchange.write(websocket.message(bytes(MIB)))
        await receive(exchange, websocket)

    async with connected(stall) as (transport, _):
        for number in range(5000):
            await transport.client.send(frame(PING, b"%0125d" % number))
        await settle()
        assert transport.session.blocked and len(transport.session.connection.writer.queue) < 100


async def test_others_have_their_turns_while_a_flood_of_frames_is_taken() -> None:
    turns = 0

    async def another() -> None:
        nonlocal turns
        while True:
            await anyio.lowlevel.checkpoint()
            turns += 1

    async with connected(echo) as (transport, _), anyio.create_task_group() as tasks:
        tasks.start_soon(another)
        await transport.client.send(frame(PING) * 1000 + text("last"))
        assert transport.session.reading_paused
        wire = b""
        while b"last" not in wire:
            wire += await transport.client.receive()
        assert turns >= 5 and not transport.session.reading_paused
        tasks.cancel_scope.cancel()


async def test_a_closing_handshake_that_is_not_answered_ends_in_time() -> None:
    async def leave(exchange: Exchange) -> None:
        websocket = switch(exchange, WebSocketSettings(close_timeout=10))
        await receive(exchange, websocket)
        websocket.close(1000, "")
        exchange.proceed()
        while not websocket.closed:
            await exchange.changed()

    async with connected(leave, Timeouts(linger=2)) as (transport, clock):
        await transport.client.send(text("go"))
        assert frames(await transport.client.receive()) == [closing(1000)]
        clock.advance(9)
        await transport.client.send(text("talking on"))
        assert transport.session.exchange is not None
        clock.advance(1)
        await settle()
        assert transport.session.exchange is None
        clock.advance(2)
        assert not transport.connected


async def test_a_closed_one_ends_its_connection_though_the_handler_goes_on() -> None:
    go_on = anyio.Event()

    async def busy(exchange: Exchange) -> None:
        websocket = switch(exchange)
        await go_on.wait()
        assert websocket.closed

    async with connected(busy) as (transport, _):
        await transport.client.send(close(1000))
        assert frames(await transport.client.receive()) == [closing(1000)]
        assert await transport.client.receive() == b""
        transport.client.send_eof()
        assert not transport.connected and transport.session.exchange is not None
        go_on.set()
        await settle()
        assert transport.session.exchange is None and not transport.session.service.outliving


async def test_a_handler_that_returns_late_does_not_make_the_end_later() -> None:
    async def busy(exchange: Exchange) -> None:
        switch(exchange)
        await go_on.wait()

    go_on = anyio.Event()
    async with connected(busy, Timeouts(linger=2)) as (transport, clock):
        await transport.client.send(close(1000))
        assert frames(await transport.client.receive()) == [closing(1000)]
        clock.advance(1.5)
        go_on.set()
        await settle()
        assert transport.session.exchange is None and transport.connected
        clock.advance(0.5)
        assert not transport.connected


async def test_one_that_begins_while_the_server_stops_is_told_at_once() -> None:
    told: list[str] = []
    go_on = anyio.Event()

    async def late(exchange: Exchange) -> None:
        await go_on.wait()
        websocket = switch(exchange, on_stop=lambda: told.append("stop"))
        websocket.close(1001, "")
        exchange.proceed()
        await receive(exchange, websocket)

    clock = VirtualClock()
    service = Service(late, Limits(), Timeouts())
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, clock, tasks)
        await transport.client.send(handshake())
        service.stop()
        go_on.set()
        await settle()
        service.stop()
        assert told == ["stop"]
        await transport.client.send(close(1001))
        await settle()
        assert not service.sessions or transport.session.exchange is None
        transport.client.disconnect()


@pytest.mark.parametrize("begin", ["respond", "commit"])
async def test_what_has_begun_an_answer_cannot_switch(begin: str) -> None:
    failures: list[str] = []

    async def late(exchange: Exchange) -> None:
        if begin == "respond":
            exchange.respond(200, (), b"")
        else:
            exchange.start(200, ())
            exchange.commit()
        try:
            switch(exchange)
        except ResponseStateError as error:
            failures.append(str(error))
        if begin == "commit":
            exchange.finish()

    service = Service(late, Limits(), Timeouts())
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, VirtualClock(), tasks)
        await transport.client.send(handshake())
        await settle()
        assert len(failures) == 1
        assert (await transport.client.receive()).startswith(b"HTTP/1.1 200 ")
        transport.client.disconnect()


async def test_a_client_that_has_gone_already_cannot_be_switched() -> None:
    go_on = anyio.Event()
    failures: list[type] = []

    async def late(exchange: Exchange) -> None:
        await go_on.wait()
        try:
            switch(exchange)
        except ClientDisconnected as error:
            failures.append(type(error))

    service = Service(late, Limits(), Timeouts())
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, VirtualClock(), tasks)
        await transport.client.send(handshake())
        await settle()
        transport.client.disconnect()
        go_on.set()
        await settle()
    assert failures == [ClientDisconnected]
