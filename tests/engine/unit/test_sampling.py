"""What a server holds is seen when it is looked at, whatever ends meanwhile."""

from __future__ import annotations

import anyio
import pytest

from streamcompat_engine import (
    Exchange,
    Levels,
    Limits,
    MemoryTransport,
    Observer,
    Service,
    Timeouts,
    VirtualClock,
)
from streamcompat_engine.server import sampling
from streamcompat_engine.server.sampling import look, sample
from tests.engine.unit.test_session import settle
from tests.support.clients import get, post


class Looking(Observer):
    def __init__(self) -> None:
        self.seen: list[Levels] = []
        self.running: list[bytes] = []

    def progress(self, exchange: Exchange) -> None:
        self.running.append(exchange.head.target)

    def holds(self, levels: Levels) -> None:
        self.seen.append(levels)


async def test_connections_exchanges_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sampling, "_SLICE", 2)
    gate = anyio.Event()

    async def app(exchange: Exchange) -> None:
        await gate.wait()
        await exchange.read_body()
        exchange.respond(200, (), b"")

    looking = Looking()
    service = Service(app, Limits(), Timeouts(), observer=looking)
    guarded = service.observer
    assert guarded is not None and guarded.tells_levels and guarded.tells_progress
    async with anyio.create_task_group() as tasks:
        clock = VirtualClock()
        transports = [MemoryTransport(service, clock, tasks) for _ in range(5)]
        for number, transport in enumerate(transports[:3]):
            await transport.client.send(post(b"abcde", target=f"/{number}")[:-2])
        await settle()
        levels, spent = await look(service, guarded, 0.25)
        assert levels == Levels(5, 3, 0, 9, 0, 0.25)
        assert spent >= 0
        assert sorted(looking.running) == [b"/0", b"/1", b"/2"]
        gate.set()
        for transport in transports:
            transport.client.disconnect()
        await settle()
        levels, _ = await look(service, guarded, 0.0)
        assert levels == Levels(0, 0, 0, 0, 0, 0.0)


async def test_an_observer_that_fails_is_looked_for_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sampling, "_STEP", 0.0001)
    again = anyio.Event()

    class Failing(Observer):
        calls = 0

        def holds(self, levels: Levels) -> None:
            self.calls += 1
            if self.calls == 3:
                again.set()
            raise RuntimeError("no disk")

    async def app(exchange: Exchange) -> None:
        raise AssertionError("nobody asks")

    service = Service(app, Limits(), Timeouts(), observer=[Looking(), Failing()])
    assert service.observer is not None
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(sample, service, service.observer)
        with anyio.fail_after(30):
            await again.wait()
        tasks.cancel_scope.cancel()
    assert [record.levelname for record in caplog.records] == ["ERROR"]


async def test_nobody_looks_for_an_observer_that_does_not_ask() -> None:
    class Silent(Observer):
        pass

    async def app(exchange: Exchange) -> None:
        exchange.respond(200, (), b"")

    service = Service(app, Limits(), Timeouts(), observer=[Silent(), Silent()])
    assert service.observer is not None
    assert not service.observer.tells_levels
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, VirtualClock(), tasks)
        await transport.client.send(get())
        await settle()
        assert b" 200 " in await transport.client.receive()
        transport.client.disconnect()
