"""What runs around one application behind an ASGI server: tasks beside it, times, and its cancellation.

The rule: on asyncio a request costs no task, scope or event before it needs one. On trio it has a nursery.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Final, Protocol, Self

import anyio
import anyio.abc

from streamcompat_engine import LoopWakeup, Wakeup

Work = Callable[[], Coroutine[Any, Any, None]]


class Cancellable(Protocol):
    """What can be called off."""

    def cancel(self) -> object:
        """Call it off."""


class Tasks(Protocol):
    """The tasks of one request; an async context manager, at whose end those beside the application end."""

    def now(self) -> float:
        """Seconds on the event loop's clock."""

    def event(self) -> Wakeup:
        """A new event."""

    def spawn(self, work: Work) -> None:
        """Run `work` beside the application; if it fails, so does the request."""

    def call_at(self, when: float, callback: Callable[[], None]) -> Cancellable:
        """Call back at `when`."""

    async def before(self, due: float | None, work: Work) -> bool:
        """Run `work` here until it is `due`. Returns: whether it was done by then."""

    async def run(self, application: Awaitable[None]) -> None:
        """Run the application here, until it returns or `cancel` ends it."""

    def cancel(self) -> None:
        """Cancel the application, while it runs."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> object: ...


class OnAsyncio:
    """The tasks of one request on asyncio, whose application is cancelled as the engine does it there.

    Args:
        task: the server's, which runs the application.
    """

    __slots__ = ("_beside", "_cancelled", "_failure", "_loop", "_others", "_running", "_task", "now")

    def __init__(self, task: asyncio.Task[Any]) -> None:
        self._task = task
        self._loop = task.get_loop()
        self.now = self._loop.time
        self._running = self._cancelled = False
        self._others = 0  # how often others had cancelled the task before
        self._beside: set[asyncio.Task[None]] | None = None
        self._failure: BaseException | None = None

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

    def call_at(self, when: float, callback: Callable[[], None]) -> Cancellable:
        return self._loop.call_at(when, callback)

    async def before(self, due: float | None, work: Work) -> bool:
        if due is None:
            await work()
            return True
        scope = asyncio.timeout_at(due)
        try:
            async with scope:
                await work()
        except TimeoutError:
            if not scope.expired():
                raise
            return False
        return True

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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
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
        self.now = anyio.current_time
        self._group = anyio.create_task_group()
        self._scope = anyio.CancelScope()

    def spawn(self, work: Work) -> None:
        self._group.start_soon(work)

    def call_at(self, when: float, callback: Callable[[], None]) -> Cancellable:
        scope = anyio.CancelScope()

        async def call() -> None:
            with scope:
                await anyio.sleep_until(when)
                callback()

        self._group.start_soon(call)
        return scope

    async def before(self, due: float | None, work: Work) -> bool:
        with anyio.CancelScope(deadline=float("inf") if due is None else due) as scope:
            await work()
        return not scope.cancelled_caught

    async def run(self, application: Awaitable[None]) -> None:
        self._scope = anyio.CancelScope()
        with self._scope:
            await application

    def cancel(self) -> None:
        self._scope.cancel()

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool | None:
        self._group.cancel_scope.cancel()
        return await self._group.__aexit__(kind, error, trace)


class _OfThread(threading.local):
    """The stacks that streaming functions of one thread have left for the next ones."""

    def __init__(self) -> None:
        self.stacks: list[Any] = []


of_thread: Final = _OfThread()


def tasks() -> Tasks:
    """The tasks of a request whose server's task runs now."""
    try:
        task = asyncio.current_task()
    except RuntimeError:
        task = None
    return InNursery() if task is None else OnAsyncio(task)


def _current_task() -> Any:
    return asyncio.current_task()
