"""The driver without sockets: a transport in memory and a clock that only tests move.

The rule: the session cannot tell the difference. A test cuts, delays, stalls or drops the calls of the same
code that serves real sockets, and nothing depends on real time.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any, Final

import anyio
import anyio.abc
import anyio.lowlevel

from ..errors import ClientDisconnected
from ..exchange.flow import Wakeup
from .anyio import cancels
from .service import Service
from .session import Session
from .timers import Timer, TimerHeap

_WINDOW: Final = 64 * 1024
"""Bytes that the network holds for a peer that does not read."""


class VirtualClock(TimerHeap):
    """A clock in seconds that stands still until `advance`."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 0.0

    def now(self) -> float:
        """Seconds since the clock was made."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move the clock forward, and call each timer that becomes due, in the order of time."""
        end = self._now + seconds
        while self.next <= end:
            self._now = max(self._now, self.next)
            callback = self.pop()
            if callback is not None:
                callback()
        self._now = end


class MemoryTransport:
    """One connection in memory; `client` is the other end.

    Args:
        clock: the clock of every deadline.
        tasks: the task group that runs the exchanges.
        window: bytes that the network holds for a peer that does not read.

    Attributes:
        session: the session that it serves.
    """

    scheme = "http"

    def __init__(
        self, service: Service, clock: VirtualClock, tasks: anyio.abc.TaskGroup, window: int = _WINDOW
    ) -> None:
        self.peer: tuple[Any, ...] | None = ("memory", 0)
        self.sockname: Any = ("memory", 0)
        self._service = service
        self._clock = clock
        self._tasks = tasks
        self._window = window
        self._scope: anyio.CancelScope | None = None
        self._timer: Timer | None = None
        self.client: MemoryPeer = MemoryPeer(self)
        self.exposed: MemoryPeer = self.client
        self.session: Session = Session(service, self)
        self.session.begin()

    @property
    def connected(self) -> bool:
        """Whether the connection is open."""
        return self.session in self._service.sessions

    def now(self) -> float:
        return self._clock.now()

    def wakeup(self) -> Wakeup:
        return anyio.Event()

    async def checkpoint(self) -> None:
        await anyio.lowlevel.checkpoint()

    def untaken(self) -> int:
        """Bytes that the network has not taken yet."""
        return max(self.client.waiting - self._window, 0)

    def unacknowledged(self) -> int:
        """Bytes that the network has taken and the peer has not."""
        return min(self.client.waiting, self._window)

    def transmit(self, data: list[bytes]) -> None:
        self.client.take(b"".join(data))
        if self.untaken() > self._service.limits.outbound_high:
            self.session.on_blocked()

    def on_taken(self) -> None:
        """The peer has read."""
        # Bytes in the session's queue do not count: the session sends them after this call.
        if self.session.blocked and self.untaken() <= self._service.limits.outbound_low:
            self.session.on_writable()

    def call_soon(self, callback: Callable[[], None], /) -> None:
        async def call() -> None:
            callback()

        self._tasks.start_soon(call)

    def spawn(self, function: Coroutine[Any, Any, None]) -> None:
        scope = self._scope = anyio.CancelScope()

        async def run() -> None:
            with scope:
                await function

        self._tasks.start_soon(run)

    def cancel(self) -> None:
        if self._scope is not None:
            self._scope.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        return cancels(error)

    def passes_on(self, error: BaseException) -> None:
        """Do nothing: it is raised where the task is run."""

    def pause_reading(self) -> None:
        """The session does not read now."""
        # The peer looks at `reading_paused` before it sends.

    def resume_reading(self) -> None:
        """The session reads again."""
        self.client.on_room()

    def was_reset(self) -> bool:
        return False  # the session is told at once

    def half_close(self, later: bool) -> None:
        self.client.take_eof()

    def close(self) -> None:
        self.client.take_eof()
        self.lose()

    def reset_on_close(self) -> None:
        self.client.reset = True

    def abort(self) -> None:
        self.client.reset = True
        self.client.take_eof()
        self.lose()

    def lose(self) -> None:
        """The connection was closed by either side."""
        if self._timer is not None:
            self._timer.cancel()
        self.client.on_room()
        self.session.on_lost()

    def set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._clock.call_at(when, self.session.on_timer)


class MemoryPeer:
    """The client's end of a connection in memory.

    Attributes:
        reset: the server closed with a reset, so queued bytes may be missing.
        at_eof: the server has closed its sending side; what it sent before can still be read.
    """

    def __init__(self, transport: MemoryTransport) -> None:
        self._transport = transport
        self._received = bytearray()
        self._changed: Wakeup | None = None
        self._room: Wakeup | None = None
        self.at_eof: bool = False
        self.reset = False

    @property
    def waiting(self) -> int:
        """Bytes that the server has sent and the client has not read."""
        return len(self._received)

    async def send(self, data: bytes) -> None:
        """Deliver bytes to the server in one read, once it reads.

        Raises: ClientDisconnected: the connection is closed.
        """
        transport = self._transport
        while transport.session.reading_paused and transport.connected:
            if self._room is None:
                self._room = transport.wakeup()
            await self._room.wait()
        if not transport.connected:
            raise ClientDisconnected("the connection is closed")
        if data:
            transport.session.on_data(data)

    def send_eof(self) -> None:
        """Close the client's sending side."""
        if self._transport.connected:
            self._transport.session.on_eof()

    def disconnect(self) -> None:
        """Disconnect at once: nothing more is sent or read."""
        self._received.clear()
        self.take_eof()
        if self._transport.connected:
            self._transport.lose()

    async def receive(self, most: int = _WINDOW) -> bytes:
        """Read from 1 to `most` bytes that the server has sent; `b""` once it has closed."""
        while not self._received:
            if self.at_eof:
                return b""
            self._changed = self._transport.wakeup()
            await self._changed.wait()
        data = bytes(self._received[:most])
        del self._received[:most]
        self._transport.on_taken()
        return data

    # ---- called by the transport ----

    def take(self, data: bytes) -> None:
        """The server has sent these bytes."""
        self._received += data
        self._wake()

    def take_eof(self) -> None:
        """The server has closed its sending side."""
        self.at_eof = True
        self._wake()

    def on_room(self) -> None:
        """The server reads again, or the connection is closed."""
        if self._room is not None:
            self._room.set()
            self._room = None

    def _wake(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None
