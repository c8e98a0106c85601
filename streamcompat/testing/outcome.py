"""The outcome of one request, in a form in which two outcomes can be compared.

The rule: of failed responses only the failure is compared. How far a handler got before it refused a body,
and the text of its error, may depend on the cuts; whether it refused the body may not.
"""

from __future__ import annotations

import contextlib
import logging
import re
import time
import zlib
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

import anyio

from streamcompat.testing.applications import loggers_of
from streamcompat.testing.client import Client
from streamcompat.testing.connection import Stream
from streamcompat.testing.observed import Observed
from streamcompat.testing.response import Response
from streamcompat.testing.wire import Request

Effects = MutableSequence[Any] | None

OVERALL: Final = 5
"""A response must end within this many times the client's patience, which is for one wait, after its handler
has last read from the request."""
_MOST: Final = 32 * 1024 * 1024
"""Bytes after which a response's body counts as endless."""
_EVENTS: Final = 256 * 1024
"""The same for a kind of response that may be endless, such as an event stream."""
GLANCE: Final = 1.0
"""Seconds of an endless response to read, once it is known to be one."""
_LONGEST_POLL: Final = 1.0
_LONGEST_JUMP: Final = 60.0
_MINUTES: Final = 10 * 60.0
"""Seconds that a task may take to end after its request, if the clock jumps."""
_JUMPING: Final = 5.0
"""Real seconds for that."""
_ENDLESS: Final = frozenset(
    {
        "text/event-stream",
        "multipart/x-mixed-replace",
        "application/x-ndjson",
        "application/json-seq",
        "application/stream+json",
    }
)
"""Content types of responses that may last until the client leaves."""
_WORKERS: Final = 4
"""How many requests may each start a task for the life of the app, such as a worker on the first use."""
_OF_THE_MESSAGE: Final = frozenset(
    {"server", "connection", "keep-alive", "transfer-encoding", "trailer", "content-length",
     "content-encoding", "vary", "age", "expires", "retry-after"}
)  # fmt: skip
"""Fields of a response that say how and when it is sent, rather than what it says."""
_MEASURES: Final = re.compile("time|timing|took|duration|elapsed|latency")
"""In the name of a field: it tells how long a request took, and more pieces take longer."""
FIELDS: Final = "fields"
"""Stands for all fields of a response, where none is compared."""


