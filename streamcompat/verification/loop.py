"""The event loop in which the compared apps run, in a thread of its own.

The rule: every call from outside returns within real seconds, also if an app holds up the loop for ever. The
loop's clock jumps over the apps' own sleeps.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import FIRST_COMPLETED, Future
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import anyio

from streamcompat.testing import Client
from streamcompat.testing.virtual_time import Jumps, backend_options

T = TypeVar("T")

PATIENCE: Final = 5.0
"""Real seconds that one request may take."""
GRACE: Final = 5.0
"""Real seconds in which a request that was given up must end; else an app holds up the loop."""
LIFESPAN: Final = 30.0
"""Real seconds in which an app must start, and in which all must stop."""


class Blocked(Exception):
    """An app holds up the event loop, so that no call can be made any more."""


class NotStarted(Exception):
    """An app did not start in time."""


class AppLoop:
    """A loop in a daemon thread, so that an app which holds it up does not keep the process from ending.

    Attributes:
        given_up: how many calls took longer than `PATIENCE`.
    """

    def __init__(self) -> None:
        self.given_up: int = 0
        self._jumps = Jumps()
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, name="compared apps", daemon=True)
        self._stop = asyncio.Event()
        self._end = asyncio.Event()
        self._lives: list[Future[None]] = []
        self._blocked = False

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.result()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        loop = self._ready.result()
        if self._blocked:
            loop.call_soon_threadsafe(self._end.set)  # if it ever goes on
            return
        loop.call_soon_threadsafe(self._stop.set)
        done, _ = concurrent.futures.wait(self._lives, LIFESPAN)
        loop.call_soon_threadsafe(self._end.set)
        self._thread.join(GRACE)
        if error is None:
            for life in done:
                life.result()

    def _run(self) -> None:
        anyio.run(self._serve, backend_options=backend_options("asyncio", self._jumps))

    async def _serve(self) -> None:
        self._ready.set_result(asyncio.get_running_loop())
        await self._end.wait()

    def start(self, client: Client) -> None:
        """Start an app; it is stopped when the loop ends. Raises NotStarted, and what the app raises."""
        started: Future[None] = Future()
        life = asyncio.run_coroutine_threadsafe(self._live(client, started), self._ready.result())
        done, _ = concurrent.futures.wait([started, life], LIFESPAN, FIRST_COMPLETED)
        if not done:
            self._blocked = True
            raise NotStarted(f"it does not start within {LIFESPAN:.0f} s")
        if started not in done:
            life.result()
        self._lives.append(life)

    async def _live(self, client: Client, started: Future[None]) -> None:
        async with contextlib.AsyncExitStack() as stack:
            with self._jumps.waiting():
                await stack.enter_async_context(client)
            started.set_result(None)
            await self._stop.wait()
            with self._jumps.waiting():
                await stack.aclose()

    def call(self, function: Callable[..., Coroutine[Any, Any, T]], *arguments: Any) -> T:
        """Call a coroutine function in the loop with the arguments and a scope that is cancelled after
        `PATIENCE`, and return its result. Raises Blocked."""
        scopes: list[anyio.CancelScope] = []

        async def bounded() -> T:
            with self._jumps.waiting():
                scopes.append(anyio.CancelScope())
                return await function(*arguments, scopes[0])

        loop = self._ready.result()
        called = asyncio.run_coroutine_threadsafe(bounded(), loop)
        if not concurrent.futures.wait([called], PATIENCE).done:
            self.given_up += 1
            for scope in scopes:
                loop.call_soon_threadsafe(scope.cancel)
            if not concurrent.futures.wait([called], GRACE).done:
                self._blocked = True
                raise Blocked
        return called.result()
