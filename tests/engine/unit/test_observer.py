"""What an observer is told of an exchange, on the driver whose clock moves when it is told to."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

import anyio
import pytest

from streamcompat_engine import (
    ClientDisconnected,
    Direction,
    End,
    Exchange,
    Limits,
    MemoryTransport,
    Observer,
    OnDisconnect,
    Service,
    Timeouts,
    VirtualClock,
)
from tests.engine.unit.test_session import settle
from tests.support.clients import get, post

App = Callable[[Exchange], Awaitable[None]]


class Told(Observer):
    """Notes what it is told, with the time by the exchange's clock."""

    def __init__(self, clock: VirtualClock, wants_chunks: bool = False) -> None:
        self.clock = clock
        self.wants_chunks = wants_chunks
        self.log: list[tuple[object, ...]] = []

    def begun(self, exchange: Exchange) -> None:
        self.log.append(("begun", exchange.began))

    def sent(self, exchange: Exchange) -> None:
        self.log.append(("sent", exchange.first_byte))

    def waits(self, exchange: Exchange, direction: Direction, on: bool) -> None:
        self.log.append(("waits", direction, on))

    def chunk(self, exchange: Exchange, direction: Direction, data: bytes) -> None:
        self.log.append(("chunk", direction, data))

    def rejected(self, peer: object, status: int, reason: str) -> None:
        self.log.append(("rejected", peer, status))

    def ended(self, exchange: Exchange, end: End, now: float) -> None:
        self.log.append(("ended", end, now, exchange.status, exchange.bytes_sent))


async def told(
    app: App,
    talk: Callable[[MemoryTransport, VirtualClock], Awaitable[None]],
    wants_chunks: bool = False,
) -> list[tuple[object, ...]]:
    """What an observer is told while a client talks."""
    clock = VirtualClock()
    clock.advance(100)
    observer = Told(clock, wants_chunks)
    service = Service(app, Limits(), Timeouts(), observer=observer)
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, clock, tasks)
        await talk(transport, clock)
        await settle()
        transport.client.disconnect()
    return observer.log


async def test_a_whole_response_with_its_times() -> None:
    gate = anyio.Event()

    async def app(exchange: Exchange) -> None:
        await gate.wait()
        exchange.respond(201, (), b"hello")

    async def talk(transport: MemoryTransport, clock: VirtualClock) -> None:
        await transport.client.send(get())
        await settle()
        clock.advance(3)
        gate.set()

    assert await told(app, talk) == [
        ("begun", 100.0),
        ("sent", 103.0),
        ("ended", End.WHOLE, 103.0, 201, 5),
    ]


async def test_the_first_byte_is_that_of_the_response_and_not_of_a_100() -> None:
    async def app(exchange: Exchange) -> None:
        await exchange.read_body()
        exchange.start(200, ())
        exchange.write(b"one")
        exchange.finish()

    async def talk(transport: MemoryTransport, clock: VirtualClock) -> None:
        await transport.client.send(post(b"abc", "Expect: 100-continue")[:-3])
        await settle()
        clock.advance(2)
        await transport.client.send(b"abc")

    log = await told(app, talk)
    assert ("sent", 102.0) in log
    assert log[-1][:2] == ("ended", End.WHOLE)


async def test_a_response_that_is_cut_and_a_client_that_leaves() -> None:
    async def cuts(exchange: Exchange) -> None:
        exchange.start(200, ())
        exchange.write(b"one")
        exchange.abort()

    async def waits(exchange: Exchange) -> None:
        exchange.start(200, ())
        exchange.write(b"one")
        await exchange.receive()

    async def ask(transport: MemoryTransport, clock: VirtualClock) -> None:
        await transport.client.send(get())

    async def leave(transport: MemoryTransport, clock: VirtualClock) -> None:
        await transport.client.send(post(b"abc")[:-3])
        await settle()
        transport.client.disconnect()

    assert (await told(cuts, ask))[-1] == ("ended", End.CUT, 100.0, 200, 3)
    assert (await told(waits, leave))[-1] == ("ended", End.LEFT, 100.0, 200, 3)


@pytest.mark.parametrize("policy", ["cancel", "raise"])
async def test_a_client_that_closes_its_side_before_the_response_is_complete(policy: OnDisconnect) -> None:
    """Most clients that leave do, and only later refuse what comes. The application gives its response up,
    since it is cancelled, or since it hears of it."""

    async def app(exchange: Exchange) -> None:
        exchange.on_disconnect = policy
        exchange.start(200, ())
        await exchange.write(b"one")
        while not exchange.disconnected:
            await exchange.changed()
        exchange.abort()

    async def whole(exchange: Exchange) -> None:
        while not exchange.disconnected:
            await exchange.changed()
        exchange.respond(200, (), b"one")

    async def half_close(transport: MemoryTransport, clock: VirtualClock) -> None:
        await transport.client.send(get())
        await settle()
        transport.client.send_eof()
        await settle()

    assert (await told(app, half_close))[-1] == ("ended", End.LEFT, 100.0, 200, 3)
    assert (await told(whole, half_close))[-1] == ("ended", End.WHOLE, 100.0, 200, 3)


