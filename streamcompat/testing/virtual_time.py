"""Event loops whose clock jumps to the next timer when nothing else can happen, so that an app's sleeps take
no time in a test.

The rule: the clock jumps only while a caller waits, and never while a thread works or a socket is open, as
only real time brings their results. Then the loop waits like any other.
"""

from __future__ import annotations

import asyncio
import concurrent.futures.thread as pools
import contextlib
import math
import selectors
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

import anyio
import anyio.to_thread
from anyio.from_thread import BlockingPortal, start_blocking_portal

from streamcompat_engine import current_frames

if TYPE_CHECKING:
    from asyncio import Future
    from concurrent.futures import Executor

T = TypeVar("T")

_LOOK: Final = 0.05
"""Real seconds after which a loop that waits for a thread looks again whether the thread still works."""
_QUIET: Final = 0.005
"""Real seconds in which an idle thread would have begun with a job that it was just given."""
_IDLE: Final = frozenset({("threading", "wait"), ("thread", "_worker"), ("_thread_cache", "_work")})
"""Modules and functions in which a thread waits: for a lock, or for a job in a pool of Python's or trio's."""


def _threads() -> dict[int | None, threading.Thread]:
    """The threads that Python started, by their numbers."""
    return {thread.ident: thread for thread in threading.enumerate()}


class Jumps:
    """The state of a clock that jumps.

    Attributes:
        skipped: seconds by which the clock is ahead of real time.
        callers: how many callers wait; without one, the clock does not jump.
        jobs: how many jobs were given to threads of an executor and are not done.
        limiter: of the threads of anyio's; each job that is not done has borrowed a token.
    """

    def __init__(self, callers: int = 0) -> None:
        self.skipped: float = 0.0
        self.callers: int = callers
        self.jobs = 0
        self.limiter: anyio.CapacityLimiter | None = None
        named = _threads()
        self._known = {ident: named.get(ident) for ident in current_frames()}

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Let the clock jump during the block."""
        self.callers += 1
        try:
            yield
        finally:
            self.callers -= 1

    def threads(self) -> list[tuple[str, str]]:
        """The module and the function that each thread executes, for the threads that were started since."""
        ours, now, missing = threading.get_ident(), _threads(), object()
        codes = [
            frame.f_code
            for ident, frame in current_frames().items()
            # The system gives a new thread the number of one that has ended.
            if ident != ours and self._known.get(ident, missing) is not now.get(ident)
        ]
        return [(Path(code.co_filename).stem, code.co_name) for code in codes]

    def working(self, threads: list[tuple[str, str]]) -> bool:
        """Whether a thread does something that may change what the app waits for."""
        # A thread that was just given a job, or whose job waits for a lock, looks idle.
        given = self.jobs > 0 or (self.limiter is not None and self.limiter.borrowed_tokens > 0)
        # Nor has an idle thread of a pool begun with a job that was put into its queue.
        given = given or not all(queue.empty() for queue in list(pools._threads_queues.values()))
        return given or not _IDLE.issuperset(threads)


class _Selector(selectors.DefaultSelector):
    """Waits for sockets, or lets the clock jump if there are none."""

    def __init__(self, jumps: Jumps) -> None:
        super().__init__()
        self._jumps = jumps

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        jumps = self._jumps
        if timeout is None or timeout <= 0 or not jumps.callers:
            return super().select(timeout)
        threads = jumps.threads()
        # The loop itself has one socket, by which other threads wake it.
        if len(self.get_map()) > 1 or jumps.working(threads):
            return super().select(min(timeout, _LOOK))
        ready = super().select(_QUIET if threads else 0)
        if not ready and not (threads and jumps.working(jumps.threads())):
            jumps.skipped += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """asyncio's loop, with a clock that jumps."""

    def __init__(self, jumps: Jumps) -> None:
        self._jumps = jumps
        super().__init__(_Selector(jumps))

    def time(self) -> float:
        return super().time() + self._jumps.skipped

    def run_until_complete(self, future: Generator[Any, None, T] | Awaitable[T]) -> T:
        """As asyncio's; the first task learns by what anyio counts its threads."""
        if self._jumps.limiter is None:
            # It is kept: tasks are told apart by their ids, and a later one could get that of this one.
            self._learning = self.create_task(self._learn())
        return super().run_until_complete(future)

    async def _learn(self) -> None:
        self._jumps.limiter = anyio.to_thread.current_default_thread_limiter()

    def run_in_executor(self, executor: Executor | None, func: Callable[..., T], *args: Any) -> Future[T]:  # type: ignore[override]
        """As asyncio's; while a thread works, no timer is skipped to."""
        future = super().run_in_executor(executor, func, *args)
        self._jumps.jobs += 1
        future.add_done_callback(self._done)
        return future

    def _done(self, future: Future[T]) -> None:
        self._jumps.jobs -= 1


def _trio_clock(jumps: Jumps) -> Any:
    import trio

    class Clock(trio.abc.Clock):
        """The same for trio, which asks it how long to sleep whenever no task can run."""

        def start_clock(self) -> None:
            pass

        def current_time(self) -> float:
            return time.monotonic() + jumps.skipped

        def deadline_to_sleep_time(self, deadline: float) -> float:
            left = deadline - self.current_time()
            if left <= 0 or math.isinf(left) or not jumps.callers:
                return left
            limiter = trio.to_thread.current_default_thread_limiter()
            if limiter.borrowed_tokens or self._sockets() or jumps.working(jumps.threads()):
                return min(left, _LOOK)
            jumps.skipped += left
            return 0

        def _sockets(self) -> bool:
            found = trio.lowlevel.current_statistics().io_statistics
            # The loop itself waits for one, by which other threads wake it.
            return found.backend == "epoll" and found.tasks_waiting_read + found.tasks_waiting_write > 1

    return Clock()


def backend_options(backend: str, jumps: Jumps) -> dict[str, Any]:
    """The options with which anyio starts a loop whose clock jumps."""
    if backend == "trio":
        return {"clock": _trio_clock(jumps)}
    return {"loop_factory": lambda: VirtualLoop(jumps)}


class BlockingLoop:
    """A loop in another thread; a context manager. Its clock jumps while a call waits, and stands in between.

    Args:
        backend: `"asyncio"` or `"trio"`.
    """

    def __init__(self, backend: str) -> None:
        self._jumps = Jumps()
        self._portals = start_blocking_portal(backend, backend_options(backend, self._jumps))
        self._stack = contextlib.ExitStack()
        self._portal: BlockingPortal | None = None

    def __enter__(self) -> Self:
        self._portal = self._stack.enter_context(self._portals)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.__exit__(kind, error, trace)

    def enter(self, manager: AbstractAsyncContextManager[T]) -> T:
        """Enter an asynchronous context manager in the loop; it is left when the loop ends."""
        assert self._portal is not None
        waiting = self._waiting(manager)
        return self._stack.enter_context(self._portal.wrap_async_context_manager(waiting))

    @contextlib.asynccontextmanager
    async def _waiting(self, manager: AbstractAsyncContextManager[T]) -> AsyncIterator[T]:
        async with contextlib.AsyncExitStack() as stack:
            with self._jumps.waiting():
                value = await stack.enter_async_context(manager)
            yield value
            with self._jumps.waiting():
                await stack.aclose()

    def call(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Call a coroutine function in the loop and return its result."""
        assert self._portal is not None

        async def waited() -> T:
            # In the loop's thread: the clock must not jump any more once the result is there.
            with self._jumps.waiting():
                return await function(*arguments)

        return self._portal.call(waited)
