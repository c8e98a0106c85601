"""The invariants that a handler must keep on any network, each as a search for a counterexample.

The rule: a search is deterministic and finite. It tries the simplest cases first and returns the first
counterexample, or `None`.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any, Final

import anyio

from streamcompat.testing import cuts as cutting
from streamcompat.testing.client import Client
from streamcompat.testing.connection import Connection
from streamcompat.testing.counterexample import Counterexample, asserted, cut_advice, reproduced
from streamcompat.testing.outcome import OVERALL, Effects, Outcome, Runner, failures_of
from streamcompat.testing.wire import Request, chunk, request_head
from streamcompat_engine import ClientDisconnected

_SMALL: Final = 256 * 1024
_LARGE: Final = 768 * 1024
"""Bytes of the two bodies whose memory use is compared; both are larger than the buffers."""
_PIECE: Final = 16 * 1024
_PLACES: Final = 6
"""Error-prone offsets inside a body at which a client disconnects."""
_READS: Final = 64
"""How often a client reads after it has closed its sending side."""


@asynccontextmanager
async def running(app: Any, effects: Effects = None, patience: float = 5.0) -> AsyncIterator[Runner]:
    """Run an app for several searches."""
    with failures_of(app) as failures:
        async with Client(app, patience=patience) as client:
            yield Runner(client, failures, effects)


# ---- the same for every cut ----


async def boundary(
    runner: Runner, request: Request, ways: Iterable[Sequence[int]] | None = None, most: int = 300
) -> Counterexample | str | None:
    """Search for a way of cutting the request that changes its outcome.

    Args:
        ways: the ways of cutting to try, with offsets as for `Client.stream`; by default those of
            `cuts.candidates`.
        most: how many of the default ways to try.
    Returns: a counterexample, `None`, or a text that says why the comparison was incomplete.
    """
    whole = await runner.run(request)
    if whole.violations:
        return violation(request, whole)
    found = await _search(runner, request, whole, ways, most)
    if found is None:
        return None
    again = await runner.run(request)
    if not whole.differences(again):
        return found
    # The response varies even without cuts: it contains an identifier, a time or a counter.
    unsteady = frozenset(name for name in ("body", "effects") if getattr(whole, name) != getattr(again, name))
    steady = replace(whole, unsteady=unsteady)
    if steady.differences(again):
        return f"the same request is answered with {whole.status}, and then with {again.status}"
    found = await _search(runner, request, steady, ways, most)
    return found or "the response differs each time; its status does not depend on the cuts"


async def _search(
    runner: Runner, request: Request, whole: Outcome, ways: Iterable[Sequence[int]] | None, most: int
) -> Counterexample | None:
    for way in cutting.candidates(request.framed(), most) if ways is None else ways:
        found = await _compared(runner, request, whole, tuple(way))
        if found is not None:
            return found
    if request.chunks is not None:
        return await _other_chunks(runner, request, whole)
    return None


async def _compared(
    runner: Runner, request: Request, whole: Outcome, way: tuple[int, ...]
) -> Counterexample | None:
    outcome = await runner.run(request, way)
    if not whole.differences(outcome):
        return None
    # Remove every cut that the difference does not need.
    for offset in way:
        fewer = tuple(one for one in way if one != offset)
        if not fewer:
            break
        less = await runner.run(request, fewer)
        if whole.differences(less):
            way, outcome = fewer, less
    return Counterexample(
        "The answer depends on where the network cuts the request.",
        request,
        (("uncut", (), whole), (f"cut at {', '.join(map(str, way))}", way, outcome)),
        tuple(whole.differences(outcome)),
        reproduced(
            request,
            "whole = client.send(request)",
            f"cut = client.send(request, cuts={list(way)!r})",
            _same("cut", whole),
        ),
        cut_advice(request, way),
    )


async def _other_chunks(runner: Runner, request: Request, whole: Outcome) -> Counterexample | None:
    """Try the same body in other HTTP chunks, each of which arrives separately."""
    for chunks in cutting.candidates(request.body, 40):
        other = replace(request, chunks=chunks)
        ends, position = [], 0
        for start, end in zip((0, *chunks), (*chunks, len(request.body)), strict=True):
            position += len(chunk(request.body[start:end]))
            ends.append(position)
        outcome = await runner.run(other, ends)
        if whole.differences(outcome):
            return Counterexample(
                "The answer depends on the request's HTTP chunks.",
                other,
                (("in one", None, whole), (f"in {len(ends)} chunks", tuple(ends), outcome)),
                tuple(whole.differences(outcome)),
                reproduced(
                    other,
                    f"whole = client.send({request!r})",
                    f"chunked = client.send(request, cuts={ends!r})",
                    _same("chunked", whole),
                ),
                cut_advice(replace(other, chunks=None), chunks),
            )
    return None


def _same(name: str, whole: Outcome) -> str:
    """The line of code that compares the response of this name with the uncut one."""
    if whole.unsteady:
        return f"assert {name}.status == whole.status"
    return f"assert ({name}.status, {name}.body) == (whole.status, whole.body)"


def violation(request: Request, outcome: Outcome) -> Counterexample:
    """The counterexample for an uncut request whose handler broke a rule that holds for all handlers."""
    advice = ""
    if any("left a task" in one for one in outcome.violations):
        advice = "Await every task that the handler starts, or cancel it in `finally`."
    elif any("wrote after" in one for one in outcome.violations):
        advice = "Do not write after the streaming function has returned: await every task that writes."
    elif any("for ever" in one or "hangs" in one for one in outcome.violations):
        advice = "Leave the loop at the end of the body: `None` (Sanic), `more_content: False` (Mach9)."
    return Counterexample(
        f"The handler does not end properly: {', '.join(outcome.violations)}.",
        request,
        (("uncut", (), outcome),),
        (),
        asserted("assert_boundary_invariant", request),
        advice,
    )


# ---- bounded memory ----


@dataclass(frozen=True)
class Cost:
    """The memory peak in bytes for one body, and the status of the response (0 if the server stalled)."""

    peak: int
    status: int


async def memory(runner: Runner, request: Request) -> Counterexample | str | None:
    """Check whether memory grows with the body: the request's body is repeated to two sizes.

    The check runs twice: with a client that reads the response as it arrives, and with one that never reads.

    Returns: a counterexample, `None`, or a text that says why the check is impossible.
    """
    if not request.body:
        return "it has no body"
    for stalls in (False, True):
        try:
            await _cost(runner, request, _PIECE, stalls)  # warm up, to exclude objects that are made once
            small = await _cost(runner, request, _SMALL, stalls)
            large = await _cost(runner, request, _LARGE, stalls)
            if _grown(small, large):  # again: threads, caches or the collector may have allocated meanwhile
                large = min(large, await _cost(runner, request, _LARGE, stalls), key=attrgetter("peak"))
        except TimeoutError:
            return "its repeated body is not answered"
        refused = next((cost.status for cost in (small, large) if cost.status >= 400), 0)
        if refused == 413:
            return None  # bounded by the route's own limit
        if refused:
            return f"its repeated body is answered with {refused}"
        if _grown(small, large):
            return _grows(request, stalls, small, large)
    return None


def _grown(small: Cost, large: Cost) -> bool:
    return large.peak - small.peak > (_LARGE - _SMALL) // 4


def _grows(request: Request, stalls: bool, small: Cost, large: Cost) -> Counterexample:
    way = "while the client does not read" if stalls else "although the client reads"
    return Counterexample(
        f"Memory grows with the body, {way} the response.",
        request,
        (),
        (
            f"body repeated to {_SMALL // 1024} KiB: peak of {small.peak // 1024} KiB",
            f"body repeated to {_LARGE // 1024} KiB: peak of {large.peak // 1024} KiB",
        ),
        asserted("assert_bounded_memory", request),
        "Write while you read, await each write, and keep no data that was already written;\n"
        "or limit the body with `body_limit=...` on the route.",
    )


async def _cost(runner: Runner, request: Request, size: int, stalls: bool) -> Cost:
    """Send a body of about `size` bytes, piece by piece, and drop the response."""
    times = max(size // len(request.body), 1)
    total = times * len(request.body)
    chunked = request.chunks is not None
    head = request_head(request.method, request.target, request.headers, None if chunked else total, chunked)
    client, keep = runner.client, runner.client.keep
    client.keep = False
    traced = tracemalloc.is_tracing()
    if not traced:
        tracemalloc.start()
    try:
        async with client.connect() as connection:
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            with anyio.fail_after(OVERALL * client.patience):
                status = await _transfer(connection, head, request, times, chunked, stalls)
            return Cost(tracemalloc.get_traced_memory()[1] - before, status)
    finally:
        client.keep = keep
        if not traced:
            tracemalloc.stop()


async def _transfer(
    connection: Connection, head: bytes, request: Request, times: int, chunked: bool, stalls: bool
) -> int:
    at_once = max(_PIECE // len(request.body), 1)
    first = b""
    try:
        await connection.send(head)
        while times:
            if connection.reading_paused and stalls:
                await connection.client.settle()
                if connection.reading_paused:
                    return 0  # back-pressure: the client waits
            if not stalls:
                first = first or await _drained(connection)
                while connection.reading_paused and connection.open:
                    await _drained(connection)
            some, times = min(at_once, times), max(times - at_once, 0)
            data = request.body * some
            await connection.send(chunk(data) if chunked else data)
            if not stalls:
                first = first or await _drained(connection)
        if chunked:
            await connection.send(b"0\r\n\r\n")
    except ClientDisconnected:
        pass  # the server has answered and closed
    if stalls:
        await connection.client.settle()
        return _status(await connection.receive(64)) if connection.unread else 0
    while not first and (data := await connection.receive()):
        first = data[:64]
    while await _drained(connection):
        pass
    return _status(first)


async def _drained(connection: Connection) -> bytes:
    """Read everything that has arrived, and return its first bytes."""
    await connection.client.settle()
    first = b""
    while connection.unread:
        data = await connection.receive()
        first = first or data[:64]
    return first


def _status(start: bytes) -> int:
    """The status of a response that begins with these bytes."""
    words = start.split(b" ", 2)
    return int(words[1]) if len(words) > 2 and words[1].isdigit() else 0


# ---- clients that leave ----


async def disconnect(runner: Runner, request: Request) -> Counterexample | None:
    """Search for an offset at which the handler does not survive a disconnect: it keeps running, leaves a
    task behind, or the next request gets another status than before."""
    # Sent twice, because an app may refuse the second upload of the same body.
    expected = [await _answered(runner, request), await _answered(runner, request)]
    body = request.framed()
    places = [0, *cutting.interesting(body)[:_PLACES], len(body) // 2, len(body)]
    for offset in sorted({*places}):
        for half in (False, True) if offset < len(body) else (False,):
            found = await _leaves(runner, request, offset, half, expected)
            if found is not None:
                return found
    return None


async def _answered(runner: Runner, request: Request) -> int:
    """The status of the response to the request; 0 if there is none."""
    async with runner.client.start(request) as stream:
        try:
            return (await stream.head()).status
        except TimeoutError:
            return 0


async def _leaves(
    runner: Runner, request: Request, offset: int, half: bool, expected: Sequence[int]
) -> Counterexample | None:
    runner.begin()
    data = request.head() + request.framed()[:offset]
    problem = ""
    async with runner.client.connect() as connection:
        await connection.send(data)
        if half:
            connection.half_close()
            for _ in range(_READS):  # the response may still arrive
                if not await _drained(connection):
                    break
        connection.disconnect()
        await runner.client.settle()
        seen = connection.exchanges[-1] if connection.exchanges else None
        if seen is not None:
            violations = await runner.violations(seen)
            problem = ", ".join(violations).replace("after its response", "after its client has left")
            problem = problem.replace("after the end of the body", "after its client has left")
    error = runner.failures.take()
    if not problem:
        status = await _answered(runner, request)
        if status in expected:
            return None
        before = expected[-1] or "nothing"
        problem = f"the next request is answered with {status or 'nothing'} instead of {before}"
        if why := runner.failures.take():
            problem += f" ({why})"
    how = "closes its sending side and then disconnects" if half else "disconnects"
    outcome = Outcome(0, b"", False, pieces=tuple(seen.pieces) if seen else (), error=error)
    return Counterexample(
        f"A client disconnects, and {problem}.",
        request,
        ((f"the client {how} after {offset} bytes of the body", (offset,), outcome),),
        (),
        asserted("assert_survives_disconnect", request),
        "Let the error of a read or a write end the handler (Mach9: leave the loop when `closed` is True),\n"
        "and clean up in `finally`. To cancel a handler that neither reads nor writes, register its route\n"
        "with `on_disconnect='cancel'`.",
    )


# ---- two apps ----


async def same_behaviour(
    one: Runner, other: Runner, request: Request, ignored: frozenset[str], names: tuple[str, str]
) -> Counterexample | None:
    """Search for a way of cutting the request to which the two apps respond differently."""
    for way in [(), *cutting.candidates(request.framed(), 16)]:
        ours, theirs = await one.run(request, way), await other.run(request, way)
        differences = ours.differences(theirs)
        if ours.complete and theirs.complete and not (ours.status >= 500 <= theirs.status):
            differences += _different_headers(ours, theirs, ignored)
        if differences:
            return Counterexample(
                "The two apps respond differently.",
                request,
                ((names[0], way, ours), (names[1], way, theirs)),
                tuple(differences),
                "    from streamcompat.testing import Request, TestClient\n\n"
                f"    request = {request!r}\n"
                f"    one = TestClient(app_a).send(request, cuts={list(way)!r})\n"
                f"    other = TestClient(app_b).send(request, cuts={list(way)!r})\n"
                "    assert (one.status, one.body) == (other.status, other.body)",
            )
    return None


def _different_headers(ours: Outcome, theirs: Outcome, ignored: frozenset[str]) -> list[str]:
    one, other = dict(ours.headers), dict(theirs.headers)
    return [
        f"{name}: {one.get(name, 'none')} and {other.get(name, 'none')}"
        for name in sorted(one.keys() | other.keys())
        if name not in ignored and one.get(name) != other.get(name)
    ]
