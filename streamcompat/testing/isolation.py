"""Whether requests leave each other alone: two at once, and many one after the other.

The rule: what a handler legitimately refuses to a second client (409, 423, 425, 429, 503) is no fault, and
what grows must go on growing before it counts.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import threading
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import anyio
import anyio.to_thread

from streamcompat.testing.client import Client
from streamcompat.testing.connection import Connection, Stream
from streamcompat.testing.counterexample import Counterexample, answer
from streamcompat.testing.frames import Conversation
from streamcompat.testing.outcome import FIELDS, GLANCE, Outcome, Runner, Runs, decoded, eventually, read
from streamcompat.testing.wire import Cutter, Request
from streamcompat_engine import ClientDisconnected

_REFUSALS: Final = frozenset({409, 423, 425, 429, 503})
_WAIT: Final = 1.0
"""Seconds for which the first client waits for the second one's response before it goes on."""
_ROUND: Final = 12
"""Requests before it is first counted what they leave: a pool of workers is full by then."""
_ROUNDS: Final = (2 * _ROUND, 2 * _ROUND, 4 * _ROUND, 8 * _ROUND, 8 * _ROUND)
"""Requests after which it is counted what they have left. Each round must have left something for each of its
requests, so that a pool of 128 threads, or a history of the latest 128 requests, is full before the last one
begins."""
_MORE: Final = (800, 200)
"""The same where memory alone has grown, so that a history of the latest thousand requests is full too."""
_LEAST: Final = 256
"""Bytes that each request must leave to count, such as a small dict. A measurement is wrong by up to 5 KB,
whatever the number of requests, so that it takes a round of two dozen to see so little."""
_LEAST_TALKING: Final = 16 * 1024
"""The same for conversations: each wait for silence leaves timers, which asyncio drops by the hundred."""
_LEAVING: Final = (
    "            with client.connect() as connection:",
    "                connection.send(request.head() + request.framed()[:-1])",
    "                connection.disconnect()",
)
_BODY: Final = 32 * 1024
"""Bytes of a body that is large enough to be noticed if it is kept."""


# ---- two at once ----


async def together(runner: Runner, first: Request, second: Request) -> Counterexample | str | None:
    """Check whether two requests whose bodies arrive in turns get the responses that each gets alone."""
    if len(first.body) < 2 or len(second.body) < 2:
        return "it has no body"
    first, second = replace(first, chunks=None), replace(second, chunks=None)
    half, other_half = len(first.body) // 2, len(second.body) // 2
    for whole in (True, False):
        alone = [
            [await runner.run(first, [half]) for _ in range(2)],
            [await runner.run(second, [] if whole else [other_half]) for _ in range(2)],
        ]
        # A field may well say how many others there are.
        steady = [replace(one, unsteady=frozenset({FIELDS})) for one, _ in alone]
        if any(one.differences(again) for one, (_, again) in zip(steady, alone, strict=True)):
            return "the response differs each time"
        both = await _in_turns(runner, first, second, whole, [one.endless for one in steady])
        for request, expected, got in zip((first, second), steady, both, strict=True):
            if expected.failed or got.status in _REFUSALS or not expected.differences(got):
                continue
            return _mixed(request, expected, got, whole)
    return None


async def _in_turns(
    runner: Runner, first: Request, second: Request, whole: bool, endless: Sequence[bool]
) -> list[Outcome]:
    """The outcomes of two requests: the second is sent while only half of the first has arrived.

    Args:
        whole: the second is sent at once; otherwise its second half comes after the first's.
        endless: whether the response to each is an event stream that does not end.
    """
    client = runner.client
    runner.begin()
    half, other_half = len(first.body) // 2, len(second.body) // 2
    async with client.connect() as one, client.connect() as other:
        await one.send(first.head() + first.body[:half])
        await other.send(second.head() + (second.body if whole else second.body[:other_half]))
        async with anyio.create_task_group() as group:
            pairs = zip((one, other), (first, second), endless, strict=True)
            responses = [_Receiving(runner, *pair) for pair in pairs]
            for response in responses:
                group.start_soon(response.receive)
            if whole:
                # No longer than this, as a handler may let one request in after the other.
                with anyio.move_on_after(_WAIT):
                    await responses[1].done.wait()
            await _send(one, first.body[half:])
            if not whole:
                await _send(other, second.body[other_half:])
        seen = [connection.exchanges[:1] for connection in (one, other)]
    return [
        Outcome(
            one.response.status,
            decoded(one.response),
            one.response.complete,
            pieces=tuple(piece for record in records for piece in record.pieces),
            error=runner.failures.take() if one.response.status >= 500 else "",
            endless=one.endless,
        )
        for one, records in zip(responses, seen, strict=True)
    ]


