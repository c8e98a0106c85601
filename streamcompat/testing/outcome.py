"""The outcome of one request, in a form in which two outcomes can be compared.

The rule: of failed responses only the failure is compared. How far a handler got before it refused a body,
and the text of its error, may depend on the cuts; whether it refused the body may not.
"""

from __future__ import annotations

import contextlib
import logging
import zlib
from collections.abc import Callable, Iterator, MutableSequence, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import anyio

from streamcompat.serving.servable import Servable
from streamcompat.testing.client import Client
from streamcompat.testing.connection import Stream
from streamcompat.testing.observed import Observed
from streamcompat.testing.response import Response
from streamcompat.testing.wire import Request

Effects = MutableSequence[Any] | None

GRACE: Final = 1.0
"""Real seconds that a handler, or a task that it started, may take to end by itself."""
OVERALL: Final = 5
"""A whole exchange must end within this many times the client's patience, which is for one wait."""
_MOST: Final = 32 * 1024 * 1024
"""Bytes after which a response's body counts as endless."""
_POLLS: Final = 100
_NOT_COMPARED: Final = frozenset({"date"})


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
        violations: broken rules that hold for every handler, whatever its response.
        unsteady: which of `body` and `effects` vary without cuts, and so are not compared.
    """

    status: int
    body: bytes
    complete: bool
    headers: tuple[tuple[str, str], ...] = ()
    effects: tuple[Any, ...] = ()
    pieces: tuple[bytes, ...] = ()
    error: str = ""
    violations: tuple[str, ...] = ()
    unsteady: frozenset[str] = frozenset()

    @property
    def failed(self) -> bool:
        """Whether the response is missing, truncated or an error."""
        return self.status == 0 or self.status >= 400 or not self.complete

    def differences(self, other: Outcome) -> list[str]:
        """The differences from another outcome, one line each; empty if the two are equal."""
        found: list[str] = []
        if self.violations != other.violations:
            found.append(f"violations: {_listed(self.violations)} and {_listed(other.violations)}")
        if self.failed and other.failed and (_by_chance(self) or _by_chance(other)):
            return found
        if self.status != other.status:
            found.append(f"status: {self.status or 'none'} and {other.status or 'none'}")
        if self.complete != other.complete:
            found.append(f"the response is {_whole(self)} and {_whole(other)}")
        if self.body != other.body and self.status == other.status and "body" not in self.unsteady:
            found.append(f"body: {shown(self.body)} and {shown(other.body)}")
        if self.effects != other.effects and "effects" not in self.unsteady:
            found.append(f"side effects: {list(self.effects)!r} and {list(other.effects)!r}")
        return found


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


def _by_chance(outcome: Outcome) -> bool:
    """Whether the handler failed midway, so that the details depend on how far it had got."""
    return outcome.status >= 500 or not outcome.complete


def _listed(violations: Sequence[str]) -> str:
    return ", ".join(violations) or "none"


def _whole(outcome: Outcome) -> str:
    return "whole" if outcome.complete else "cut"


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
        self.last = ""

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
def failures_of(app: Any) -> Iterator[Failures]:
    """Collect the exceptions that the engine and the app (or each app of a site) log during the block."""
    failures = Failures()
    apps = getattr(app, "apps", [app]) if isinstance(app, Servable) else []
    # A filter, not a handler: one of Sanic's loggers is the root logger, which has handlers of others.
    loggers = {logging.getLogger("streamcompat.engine"), *(one.log for one in apps if hasattr(one, "log"))}
    for logger in loggers:
        logger.addFilter(failures)
    try:
        yield failures
    finally:
        for logger in loggers:
            logger.removeFilter(failures)


@dataclass
class Runner:
    """Runs requests and returns their outcomes.

    Attributes:
        effects: cleared before each request, and read after it.
    """

    client: Client
    failures: Failures
    effects: Effects = None
    _known: set[int] = field(default_factory=set)

    async def run(self, request: Request, cuts: Sequence[int] = ()) -> Outcome:
        """Send the request with these cuts, and wait until its handler and tasks have ended."""
        self.begin()
        async with self.client.start(request, cuts) as stream:
            response = await self._response(stream)
            violations = [] if response.complete else await self._endless(stream)
            violations += await self.violations(stream.seen)
            return self._outcome(response, stream.seen, violations)

    async def _response(self, stream: Stream) -> Response:
        """The response, read up to a limit of bytes and time."""
        size = 0
        with contextlib.suppress(TimeoutError), anyio.move_on_after(OVERALL * self.client.patience):
            while size <= _MOST and (piece := await stream.receive()) is not None:
                size += len(piece)
        return stream.received

    async def _endless(self, stream: Stream) -> list[str]:
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

    async def violations(self, seen: Observed) -> list[str]:
        """The rules that the handler of a request broke; waits a while for the handler to end."""
        found: list[str] = []
        await self.client.settle()
        if not await self._eventually(lambda: seen.ended or seen.spins):
            found.append("the handler keeps running after its response")
        if seen.spins:
            found.append("the handler reads for ever after the end of the body")
        elif not found and not await self._eventually(lambda: not self._left()):
            found.append(f"left a task behind: {', '.join(self._left())}")
        if seen.late_writes:
            found.append("wrote after the end of its response")
        return found

    async def _eventually(self, condition: Callable[[], bool]) -> bool:
        for _ in range(_POLLS):
            if condition():
                return True
            await anyio.sleep(GRACE / _POLLS)
        return condition()

    def _left(self) -> list[str]:
        """The running tasks that did not exist before the request."""
        ours = anyio.get_current_task().id
        return sorted(
            task.name or "a task"
            for task in anyio.get_running_tasks()
            if task.id not in self._known and task.id != ours and not _is_sender(task)
        )

    def _outcome(self, response: Response, seen: Observed, violations: list[str]) -> Outcome:
        return Outcome(
            response.status,
            decoded(response),
            response.complete,
            tuple(
                sorted(
                    (name, value)
                    for name, value in response.headers.multi_items()
                    if name not in _NOT_COMPARED
                )
            ),
            tuple(self.effects or ()),
            tuple(seen.pieces),
            self.failures.take(),
            tuple(violations),
        )


def _is_sender(task: anyio.TaskInfo) -> bool:
    """Whether the task belongs to the client and sends a body that the server has not read."""
    return "_send_all" in (task.name or "")
