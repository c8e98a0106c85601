"""What runs around one application behind an ASGI server: tasks beside it, times, and its cancellation.

The rule: on asyncio a request costs no task, scope or event before it needs one. On trio it has a nursery.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import threading
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Protocol, TypeVar

import anyio
import anyio.abc

from streamcompat_engine import READY, LoopWakeup, Wakeup

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, None]]


class Timed(Protocol):
    """Something whose times run."""

    def look(self) -> None:
        """Act on the times that are over."""


class Tasks(Protocol):
    """The tasks of one request; an async context manager, at whose end those beside the application end."""

    def now(self) -> float:
        """Seconds on the event loop's clock."""

    def event(self) -> Wakeup:
        """A new event."""

    def spawn(self, work: Work) -> None:
        """Run `work` beside the application; if it fails, so does the request."""

    def watch(self, timed: Timed, pause: float) -> None:
        """Call `timed.look` again and again, after `pause` seconds at the latest."""

    def unwatch(self, timed: Timed) -> None:
        """Call it no more."""

    async def interruptible(self, work: Awaitable[T]) -> T | None:
        """Wait for `work` here, until `interrupt`; then the result is `None`."""

    def interrupt(self) -> None:
        """End the wait in `interruptible`, if there is one."""

    async def run(self, application: Awaitable[None]) -> None:
        """Run the application here, until it returns or `cancel` ends it."""

    def cancel(self) -> None:
        """Cancel the application, while it runs."""

    def __aenter__(self) -> Awaitable[None]: ...

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Awaitable[bool | None]: ...


class OnAsyncio:
    """The tasks of one request on asyncio, whose application is cancelled as the engine does it there.

    Args:
        task: the server's, which runs the application.
        ticker: the one of its loop.
    """

    __slots__ = (
        "_beside", "_cancelled", "_failure", "_interrupted", "_loop", "_others", "_reader", "_running",
        "_task", "_ticker", "now",
    )  # fmt: skip

    def __init__(self, task: asyncio.Task[Any], ticker: Ticker) -> None:
        self._task = task
        self._ticker = ticker
        self._loop = ticker.loop
        self.now: Callable[[], float] = ticker.now
        self._running = self._cancelled = False
        self._others = 0  # how often others had cancelled the task before
        self._beside: set[asyncio.Task[None]] | None = None
        self._failure: BaseException | None = None
        self._reader: asyncio.Task[Any] | None = None  # in `interruptible`
        self._interrupted = False

    def event(self) -> Wakeup:
        return LoopWakeup(self._loop)

    def spawn(self, work: Work) -> None:
        if self._beside is None:
            self._beside = set()
        self._beside.add(self._loop.create_task(self._work(work)))

    async def _work(self, work: Work) -> None:
        try:
            await work()
        except Exception as error:
            if self._beside is None:
                raise
            if self._failure is None:
                self._failure = error
                self._task.cancel()
        finally:
            if self._beside is not None:
                self._beside.discard(_current_task())

    def watch(self, timed: Timed, pause: float) -> None:
        ticker = self._ticker
        ticker.watched.add(timed)
        if ticker.timer is None or pause < ticker.pause:
            ticker.begin(pause)

    def unwatch(self, timed: Timed) -> None:
        self._ticker.watched.discard(timed)

    async def interruptible(self, work: Awaitable[T]) -> T | None:
        task = self._reader = asyncio.current_task()
        assert task is not None
        before = task.cancelling()
        try:
            return await work
        except asyncio.CancelledError:
            if not self._interrupted or task.cancelling() > before + 1:
                raise
            return None
        finally:
            self._reader = None
            if self._interrupted:
                self._interrupted = False
                task.uncancel()

    def interrupt(self) -> None:
        if self._reader is not None and not self._interrupted:
            self._interrupted = True
            self._reader.cancel()

    async def run(self, application: Awaitable[None]) -> None:
        self._others = self._task.cancelling()
        self._running = True
        delivered = False
        try:
            await application
        except asyncio.CancelledError:
            if not self._cancelled:
                raise
            delivered = True
        finally:
            self._running = False
            if self._cancelled:
                self._cancelled = False
                await self._recover(delivered)

    async def _recover(self, delivered: bool) -> None:
        """Go on in the task after the application in it was cancelled.

        Args:
            delivered: it ended by that; else the task may still have to be told.
        """
        if not delivered:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        if self._task.uncancel() > self._others:
            raise asyncio.CancelledError

    def cancel(self) -> None:
        if self._running and not self._cancelled:
            self._cancelled = True
            self._task.cancel()

    def __aenter__(self) -> Awaitable[None]:
        return READY

    def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> Awaitable[None]:
        return READY if self._beside is None else self._end(error)

    async def _end(self, error: BaseException | None) -> None:
        """End the tasks beside the application, and tell the server if one of them has failed."""
        beside, self._beside = self._beside, None
        if self._failure is not None and not isinstance(error, asyncio.CancelledError):
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(0)  # that its cancellation does not reach the server
        if beside:
            for task in beside:
                task.cancel()
            await asyncio.wait(beside)
        if self._failure is not None:
            self._task.uncancel()
            raise self._failure


