"""The messages of one exchange on their way to an ASGI server.

The rule: what waits for the server is bounded, and its writers wait. A response that deadlocks with its own
request waits in a file until the server takes messages again (see the engine's `Overflow`).
"""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING, Final

import anyio

from streamcompat.asgi.scope import ASGIMessage
from streamcompat_engine import (
    CHUNK_COST,
    MOMENT,
    EngineError,
    Inbound,
    Overflow,
    Service,
    Timeouts,
    Wakeup,
    WriteBufferFull,
)

if TYPE_CHECKING:
    from streamcompat.asgi.slot import ASGISlot

_STALL: Final = Timeouts().write_stall or 0.0
"""Seconds after which a deadlock is cut for which there is no room on disk, as on the engine."""


class Outgoing:
    """The messages of one streamed response on their way to the server; see the module.

    A task hands them on while the application goes on.

    Args:
        slot: the exchange's place, which is told of what happens.
        service: its limits, and the room on disk.
    """

    __slots__ = ("_begun", "_busy", "_emptied", "_high", "_idle", "_low", "_overflow", "_passed_on",
                 "_queue", "_service", "_slot", "queued")  # fmt: skip

    def __init__(self, slot: ASGISlot, service: Service) -> None:
        self._slot = slot
        self._service = service
        self._high = service.limits.outbound_high
        self._low = service.limits.outbound_low
        self._overflow: Overflow | None = None  # once a deadlock is possible
        self._queue: deque[tuple[ASGIMessage | None, int]] = deque()  # None: what is in the file
        self.queued: int = 0
        self._begun = False  # there is a task that hands on what waits
        self._idle: Wakeup | None = None  # while it has nothing to do
        self._busy = False  # it, or the application's own task, hands something on
        self._emptied: Wakeup | None = None  # for who waits until that is done
        self._passed_on = 0  # messages that the server has taken

    def put(self, message: ASGIMessage, size: int) -> None:
        """Queue a message with so many bytes."""
        overflow = self._overflow
        if (
            overflow is not None
            and size
            and overflow.file is not None
            and overflow.file.refusal is None
            and overflow.store([message["body"]], self._rest_of_body() is not None)
        ):
            return
        self._enqueue(message, size)
        if self.queued > self._high:
            self._slot.make_wait()
            if overflow is None and self._rest_of_body() is not None:
                service = self._service
                self._overflow = Overflow(self._slot, service.limits, service.spill_room)
                self._slot.tasks.spawn(self._look_for_deadlock)

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
        if self._overflow is not None:
            self._overflow.drop()
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
                if flow.blocked and self.queued <= self._low and not self._has_file():
                    self._slot.let_write()
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

    # ---- a response that deadlocks with its request ----

    def _rest_of_body(self) -> Inbound | None:
        """The request's body if more of it is to come."""
        inbound = self._slot.inbound
        return inbound if inbound is not None and not inbound.ended and inbound.error is None else None

    def _has_file(self) -> bool:
        return self._overflow is not None and self._overflow.file is not None

    async def _look_for_deadlock(self) -> None:
        """While the body is not complete, see whether the application and the client wait for each other."""
        slot, overflow = self._slot, self._overflow
        assert overflow is not None
        while self._rest_of_body() is not None and not slot.responded:
            await anyio.sleep(MOMENT)
            body = self._rest_of_body() if slot.flow.waiting and slot.reading_paused else None
            has_file = self._has_file()
            stuck = overflow.check(anyio.current_time(), body, self._passed_on)
            if stuck is not None and stuck >= _STALL:
                why = "it and its request have waited for each other for too long, and it is cut"
                slot.log(f"the response to {slot.shown()}: {why}", logging.ERROR)
                slot.gone(WriteBufferFull("the client takes nothing before it has sent its request"))
            elif self._has_file() and not has_file:
                self._enqueue(None, 0)

    async def _send_file(self) -> bool:
        """Hand what is in the file to the server.

        Returns: whether the client is still there.
        """
        slot, overflow = self._slot, self._overflow
        while overflow is not None and overflow.file is not None:
            try:
                data = overflow.read()
            except OSError as error:
                slot.gone(EngineError(str(error)))
                return False
            if not data:
                overflow.drop()
            elif await self._pass_on({"type": "http.response.body", "body": data, "more_body": True}):
                slot.make_wait()  # the client reads, so the writers wait for it again
            else:
                return False
        return not slot.disconnected
