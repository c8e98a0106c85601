"""The lifespan of a server: the listeners and the tasks of its applications.

The rule: listeners run in the order of their registration when the server starts, in reverse when it stops.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Final

from streamcompat_engine import READY, Lifespan, drive, wait

if TYPE_CHECKING:
    from streamcompat.kernel.app import App

STARTING = ("before_server_start", "after_server_start")
STOPPING = ("before_server_stop", "after_server_stop")
_NAMED: Final = 5
"""The most requests named in the line that says which were cut."""


class DelegatingLifespan(Lifespan):
    """Passes a server's events on to another lifespan, and records how far the start has come.

    Args:
        inner: gets the events, except for the two below.
        listening: called with the addresses instead of `inner.listening`.
        needs_recycling: called instead of `inner.needs_recycling`.
        ready: called once all listeners for the start have returned.

    Attributes:
        begun: the sockets are bound; a later failure is one of the application.
        started: all listeners for the start have returned.
    """

    def __init__(
        self,
        inner: Lifespan,
        listening: Callable[[list[str]], None],
        needs_recycling: Callable[[], None] | None = None,
        ready: Callable[[], None] = lambda: None,
    ) -> None:
        self._inner = inner
        self._listening = listening
        self._needs_recycling = needs_recycling or inner.needs_recycling
        self._ready = ready
        self.begun: bool = False
        self.started: bool = False

    async def before_start(self, loop: Any) -> None:
        self.begun = True
        await self._inner.before_start(loop)

    async def after_start(self, loop: Any) -> None:
        await self._inner.after_start(loop)
        self.started = True
        self._ready()

    async def before_stop(self, loop: Any) -> None:
        await self._inner.before_stop(loop)

    async def after_stop(self, loop: Any) -> None:
        await self._inner.after_stop(loop)

    def listening(self, addresses: list[str]) -> None:
        self._listening(addresses)

    def waiting(self, requests: int, number: int | None) -> None:
        self._inner.waiting(requests, number)

    def cut(self, requests: Sequence[str]) -> None:
        self._inner.cut(requests)

    def needs_recycling(self) -> None:
        self._needs_recycling()


class AppLifespan(Lifespan):
    """Runs the listeners and the tasks of applications, in order; in reverse when the server stops."""

    def __init__(self, apps: Sequence[App], access_log: bool | None) -> None:
        self._apps = apps
        self._access_log = access_log

    async def before_start(self, loop: Any) -> None:
        try:
            for app in self._apps:
                app.started(loop, self._access_log)
                await trigger(app, STARTING[0], loop)
        except Exception:
            # The server never ran, so after_stop will not be called.
            for app in self._apps:
                app.stopped()
            raise

    async def after_start(self, loop: Any) -> None:
        for app in self._apps:
            await trigger(app, STARTING[1], loop)

    async def before_stop(self, loop: Any) -> None:
        for app in reversed(self._apps):
            await trigger(app, STOPPING[0], loop)

    async def after_stop(self, loop: Any) -> None:
        for app in reversed(self._apps):
            await trigger(app, STOPPING[1], loop)
            app.stopped()

    def listening(self, addresses: list[str]) -> None:
        for app in self._apps[:1]:
            for address in addresses:
                app.log.info("Goin' Fast @ %s", address)

    def waiting(self, requests: int, number: int | None) -> None:
        for app in self._apps[:1]:
            say_waiting(app.log, requests, number, f"the listeners of {STOPPING[0]}")

    def cut(self, requests: Sequence[str]) -> None:
        for app in self._apps[:1]:
            say_cut(app.log, requests)


def say_waiting(log: logging.Logger, requests: int, number: int | None, otherwise: str) -> None:
    """Logs what a stopping server waits for; see `Lifespan.waiting`.

    Args:
        otherwise: what it is if no request is running.
    """
    what = f"{requests} request{'s' * (requests > 1)}" if requests else otherwise
    if number is not None:
        again = "Ctrl-C again to end" if number == signal.SIGINT else "a second signal ends"
        what += f", {again} {'it' if requests == 1 else 'them'}"
    log.info("waiting for %s", what)


def say_cut(log: logging.Logger, requests: Sequence[str]) -> None:
    """Logs the requests that a stopping server does not wait for any longer."""
    more = len(requests) - _NAMED
    named = ", ".join(requests[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    log.warning("ended %s, which had not finished", named)


class SiteLifespan(Lifespan):
    """The lifespans of several applications: in order, and in reverse when the server stops.

    Args:
        lives: the first one says where the server listens, and what it waits for.
    """

    def __init__(self, lives: Sequence[Lifespan]) -> None:
        self._lives = lives

    async def before_start(self, loop: Any) -> None:
        begun: list[Lifespan] = []
        try:
            for life in self._lives:
                await life.before_start(loop)
                begun.append(life)
        except Exception:
            # The server never ran, so after_stop will not be called.
            with contextlib.suppress(Exception):
                await _end(begun, loop)
            raise

    async def after_start(self, loop: Any) -> None:
        for life in self._lives:
            await life.after_start(loop)

    async def before_stop(self, loop: Any) -> None:
        for life in reversed(self._lives):
            await life.before_stop(loop)

    async def after_stop(self, loop: Any) -> None:
        await _end(self._lives, loop)

    def listening(self, addresses: list[str]) -> None:
        self._lives[0].listening(addresses)

    def waiting(self, requests: int, number: int | None) -> None:
        self._lives[0].waiting(requests, number)

    def cut(self, requests: Sequence[str]) -> None:
        self._lives[0].cut(requests)


async def _end(lives: Sequence[Lifespan], loop: Any) -> None:
    """The last hook of each, whatever that of another one raises; the first error is passed on."""
    failures: list[Exception] = []
    for life in reversed(lives):
        try:
            await life.after_stop(loop)
        except Exception as error:
            failures.append(error)
    if failures:
        raise failures[0]


async def trigger(app: App, event: str, loop: Any) -> None:
    """Calls the listeners of one event; exceptions propagate."""
    listeners = app.listeners.get(event, ())
    for listener in reversed(listeners) if event in STOPPING else listeners:
        await drive(_listen(listener, app, loop), [])


async def _listen(listener: Callable[..., Any], app: App, loop: Any) -> None:
    with _run_until_complete(loop):
        result = listener(app, loop)
    if isawaitable(result):
        await result


@contextlib.contextmanager
def _run_until_complete(loop: Any) -> Iterator[None]:
    """Lets a listener call `loop.run_until_complete`. The originals called listeners before the loop ran; it
    runs here, so the listener is suspended until the result is known, as in a write."""
    if loop is None:
        yield
        return

    def run_until_complete(future: Any) -> Any:
        results: list[Any] = []

        async def wait_for_it() -> None:
            results.append(await asyncio.ensure_future(future))

        if wait(wait_for_it) is not READY:
            raise RuntimeError("This event loop is already running")
        return results[0]

    loop.run_until_complete = run_until_complete
    try:
        yield
    finally:
        vars(loop).pop("run_until_complete", None)