class InNursery:
    """The tasks of one request in a task group of anyio's, which on trio is a nursery."""

    event = anyio.Event

    def __init__(self) -> None:
        self.now: Callable[[], float] = anyio.current_time
        self._group = anyio.create_task_group()
        self._scope = anyio.CancelScope()  # of the application
        self._watch: anyio.CancelScope | None = None
        self._read: anyio.CancelScope | None = None

    def spawn(self, work: Work) -> None:
        self._group.start_soon(work)

    def watch(self, timed: Timed, pause: float) -> None:
        self.unwatch(timed)
        scope = self._watch = anyio.CancelScope()

        async def look_often() -> None:
            with scope:
                while True:
                    await anyio.sleep(pause)
                    timed.look()

        self._group.start_soon(look_often)

    def unwatch(self, timed: Timed) -> None:
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    async def interruptible(self, work: Awaitable[T]) -> T | None:
        with anyio.CancelScope() as self._read:
            return await work
        return None

    def interrupt(self) -> None:
        if self._read is not None:
            self._read.cancel()

    async def run(self, application: Awaitable[None]) -> None:
        self._scope = anyio.CancelScope()
        with self._scope:
            await application

    def cancel(self) -> None:
        self._scope.cancel()

    async def __aenter__(self) -> None:
        await self._group.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._group.cancel_scope.cancel()
        return await self._group.__aexit__(kind, error, trace)


class Ticker:
    """Looks at all requests of one asyncio loop whose times run, by one timer: a timer for each request would
    cost as much as the rest of a short one."""

    __slots__ = ("loop", "now", "pause", "timer", "watched")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: asyncio.AbstractEventLoop = loop
        self.now: Callable[[], float] = loop.time
        self.watched: set[Timed] = set()
        self.pause: float = math.inf
        self.timer: asyncio.TimerHandle | None = None

    def begin(self, pause: float) -> None:
        """Look after so many seconds, and again, as long as something is watched."""
        if self.timer is not None:
            self.timer.cancel()
        self.pause = pause
        self.timer = self.loop.call_later(pause, self._tick)

    def _tick(self) -> None:
        self.timer = None
        for timed in tuple(self.watched):
            timed.look()
        if self.watched and self.timer is None:
            self.begin(self.pause)


class _OfThread(threading.local):
    """What the requests of one thread share.

    Attributes:
        stacks: what streaming functions have left for the next ones.
        ticker: of the asyncio loop that has run here last.
    """

    def __init__(self) -> None:
        self.stacks: list[Any] = []
        self.ticker: Ticker | None = None


of_thread: Final = _OfThread()


def tasks() -> Tasks:
    """The tasks of a request whose server's task runs now."""
    try:
        loop = asyncio.get_running_loop()
        task = asyncio.current_task(loop)
    except RuntimeError:
        return InNursery()
    if task is None:  # trio in asyncio's loop
        return InNursery()
    ticker = of_thread.ticker
    if ticker is None or ticker.loop is not loop:
        ticker = of_thread.ticker = Ticker(loop)
    return OnAsyncio(task, ticker)


def _current_task() -> Any:
    return asyncio.current_task()
