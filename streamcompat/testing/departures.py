"""Clients that leave, in the middle of a body or of a response, or that fall silent for a while.

The rule: whatever a client does, the handler ends, the next client gets the same answer as before, and a body
that was cut, or is late, is not answered as a whole one.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import anyio

from streamcompat.testing import advice
from streamcompat.testing import cuts as cutting
from streamcompat.testing.connection import Connection, Stream
from streamcompat.testing.counterexample import Counterexample, asserted
from streamcompat.testing.outcome import FIELDS, GLANCE, Outcome, Runner, decoded, fails, read, shown
from streamcompat.testing.wire import Cutter, Request
from streamcompat_engine import ClientDisconnected

_PLACES: Final = 6
"""Error-prone offsets inside a body at which a client disconnects."""
_READS: Final = 64
"""How often a client reads after it has closed its sending side."""
_MOST: Final = 64 * 1024
"""Bytes of a response to read before it counts as long, and is not compared."""
_SILENCE: Final = 120.0
"""Seconds between two pieces of a body, on a clock that jumps: longer than most timeouts."""
_STEP: Final = 0.2
"""Seconds to find out whether the clock jumps: real ones where it does not, as beside a thread that works."""
_TRIES: Final = 3
_LONG_STEP: Final = 5.0
"""Seconds after which it is looked whether it still does."""


@dataclass(frozen=True)
class _Answer:
    """The response to a whole request; `body` is `None` if it is long. The status is 0 if there is none."""

    status: int
    body: bytes | None


async def _answered(runner: Runner, request: Request, within: float = GLANCE) -> _Answer:
    async with runner.client.start(request) as stream:
        try:
            status = (await stream.head()).status
        except TimeoutError:
            return _Answer(0, None)
        size = 0
        with contextlib.suppress(TimeoutError), anyio.move_on_after(within):
            while size <= _MOST and (piece := await stream.receive()) is not None:
                size += len(piece)
        return _Answer(status, decoded(stream.received) if stream.received.complete else None)


async def disconnect(
    runner: Runner, request: Request, allow_failure: bool = False
) -> Counterexample | str | None:
    """Search for an offset at which the handler does not survive a disconnect: it keeps running, leaves a
    task behind, or the next request gets another response than before."""
    # Sent twice, because an app may refuse the second upload of the same body.
    before = [await _answered(runner, request), await _answered(runner, request)]
    if not allow_failure and (before[0].status >= 400 or not before[0].status):
        return fails(request, Outcome(before[0].status, b"", False))
    body = request.framed()
    places = [0, *cutting.interesting(body)[:_PLACES], len(body) // 2, len(body)]
    for offset in sorted({*places}):
        for half in (False, True) if offset < len(body) else (False,):
            found = await _leaves(runner, request, offset, half, before)
            if found is not None:
                return found
    return None


async def _leaves(
    runner: Runner, request: Request, offset: int, half: bool, before: Sequence[_Answer]
) -> Counterexample | None:
    problem, outcome = await _departure(runner, request, offset, half)
    if not problem:
        # One that came in time before may take longer on a slow machine.
        whole = all(one.body is not None for one in before)
        within = runner.client.patience if whole else GLANCE
        problem = _changed(before, await _answered(runner, request, within))
        if not problem:
            return None
        if why := runner.failures.take():
            problem += f" ({why})"
    how = "closes its sending side and then disconnects" if half else "disconnects"
    return Counterexample(
        f"A client disconnects, and {problem}.",
        request,
        ((f"the client {how} after {offset} bytes of the body", (offset,), outcome),),
        (),
        asserted("assert_survives_disconnect", request),
        "Let the error of a read or a write end the handler (Mach9: leave the loop when `closed` is True),\n"
        "keep what belongs to a request in local variables, and clean up in `finally`. To cancel a handler\n"
        "that neither reads nor writes, register its route with `on_disconnect='cancel'`.",
    )


async def _departure(runner: Runner, request: Request, offset: int, half: bool) -> tuple[str, Outcome]:
    """Send a part of the request and leave. Returns what the handler did wrong, and its outcome."""
    problem = await _left_behind(runner, request, offset, half)
    for _ in range(2 if "left a task" in problem[0] else 0):
        # The task may be one for the life of the app: then the next client leaves none.
        problem = await _left_behind(runner, request, offset, half)
    return problem


async def _left_behind(runner: Runner, request: Request, offset: int, half: bool) -> tuple[str, Outcome]:
    runner.begin()
    violations: list[str] = []
    async with runner.client.connect() as connection:
        await connection.send(request.head() + request.framed()[:offset])
        if half:
            connection.half_close()
            for _ in range(_READS):  # the response may still arrive
                if not await _drained(connection):
                    break
        connection.disconnect()
        await runner.client.settle()
        seen = connection.exchanges[-1] if connection.exchanges else None
        if seen is not None:
            violations, left = await runner.violations(seen)
            if left:
                violations.append(f"left a task behind: {', '.join(left)}")
    pieces = tuple(seen.pieces) if seen else ()
    problem = ", ".join(violations).replace("after its response", "after its client has left")
    problem = problem.replace("after the end of the body", "after its client has left")
    return problem, Outcome(0, b"", False, pieces=pieces, error=runner.failures.take())


def _changed(before: Sequence[_Answer], after: _Answer) -> str:
    """How the answer to the next client differs from those of before."""
    if after.status not in [one.status for one in before]:
        return (
            f"the next request is answered with {after.status or 'nothing'} instead of "
            f"{before[-1].status or 'nothing'}"
        )
    bodies = {one.body for one in before}
    if len(bodies) == 1 and None not in bodies and after.body != before[0].body:
        assert before[0].body is not None
        now = "a longer body" if after.body is None else shown(after.body)
        return f"the next request is answered with {now} instead of {shown(before[0].body)}"
    return ""


async def _drained(connection: Connection) -> bool:
    """Drop what has arrived. Returns whether there was something."""
    await connection.client.settle()
    arrived = connection.unread > 0
    while connection.unread:
        await connection.receive()
    return arrived


# ---- bodies that are cut ----


async def truncation(runner: Runner, request: Request) -> Counterexample | str | None:
    """Search for a place at which the body can be cut, so that the handler is told of it and still answers
    as if the body were whole."""
    if not request.body:
        return "it has no body"
    size = len(request.body)
    for framed in (replace(request, chunks=None), replace(request, chunks=())):
        head = framed.head()
        # Within the body, and for a chunked one, between its content and its end.
        end = size - 1 if framed.chunks is None else len(framed.framed()) - len(b"0\r\n\r\n")
        for offset in dict.fromkeys([end // 2, end, 0]):
            outcome = await _cut_body(runner, framed, head + framed.framed()[:offset])
            if outcome.told in ("", "end") or outcome.failed:
                continue
            return Counterexample(
                f"The body is cut, and the handler answers as if it were whole, with {outcome.status}.",
                framed,
                ((f"the client leaves after {offset} of {len(framed.framed())} bytes", (offset,), outcome),),
                (f"the handler was told of it: {outcome.told}",),
                asserted("assert_survives_disconnect", framed),
                "Let the error of a read end the handler (Sanic); look at `closed` before you take\n"
                "`more_content: False` for the end, and raise (Mach9). A response that has begun is then\n"
                "cut, so that its client notices.",
            )
    return None


async def _cut_body(runner: Runner, request: Request, data: bytes) -> Outcome:
    """Send a part of a request, close the sending side, and read the response to its end."""
    runner.begin()
    async with runner.client.connect() as connection:
        stream = Stream(connection, request.method, Cutter(()), False)
        with contextlib.suppress(ClientDisconnected):  # the server has answered and closed
            await connection.send(data)
            connection.half_close()
        return await _outcome(runner, stream)


async def _outcome(runner: Runner, stream: Stream) -> Outcome:
    await read(stream, GLANCE, runner.client.patience, _MOST)
    response, seen = stream.received, stream.seen
    return Outcome(
        response.status,
        decoded(response),
        response.complete,
        effects=tuple(runner.effects or ()),
        pieces=tuple(seen.pieces),
        error=runner.failures.take(),
        told=seen.told,
    )


# ---- bodies that are late ----


async def silence(runner: Runner, request: Request) -> Counterexample | None:
    """Search for a pause in the body that the handler takes for its end, so that it answers a part as the
    whole. One that gives up and says so, by an error, is sound."""
    if not request.body or runner.real_time:
        return None
    request = replace(request, chunks=None)
    whole, again = await runner.run(request), await runner.run(request)
    steady = replace(whole, unsteady=whole.varies(again) | {FIELDS})
    if whole.failed or whole.endless or steady.differences(again):
        return None
    for offset in dict.fromkeys([len(request.body) // 2, 0]):
        late = await _late(runner, request, offset)
        if late is None or late.failed or not steady.differences(late):
            continue
        if sum(map(len, late.pieces)) < sum(map(len, whole.pieces)):
            return _took_silence_for_the_end(request, offset, whole, late)
    return None


def _took_silence_for_the_end(request: Request, offset: int, whole: Outcome, late: Outcome) -> Counterexample:
    pause = f"{_SILENCE:g}"
    return Counterexample(
        "The handler takes a silence of the network for the end of the body.",
        request,
        (("at once", (), whole), (f"nothing for {pause} s after {offset} bytes", (offset,), late)),
        tuple(whole.differences(late)),
        "\n".join(
            [
                "    from anyio import sleep",
                "    from streamcompat.testing import Request, TestClient",
                "",
                f"    request = {request!r}",
                "    with TestClient(app) as client:",
                "        whole = client.send(request)",
                "        fields = {**dict(request.headers), 'Content-Length': str(len(request.body))}",
                "        with client.stream(request.method, request.target, headers=fields) as stream:",
                f"            stream.send(request.body[:{offset}])",
                f"            client.call(sleep, {pause})  # takes no time",
                "            late = stream.response()",
                "        assert late.status >= 400 or late.body == whole.body",
            ]
        ),
        advice.SILENCE,
    )


async def _late(runner: Runner, request: Request, offset: int) -> Outcome | None:
    """The outcome of a request whose body pauses there; `None` if the pause would take real time."""
    runner.begin()
    async with runner.client.connect() as connection:
        stream = Stream(connection, request.method, Cutter(()), False)
        with contextlib.suppress(ClientDisconnected):  # the server has answered and closed
            await connection.send(request.head() + request.body[:offset])
            if not await _passes(_SILENCE):
                runner.real_time = True
                return None
            await connection.send(request.body[offset:])
        return await _outcome(runner, stream)


async def _passes(seconds: float) -> bool:
    """Let time pass on a clock that jumps; `False` as soon as it does not."""
    for _ in range(_TRIES):  # a process that had to wait for its processor may not have had to jump
        if await _jumped(_STEP):
            break
    else:
        return False
    for _ in range(math.ceil(seconds / _LONG_STEP)):
        if not await _jumped(_LONG_STEP):
            return False
    return True


async def _jumped(seconds: float) -> bool:
    """Sleep, and tell whether the clock of the loop has gained on the real one."""
    before = anyio.current_time() - time.monotonic()
    await anyio.sleep(seconds)
    return anyio.current_time() - time.monotonic() - before > seconds / 10
