"""The messages of one exchange on their way to an ASGI server.

The rule: what waits for the server is bounded, and its writers wait. A response that deadlocks with its own
request (see the engine's `Deadlock`) waits in a file until the server takes messages again.
"""

from __future__ import annotations

import functools
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final, NamedTuple, Self

import anyio

from streamcompat.asgi.scope import ASGIMessage, lowered
from streamcompat.serving.servable import Servable
from streamcompat_engine import (
    CHUNK_COST,
    LINE,
    MOMENT,
    Body,
    Deadlock,
    Direction,
    EngineError,
    Fields,
    Guarded,
    Inbound,
    Limits,
    LogBudget,
    Spill,
    SpillRoom,
    Timeouts,
    Wakeup,
    WriteBufferFull,
    checked_fields,
    printable,
)

if TYPE_CHECKING:
    from streamcompat.asgi.slot import ASGISlot

_LIMITS: Final = Limits()
_STALL: Final = Timeouts().write_stall or 0.0
"""Seconds after which a deadlock is cut for which there is no room on disk, as on the engine."""
_LOOK: Final = 1.0
"""The most seconds between two looks at the times of a request."""
TRAILERS: Final = "http.response.trailers"
"""The extension of ASGI by which a response has trailers."""
_log: Final = logging.getLogger(__name__)


@functools.lru_cache(256)
def response_fields(
    status: int, reason: bytes | None, headers: Fields, length: int | None
) -> tuple[Fields, int | None]:
    """The fields of a response for the server, and its Content-Length; see `checked_fields`."""
    fields, declared = checked_fields(status, reason, headers, length)
    kept = lowered(fields)
    return (kept, None) if declared is None else ((*kept, (b"content-length", declared)), int(declared))


class Messages(Body):
    """The body of a streamed response as messages of the server's.

    Args:
        put: sends a message; its size in bytes.
        start: the message that begins the response.
        bodiless: no body is sent.
    """

    def __init__(
        self,
        put: Callable[[ASGIMessage, int], None],
        start: ASGIMessage,
        bodiless: bool,
        declared: int | None,
        written: Callable[[int], Awaitable[None]],
    ) -> None:
        super().__init__(declared, written)
        self._put = put
        self._start = start
        self._bodiless = bodiless

    def _put_head(self) -> None:
        self._put(self._start, 0)

    def _put_chunk(self, data: bytes) -> None:
        if not self._bodiless:
            self._put({"type": "http.response.body", "body": data, "more_body": True}, len(data))

    def _put_end(self, trailers: Fields) -> None:
        self._put({"type": "http.response.body", "body": b"", "more_body": False}, 0)
        if "trailers" in self._start:
            fields = [(name.lower(), value) for name, value in trailers]
            self._put({"type": TRAILERS, "headers": fields, "more_trailers": False}, 0)


class Spills:
    """What the responses of one app that deadlock share: the room on disk and the budget of the log.

    Args:
        limits: the app's `spill_size` and `spill_total`.
    """

    def __init__(self, limits: Limits) -> None:
        self.allowed: bool = bool(limits.spill_size and limits.spill_total)
        self._size = limits.spill_size
        self._room = SpillRoom(limits.spill_total)
        self._budget = LogBudget()

    def open(self) -> Spill:
        """A file for one response."""
        return Spill(self._size, self._room)

    def log(self, line: str, level: int) -> None:
        """Log what became of a response, unless too many lines were logged lately."""
        if _log.isEnabledFor(level) and self._budget.spend(anyio.current_time()) is not None:
            _log.log(level, "%s", line)


class OfApp(NamedTuple):
    """What all requests of one app share.

    Attributes:
        pause: seconds between two looks at the times of a request.
    """

    observer: Guarded
    spills: Spills
    timeouts: Timeouts
    pause: float

    @classmethod
    def of(cls, app: Servable) -> Self:
        """Of an app whose settings are final."""
        config = app.server_config()
        times = (config.timeouts.response, config.timeouts.request, config.timeouts.body_idle)
        shortest = min((one for one in times if one is not None), default=_LOOK)
        return cls(Guarded(app.observer()), Spills(config.limits), config.timeouts, pause_for(shortest))


def pause_for(seconds: float) -> float:
    """The pause between two looks at a time of so many seconds."""
    return min(_LOOK, seconds / 8)