class _Receiving:
    """The response to one of two requests, while it is received."""

    def __init__(self, runner: Runner, connection: Connection, request: Request, endless: bool) -> None:
        self._patience = runner.client.patience
        self._glance = GLANCE if endless else self._patience
        self._stream = Stream(connection, request.method, Cutter(()), False)
        self.response = self._stream.received
        self.endless = False
        self.done = anyio.Event()

    async def receive(self) -> None:
        self.endless = await read(self._stream, self._glance, self._patience)
        self.done.set()


async def _send(connection: Connection, data: bytes) -> None:
    with contextlib.suppress(ClientDisconnected):  # the server has answered and closed
        await connection.send(data)


def _mixed(request: Request, expected: Outcome, got: Outcome, whole: bool) -> Counterexample:
    half = len(request.body) // 2
    return Counterexample(
        "Two requests at once mix: one of them is answered as it is not when it comes alone.",
        request,
        (("alone", (half,), expected), ("with another one at the same time", (half,), got)),
        (f"alone: {answer(expected)}", f"together: {answer(got)}"),
        "\n".join(
            [
                "    from streamcompat.testing import Request, TestClient",
                "",
                f"    request = {request!r}",
                f"    half = {half}",
                "    with TestClient(app) as client:",
                "        alone = client.send(request, cuts=[half])",
                "        fields = {**dict(request.headers), 'Content-Length': str(len(request.body))}",
                "        with client.stream(request.method, request.target, headers=fields) as stream:",
                "            stream.send(request.body[:half])",
                *_other_lines(whole),
                "            stream.send(request.body[half:])",
                "            together = stream.response()",
                "        assert (together.status, together.body) == (alone.status, alone.body)",
            ]
        ),
        "Keep what belongs to a request in local variables of its handler, not in the module, the app or a\n"
        "default argument: between two reads, other handlers run.",
    )


def _other_lines(whole: bool) -> Sequence[str]:
    if whole:
        return ["            client.send(request)"]
    return [
        "            with client.stream(request.method, request.target, headers=fields) as other:",
        "                other.send(request.body[:half])",
    ]


# ---- many, one after the other ----


class InMemory(Runs, Protocol):
    """What runs requests in this process.

    Attributes:
        client: that sends them.
    """

    client: Client


@dataclass(frozen=True)
class _Held:
    """What the process holds, or how much more of it: bytes, open files and sockets, threads."""

    memory: int
    descriptors: int
    threads: int

    def __sub__(self, other: _Held) -> _Held:
        return _Held(
            self.memory - other.memory,
            self.descriptors - other.descriptors,
            self.threads - other.threads,
        )


async def _held(runner: InMemory) -> _Held:
    gc.collect()
    await runner.client.settle()  # the loop closes asynchronous generators that were found unreachable
    gc.collect()
    return _Held(tracemalloc.get_traced_memory()[0], _descriptors(), threading.active_count())


@contextlib.contextmanager
def _only_new_objects() -> Iterator[None]:
    """Collect no objects that are there already: it is what costs most, and they are counted before."""
    ours = gc.get_freeze_count() == 0
    if ours:
        gc.collect()
        gc.freeze()
    try:
        yield
    finally:
        if ours:
            gc.unfreeze()


def _descriptors() -> int:
    try:
        return len(os.listdir("/dev/fd"))
    except OSError:  # not on Windows
        return 0


@contextlib.contextmanager
def _without_logs() -> Iterator[None]:
    """Log nothing: what a test runner keeps of the app's messages is not the handler's."""
    before = logging.root.manager.disable
    logging.disable()
    try:
        yield
    finally:
        logging.disable(before)