@dataclass(frozen=True)
class Outcome:
    """The result of a request.

    Attributes:
        status: 0 if there was no response.
        body: the content, decoded if its Content-Encoding is gzip or deflate.
        complete: the whole response arrived.
        headers: those of the response, without Date.
        effects: the side effects that the app recorded.
        pieces: the pieces of the request's body, as the handler read them.
        error: the exception of the handler, as `Type: message`.
        told: the result of the handler's last read without a byte: `"end"`, the name of an error, or `""`.
        endless: the response is an event stream that ends only when the client leaves. Its body is how it
            began.
        violations: broken rules that hold for every handler, whatever its response.
        unsteady: which of `body`, `effects` and the fields vary without cuts, and so are not compared;
            `FIELDS` for all fields.
        observed: what the handler read is known.
    """

    status: int
    body: bytes
    complete: bool
    headers: tuple[tuple[str, str], ...] = ()
    effects: tuple[Any, ...] = ()
    pieces: tuple[bytes, ...] = ()
    error: str = ""
    told: str = ""
    endless: bool = False
    violations: tuple[str, ...] = ()
    unsteady: frozenset[str] = frozenset()
    observed: bool = True

    @property
    def failed(self) -> bool:
        """Whether the response is missing, truncated or an error."""
        return self.status == 0 or self.status >= 400 or not (self.complete or self.endless)

    def differences(self, other: Outcome) -> list[str]:
        """The differences from another outcome, one line each; empty if the two are equal."""
        found: list[str] = []
        if self.violations != other.violations:
            found.append(f"violations: {_listed(self.violations)} and {_listed(other.violations)}")
        if self.failed and other.failed and (_by_chance(self) or _by_chance(other)):
            return found
        if self.status != other.status:
            found.append(f"status: {self.status or 'none'} and {other.status or 'none'}")
        if (self.complete, self.endless) != (other.complete, other.endless):
            found.append(f"the response is {_whole(self)} and {_whole(other)}")
        if self._other_body(other) and self.status == other.status and "body" not in self.unsteady:
            found.append(f"body: {shown(self.body)} and {shown(other.body)}")
        if self.effects != other.effects and "effects" not in self.unsteady:
            found.append(f"side effects: {list(self.effects)!r} and {list(other.effects)!r}")
        if self.status == other.status < 400 and (names := self.other_fields(other)):
            one, two = self._fields(), other._fields()
            found += [f"{name}: {one.get(name, 'none')} and {two.get(name, 'none')}" for name in names]
        return found

    def other_fields(self, other: Outcome) -> list[str]:
        """The names of the compared fields that have another value, or that only one of the two has."""
        if FIELDS in self.unsteady or self.headers == other.headers:
            return []
        one, two = self._fields(), other._fields()
        names = sorted(one.keys() | two.keys())
        return [name for name in names if name not in self.unsteady and one.get(name) != two.get(name)]

    def _fields(self) -> dict[str, str]:
        """Those of the response that are compared: what they say does not follow from the network."""
        fields: dict[str, str] = {}
        for name, value in self.headers:
            if name in _OF_THE_MESSAGE or _MEASURES.search(name):
                continue
            fields[name] = f"{fields[name]}, {value}" if name in fields else value
        return fields

    def varies(self, other: Outcome) -> frozenset[str]:
        """What is not the same in another outcome of the same request, so that it cannot be compared."""
        found = {*self.unsteady, *self.other_fields(other)}
        if self._other_body(other):
            found.add("body")
        if self.effects != other.effects:
            found.add("effects")
        return frozenset(found)

    def _other_body(self, other: Outcome) -> bool:
        if not (self.endless and other.endless):
            return self.body != other.body
        common = min(len(self.body), len(other.body))
        return self.body[:common] != other.body[:common]


def decoded(response: Response) -> bytes:
    """The body without its content coding (RFC 9110 §8.4). A body that is compressed while it is streamed has
    different bytes for each cut, but the same content. Other codings and broken data are returned as they
    are."""
    coding = response.headers.get("content-encoding", "").lower()
    if coding not in ("gzip", "x-gzip", "deflate"):
        return response.body
    content, rest = b"", response.body
    try:
        while rest:  # gzip data may have several members (RFC 1952 §2.2)
            unpack = zlib.decompressobj(47 if coding != "deflate" else 15)
            content += unpack.decompress(rest)
            rest = unpack.unused_data if unpack.eof else b""
    except zlib.error:
        return response.body
    return content


def fails(request: Request, outcome: Outcome) -> str:
    """Why nothing can be learnt from a request that fails without cuts; empty if it succeeds."""
    if not outcome.failed:
        return ""
    why = f" ({outcome.error})" if outcome.error else ""
    said = f"is answered with {outcome.status}{why}" if outcome.status >= 400 else f"is not answered{why}"
    return (
        f"{request.method} {request.target} {said} without any cuts, so there is nothing to compare: "
        "send what the route takes, or pass `allow_failure=True`"
    )


def _by_chance(outcome: Outcome) -> bool:
    """Whether the handler failed midway, so that the details depend on how far it had got."""
    return outcome.status >= 500 or not (outcome.complete or outcome.endless)


def _listed(violations: Sequence[str]) -> str:
    return ", ".join(violations) or "none"


def _whole(outcome: Outcome) -> str:
    return "endless" if outcome.endless else "whole" if outcome.complete else "cut"


def shown(data: bytes, most: int = 60) -> str:
    """Bytes as a readable literal, as text if they are UTF-8, shortened to `most` bytes."""
    part = data[:most]
    try:
        text = repr(part.decode())
    except UnicodeDecodeError:
        text = repr(part)
    return text + (f"... ({len(data)} bytes)" if len(data) > most else "")