async def test_who_waits_for_whom() -> None:
    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        for _ in range(8):
            await exchange.write(bytes(65536))
        exchange.finish()

    async def talk(transport: MemoryTransport, clock: VirtualClock) -> None:
        await transport.client.send(get())
        await settle()
        received = 0
        while received < 8 * 65536:
            received += len(await transport.client.receive(65536))
            await settle()

    waits = [one[1:] for one in await told(app, talk) if one[0] == "waits"]
    assert waits[:2] == [(Direction.OUT, True), (Direction.OUT, False)]
    assert len(waits) % 2 == 0


async def test_a_client_that_sends_more_than_is_read_waits() -> None:
    gate = anyio.Event()

    async def app(exchange: Exchange) -> None:
        await gate.wait()
        await exchange.read_body()
        exchange.respond(200, (), b"")

    async def talk(transport: MemoryTransport, clock: VirtualClock) -> None:
        request = post(bytes(300_000))
        await transport.client.send(request[:200_000])
        await settle()
        gate.set()
        await transport.client.send(request[200_000:])

    waits = [one[1:] for one in await told(app, talk) if one[0] == "waits"]
    assert waits[:2] == [(Direction.IN, True), (Direction.IN, False)]


async def test_chunks_only_for_one_who_asks() -> None:
    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        while (piece := await exchange.receive()) is not None:
            await exchange.write(piece)
            await exchange.write(b"")
        exchange.finish()

    async def talk(transport: MemoryTransport, clock: VirtualClock) -> None:
        await transport.client.send(post(b"abc"))

    for wants, expected in ((True, [(Direction.IN, b"abc"), (Direction.OUT, b"abc")]), (False, [])):
        log = await told(app, talk, wants)
        assert [one[1:] for one in log if one[0] == "chunk"] == expected


async def test_a_request_that_is_refused() -> None:
    async def app(exchange: Exchange) -> None:
        raise AssertionError("there is no exchange")

    async def talk(transport: MemoryTransport, clock: VirtualClock) -> None:
        await transport.client.send(b"no HTTP\r\n\r\n")

    assert await told(app, talk) == [("rejected", ("memory", 0), 400)]


async def test_an_observer_that_fails_changes_nothing_and_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Failing(Observer):
        def begun(self, exchange: Exchange) -> None:
            raise RuntimeError("no disk")

    async def app(exchange: Exchange) -> None:
        exchange.respond(200, (), b"hello")

    service = Service(app, Limits(), Timeouts(), observer=Failing())
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, VirtualClock(), tasks)
        for _ in range(3):
            await transport.client.send(get())
            await settle()
        assert (await transport.client.receive()).count(b"HTTP/1.1 200 ") == 3
        transport.client.disconnect()
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


async def test_a_client_that_vanishes_before_the_answer() -> None:
    async def app(exchange: Exchange) -> None:
        try:
            await exchange.read_body()
        except ClientDisconnected:
            raise

    async def talk(transport: MemoryTransport, clock: VirtualClock) -> None:
        await transport.client.send(post(b"abc")[:-1])
        await settle()
        transport.client.disconnect()

    assert (await told(app, talk))[-1] == ("ended", End.LEFT, 100.0, None, 0)


async def test_several_observers_as_one(caplog: pytest.LogCaptureFixture) -> None:
    class Fails(Observer):
        def begun(self, exchange: Exchange) -> None:
            raise LookupError("of one of them")

    clock = VirtualClock()
    first, second = Told(clock), Told(clock, wants_chunks=True)

    async def app(exchange: Exchange) -> None:
        exchange.start(200, ())
        await exchange.write(b"x")
        exchange.finish()

    service = Service(app, Limits(), Timeouts(), observer=[Fails(), first, second])
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, clock, tasks)
        await transport.client.send(get() + b"BAD\r\n\r\n")
        await settle()
        transport.client.disconnect()
    kinds = [one[0] for one in second.log]
    assert sorted(map(str, kinds)) == ["begun", "chunk", "ended", "rejected", "sent"]
    assert [one[0] for one in first.log] == [kind for kind in kinds if kind != "chunk"]
    (record,) = caplog.records
    assert record.message.endswith("Fails.begun failed; later failures are not logged")
