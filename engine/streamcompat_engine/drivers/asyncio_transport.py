"""The transport of the fast driver: an `asyncio.Protocol`, on asyncio's own loop or on uvloop.

The rule: the transport moves bytes and wakes at deadlines; the session decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Any, Final, cast

from ..exchange.flow import Wakeup
from .service import Service
from .session import Session
from .transport import ENDED, LOST, RESET, unacknowledged, was_reset

_LARGE: Final = 32 * 1024
"""Bytes from which pieces are written without joining them; below this, joining costs less."""
_MAX_GATHERED: Final = 64
"""The most pieces in one `writev`; far below the system's IOV_MAX."""


class LoopWakeup:
    """Half as expensive as `asyncio.Event`; for one loop, and set only once."""

    __slots__ = ("_is_set", "_loop", "_waiters")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._is_set = False
        self._waiters: list[asyncio.Future[None]] = []

    def set(self) -> None:
        self._is_set = True
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def wait(self) -> None:
        if not self._is_set:
            waiter = self._loop.create_future()
            self._waiters.append(waiter)
            try:
                await waiter
            finally:
                self._waiters.remove(waiter)


class AsyncioTransport(asyncio.Protocol):
    """One connection on asyncio.

    Attributes:
        session: the session that it serves, once it is connected.
    """

    scheme = "http"

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        self._service = service
        self._loop = loop
        self.now: Callable[[], float] = loop.time
        self.call_soon: Callable[..., asyncio.Handle] = loop.call_soon
        self.peer: tuple[Any, ...] | None = None
        self.sockname: Any = None
        self.exposed: asyncio.Transport = cast(asyncio.Transport, None)
        self.session: Session = cast(Session, None)
        self._fd = -1  # of a plain socket, for direct writes
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._context = contextvars.copy_context()

    # ---- called by asyncio ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.exposed = cast(asyncio.Transport, transport)
        limits = self._service.limits
        self.exposed.set_write_buffer_limits(limits.outbound_high, limits.outbound_low)
        if self.peer is None:  # else the PROXY protocol has named it
            peer = transport.get_extra_info("peername")
            self.peer = peer if isinstance(peer, tuple) else None
        self.sockname = transport.get_extra_info("sockname")
        sock = transport.get_extra_info("socket")
        if sock is not None and self.scheme == "http":
            self._fd = sock.fileno()
        self.session = Session(self._service, self)
        self.session.begin()

    def data_received(self, data: bytes) -> None:
        self.session.on_data(data)

    def eof_received(self) -> bool:
        self._service.departures.tell(self.session.on_eof, self.call_soon)
        return self.session.life < ENDED  # False would make asyncio close before the answer has left

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.session.life = LOST  # the transport is gone now, even if the session is told later
        self._service.departures.tell(self.session.on_lost, self.call_soon)

    def pause_writing(self) -> None:
        self.session.on_blocked()

    def resume_writing(self) -> None:
        self.session.on_writable()

    # ---- called by its session ----

    def wakeup(self) -> Wakeup:
        return LoopWakeup(self._loop)

    async def checkpoint(self) -> None:
        await asyncio.sleep(0)

    def untaken(self) -> int:
        return self.exposed.get_write_buffer_size()

    def unacknowledged(self) -> int:
        sock = self.exposed.get_extra_info("socket")
        return 0 if sock is None else unacknowledged(sock)

    def transmit(self, data: list[bytes]) -> None:
        transport = self.exposed
        if transport.is_closing():  # a write failed; asyncio reports it in the next turn of the loop
            return
        if len(data) == 1:
            transport.write(data[0])
        elif len(data) <= _MAX_GATHERED and sum(map(len, data)) >= _LARGE:
            self._gather(data)
        else:
            transport.write(b"".join(data))

    def _gather(self, data: list[bytes]) -> None:
        """Write large pieces without joining them, if no earlier bytes wait."""
        transport = self.exposed
        sent = 0
        if self._fd >= 0 and not transport.get_write_buffer_size() and not transport.is_closing():
            try:
                sent = os.writev(self._fd, data)
            except OSError:
                pass  # nothing was sent; the transport meets the same error and handles it
        for piece in data:
            if sent >= len(piece):
                sent -= len(piece)
            elif not transport.is_closing():
                transport.write(memoryview(piece)[sent:] if sent else piece)
                sent = 0

    def spawn(self, function: Coroutine[Any, Any, None]) -> None:
        # A pipelined request must not inherit the context of the handler that has just ended. Not every task
        # factory accepts `create_task(context=)`.
        self._task = self._context.copy().run(self._loop.create_task, function)

    def cancel(self) -> None:
        task = self._task
        if task is None:
            return
        if inspect.getcoroutinestate(task.get_coro()) == inspect.CORO_CREATED:  # type: ignore[arg-type]
            # A task that is cancelled before its first step would never end its exchange.
            self._loop.call_soon(task.cancel)
        else:
            task.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        task = self._task
        return isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling() > 0)

    def passes_on(self, error: BaseException) -> None:
        if self._task is not None and isinstance(error, (KeyboardInterrupt, SystemExit)):
            # The loop raises it, and would log it too, as nobody asks the task for it.
            self._task.add_done_callback(lambda task: None if task.cancelled() else task.exception())

    def pause_reading(self) -> None:
        self.exposed.pause_reading()

    def resume_reading(self) -> None:
        self.exposed.resume_reading()

    def was_reset(self) -> bool:
        sock = self.exposed.get_extra_info("socket")
        return sock is not None and was_reset(sock)

    def half_close(self, later: bool) -> None:
        try:
            self.exposed.write_eof()
        except OSError:  # the peer has reset the connection, which asyncio's own loop does not handle
            self.exposed.abort()

    def close(self) -> None:
        self.exposed.close()

    def reset_on_close(self) -> None:
        sock = self.exposed.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # it is closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def abort(self) -> None:
        self.exposed.abort()

    def set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self.session.on_timer)
