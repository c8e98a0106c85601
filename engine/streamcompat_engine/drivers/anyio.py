"""The portable driver: an anyio byte stream, on asyncio or on trio.

The rule: the transport moves bytes and wakes at deadlines; the session decides.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import logging
import socket
import ssl as tls
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any, Final

import anyio
import anyio.abc
import anyio.lowlevel
from anyio.streams.tls import TLSStream

from ..exchange.contract import Address
from ..exchange.flow import Wakeup
from ..http1.states import Ending
from ..limits import HURRY
from .accept import BACK_OFF, Exhausted, accept, accept_rest, log_failed_handshake
from .proxy_protocol import client_of
from .service import Service
from .session import Session
from .timers import Timer, Timers
from .transport import HALF_CLOSED, RESET, unacknowledged, was_reset

_READ: Final = 64 * 1024
"""The most bytes of one read."""
_SLICE: Final = 64 * 1024
"""The most bytes handed to the stream at once, so that the progress of a slow peer can be seen."""
_TURNS: Final = 8
"""Turns of the loop after which an accepted connection surely has its session, and has been read once."""

logger: Final = logging.getLogger("streamcompat.engine")


class AnyioTransport:
    """One connection on an anyio byte stream; `run` serves it to its end.

    Args:
        timers: the timers of the server; without them the connection makes its own.

    Attributes:
        session: the session that it serves.
    """

    scheme: str = "http"

    def __init__(self, service: Service, stream: anyio.abc.ByteStream, timers: Timers | None = None) -> None:
        self._service = service
        self._stream = stream
        self.exposed: anyio.abc.ByteStream = stream
        self.peer: tuple[Any, ...] | None
        self.sockname: Any
        self.peer, self.sockname = _addresses(stream)
        if isinstance(stream, TLSStream):
            self.scheme = "https"
        self._timers = timers
        self._timer: Timer | None = None
        self._pending: list[memoryview] = []
        self._unsent = 0
        self._callbacks: list[Callable[[], None]] = []
        self._writer: anyio.CancelScope | None = None  # scope of the writing task, while there is one
        self._readable: anyio.Event | None = None  # set when reading resumes
        self._exchange_scope: anyio.CancelScope | None = None
        self._tasks: anyio.abc.TaskGroup
        self._io: anyio.CancelScope  # scope of the reading task
        self._closing = False
        self._eof_sent = False
        self._context = contextvars.copy_context()
        self.session: Session = Session(service, self)

    async def run(self) -> None:
        """Serve the connection until both it and its last exchange have ended."""
        if self._timers is not None:
            await self._run()
            return
        self._timers = Timers()
        async with anyio.create_task_group() as keeper:
            keeper.start_soon(self._timers.run)
            await self._run()
            keeper.cancel_scope.cancel()

    async def _run(self) -> None:
        try:
            async with anyio.create_task_group() as self._tasks:
                try:
                    with anyio.CancelScope() as self._io:
                        self.session.begin()
                        await self._read()
                finally:
                    if self._writer is not None:
                        self._writer.cancel()
                    if self._timer is not None:
                        self._timer.cancel()
                    await self._close_stream()
                    self.session.on_lost()
        finally:
            self.session.on_lost()

    async def _close_stream(self) -> None:
        """Close the stream; over TLS send close_notify and wait a short time for the peer's."""
        aborts = self.session.connection.ending is Ending.ABORT
        seconds = 0.0 if aborts else self._service.close_notify_timeout()
        with (
            contextlib.suppress(OSError, anyio.BrokenResourceError, anyio.ClosedResourceError),
            anyio.move_on_after(seconds, shield=True),
        ):
            await self._stream.aclose()

    # ---- the tasks of a connection: one reads, one writes while there is something to write ----

    async def _read(self) -> None:
        stream = self._stream
        try:
            while True:
                while self.session.reading_paused:
                    assert self._readable is not None
                    await self._readable.wait()
                self.session.on_data(await stream.receive(_READ))
        except anyio.EndOfStream:
            self.session.on_eof()
            await anyio.sleep_forever()  # until it is closed
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            pass

    def _wake_writer(self) -> None:
        if self._writer is None:
            self._writer = anyio.CancelScope()
            self._tasks.start_soon(self._write, self._writer)

    async def _write(self, scope: anyio.CancelScope) -> None:
        try:
            with scope:
                if not await self._write_pending():
                    return
        except (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
            pass
        finally:
            self._writer = None
        self._io.cancel()

    async def _write_pending(self) -> bool:
        """Send until nothing waits.

        Returns: whether to close the connection after that.
        """
        pending, low = self._pending, self._service.limits.outbound_low
        while True:
            callbacks, self._callbacks = self._callbacks, []
            for callback in callbacks:
                callback()
            if self._callbacks:  # the callbacks added them; other tasks run first
                await anyio.lowlevel.checkpoint()
            elif pending:
                piece = pending.pop(0)
                for start in range(0, len(piece), _SLICE):
                    part = bytes(piece[start : start + _SLICE])
                    await self._stream.send(part)
                    self._unsent -= len(part)
                if self.session.blocked and self._unsent <= low:
                    self.session.on_writable()
            elif self._closing:
                return True
            elif self.session.life >= HALF_CLOSED and not self._eof_sent and self.scheme != "https":
                self._eof_sent = True
                await self._stream.send_eof()
            else:
                return False

    async def _run_exchange(self, function: Coroutine[Any, Any, None], scope: anyio.CancelScope) -> None:
        with scope:
            await function
        if self._exchange_scope is scope:
            self._exchange_scope = None

    # ---- called by its session ----

    def now(self) -> float:
        return anyio.current_time()

    def wakeup(self) -> Wakeup:
        return anyio.Event()

    async def checkpoint(self) -> None:
        await anyio.lowlevel.checkpoint()

    def untaken(self) -> int:
        return self._unsent

    def unacknowledged(self) -> int:
        sock = self._stream.extra(anyio.abc.SocketAttribute.raw_socket, None)
        return 0 if sock is None else unacknowledged(sock)

    def transmit(self, data: list[bytes]) -> None:
        piece = memoryview(data[0] if len(data) == 1 else b"".join(data))
        if self._writer is None and isinstance(self._stream, SocketByteStream):
            piece = piece[self._stream.send_now(piece) :]
            if not piece:
                return
        self._pending.append(piece)
        self._unsent += len(piece)
        if self._unsent > self._service.limits.outbound_high:
            self.session.on_blocked()
        self._wake_writer()

    def call_soon(self, callback: Callable[[], None], /) -> None:
        self._callbacks.append(callback)
        self._wake_writer()

    def spawn(self, function: Coroutine[Any, Any, None]) -> None:
        self._exchange_scope = anyio.CancelScope()
        # Not in the context of a handler that has just ended, as with a pipelined request.
        context = self._context.copy()
        context.run(self._tasks.start_soon, self._run_exchange, function, self._exchange_scope)

    def cancel(self) -> None:
        if self._exchange_scope is not None:
            self._exchange_scope.cancel()

    def is_cancelled(self, error: BaseException) -> bool:
        return cancels(error)

    def passes_on(self, error: BaseException) -> None:
        """Do nothing: it is raised where the task is run."""

    def pause_reading(self) -> None:
        self._readable = anyio.Event()

    def resume_reading(self) -> None:
        if self._readable is not None:
            self._readable.set()
            self._readable = None

    def was_reset(self) -> bool:
        sock = self._stream.extra(anyio.abc.SocketAttribute.raw_socket, None)
        return sock is not None and was_reset(sock)

    def half_close(self, later: bool) -> None:
        if self.scheme != "https":
            self._wake_writer()
        elif not later:  # TLS closes both ways at once
            self.close()

    def close(self) -> None:
        self._closing = True
        self._wake_writer()

    def reset_on_close(self) -> None:
        sock = self._stream.extra(anyio.abc.SocketAttribute.raw_socket, None)
        if sock is not None:
            with contextlib.suppress(OSError):  # it is closed already
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)

    def abort(self) -> None:
        self._io.cancel()

    def set_timer(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if self._timers is not None:
            self._timer = self._timers.call_at(when, self.session.on_timer)


class SocketByteStream(anyio.abc.ByteStream):
    """A connected, non-blocking socket that reads only inside `receive`.

    anyio's own stream reads ahead on asyncio, without bound until its first pause. Back-pressure needs every
    byte that nobody asked for to stay in the socket.
    """

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock

    @property
    def extra_attributes(self) -> dict[Any, Callable[[], Any]]:
        attribute = anyio.abc.SocketAttribute
        return {
            attribute.raw_socket: lambda: self._sock,
            attribute.local_address: self._sock.getsockname,
            attribute.remote_address: self._sock.getpeername,
        }

    async def receive(self, max_bytes: int = _READ) -> bytes:
        await anyio.lowlevel.checkpoint()
        while True:
            try:
                data = self._sock.recv(max_bytes)
            except BlockingIOError:
                await anyio.wait_readable(self._sock)
            else:
                if not data:
                    raise anyio.EndOfStream
                return data

    def send_now(self, item: memoryview) -> int:
        """Send what the system takes at once; return the number of bytes. `send` raises errors."""
        try:
            return self._sock.send(item)
        except OSError:
            return 0

    async def send(self, item: bytes) -> None:
        await anyio.lowlevel.checkpoint()
        rest = memoryview(item)
        while rest:
            try:
                rest = rest[self._sock.send(rest) :]
            except BlockingIOError:
                await anyio.wait_writable(self._sock)

    async def send_eof(self) -> None:
        self._sock.shutdown(socket.SHUT_WR)

    async def aclose(self) -> None:
        if self._sock.fileno() >= 0:
            anyio.notify_closing(self._sock)
            self._sock.close()


class _OneAtATime(SocketByteStream):
    """The stream below TLS: the reading side of TLS sends too, and must not do so within a record."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self._sending = anyio.Lock()

    async def send(self, item: bytes) -> None:
        async with self._sending:
            await super().send(item)


async def _over_tls(connection: socket.socket, context: tls.SSLContext, service: Service) -> TLSStream | None:
    """The connection after the TLS handshake; `None` if the handshake fails, which is the peer's fault."""
    try:
        with anyio.move_on_after(service.timeouts.head):
            return await TLSStream.wrap(_OneAtATime(connection), server_side=True, ssl_context=context)
    except OSError as error:
        log_failed_handshake(service, error, anyio.current_time())
    except (anyio.BrokenResourceError, anyio.EndOfStream):
        pass
    return None


async def _after_preface(
    connection: socket.socket, service: Service
) -> tuple[anyio.abc.ByteStream | None, Address | None]:
    """The stream behind what comes before HTTP (the PROXY protocol, the TLS handshake), and the client that
    the former names; no stream if one of the two fails, which is the peer's fault."""
    client = None
    if service.proxy_protocol is not None:
        try:
            client = await client_of(connection, service.proxy_protocol, service)
        except OSError:
            return None, None
    if service.ssl is None:
        return SocketByteStream(connection), client
    return await _over_tls(connection, service.ssl, service), client


def cancels(error: BaseException) -> bool:
    """Whether this error cancels the running task; not so if the task raised it by itself."""
    if not isinstance(error, anyio.get_cancelled_exc_class()):
        return False
    # On trio, code cannot raise a Cancelled of its own.
    task = asyncio.current_task() if isinstance(error, asyncio.CancelledError) else None
    return task is None or task.cancelling() > 0


def _addresses(stream: anyio.abc.ByteStream) -> tuple[tuple[Any, ...] | None, Any]:
    """The addresses of the peer and of the server, if the stream has them."""
    attribute = anyio.abc.SocketAttribute
    try:
        peer = stream.extra(attribute.remote_address, None)
        local = stream.extra(attribute.local_address, None)
    except OSError:  # the peer has already left
        return None, None
    return peer if isinstance(peer, tuple) else None, local


@contextlib.asynccontextmanager
async def listen(
    service: Service,
    sockets: list[socket.socket],
    group: anyio.abc.TaskGroup,
) -> AsyncIterator[None]:
    """Accept connections on the sockets within this context, and close the sockets at its end.

    Args:
        group: runs the connections, also after the end of this context.
    """
    acceptor = _Acceptor(service, group)
    group.start_soon(acceptor.timers.run)
    try:
        async with anyio.create_task_group() as accepting:
            for sock in sockets:
                accepting.start_soon(acceptor.accept, sock)
            try:
                yield
            finally:
                accepting.cancel_scope.cancel()
    finally:
        for sock in sockets:
            acceptor.stop(sock)
        for _ in range(_TURNS):
            await anyio.lowlevel.checkpoint()
        await acceptor.until_connected()


class _Acceptor:
    """Accepts and serves connections in a task group; see `listen`."""

    def __init__(self, service: Service, group: anyio.abc.TaskGroup) -> None:
        self.timers = Timers()
        self._service = service
        self._group = group
        self._handshakes: dict[socket.socket, anyio.Event] = {}  # set at the end of each

    async def accept(self, sock: socket.socket) -> None:
        """Accept connections. Only the wait can be cancelled, not the accept, so no connection is lost."""
        while True:
            # On uvloop, a wait that is over in each turn of the loop would never be cancelled.
            await anyio.lowlevel.checkpoint_if_cancelled()
            await anyio.wait_readable(sock)
            try:
                connection = accept(sock, self._service, anyio.current_time())
            except Exhausted:
                await anyio.sleep(BACK_OFF)
            else:
                if connection is not None:
                    self._group.start_soon(self._serve, connection)

    def stop(self, sock: socket.socket) -> None:
        """Take the connections that wait, and close the socket."""
        for connection in accept_rest(sock, self._service, anyio.current_time()):
            self._group.start_soon(self._serve, connection)
        sock.close()

    async def until_connected(self) -> None:
        """Wait until every connection has its session; a TLS handshake has only a moment for it."""
        with anyio.move_on_after(HURRY):
            for done in list(self._handshakes.values()):
                await done.wait()

    async def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                if connection.family in (socket.AF_INET, socket.AF_INET6):
                    with contextlib.suppress(OSError):  # the peer has already left
                        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                stream: anyio.abc.ByteStream | None = SocketByteStream(connection)
                client = None
                if self._service.ssl is not None or self._service.proxy_protocol is not None:
                    done = self._handshakes[connection] = anyio.Event()
                    try:
                        stream, client = await _after_preface(connection, self._service)
                    finally:
                        del self._handshakes[connection]
                        done.set()
                if stream is not None:
                    transport = AnyioTransport(self._service, stream, self.timers)
                    transport.peer = client or transport.peer
                    await transport.run()
        except Exception:
            logger.exception("a connection failed; the other connections go on")
