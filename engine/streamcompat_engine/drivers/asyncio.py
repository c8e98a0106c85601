"""The fast driver: an `asyncio.Protocol`, on asyncio's own loop or on uvloop.

The rule: it moves bytes and wakes at deadlines; every decision is the session's.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import inspect
import os
import selectors
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import TYPE_CHECKING, Any, Final, cast

import anyio.abc

from .accept import BACK_OFF, Exhausted, accept
from .service import Event, Service
from .session import RESET, Session

if TYPE_CHECKING:
    from ..server.config import ServerConfig

_LARGE: Final = 32 * 1024
"""Bytes from which pieces are handed to the system as they are; below, joining them costs less."""
_MAX_GATHERED: Final = 64
"""How many pieces may be handed over so; far below the system's IOV_MAX."""
_ACCEPTED: Final = 64
"""Connections that are accepted in one turn of the loop."""
_TURNS: Final = 8
"""Turns of the loop within which an accepted connection has its session."""
_SLICE: Final = 64 * 1024
"""The most bytes handed to TLS at once, so that it hides no more of them."""
_SLICES: Final = 4
"""How many in one turn of the loop: a failed write shows in the next, and asyncio logs those after it."""
_NO_LIMIT: Final = 24 * 3600.0
"""Seconds for a handshake where heads may take any time."""
_FAREWELL: Final = 1.0
"""Seconds that a peer over TLS has to answer that the connection is closed."""


class _Event:
    """`asyncio.Event` at half its price, for one loop and to be set once."""

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


class AsyncioSession(Session, asyncio.Protocol):
    """One connection on asyncio."""

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(service, loop.time())
        self._loop = loop
        self.now = loop.time  # type: ignore[method-assign]
        self._call_soon = loop.call_soon  # type: ignore[method-assign,assignment]
        self._transport: asyncio.Transport = cast(asyncio.Transport, None)
        self._fd = -1  # of a plain socket, which may be written to directly
        self._task: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._context = contextvars.copy_context()

    # ---- called by asyncio ----

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = self.transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(self.limits.outbound_high, self.limits.outbound_low)
        peer = transport.get_extra_info("peername")
        self.peer = peer if isinstance(peer, tuple) else None
        self.sockname = transport.get_extra_info("sockname")
        sock = transport.get_extra_info("socket")
        if sock is not None and self.scheme == "http":
            self._fd = sock.fileno()
        self.service.sessions.add(self)
        if self.service.stopping:
            self.on_shutdown()
        self.advance()

    def data_received(self, data: bytes) -> None:
        self.on_data(data)

    def eof_received(self) -> bool:
        self.on_eof()
        return not self._ended  # otherwise asyncio would close before the answer is out

    def connection_lost(self, error: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self.on_lost()

    def pause_writing(self) -> None:
        self.on_blocked()

    def resume_writing(self) -> None:
        self.on_writable()

    # ---- called by the session ----

    def now(self) -> float:
        return self._loop.time()

    def event(self) -> Event:
        return _Event(self._loop)

    async def checkpoint(self) -> None:
        await asyncio.sleep(0)

    def unsent(self) -> int:
        return self._transport.get_write_buffer_size() + self.queued

    def _transmit(self, data: list[bytes]) -> None:
        transport = self._transport
        if transport.is_closing():  # asyncio knows by a failed write, and tells in the next turn
            return
        if len(data) == 1:
            transport.write(data[0])
        elif len(data) <= _MAX_GATHERED and sum(map(len, data)) >= _LARGE:
            self._gather(data)
        else:
            transport.write(b"".join(data))

    def _gather(self, data: list[bytes]) -> None:
        """Write large pieces without joining them, where nothing waits before them."""
        transport = self._transport
        sent = 0
        if self._fd >= 0 and not transport.get_write_buffer_size() and not transport.is_closing():
            try:
                sent = os.writev(self._fd, data)
            except OSError:
                pass  # nothing went out; the transport meets the same error and deals with it
        for piece in data:
            if sent >= len(piece):
                sent -= len(piece)
            elif not transport.is_closing():
                transport.write(memoryview(piece)[sent:] if sent else piece)
                sent = 0

    def _call_soon(self, callback: Callable[[], None]) -> None:
        self._loop.call_soon(callback)

    def _spawn(self, function: Coroutine[Any, Any, None]) -> None:
        # Not in the context of a handler that has just ended, as with a pipelined request; and not by
        # `create_task(context=)`, which not every task factory takes.
        self._task = self._context.copy().run(self._loop.create_task, function)

    def cancel(self) -> None:
        task = self._task
        if task is None:
            return
        if inspect.getcoroutinestate(task.get_coro()) == inspect.CORO_CREATED:  # type: ignore[arg-type]
            self._loop.call_soon(task.cancel)  # before it has begun, it would not end its exchange either
        else:
            task.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        task = self._task
        return isinstance(error, asyncio.CancelledError) and (task is None or task.cancelling() > 0)

    def _pause_reading(self) -> None:
        self._transport.pause_reading()

    def _resume_reading(self) -> None:
        self._transport.resume_reading()

    def _half_close(self) -> None:
        try:
            self._transport.write_eof()
        except OSError:  # the peer has reset the connection; asyncio's own loop does not look for that
            self._transport.abort()

    def _close(self) -> None:
        self._transport.close()

    def _reset_on_close(self) -> None:
        sock = self._transport.get_extra_info("socket")
        if sock is not None:
            with contextlib.suppress(OSError):  # it is closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def _abort(self) -> None:
        self._transport.abort()

    def _set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, self.on_timer)


