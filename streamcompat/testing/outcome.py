"""What one request led to, in a form that two of them can be compared in.

The rule: an answer that failed is only said to have failed. How far a handler came before it refused a
body, and in which words, may depend on how the body came; that it refused it may not.
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
"""Real seconds in which a handler, or a task that it began, may end by itself."""
OVERALL: Final = 5
"""Times a client's patience, which is for one wait, in which a whole exchange has to end."""
_MOST: Final = 32 * 1024 * 1024
"""Bytes of a response's body after which it is taken to have no end."""
_LOOKS: Final = 100
_NOT_COMPARED: Final = frozenset({"date"})


@dataclass(frozen=True)
class Outcome:
    """What a request led to.

    Attributes:
        status: 0 where there was no answer.
        body: as the client's user would see it: without its Content-Encoding, gzip or deflate.
        complete: the response came to its end.
        headers: of the response, without Date.
        effects: what the handler noted of its side effects.
        pieces: of the body, as the handler read them.
        error: what the handler raised, as `Type: message`.
        violations: what no handler may do, whatever it answers.
        unsteady: which of `body` and `effects` differ each time by themselves, and so are not compared.
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
        """It is no whole answer that says that all went well."""
        return self.status == 0 or self.status >= 400 or not self.complete

    def differences(self, other: Outcome) -> list[str]:
        """What is not the same, each as one line; none for two that are alike."""
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
    """The body without its coding (RFC 9110 §8.4): one that is packed as it goes has other bytes for each
    cut, and the same content. As it came where it is no gzip or deflate, or broken."""
    coding = response.headers.get("content-encoding", "").lower()
    if coding not in ("gzip", "x-gzip", "deflate"):
        return response.body
    content, rest = b"", response.body
    try:
        while rest:  # gzip may have several members
            unpack = zlib.decompressobj(47 if coding != "deflate" else 15)
            content += unpack.decompress(rest)
            rest = unpack.unused_data if unpack.eof else b""
    except zlib.error:
        return response.body
    return content


def _by_chance(outcome: Outcome) -> bool:
    """Whether it is a failure in the middle, whose details depend on how far the handler had come."""
    return outcome.status >= 500 or not outcome.complete


def _listed(violations: Sequence[str]) -> str:
    return ", ".join(violations) or "none"


def _whole(outcome: Outcome) -> str:
    return "whole" if outcome.complete else "cut"


def shown(data: bytes, most: int = 60) -> str:
    """Bytes for a person: as text where they are text, and not too many."""
    part = data[:most]
    try:
        text = repr(part.decode())
    except UnicodeDecodeError:
        text = repr(part)
    return text + (f"... ({len(data)} bytes)" if len(data) > most else "")


class Failures(logging.Filter):
    """Collects the exceptions that apps log, and keeps them off the screen."""

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
        """The last one, once."""
        last, self.last = self.last, ""
        return last


@contextlib.contextmanager
def failures_of(app: Any) -> Iterator[Failures]:
    """What the app, or each app of a site, and the engine log of exceptions meanwhile."""
    failures = Failures()
    apps = getattr(app, "apps", [app]) if isinstance(app, Servable) else []
    # A filter and no handler: one of Sanic's loggers is the root, where others listen too.
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
    """Runs requests and says what they led to.

    Attributes:
        effects: emptied before each request, and read after it.
    """

    client: Client
    failures: Failures
    effects: Effects = None
    _known: set[int] = field(default_factory=set)

    async def run(self, request: Request, cuts: Sequence[int] = ()) -> Outcome:
        """Send the request, cut so, and wait for all that it leads to."""
        self.begin()
        async with self.client.start(request, cuts) as stream:
            response = await self._response(stream)
            violations = [] if response.complete else await self._endless(stream)
            violations += await self.violations(stream.seen)
            return self._outcome(response, stream.seen, violations)

    async def _response(self, stream: Stream) -> Response:
        """What comes of it, within bounds."""
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
        """Forget what was before the next request."""
        if self.effects is not None:
            self.effects.clear()
        self.failures.take()
        self._known = {task.id for task in anyio.get_running_tasks()}

    async def violations(self, seen: Observed) -> list[str]:
        """What the handler of a request did that none may do; waits for its end, for a while."""
        found: list[str] = []
        await self.client.settle()
        if not await self._eventually(lambda: seen.ended or seen.spins):
            found.append("the handler goes on after its response")
        if seen.spins:
            found.append("the handler reads for ever after the end of the body")
        elif not found and not await self._eventually(lambda: not self._left()):
            found.append(f"left a task behind: {', '.join(self._left())}")
        if seen.late_writes:
            found.append("wrote after the end of its response")
        return found

    async def _eventually(self, condition: Callable[[], bool]) -> bool:
        for _ in range(_LOOKS):
            if condition():
                return True
            await anyio.sleep(GRACE / _LOOKS)
        return condition()

    def _left(self) -> list[str]:
        """The tasks that were not there before."""
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
    """Whether it is the client's own, which sends a body that the server has not taken."""
    return "_send_all" in (task.name or "")