class Failures(logging.Filter):
    """Collects the exceptions that apps log, and suppresses their log records."""

    def __init__(self) -> None:
        super().__init__()
        self.last: str = ""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self.last = " ".join(f"{type(error).__name__}: {error}".split())
            return False
        # The originals' error handlers log the traceback as text.
        message = record.getMessage()
        if "Traceback (most recent call last)" in message:
            self.last = message.rstrip().rpartition("\n")[2]
            return False
        return True

    def take(self) -> str:
        """Return the last exception as text, and forget it."""
        last, self.last = self.last, ""
        return last


@contextlib.contextmanager
def failures_of(*served: Any) -> Iterator[Failures]:
    """Collect the exceptions that the engine and the apps (or each app of a site) log during the block."""
    failures = Failures()
    # A filter, not a handler: one of Sanic's loggers is the root logger, which has handlers of others.
    loggers = {logging.getLogger("streamcompat.engine")}.union(*map(loggers_of, served))
    for logger in loggers:
        logger.addFilter(failures)
    try:
        yield failures
    finally:
        for logger in loggers:
            logger.removeFilter(failures)


async def eventually(condition: Callable[[], bool], patience: float) -> bool:
    """Wait until a condition holds; returns whether it does within `patience` seconds."""
    end, pause = anyio.current_time() + patience, 0.001
    while not condition():
        if anyio.current_time() >= end:
            return False
        await anyio.sleep(pause)
        pause = min(2 * pause, _LONGEST_POLL)
    return True


async def read(stream: Stream, glance: float, patience: float, most: int = _MOST) -> bool:
    """Read a response up to a limit of bytes and time. Returns whether it is an endless one.

    Args:
        glance: seconds of an endless one to read.
        patience: seconds for one wait.
        most: bytes after which to stop.
    """
    size, begun, taken = 0, anyio.current_time(), 0
    while size <= most:
        try:
            piece = await stream.receive()
        except TimeoutError:
            if stream.seen.read == taken:
                break
            piece = b""
        if piece is None:
            break
        size += len(piece)
        if stream.seen.read > taken:  # the handler is slow, and still reads the request
            begun, taken = anyio.current_time(), stream.seen.read
        passed = anyio.current_time() - begun
        if passed > OVERALL * patience:
            break
        if (size > _EVENTS or passed > glance) and may_be_endless(stream.received):
            break
    if stream.received.complete or not may_be_endless(stream.received):
        return False
    await stream.connection.client.settle()
    return not stream.seen.ended  # otherwise cut by the server


class Runs(Protocol):
    """What runs requests and returns their outcomes, in this process or elsewhere.

    Attributes:
        answers: how many requests were sent.
        successes: how many of them were answered with 2xx.
    """

    answers: int
    successes: int

    async def run(self, request: Request, cuts: Sequence[int] = ()) -> Outcome:
        """Send the request with these cuts."""