class Outgoing:
    """The messages of one streamed response on their way to the server; see the module.

    A task hands them on while the application goes on.

    Args:
        slot: the exchange's place, which is told of what happens.
    """

    __slots__ = ("_begun", "_busy", "_emptied", "_file", "_idle", "_looks", "_passed_on", "_queue", "queued",
                 "_slot", "_spills")  # fmt: skip

    def __init__(self, slot: ASGISlot, spills: Spills) -> None:
        self._slot = slot
        self._spills = spills
        self._queue: deque[tuple[ASGIMessage | None, int]] = deque()  # None: what is in the file
        self.queued = 0
        self._begun = False  # there is a task that hands on what waits
        self._idle: Wakeup | None = None  # while it has nothing to do
        self._busy = False  # it, or the application's own task, hands something on
        self._emptied: Wakeup | None = None  # for who waits until that is done
        self._passed_on = 0  # messages that the server has taken
        self._looks = False  # for a deadlock
        self._file: Spill | None = None

    def put(self, message: ASGIMessage, size: int) -> None:
        """Queue a message with so many bytes."""
        if size and self._file is not None and self._store(message["body"]):
            return
        self._enqueue(message, size)
        if self.queued > _LIMITS.outbound_high:
            self._make_wait()

    def _enqueue(self, message: ASGIMessage | None, size: int) -> None:
        self._queue.append((message, size + CHUNK_COST))
        self.queued += size + CHUNK_COST
        if self._idle is not None:
            self._idle.set()
            self._idle = None
        elif not self._begun:
            self._begun = True
            self._slot.tasks.spawn(self._send_along)

    def clear(self) -> None:
        """Drop everything that waits."""
        self._queue.clear()
        self.queued = 0
        self._drop_file()
        self._tell_emptied()

    def _tell_emptied(self) -> None:
        if self._emptied is not None:
            self._emptied.set()
            self._emptied = None

    async def _send_along(self) -> None:
        while not self._slot.disconnected:
            if not self._busy:
                await self._flush()
            self._idle = self._slot.tasks.event()
            await self._idle.wait()

    async def _flush(self) -> None:
        flow = self._slot.flow
        self._busy = True
        try:
            while self._queue:
                message, cost = self._queue.popleft()
                if not await (self._send_file() if message is None else self._pass_on(message)):
                    return
                self.queued -= cost if self._queue else self.queued
                if flow.blocked and self.queued <= _LIMITS.outbound_low and self._file is None:
                    self._let_write()
        finally:
            self._busy = False
        self._tell_emptied()

    async def _pass_on(self, message: ASGIMessage) -> bool:
        taken = await self._slot.pass_on(message)
        self._passed_on += taken
        return taken

    async def sent(self) -> None:
        """Returns once all that is queued is with the server."""
        if not self._busy:
            await self._flush()
        while self.queued:
            self._emptied = self._slot.tasks.event()
            await self._emptied.wait()

    # ---- who writes ----

    def _make_wait(self) -> None:
        if not self._slot.flow.blocked:
            self._slot.flow.block()
            self._slot.tell_waiting(Direction.OUT, True)
            if not self._looks and self._rest_of_body() is not None:
                self._looks = True
                self._slot.tasks.spawn(self._look_for_deadlock)

    def _let_write(self) -> None:
        self._slot.flow.unblock()
        self._slot.tell_waiting(Direction.OUT, False)

    def _rest_of_body(self) -> Inbound | None:
        """The request's body if more of it is to come."""
        inbound = self._slot.inbound
        return inbound if inbound is not None and not inbound.ended and inbound.error is None else None

    # ---- a response that deadlocks with its request ----

    async def _look_for_deadlock(self) -> None:
        """While the body is not complete, see whether the application and the client wait for each other."""
        slot, deadlock = self._slot, Deadlock()
        while self._rest_of_body() is not None and not slot.responded:
            await anyio.sleep(MOMENT)
            now = anyio.current_time()
            body = self._rest_of_body() if slot.flow.waiting and slot.reading_paused else None
            if not deadlock.holds(now, body, self._passed_on):
                continue
            if self._spills.allowed and (self._file is None or self._file.refusal is None):
                self._spill()
            elif deadlock.since is not None and now >= deadlock.since + _STALL:
                self._log("it and its request have waited for each other for too long, and it is cut")
                slot.gone(WriteBufferFull("the client takes nothing before it has sent its request"))

    def _log(self, what: str, level: int = logging.ERROR) -> None:
        head = self._slot.head
        request = printable(f"{head.method} {head.target.decode('latin-1')}", LINE // 2)
        self._spills.log(f"the response to {request}: {what}", level)

    def _spill(self) -> None:
        if self._file is None:
            self._file = self._spills.open()
            self._enqueue(None, 0)
            self._log(
                "the client sends its whole request before it reads, so it waits in a file", logging.INFO
            )
        self._let_write()

    def _store(self, data: bytes) -> bool:
        """Add a chunk to the file, unless an earlier one had no room there.

        Returns: whether it was added.
        """
        assert self._file is not None
        if self._file.refusal is not None:
            return False
        stored = self._file.write([data])
        if not stored:
            self._log(f"{self._file.refusal}; it is cut if its client reads nothing for {_STALL:.0f} s")
        if not stored or self._rest_of_body() is None:
            self._make_wait()  # a client that has sent its request reads
        return stored

    async def _send_file(self) -> bool:
        """Hand what is in the file to the server.

        Returns: whether the client is still there.
        """
        while self._file is not None:
            try:
                data = self._file.read()
            except OSError as error:
                self._log(f"{error}; it is cut")
                self._slot.gone(EngineError(str(error)))
                return False
            if not data:
                self._drop_file()
            elif await self._pass_on({"type": "http.response.body", "body": data, "more_body": True}):
                self._make_wait()  # the client reads, so the writers wait for it again
            else:
                return False
        return not self._slot.disconnected

    def _drop_file(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
