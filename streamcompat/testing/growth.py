"""Whether memory grows with the body of a request.

The rule: nobody is accused whose memory has a bound, such as a limit of the app or a file on disk. What grows
with a small body is sent a large one before it counts.
"""

from __future__ import annotations

import gc
import json
import re
import time
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Final

import anyio
import anyio.to_thread

from streamcompat.testing.connection import Connection
from streamcompat.testing.counterexample import Counterexample, asserted
from streamcompat.testing.outcome import OVERALL, Runner
from streamcompat.testing.wire import Request, chunk, request_head
from streamcompat_engine import ClientDisconnected

_SIZES: Final = (256 * 1024, 768 * 1024)
"""Bytes of the two bodies whose memory use is compared first; both are larger than the buffers."""
_LARGE: Final = (4 * 1024 * 1024, 16 * 1024 * 1024)
"""Bytes of the bodies that must cost more too: larger than what apps take whole, or hold before they use a
file (1 MiB in Starlette, 2.5 MiB in Django)."""
_WARM_UP: Final = 16 * 1024
_PIECE: Final = 16 * 1024
_LARGE_PIECE: Final = 64 * 1024
"""Bytes that are sent at once. Two bodies that are compared are sent in pieces of the same size, because a
handler may hold some copies of a piece."""
_READS: Final = 1000
"""How often a client reads after it has sent the body."""
_PAUSE: Final = 0.01
"""Seconds to wait for a handler that is not reading."""


@dataclass(frozen=True)
class Cost:
    """The memory peak in bytes for one body, and the status of the response (0 if the server stalled)."""

    peak: int
    status: int


