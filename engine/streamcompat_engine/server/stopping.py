"""How one run of a server is told to stop, and how long its parts may take from then on.

The rule: the first request to stop ends the wait for a start, and gives the hooks and the exchanges the grace
together. The second one waits for nothing.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import math
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final

import anyio
import anyio.abc

from ..exchange.suspension import Wait

AFTER_GRACE: Final = 5.0
"""Seconds between the end of the grace and the end of a process that was told to stop by a signal."""
_LEAST: Final = 1.0
"""Seconds that a step of the stop has, however late it begins."""
_LAST_HOOK: Final = 4.0
"""Seconds after the grace at which the last hook is cancelled."""

logger: Final = logging.getLogger("streamcompat.engine")

Hook = Callable[[Any], Awaitable[None]]
"""A method of a `Lifespan` that gets the event loop."""


class ServingLoop:
    """The event loop that serves; make it within that loop.

    On trio Ctrl-C may be raised between any two instructions, within those of anyio too, which would leave
    its scopes in disorder. `protected` moves it to the next wait, and `run` does not.

    Attributes:
        asyncio: the loop of asyncio, or `None` on trio.
        now: its clock, in seconds. anyio's is for tasks only, and a request to stop comes by a callback.
    """

    def __init__(self) -> None:
        self.asyncio: Any = _asyncio_loop()
        self.now: Callable[[], float]
        self._call_soon: Callable[[Callable[[], object]], object]
        self._thread = threading.get_ident()
        if self.asyncio is not None:
            self.now, self._call_soon = self.asyncio.time, self.asyncio.call_soon_threadsafe
        else:
            import trio

            self.now = trio.current_time
            self._call_soon = trio.lowlevel.current_trio_token().run_sync_soon

    def protected(self, function: Callable[[], Awaitable[None]]) -> Awaitable[None]:
        """Call a function of the server in trio's main task."""
        import trio

        async def call() -> None:
            await function()

        return trio.lowlevel.enable_ki_protection(call)()

    def run(self, hook: Hook) -> Awaitable[None]:
        """Call a hook, which may block the loop."""
        if self.asyncio is not None:
            return hook(self.asyncio)
        import trio

        async def call() -> None:
            await hook(None)

        return trio.lowlevel.disable_ki_protection(call)()

    def call_soon(self, function: Callable[[], object]) -> None:
        """Call a function in the loop, from any thread and from the handler of a signal."""
        with contextlib.suppress(RuntimeError):  # the loop has ended, and the server with it
            self._call_soon(function)

    def call(self, function: Callable[[], object]) -> None:
        """Call a function now if this is the loop's thread, else soon."""
        if threading.get_ident() == self._thread:
            function()
        else:
            self.call_soon(function)


class Stopping:
    """The requests to stop one run of a server; make it within the loop that serves.

    Args:
        grace: see `ServerConfig`.
        undrained: called when a stop follows a request to drain.

    Attributes:
        loop: the loop that serves.
        requests: how many there were.
        number: the signal that made the last one, or `None`.
        drains: the request was to drain, see `ServerConfig.link`.
        asked: set by the first request.
        forced: set by the second.
    """

    def __init__(self, grace: float, undrained: Callable[[], None]) -> None:
        self.loop: ServingLoop = ServingLoop()
        self.requests: int = 0
        self.number: int | None = None
        self.drains: bool = False
        self.asked: anyio.Event = anyio.Event()
        self.forced: anyio.Event = anyio.Event()
        self._grace = grace
        self._undrained = undrained
        self._due = math.inf  # when the grace ends
        self._starts: anyio.CancelScope | None = None  # a hook of the start runs within it
        self._ends: anyio.CancelScope | None = None  # a hook of the stop runs within it

    @property
    def starting(self) -> bool:
        """Whether a hook of the start is running."""
        return self._starts is not None

    @property
    def ending(self) -> bool:
        """Whether a hook of the stop is running."""
        return self._ends is not None

    def request(self, number: int | None = None) -> None:
        """Stop; the second time, wait for nothing.

        Args:
            number: the signal that asks for it.
        """
        self.requests += 1
        self.number = number
        if self.drains:
            self.drains = False
            self._undrained()
        self._begin()
        if self.requests > 1:
            self._due = min(self._due, self.loop.now())
            self.forced.set()
            if self._ends is not None:
                self._ends.cancel()

    def drain(self) -> None:
        """Stop, but let each idle connection bring one more request."""
        self.drains = not self.requests
        self._begin()

    def _begin(self) -> None:
        self.asked.set()
        if self._due == math.inf:
            self._due = self.loop.now() + self._grace
        if self._starts is not None:
            self._starts.cancel()

    def prolong(self, seconds: float) -> None:
        """Let the grace begin so many seconds later."""
        self._due += seconds

    def left(self) -> float:
        """Seconds that are left of the grace, which begins now if nobody has asked to stop."""
        self._begin()
        return max(self._due - self.loop.now(), min(self._grace, _LEAST))

    async def start(self, hook: Hook) -> None:
        """Run a hook of the start until it has returned, or until the first request to stop."""
        with anyio.CancelScope() as self._starts:
            if self.asked.is_set():
                self._starts.cancel()
            try:
                await self.loop.run(hook)
            finally:
                self._starts = None

    async def end(self, hook: Hook, last: bool = False) -> None:
        """Run a hook of the stop until it has returned, its time is over, or a second request comes.

        Args:
            last: nothing but the end of the process follows.
        """
        self._begin()
        least = self.loop.now() + _LEAST
        due = max(self._due + _LAST_HOOK * last, least) if self.requests < 2 else least
        with anyio.CancelScope(shield=True, deadline=due) as scope:
            self._ends = scope
            try:
                await self.loop.run(hook)
            finally:
                self._ends = None
        if scope.cancelled_caught:
            logger.error("%s did not return in time, and was cancelled", hook.__name__)


def start_task(
    group: anyio.abc.TaskGroup, function: Callable[..., Coroutine[Any, Any, None]], *args: Any
) -> None:
    """Start a task of the stop. A program that leaves its loop now cancels it before it has begun, and Python
    would warn of a coroutine that was never awaited."""
    group.start_soon(Wait, functools.partial(function, *args))


def _asyncio_loop() -> Any:
    """The running asyncio loop, or `None` on another backend."""
    import asyncio

    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None