@dataclass
class Runner:
    """Runs requests and returns their outcomes.

    Attributes:
        effects: cleared before each request, and read after it.
        answers: how many requests were sent.
        successes: how many of them were answered with 2xx.
        real_time: the clock of the loop was seen not to jump.
    """

    client: Client
    failures: Failures
    effects: Effects = None
    answers: int = 0
    successes: int = 0
    real_time: bool = False
    _known: set[int] = field(default_factory=set)
    _endless: set[tuple[str, str]] = field(default_factory=set)

    async def run(self, request: Request, cuts: Sequence[int] = ()) -> Outcome:
        """Send the request with these cuts, and wait until its handler and tasks have ended.

        A task that is left counts only if each further request leaves one too: an app may start a worker at
        the first request.
        """
        outcome, left = await self._run(request, cuts)
        if not left:
            return outcome
        for _ in range(_WORKERS):
            _, more = await self._run(request, cuts)
            if not more:
                return outcome
        return replace(
            outcome, violations=(*outcome.violations, f"left a task behind: {', '.join(sorted(left))}")
        )

    async def _run(self, request: Request, cuts: Sequence[int]) -> tuple[Outcome, list[str]]:
        """The outcome, and the tasks that are left."""
        self.begin()
        async with self.client.start(request, cuts) as stream:
            endless = await self._read(stream, (request.method, request.target))
            violations: list[str] = []
            if endless:
                stream.disconnect()
            elif not stream.received.complete:
                violations += await self._hangs(stream)
            broken, left = await self.violations(stream.seen)
            if endless:
                broken = [one.replace("after its response", "after its client has left") for one in broken]
            outcome = self._outcome(stream.received, stream.seen, [*violations, *broken], endless)
        self.answers += 1
        self.successes += 200 <= outcome.status < 300
        return outcome, left

    async def _read(self, stream: Stream, route: tuple[str, str]) -> bool:
        """Read the response. Returns whether it is an endless one."""
        patience = self.client.patience
        endless = await read(stream, GLANCE if route in self._endless else patience, patience)
        if endless:
            self._endless.add(route)
        return endless

    async def _hangs(self, stream: Stream) -> list[str]:
        await self.client.settle()
        if stream.seen.ended:
            return []
        return ["the response does not end" if stream.received.status else "the handler hangs"]

    def begin(self) -> None:
        """Reset the records before the next request."""
        if self.effects is not None:
            self.effects.clear()
        self.failures.take()
        self._known = {task.id for task in anyio.get_running_tasks()}

    async def violations(self, seen: Observed) -> tuple[list[str], list[str]]:
        """The rules that the handler of a request broke, and the tasks that it left; waits for their end."""
        found: list[str] = []
        left: list[str] = []
        await self.client.settle()
        patience = self.client.patience
        if not await eventually(lambda: seen.ended or seen.spins, patience):
            found.append("the handler keeps running after its response")
        if seen.spins:
            found.append("the handler reads for ever after the end of the body")
        elif not found and not await self._all_end():
            left = self._left()
        if seen.late_writes:
            found.append("wrote after the end of its response")
        return found, left

    async def _all_end(self) -> bool:
        """Whether the tasks of a request end in time. One that removes what has expired may take minutes, for
        which only a clock that jumps waits."""
        if await eventually(lambda: not self._left(), self.client.patience):
            return True
        end, stops, pause = anyio.current_time() + _MINUTES, time.monotonic() + _JUMPING, _LONGEST_POLL
        while anyio.current_time() < end and time.monotonic() < stops:
            begun = time.monotonic()
            await anyio.sleep(pause)
            if not self._left():
                return True
            jumps = time.monotonic() - begun < pause / 2
            pause = min(2 * pause, _LONGEST_JUMP) if jumps else _LONGEST_POLL
        return False

    def _left(self) -> list[str]:
        """The running tasks that did not exist before the request."""
        ours = anyio.get_current_task().id
        return sorted(
            task.name or "a task"
            for task in anyio.get_running_tasks()
            if task.id not in self._known and task.id != ours and not _is_sender(task)
        )

    def _outcome(self, response: Response, seen: Observed, violations: list[str], endless: bool) -> Outcome:
        return Outcome(
            response.status,
            decoded(response),
            response.complete,
            fields_of(response),
            tuple(self.effects or ()),
            tuple(seen.pieces),
            self.failures.take(),
            seen.told,
            endless,
            tuple(violations),
        )


def fields_of(response: Response) -> tuple[tuple[str, str], ...]:
    """The fields of a response without Date, sorted."""
    return tuple(sorted(one for one in response.headers.multi_items() if one[0] != "date"))


def may_be_endless(response: Response) -> bool:
    """Whether this kind of response may last until the client leaves."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    return 200 <= response.status < 300 and kind in _ENDLESS


def _is_sender(task: anyio.TaskInfo) -> bool:
    """Whether the task belongs to the client and sends a body that the server has not read."""
    return "_send_all" in (task.name or "")