@dataclass(frozen=True)
class Filling:
    """A body that may have any size: `filler` is repeated."""

    start: bytes
    filler: bytes
    end: bytes

    def times(self, size: int) -> int:
        """How often the filler is repeated for a body of about this size."""
        return max((size - len(self.start) - len(self.end)) // len(self.filler), 1)

    def size(self, times: int) -> int:
        """Bytes of the body with the filler this many times."""
        return len(self.start) + times * len(self.filler) + len(self.end)


def fillings(body: bytes) -> Iterator[Filling]:
    """Larger bodies of the same kind: the body repeated, or with more content in a JSON value, a form or a
    multipart body."""
    yield Filling(b"", body, b"")
    filler = b"x" * 1024
    opened = body.lstrip()
    if opened[:1] in b"{[" and _is_json(opened):
        name = b'"padding": ' if opened[:1] == b"{" else b""
        comma = b"" if opened[1:].strip() in (b"}", b"]") else b", "
        yield Filling(opened[:1] + name + b'"', filler, b'"' + comma + opened[1:])
    if boundary := re.match(rb"--[^\r\n]+\r\n", body):
        head = boundary[0] + b'Content-Disposition: form-data; name="padding"\r\n\r\n'
        yield Filling(head, filler, b"\r\n" + body)
    if re.fullmatch(rb"[^=&\s]+=[^\s]*", body):
        yield Filling(body + b"&padding=", filler, b"")


def _is_json(body: bytes) -> bool:
    try:
        json.loads(body)
    except ValueError:
        return False
    return True


async def memory(runner: Runner, request: Request) -> Counterexample | str | None:
    """Check whether memory grows with the body: a body of the request's kind is sent in two sizes.

    The check runs twice: with a client that reads the response as it arrives, and with one that never reads.

    Returns: a counterexample, `None`, or a text that says why the check is impossible.
    """
    if not request.body:
        return "it has no body"
    refused = 0
    for filling in fillings(request.body):
        check = _Check(runner, request, filling)
        try:
            # This also excludes objects that are made once.
            status = (await check.cost(_WARM_UP, _PIECE, stalls=False)).status
            if status < 400:
                return await check.result()
            if status == 413:
                return None  # bounded by the route's own limit
        except TimeoutError:
            return "its repeated body is not answered"
        refused = refused or status
    return f"its repeated body is answered with {refused}"


class _Check:
    """The check with one kind of body."""

    def __init__(self, runner: Runner, request: Request, filling: Filling) -> None:
        self._runner = runner
        self._request = request
        self._filling = filling

    async def result(self) -> Counterexample | str | None:
        for stalls in (False, True):
            if stalls:
                await self.cost(_WARM_UP, _PIECE, stalls)
            costs = await self._costs(_SIZES, _PIECE, stalls)
            if not _bounded(costs, _SIZES):
                start = time.monotonic()
                costs = await self._costs(_LARGE, _LARGE_PIECE, stalls)
                if not _bounded(costs, _LARGE):
                    # Other threads of the process, such as those of a test runner, allocate too.
                    alone = await _grown_alone(time.monotonic() - start)
                    if not _bounded((costs[0], replace(costs[1], peak=costs[1].peak - alone)), _LARGE):
                        return self._grows(stalls, costs)
            refused = next((cost.status for cost in costs if cost.status >= 400), 0)
            if refused and refused != 413:
                return f"its repeated body is answered with {refused}"
        return None

    async def _costs(self, sizes: tuple[int, int], piece: int, stalls: bool) -> tuple[Cost, Cost]:
        small, large = [await self.cost(size, piece, stalls) for size in sizes]
        if not _bounded((small, large), sizes):
            # Again: threads, caches or the collector may have allocated meanwhile.
            gc.collect()
            large = min(large, await self.cost(sizes[1], piece, stalls), key=attrgetter("peak"))
        return small, large

    def _grows(self, stalls: bool, costs: tuple[Cost, Cost]) -> Counterexample:
        way = "while the client does not read" if stalls else "although the client reads"
        return Counterexample(
            f"Memory grows with the body, {way} the response.",
            self._request,
            (),
            tuple(
                f"body of {size // 1024} KiB: peak of {cost.peak // 1024} KiB"
                for size, cost in zip(_LARGE, costs, strict=True)
            ),
            asserted("assert_bounded_memory", self._request),
            "Write while you read, await each write, and keep no data that was already written;\n"
            "or limit the body with `body_limit=...` on the route.",
        )

    async def cost(self, size: int, piece: int, stalls: bool) -> Cost:
        """Send a body of about `size` bytes, `piece` bytes at a time, and drop the response."""
        client, keep = self._runner.client, self._runner.client.keep
        client.keep = False
        traced = tracemalloc.is_tracing()
        if not traced:
            tracemalloc.start()
        try:
            async with client.connect() as connection:
                tracemalloc.reset_peak()
                before = tracemalloc.get_traced_memory()[0]
                with anyio.fail_after(OVERALL * client.patience):
                    status = await self._transfer(connection, self._pieces(size, piece), stalls)
                return Cost(tracemalloc.get_traced_memory()[1] - before, status)
        finally:
            client.keep = keep
            if not traced:
                tracemalloc.stop()

    async def _transfer(self, connection: Connection, pieces: Iterator[bytes], stalls: bool) -> int:
        """Send the request; returns the status of the response."""
        first = b""
        try:
            for data in pieces:
                if connection.reading_paused and stalls:
                    await connection.client.settle()
                    if connection.reading_paused:
                        return 0  # back-pressure: the client waits
                while connection.reading_paused and connection.open:
                    arrived = await _drained(connection)
                    first = first or arrived
                    await anyio.sleep(_PAUSE)
                await connection.send(data)
                if not stalls:
                    arrived = await _drained(connection)
                    first = first or arrived
        except ClientDisconnected:
            pass  # the server has answered and closed
        if stalls:
            await connection.client.settle()
            return _status(await connection.receive(64)) if connection.unread else 0
        while not first and (data := await connection.receive()):
            first = data[:64]
        for _ in range(_READS):  # of a response that may be endless
            if not await _drained(connection):
                break
        return _status(first)

    def _pieces(self, about: int, piece: int) -> Iterator[bytes]:
        """What is sent at once: the head, and the pieces of a body of about this size."""
        request, filling = self._request, self._filling
        times = filling.times(about)
        chunked = request.chunks is not None
        size = filling.size(times)
        yield request_head(
            request.method, request.target, request.headers, None if chunked else size, chunked
        )
        framed = chunk if chunked else bytes
        if filling.start:
            yield framed(filling.start)
        at_once = max(piece // len(filling.filler), 1)
        while times > 0:
            yield framed(filling.filler * min(at_once, times))
            times -= at_once
        if filling.end:
            yield framed(filling.end)
        if chunked:
            yield b"0\r\n\r\n"


async def _grown_alone(seconds: float) -> int:
    """Bytes that the process takes in so many seconds without a request."""
    traced = tracemalloc.is_tracing()
    if not traced:
        tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        await anyio.to_thread.run_sync(time.sleep, seconds)
        return tracemalloc.get_traced_memory()[0] - before
    finally:
        if not traced:
            tracemalloc.stop()


def _bounded(costs: tuple[Cost, Cost], sizes: tuple[int, int]) -> bool:
    if any(cost.status == 413 for cost in costs):
        return True  # by the app's own limit
    return costs[1].peak - costs[0].peak <= (sizes[1] - sizes[0]) // 4


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
