"""One server: it listens, serves until it is told to stop, and lets running exchanges finish.

The rule: sockets are bound before any code of the application runs, so that a port in use is one clear
error. Every request that was accepted is answered, within the grace period.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any, Final

import anyio
import anyio.abc
import anyio.lowlevel

from ..drivers.service import App, Service
from ..exchange.contract import Exchange
from ..exchange.observer import Observer
from . import systemd
from .config import ServerConfig
from .heap import keep_freed_pages
from .probes import Probes
from .sampling import sample
from .signals import RaisingHandlers, Signals, waking
from .sockets import bound_metrics, bound_sockets, url
from .standstill import watched
from .stopping import Hook, ServingLoop, Stopping, start_task

logger: Final = logging.getLogger("streamcompat.engine")

_BUSY: Final = ((b"Content-Type", b"text/plain; charset=utf-8"), (b"Retry-After", b"1"))
_RECYCLING_INTERVAL: Final = 0.5
"""Seconds between two checks of `max_requests` and `max_memory`."""
_RECYCLING_REPEAT: Final = 30.0
"""Seconds until a worker that was not replaced asks again."""
_LEFT: Final = 1.0
"""Seconds that tasks and threads of the application have to end after a stop that was forced."""
_TURNS: Final = 8
"""Turns of the loop within which it surely notices the signals that have come."""
_SILENT: Final = 1.0
"""Seconds that a stop may take before its owner is told what it waits for."""


class Lifespan:
    """Hooks around a server's life; each method may be overridden.

    `loop` is the asyncio event loop, or `None` on trio. A server that is told to stop while it starts cancels
    `before_start` or `after_start`; `before_stop` and `after_stop` run all the same.
    """

    async def before_start(self, loop: Any) -> None:
        """Runs before the first connection is accepted; an exception ends the server, and no other hook
        runs."""

    async def after_start(self, loop: Any) -> None:
        """Runs once connections are accepted; after an exception `before_stop` does not run."""

    async def before_stop(self, loop: Any) -> None:
        """Runs once the server was told to stop, or is cancelled or interrupted; within the grace."""

    async def after_stop(self, loop: Any) -> None:
        """Runs after the last connection has ended; cancelled 4 s after the grace."""

    def listening(self, addresses: list[str]) -> None:
        """Called once the server listens; `addresses` are URLs such as `http://127.0.0.1:8000`."""

    def waiting(self, requests: int, number: int | None) -> None:
        """Called once while the server stops, unless it is done soon.

        Args:
            requests: those that are still running; 0 if only `before_stop` is.
            number: the signal that stops it, or `None`.
        """

    def cut(self, requests: Sequence[str]) -> None:
        """Called with the requests that the stopping server does not wait for any longer, as `GET /path`."""

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
        observer: one or several that watch the exchanges; see `exchange.observer`.
        metrics: answers `/metrics` on the port for metrics.

    Attributes:
        addresses: the URLs that it listens on; `unix:PATH` for a Unix socket.
        metrics_addresses: the URLs for metrics.
        sockets: the listening sockets, while it serves.
    """

    def __init__(
        self,
        app: App,
        config: ServerConfig | None = None,
        *,
        lifespan: Lifespan | None = None,
        overdue: App | None = None,
        observer: Observer | Sequence[Observer] | None = None,
        metrics: App | None = None,
    ) -> None:
        self.config: ServerConfig = config or ServerConfig()
        self.addresses: list[str] = []
        self.metrics_addresses: list[str] = []
        self.sockets: tuple[socket.socket, ...] = ()
        self._lifespan = lifespan or Lifespan()
        if self.config.concurrency is not None:
            app = _at_most(self.config.concurrency, app)
        self._probes = Probes(self.config, self._is_told_to_stop, metrics)
        app = self._probes.around(app)
        self._service = Service(
            app,
            self.config.limits,
            self.config.timeouts,
            overdue,
            observer,
            headers=self.config.headers,
            date_header=self.config.date_header,
            origins=self.config.origins,
            proxy_protocol=self.config.proxy_protocol,
        )
        self._service.ssl = self.config.ssl
        self._stopping: Stopping | None = None
        self._signals = Signals(
            self.config.drain + self.config.grace,
            self.config.link is not None,
            self._on_signal,
            self._is_starting,
            self.config.renew_ssl is not None,
        )
        self._raising: RaisingHandlers | None = None  # on trio
        self._ended = False  # `after_stop` has been called

    def run(self) -> None:
        """Serve until SIGINT or SIGTERM, or until `stop` is called. The first signal ends the wait for a
        start, the second one every wait. A process that does not stop is ended: see `Signals`.

        Raises: OSError: an address cannot be bound. Errors of `lifespan` are passed on.
        """
        options = {"use_uvloop": True} if self.config.loop == "uvloop" else {}
        backend = "trio" if self.config.loop == "trio" else "asyncio"
        tasks: list[asyncio.Task[Any]] = []
        with self._handled_signals():
            try:
                anyio.run(self._serve_alone, tasks, backend=backend, backend_options=options)
            except (KeyboardInterrupt, SystemExit) as error:
                for task in tasks:  # it may have ended with the same, which asyncio would log
                    if task.done() and not task.cancelled():
                        task.exception()
                if isinstance(error, SystemExit) or not self._signals.interrupted:
                    raise

    async def _serve_alone(self, tasks: list[asyncio.Task[Any]]) -> None:
        """Serve in a loop of its own, where `loop.stop()` means to stop the server. Applications call it, and
        the loop alone would end where it stands."""
        loop = ServingLoop()
        if loop.asyncio is None:
            await loop.protected(self.serve)
            return
        tasks += filter(None, [asyncio.current_task()])
        loop.asyncio.stop = lambda: loop.call_soon(self.stop)
        try:
            await self.serve()
        finally:
            del loop.asyncio.stop

    async def serve(
        self, *, task_status: anyio.abc.TaskStatus[list[str]] = anyio.TASK_STATUS_IGNORED
    ) -> None:
        """Serve within a running event loop; `TaskGroup.start` returns the addresses.

        Signals are handled only in the main thread, and only if the configuration says so.
        """
        stopping = self._stopping = Stopping(self.config.grace, self._service.stop)
        self._ended = False
        keep_freed_pages()
        with (
            self._handled_signals(),
            waking(stopping.loop.asyncio),
            bound_sockets(self.config) as sockets,
            bound_metrics(self.config) as beside,
            watched(self._service, stopping.loop.call_soon),
            anyio.CancelScope() as scope,
        ):
            if stopping.loop.asyncio is None:
                self._raising = RaisingHandlers(functools.partial(stopping.loop.call_soon, scope.cancel))
            self._guard_handlers()
            for _ in range(self._signals.count):  # they came before the loop ran
                stopping.request()
            self.addresses = [url(sock, self.config.ssl is not None) for sock in sockets]
            self.sockets = tuple(sockets)
            self.metrics_addresses = [url(sock, False) for sock in beside]
            try:
                await self._live(stopping, sockets, beside, task_status)
            except BaseExceptionGroup as group:
                raise _only(group) from None
            finally:
                self.sockets = ()
                if stopping.requests > 1:
                    self._signals.end_within(_LEFT)
                if self._raising is not None:
                    self._raising.release()
        if self._raising is not None and self._raising.error is not None:
            raise self._raising.error

    async def _live(
        self,
        stopping: Stopping,
        sockets: list[socket.socket],
        beside: list[socket.socket],
        task_status: anyio.abc.TaskStatus[list[str]],
    ) -> None:
        """Run the hooks around `_serve`."""
        try:
            await self._start(stopping, self._lifespan.before_start)
        except Exception:
            self._ended = True  # it has never started
            raise
        except BaseException:
            await self._end(stopping, self._lifespan.before_stop)
            raise
        else:
            self._signals.install()
            self._guard_handlers()
            if stopping.asked.is_set():
                await self._end(stopping, self._lifespan.before_stop)
            else:
                async with self._answering(beside):
                    await self._serve(stopping, sockets, task_status)
        finally:
            await self._after_stop(stopping)

    async def _serve(
        self,
        stopping: Stopping,
        sockets: list[socket.socket],
        task_status: anyio.abc.TaskStatus[list[str]],
    ) -> None:
        async with anyio.create_task_group() as group:
            if self.config.max_requests is not None or self.config.max_memory is not None:
                group.start_soon(self._watch_recycling)
            seconds = systemd.watchdog_time() if self._is_service else None
            if seconds is not None:
                group.start_soon(systemd.keep_alive, seconds)
            observer = self._service.observer
            if observer is not None and observer.tells_levels:
                group.start_soon(sample, self._service, observer)
            link = self.config.link
            if link is not None:
                group.start_soon(link.run, functools.partial(self._listen, group=group))
            try:
                async with self._listen(sockets, group):
                    self._lifespan.listening(self.addresses)
                    task_status.started(self.addresses)
                    try:
                        await self._start(stopping, self._lifespan.after_start)
                        self._guard_handlers()
                        if self._is_service and not stopping.asked.is_set():
                            systemd.notify(systemd.READY)
                        await stopping.asked.wait()
                        if self._is_service:
                            systemd.notify(systemd.STOPPING)
                        await self._be_lame_duck(stopping)
                    except Exception:
                        raise
                    except BaseException:
                        start_task(group, self._tell_waiting, stopping)
                        await self._end(stopping, self._lifespan.before_stop)
                        raise
                    start_task(group, self._tell_waiting, stopping)
                    await self._end(stopping, self._lifespan.before_stop)
            finally:
                if link is not None:
                    link.stop_accepting()
                await self._finish(stopping)
                if self._service.busy():  # an exchange that refuses to end keeps the group for ever
                    await self._after_stop(stopping)
            group.cancel_scope.cancel()

    async def _start(self, stopping: Stopping, hook: Hook) -> None:
        try:
            await stopping.start(hook)
        except KeyboardInterrupt:
            await self._after_interrupt()

    async def _end(self, stopping: Stopping, hook: Hook, last: bool = False) -> None:
        try:
            await stopping.end(hook, last)
        except KeyboardInterrupt:
            await self._after_interrupt()

    async def _after_interrupt(self) -> None:
        """A hook has blocked the loop and was interrupted: let the loop notice the signals. Call within the
        handling of the KeyboardInterrupt; any other one is passed on."""
        if not self._signals.interrupted:
            raise
        with anyio.CancelScope(shield=True):
            for _ in range(_TURNS):
                await anyio.lowlevel.checkpoint()

    async def _after_stop(self, stopping: Stopping) -> None:
        if not self._ended:
            self._ended = True
            await self._end(stopping, self._lifespan.after_stop, last=True)

    def stop(self) -> None:
        """Stop gracefully; callable from any thread. A second call does not wait for running exchanges."""
        if self._stopping is not None:
            self._stopping.loop.call(self._stopping.request)

    def renew_ssl(self) -> None:
        """Use a new TLS context from the next handshake on, as SIGHUP does; call it within the loop."""
        if self.config.renew_ssl is None:
            return
        try:
            self._service.ssl = self.config.renew_ssl()
        except (OSError, ValueError) as error:
            logger.error("the certificate stays as it is: %s", error)
        else:
            logger.info("the certificate was read again")

    def _handled_signals(self) -> contextlib.AbstractContextManager[None]:
        return self._signals.installed() if self.config.handle_signals else contextlib.nullcontext()

    def _guard_handlers(self) -> None:
        if self._raising is not None:
            self._raising.guard()

    def _is_starting(self) -> bool:
        return self._stopping is not None and self._stopping.starting

    def _on_signal(self, number: int) -> None:
        """A signal has arrived; this may interrupt any code of the main thread."""
        stopping = self._stopping
        if stopping is None:
            return

        def noticed() -> None:
            self._signals.noticed()
            if number != signal.SIGHUP:
                stopping.request(number)
            elif self.config.link is not None:
                stopping.drain()
            else:
                self.renew_ssl()

        stopping.loop.call_soon(noticed)

    async def _tell_waiting(self, stopping: Stopping) -> None:
        if not self._service.busy():
            await anyio.sleep(_SILENT)
        busy = len(self._service.busy())
        if (busy or stopping.ending) and not stopping.forced.is_set():
            self._lifespan.waiting(busy, stopping.number)

    async def _be_lame_duck(self, stopping: Stopping) -> None:
        """Go on accepting for `drain` seconds, or until a second request to stop."""
        drain, link = self.config.drain, self.config.link
        is_orphan = link is not None and link.orphaned  # the next parent needs the port at once
        if drain and not (stopping.drains or is_orphan or stopping.forced.is_set()):
            logger.info("goes on accepting for %g s", drain)
            stopping.prolong(drain)
            self._service.be_lame_duck()
            with anyio.move_on_after(drain):
                await stopping.forced.wait()

    @property
    def _is_service(self) -> bool:
        """Whether the process is this server's, so that the service manager is told of it."""
        return self.config.link is None and self.config.handle_signals

    def _is_told_to_stop(self) -> bool:
        return self._stopping is not None and self._stopping.requests > 0

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
    async def _answering(self, sockets: list[socket.socket]) -> AsyncIterator[None]:
        """Answer probes on the sockets for metrics within this context."""
        if not sockets:
            yield
            return
        service = self._probes.service
        async with anyio.create_task_group() as group:
            try:
                async with self._listen(sockets, group, service):
                    yield
            finally:
                service.stop()
                with anyio.move_on_after(_LEFT, shield=True):
                    await service.until_empty()
                service.abort()
                group.cancel_scope.cancel()

    @contextlib.asynccontextmanager
    async def _listen(
        self, sockets: list[socket.socket], group: anyio.abc.TaskGroup, service: Service | None = None
    ) -> AsyncIterator[None]:
        """Accept for the application, or for a service beside it, which has no TLS."""
        if self.config.driver == "asyncio":
            from ..drivers.asyncio import listen
        else:
            from ..drivers.anyio import listen
        async with listen(service or self._service, sockets, group):
            yield

    async def _finish(self, stopping: Stopping) -> None:
        """Let running exchanges finish; cancel them after the grace period, then abort what is left."""
        service = self._service
        service.stop(stopping.drains)
        try:
            await self._until_empty(stopping, stopping.left())
            if cut := service.busy():
                self._lifespan.cut(cut)
            service.cancel()
            await self._until_empty(stopping, 1.0)
        finally:
            service.abort()
            with anyio.move_on_after(1.0, shield=True):
                await service.until_empty()

    async def _until_empty(self, stopping: Stopping, seconds: float) -> None:
        """Wait until every connection has ended, at most `seconds`, and not after a second signal."""
        with anyio.move_on_after(seconds):
            async with anyio.create_task_group() as group:
                start_task(group, _cancel_after, stopping.forced.wait, group.cancel_scope)
                start_task(group, _cancel_after, self._service.until_empty, group.cancel_scope)


def _at_most(most: int, app: App) -> App:
    """The application, but for requests that come while it has `most` of them."""
    running = 0

    async def answer(exchange: Exchange) -> None:
        nonlocal running
        if running >= most:
            exchange.respond(503, _BUSY, b"503: the server is busy\n")
            return
        running += 1
        try:
            await app(exchange)
        finally:
            running -= 1

    return answer


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