async def leftovers(runner: InMemory, request: Request) -> Counterexample | str | None:
    """Check whether each request leaves something in the process: memory, descriptors or threads; and those
    of clients that leave before the end of their body."""
    sent = await _large(runner, request)
    least = _LEAST_TALKING if isinstance(request, Conversation) else _LEAST
    client, keep = runner.client, runner.client.keep
    client.keep = False
    traced = tracemalloc.is_tracing()
    if not traced:
        tracemalloc.start()
    try:
        with client.without_access_log(), _without_logs(), _only_new_objects():
            await _idle(0)  # this and the first round make what is made once, such as a pool or a cache
            found, times = await _piled_up(_Sending(runner, sent, leaves=False, least=least))
            leaves = not found and not isinstance(request, Conversation)
            if leaves:
                found, times = await _piled_up(_Sending(runner, sent, leaves=True, least=least))
    finally:
        client.keep = keep
        if not traced:
            tracemalloc.stop()
    if not found:
        return None
    who = "request whose client leaves before its end" if leaves else "request"
    return Counterexample(
        f"Each {who} leaves something in the process: {', '.join(found)}.",
        sent if len(sent.body) <= len(request.body) else request,
        (),
        tuple(f"{one} after {times} requests" for one in found),
        "\n".join(
            [
                "    from streamcompat.testing import Request, TestClient",
                "",
                f"    request = {request!r}",
                "    with TestClient(app) as client:",
                f"        for _ in range({times}):",
                *(_LEAVING if leaves else ["            client.send(request)"]),
                "        # look at the descriptors, threads and memory of the process",
            ]
        ),
        "Close in `finally`, or by `with`, what a handler opens; keep nothing of a request in the module or\n"
        "the app, or drop the oldest.",
    )


@dataclass(frozen=True)
class _Sending:
    """What is sent again and again.

    Attributes:
        leaves: the client leaves before the end of the body.
        least: bytes that each one must leave to count.
    """

    runner: InMemory
    request: Request
    leaves: bool
    least: int

    async def round(self, times: int) -> None:
        """Send so many requests, one after the other."""
        for _ in range(times):
            if self.leaves:
                await self._leave()
            else:
                await self.runner.run(self.request)

    async def _leave(self) -> None:
        client, request = self.runner.client, self.request
        async with client.connect() as connection:
            with contextlib.suppress(ClientDisconnected, TimeoutError):
                await connection.send(request.head() + request.framed()[:-1])
            connection.disconnect()
            await eventually(lambda: all(one.ended for one in connection.exchanges), _WAIT)


async def _piled_up(sending: _Sending) -> tuple[list[str], int]:
    """What goes on growing, and after how many requests; nothing is found if it does not."""
    await sending.round(_ROUND)
    found: list[str] = []
    times = 0
    for times in _ROUNDS:
        found = await _left(sending, times)
        if not found:
            return [], times
    if not any("memory" in one for one in found) or len(found) > 1:
        return found, times
    for times in _MORE:
        found = await _left(sending, times)
        if not found:
            break
    return found, times


async def _left(sending: _Sending, times: int) -> list[str]:
    """What so many requests leave in the process, beyond what it takes meanwhile without them."""
    runner = sending.runner
    before, start = await _held(runner), time.monotonic()
    await sending.round(times)
    grown = await _held(runner) - before
    found = _each(grown, times, sending.least)
    if found:
        # Other threads of the process, such as those of the app or of a test runner, allocate too.
        before, lasted = await _held(runner), time.monotonic() - start
        await _idle(lasted)
        alone = await _held(runner) - before
        found = _each(_without(grown, alone), times, sending.least)
    return found


def _without(grown: _Held, alone: _Held) -> _Held:
    """What has grown, without twice what comes by itself meanwhile, or without what goes by itself, such as a
    thread that is still ending."""

    def left(one: int, other: int) -> int:
        return one - 2 * other if other > 0 else one + other

    return _Held(
        left(grown.memory, alone.memory),
        left(grown.descriptors, alone.descriptors),
        left(grown.threads, alone.threads),
    )


async def _idle(seconds: float) -> None:
    await anyio.to_thread.run_sync(time.sleep, seconds)


def _each(grown: _Held, times: int, least: int) -> list[str]:
    """What has grown by one for each request, or by a few bytes."""
    found: list[str] = []
    if grown.memory > times * least:
        found.append(f"{grown.memory // 1024} KiB of memory")
    if grown.descriptors >= times:
        found.append(f"{grown.descriptors} descriptors")
    if grown.threads >= times:
        found.append(f"{grown.threads} threads")
    return found


async def _large(runner: InMemory, request: Request) -> Request:
    """The request with a larger body, if the route takes that."""
    if not request.body:
        return request
    large = replace(request, chunks=None, body=request.body * max(_BODY // len(request.body), 1))
    return request if (await runner.run(large)).failed else large
