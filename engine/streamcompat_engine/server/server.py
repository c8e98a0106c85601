"""One server: it listens, serves until it is told to stop, and lets running exchanges finish.

The rule: sockets are bound before any code of the application runs, so that a port in use is one clear
error. Every request that was accepted is answered, within the grace period.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import anyio
import anyio.abc

from ..drivers.service import App, Service
from ..exchange.observer import Observer
from .config import ServerConfig
from .sockets import bound_sockets, url

logger: Final = logging.getLogger("streamcompat.engine")

_RECYCLING_INTERVAL: Final = 0.5
"""Seconds between two checks of `max_requests` and `max_memory`."""
_RECYCLING_REPEAT: Final = 30.0
"""Seconds until a worker that was not replaced asks again."""


class Lifespan:
    """Hooks around a server's life; each method may be overridden.

    `loop` is the asyncio event loop, or `None` on trio.
    """

    async def before_start(self, loop: Any) -> None:
        """Runs before the first connection is accepted; an exception ends the server."""

    async def after_start(self, loop: Any) -> None:
        """Runs once connections are accepted."""

    async def before_stop(self, loop: Any) -> None:
        """Runs once the server was told to stop."""

    async def after_stop(self, loop: Any) -> None:
        """Runs after the last connection has ended."""

    def listening(self, addresses: list[str]) -> None:
        """Called once the server listens; `addresses` are URLs such as `http://127.0.0.1:8000`."""

    def needs_recycling(self) -> None:
        """Called once `max_requests` or `max_memory` is reached, and every half minute from then on."""


class Server:
    """Serves one application.

    Args:
        app: called for each exchange.
        config: where and how it listens.
        lifespan: hooks that run before and after.
        overdue: called for an exchange after `app` was cancelled, because `app` did not begin its response
            within `Timeouts.response`; by default it answers a plain 503.
        observer: watches the exchanges; see `exchange.observer`.

    Attributes:
        addresses: the URLs that it listens on; `unix:PATH` for a Unix socket.
        sockets: the listening sockets, while it serves.
    """

    def __init__(
        self,
        app: App,
        config: ServerConfig | None = None,
        *,
        lifespan: Lifespan | None = None,
        overdue: App | None = None,
        observer: Observer | None = None,
    ) -> None:
        self.config = config or ServerConfig()
        self.addresses: list[str] = []
        self.sockets: tuple[socket.socket, ...] = ()
        self._lifespan = lifespan or Lifespan()
        self._service = Service(app, self.config.limits, self.config.timeouts, overdue, observer)
        self._stops = 0
        self._drains = False
        self._stop_asked: anyio.Event | None = None
        self._forced: anyio.Event | None = None
        self._call_soon: Callable[[Callable[[], object]], object] | None = None
        self._thread = 0

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, or until `stop` is called. A second signal stops at once.

        Raises: OSError: an address cannot be bound. Errors of `lifespan` are passed on.
        """
        backend, options = "asyncio", {}
        if self.config.driver == "trio":
            backend = "trio"
        elif self.config.uvloop is not False and (self.config.uvloop or _has_uvloop()):
            options = {"use_uvloop": True}
        anyio.run(self.serve, backend=backend, backend_options=options)

    async def serve(
        self, *, task_status: anyio.abc.TaskStatus[list[str]] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve within a running event loop; `TaskGroup.start` returns the addresses.

        Signals are handled only in the main thread, and only if the configuration says so.
        """
        self._stop_asked, self._forced = anyio.Event(), anyio.Event()
        self._stops, self._drains = 0, False
        loop = _asyncio_loop()
        self._thread, self._call_soon = threading.get_ident(), _from_threads(loop)
        with bound_sockets(self.config) as sockets:
            self.addresses = [url(sock, self.config.ssl is not None) for sock in sockets]
            self.sockets = tuple(sockets)
            await self._lifespan.before_start(loop)
            try:
                await self._serve(sockets, loop, task_status)
            except BaseExceptionGroup as group:
                raise _only(group) from None
            finally:
                self.sockets = ()
                with anyio.CancelScope(shield=True):
                    await self._lifespan.after_stop(loop)

    async def _serve(
        self, sockets: list[socket.socket], loop: Any, task_status: anyio.abc.TaskStatus[list[str]]
    ) -> None:
        assert self._stop_asked is not None
        async with anyio.create_task_group() as group:
            if self.config.handle_signals and threading.current_thread() is threading.main_thread():
                await group.start(self._watch_signals)
            if self.config.max_requests is not None or self.config.max_memory is not None:
                group.start_soon(self._watch_recycling)
            try:
                async with self._listen(sockets, group):
                    self._lifespan.listening(self.addresses)
                    task_status.started(self.addresses)
                    await self._lifespan.after_start(loop)
                    await self._stop_asked.wait()
                    await self._lifespan.before_stop(loop)
            finally:
                await self._finish()
            group.cancel_scope.cancel()

    def stop(self) -> None:
        """Stop gracefully; callable from any thread. A second call does not wait for running exchanges."""
        if self._call_soon is None:
            return
        if threading.get_ident() == self._thread:
            self._on_stop()
        else:
            with contextlib.suppress(RuntimeError):  # the loop has ended, and the server with it
                self._call_soon(self._on_stop)

    def _on_stop(self, drain: bool = False) -> None:
        assert self._stop_asked is not None
        assert self._forced is not None
        if drain:
            self._drains = not self._stops
            self._stop_asked.set()
            return
        self._stops += 1
        if self._stops > 1:
            self._forced.set()
        elif self._drains:
            self._drains = False
            self._service.stop()
        self._stop_asked.set()

    async def _watch_signals(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        watched: tuple[signal.Signals, ...] = (signal.SIGINT, signal.SIGTERM)
        if self.config.drain_on_hangup:
            watched += (signal.SIGHUP,)
        with anyio.open_signal_receiver(*watched) as signals:
            task_status.started()
            async for number in signals:
                self._on_stop(drain=number == signal.SIGHUP)

    async def _watch_recycling(self) -> None:
        """Check twice a second, which costs almost nothing, whether the server should be replaced."""
        max_requests, max_memory = self.config.max_requests, self.config.max_memory
        if max_memory is not None and _resident() >= max_memory:
            logger.error("max_memory (%d bytes) is ignored: the server needs more to start", max_memory)
            max_memory = None
        while not self._service.stopping:
            await anyio.sleep(_RECYCLING_INTERVAL)
            requests, memory = self._service.requests, _resident()
            if (max_requests is not None and requests >= max_requests) or (
                max_memory is not None and memory >= max_memory
            ):
                logger.info("asks to be replaced: %d requests, %d bytes of memory", requests, memory)
                self._lifespan.needs_recycling()
                await anyio.sleep(_RECYCLING_REPEAT)

    @contextlib.asynccontextmanager
    async def _listen(self, sockets: list[socket.socket], group: anyio.abc.TaskGroup) -> AsyncIterator[None]:
        if self.config.driver == "asyncio":
            from ..drivers.asyncio import listen
        else:
            from ..drivers.anyio import listen
        async with listen(self._service, sockets, group, self.config.ssl):
            yield

    async def _finish(self) -> None:
        """Let running exchanges finish; cancel them after the grace period, then abort what is left."""
        service = self._service
        service.stop(self._drains)
        try:
            await self._until_empty(self.config.grace)
            service.cancel()
            await self._until_empty(1.0)
        finally:
            service.abort()
            with anyio.move_on_after(1.0, shield=True):
                await service.until_empty()

    async def _until_empty(self, seconds: float) -> None:
        """Wait until every connection has ended, at most `seconds`, and not after a second signal."""
        assert self._forced is not None
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as group:
                group.start_soon(_cancel_after, self._forced.wait, group.cancel_scope)
                group.start_soon(_cancel_after, self._service.until_empty, group.cancel_scope)


def _resident() -> int:
    """Resident memory of this process in bytes; its peak on systems that do not report the present value."""
    try:
        with open("/proc/self/statm", "rb") as statm:
            return int(statm.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        import resource

        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most if sys.platform == "darwin" else most * 1024


def _only(error: BaseException) -> BaseException:
    """The error itself if groups hold only one, else the group."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


async def _cancel_after(wait: Callable[[], Any], scope: anyio.CancelScope) -> None:
    await wait()
    scope.cancel()


def _asyncio_loop() -> Any:
    """The running asyncio loop, or `None` on another backend."""
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


def _from_threads(loop: Any) -> Callable[[Callable[[], object]], object]:
    """A function that schedules a call in the running loop from any thread, without waiting for it."""
    if loop is not None:
        call_soon: Callable[[Callable[[], object]], object] = loop.call_soon_threadsafe
        return call_soon
    import trio

    return trio.lowlevel.current_trio_token().run_sync_soon


def _has_uvloop() -> bool:
    import importlib.util

    return importlib.util.find_spec("uvloop") is not None