class _TlsSession(AsyncioSession):
    """One connection on asyncio, over TLS.

    Of what is written, asyncio's transport for TLS hides all that it has handed on below, however little the
    system has taken of it, and half a minute after `close` it drops the rest. So most of what waits is kept
    here, and the close waits for it. There is no half-close: it closes, and waits for the peer to answer.
    """

    scheme = "https"

    def __init__(self, service: Service, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(service, loop)
        self._waiting = memoryview(b"")  # not handed over; only while `blocked`
        self._full = False  # the transport has enough
        self._written = 0  # slices, in this turn of the loop
        self._closing = False
        self._leaving: asyncio.TimerHandle | None = None

    def eof_received(self) -> bool:
        self.on_eof()
        return False  # asyncio closes in any case

    def pause_writing(self) -> None:
        self._full = True
        self.on_blocked()

    def resume_writing(self) -> None:
        self._full = False
        self._proceed()

    def connection_lost(self, error: Exception | None) -> None:
        if self._leaving is not None:
            self._leaving.cancel()
        self._waiting = memoryview(b"")
        super().connection_lost(error)

    def unsent(self) -> int:
        return len(self._waiting) + super().unsent()

    def _transmit(self, data: list[bytes]) -> None:
        self._waiting = memoryview(data[0] if len(data) == 1 else b"".join(data))
        self._hand_over()

    def _hand_over(self) -> None:
        while (
            self._waiting and not self._full and self._written < _SLICES and not self._transport.is_closing()
        ):
            if not self._written:
                self._loop.call_soon(self._next_turn)
            self._written += 1
            part, self._waiting = self._waiting[:_SLICE], self._waiting[_SLICE:]
            self._transport.write(part)
        if self._waiting and not self.blocked:
            self.on_blocked()

    def _next_turn(self) -> None:
        self._written = 0
        if self._waiting:  # a failed write is told in this turn
            self._loop.call_soon(self._proceed)

    def _proceed(self) -> None:
        if self._lost:
            return
        self._hand_over()
        if not self._waiting and not self._full:
            self.on_writable()
        if self._closing:
            self._close()

    def _half_close(self) -> None:
        self._close()

    def _close(self) -> None:
        self._closing = True
        if not self._waiting and not self._full and not self._transport.is_closing():
            self._transport.close()
            self._leaving = self._loop.call_later(_FAREWELL, self._leave)

    def _leave(self) -> None:
        """Wait no longer for a peer that has been sent everything; asyncio waits for half a minute."""
        if _takes_more(self._transport.get_extra_info("socket")):
            self._transport.abort()
        else:
            self._leaving = self._loop.call_later(_FAREWELL, self._leave)


def _takes_more(sock: Any) -> bool:
    """Whether the system takes more for this socket; then nothing waits in the process."""
    with selectors.DefaultSelector() as selector:
        try:
            selector.register(sock.fileno(), selectors.EVENT_WRITE)
        except ValueError:  # it is closed
            return True
        return bool(selector.select(0))


class _Acceptor:
    """Accepts on one listening socket.

    The loop's own way of listening is of no use here: out of descriptors, asyncio's logs thousands of lines a
    second, and uvloop's drops connections and says nothing.
    """

    def __init__(
        self,
        service: Service,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        group: anyio.abc.TaskGroup,
        ssl: Any,
    ) -> None:
        self._service = service
        self._loop = loop
        self._sock = sock
        self._group = group
        self._ssl = ssl
        self._retry: asyncio.TimerHandle | None = None
        self._connecting: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        self._retry = None
        self._loop.add_reader(self._sock, self._accept)

    def stop(self) -> None:
        self._loop.remove_reader(self._sock)
        if self._retry is not None:
            self._retry.cancel()

    async def until_connected(self) -> None:
        """Wait until what was accepted has its session; over TLS it meets a server that stops."""
        for _ in range(_TURNS):
            if self._connecting:
                await asyncio.sleep(0)

    def _accept(self) -> None:
        try:
            for _ in range(_ACCEPTED):
                connection = accept(self._sock, self._service, self._loop.time())
                if connection is None:
                    break
                if self._ssl is not None:
                    self._group.start_soon(self._connect_over_tls, connection)
                    continue
                task = self._loop.create_task(self._connect(connection))
                self._connecting.add(task)
                task.add_done_callback(self._connecting.discard)
        except Exhausted:
            self._loop.remove_reader(self._sock)
            self._retry = self._loop.call_later(BACK_OFF, self.start)

    async def _connect(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: AsyncioSession(self._service, self._loop), connection
            )
        except OSError:  # it has left again
            connection.close()

    async def _connect_over_tls(self, connection: socket.socket) -> None:
        try:
            await self._loop.connect_accepted_socket(
                lambda: _TlsSession(self._service, self._loop),
                connection,
                ssl=self._ssl,
                ssl_handshake_timeout=self._service.timeouts.head or _NO_LIMIT,
            )
        except OSError:  # it does not speak TLS, or not in time
            connection.close()


@contextlib.asynccontextmanager
async def listen(
    service: Service, sockets: list[socket.socket], group: anyio.abc.TaskGroup, config: ServerConfig
) -> AsyncIterator[None]:
    """Accept connections on the sockets within this context, and close them then; `group` runs handshakes
    of TLS beyond it."""
    loop = asyncio.get_running_loop()
    acceptors = [_Acceptor(service, loop, sock, group, config.ssl) for sock in sockets]
    try:
        for acceptor in acceptors:
            acceptor.start()
        yield
    finally:
        for acceptor in acceptors:
            acceptor.stop()
        try:
            for acceptor in acceptors:
                await acceptor.until_connected()
        finally:
            for sock in sockets:
                sock.close()
