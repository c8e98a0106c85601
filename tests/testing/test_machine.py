"""The machine that users subclass: on the project's own engine, on both flavours, and on what is broken."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import invariant, rule, run_state_machine_as_test

from streamcompat.testing.machine import StreamMachine
from streamcompat_engine import Exchange, Limits, Timeouts
from tests.testing.apps import mach9_app, sanic_app

SHORT = settings(max_examples=25, stateful_step_count=25)
UNTIL_FOUND = settings(SHORT, max_examples=300, report_multiple_bugs=False, phases=[Phase.generate])
LONG = settings(max_examples=1000, stateful_step_count=50)

SMALL = Limits(inbound_high=256, inbound_low=64, outbound_high=256, outbound_low=64, flush_size=64)
"""Limits that a few chunks reach."""
IMPATIENT = Timeouts(head=3, keep_alive=2, body_idle=10, write_stall=5, linger=1)
"""Times that pass in a run."""


async def engine_echo(exchange: Exchange) -> None:
    """Without a framework."""
    exchange.start(200, [])
    exchange.commit()
    while (piece := await exchange.receive()) is not None:
        await exchange.write(piece)
    exchange.finish()


class EchoMachine(StreamMachine):
    """One that knows what its app answers."""

    target = "/echo"

    @invariant()
    def the_echo_is_what_was_sent(self) -> None:
        if self.stream is not None and self.stream.received.status == 200:
            assert self.sent.startswith(self.stream.received.body)

    @rule()
    def ask_for_something_else(self) -> None:
        if not self.stopped and self.target == "/echo":
            assert self.client.get("/").status == 200


class EngineMachine(StreamMachine):
    app = engine_echo
    limits = SMALL
    window = 256
    slack = 128


class TrioEngineMachine(EngineMachine):
    backend = "trio"


class ImpatientEngineMachine(EngineMachine):
    timeouts = IMPATIENT


class SanicMachine(EchoMachine):
    app = sanic_app
    timeouts = IMPATIENT


class Mach9Machine(EchoMachine):
    app = mach9_app
    limits, timeouts = SMALL, IMPATIENT
    window = 256
    slack = 256


class LargeMachine(StreamMachine):
    app = sanic_app
    method, target = "GET", "/large"
    window = 4096


MACHINES = [
    EngineMachine,
    ImpatientEngineMachine,
    TrioEngineMachine,
    SanicMachine,
    Mach9Machine,
    LargeMachine,
]


@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_sound_passes(machine: type[StreamMachine]) -> None:
    few = settings(SHORT, max_examples=6)  # of those that take a while
    run_state_machine_as_test(machine, settings=few if machine is LargeMachine else SHORT)


@pytest.mark.long
@pytest.mark.parametrize("machine", MACHINES)
def test_what_is_sound_passes_at_length(machine: type[StreamMachine]) -> None:
    run_state_machine_as_test(machine, settings=LONG)


_KEPT: list[Any] = []


async def leaks(exchange: Exchange) -> None:
    _KEPT.append(asyncio.create_task(asyncio.sleep(3600)))
    await engine_echo(exchange)


async def never_ends(exchange: Exchange) -> None:
    try:
        await engine_echo(exchange)
    except Exception:
        await asyncio.Event().wait()


async def writes_more_than_it_says(exchange: Exchange) -> None:
    """Something on the wire that no handler wrote."""
    exchange.start(200, [])
    exchange.commit()
    await asyncio.sleep(0)
    while await exchange.receive() is not None:
        exchange.transport.take(b"4\r\nmore\r\n")
    exchange.finish()


async def spoils_the_second_answer(exchange: Exchange) -> None:
    """Of a connection."""
    second = exchange.transport in _KEPT
    _KEPT.append(exchange.transport)
    exchange.start(200, [])
    exchange.commit()
    await asyncio.sleep(0)
    while (piece := await exchange.receive()) is not None:
        await exchange.write(piece)
    if second:
        exchange.transport.take(b"4\r\nmore\r\n")
    exchange.finish()


async def loses_what_it_writes(exchange: Exchange) -> None:
    exchange.start(200, [])
    exchange.commit()
    await asyncio.sleep(0)
    while (piece := await exchange.receive()) is not None:
        await exchange.write(piece)
        for _ in range(5):  # until it has left, and before the client looks
            await asyncio.sleep(0)
        exchange.transport._received.clear()
    exchange.finish()


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (leaks, "tasks are left behind"),
        (never_ends, "the handler keeps running after its client has left"),
        (writes_more_than_it_says, "the client got bytes that no handler wrote"),
        (spoils_the_second_answer, "bytes that no handler wrote|not a valid HTTP response"),
        (loses_what_it_writes, r"wrote \d+ bytes|bytes that no handler wrote|not a valid HTTP response"),
    ],
)
def test_what_is_broken_is_found(broken: Any, said: str) -> None:
    class Broken(StreamMachine):
        app = broken

    with pytest.raises(AssertionError, match=said):
        run_state_machine_as_test(Broken, settings=UNTIL_FOUND)
