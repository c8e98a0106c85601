"""The lifespan of an ASGI application, in a task of its own.

The rule: the application's code of a whole life runs in one task, so that a scope or a group that it enters
at the start is left in the same task. An application without a lifespan is served without one.
"""

from __future__ import annotations

import asyncio
import enum
import logging
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import anyio

from streamcompat.asgi_api.errors import LifespanFailed, UnexpectedMessage
from streamcompat.asgi_api.messages import Message
from streamcompat.serving.lifespan import say_cut, say_waiting
from streamcompat_engine import Lifespan

if TYPE_CHECKING:
    from streamcompat.asgi_api.app import ASGIApp

TASK: Final = "lifespan of an ASGI application"
"""The name of the task."""
_LEFT: Final = 1.0
"""Seconds that a cancelled lifespan has to end."""


class Stage(enum.Enum):
    """How far the life has come; the value says what may be sent next."""

    STARTING = "lifespan.startup.complete or lifespan.startup.failed"
    RUNNING = "nothing before lifespan.shutdown"
    STOPPING = "lifespan.shutdown.complete or lifespan.shutdown.failed"
    ENDED = "nothing more, as the lifespan is over"


STARTING, RUNNING, STOPPING, ENDED = Stage


class ASGILifespan(Lifespan):
    """The hooks of a server around the life of one application."""

    def __init__(self, app: ASGIApp, access_log: bool | None) -> None:
        self._app = app
        self._access_log = access_log
        self._life: _Life | None = None

    async def before_start(self, loop: Any) -> None:
        self._app.started(self._access_log)
        self._life = life = _Life(self._app)
        try:
            await life.start()
        except BaseException:
            self._life = None
            with anyio.CancelScope(shield=True):
                await life.end()
            self._app.stopped()
            raise

    async def after_stop(self, loop: Any) -> None:
        life, self._life = self._life, None
        if life is None:
            return
        try:
            await life.stop()
        finally:
            with anyio.CancelScope(shield=True):
                await life.end()
            self._app.stopped()

    def listening(self, addresses: list[str]) -> None:
        for address in addresses:
            self._app.log.info("listening on %s", address)

    def waiting(self, requests: int, number: int | None) -> None:
        if requests:
            say_waiting(self._app.log, requests, number, "")

    def cut(self, requests: Sequence[str]) -> None:
        say_cut(self._app.log, requests)


class _Life:
    """One run of the application's lifespan."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._stage = STARTING
        self._scope = anyio.CancelScope()
        self._changed = anyio.Event()  # the application has sent a message, or has ended
        self._over = anyio.Event()
        self._stops = anyio.Event()
        self._asked = False  # lifespan.startup was given
        self._failure: LifespanFailed | None = None

    async def start(self) -> None:
        """Raises: LifespanFailed."""
        _spawn(self._run)
        await self._changed.wait()
        if self._failure is not None:
            raise self._failure

    async def stop(self) -> None:
        """Raises: LifespanFailed."""
        if self._stage is not RUNNING:
            return
        self._stage = STOPPING
        self._changed = anyio.Event()
        self._stops.set()
        await self._changed.wait()
        if self._failure is not None:
            raise self._failure

    async def end(self) -> None:
        """Let the task end; cancel it where it does not end by itself."""
        if self._stage is not ENDED:
            self._scope.cancel()
        with anyio.move_on_after(_LEFT):
            await self._over.wait()
        if not self._over.is_set():
            self._scope.cancel()
            with anyio.move_on_after(_LEFT):
                await self._over.wait()

    async def _run(self) -> None:
        app = self._app
        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": app.state,
        }
        try:
            with self._scope:
                await app.application(scope, self._receive, self._send)
        except Exception as error:
            self._raised(error)
        except asyncio.CancelledError:
            pass  # the application's own; the task's is caught by the scope
        finally:
            self._stage = ENDED
            self._changed.set()
            self._over.set()

    def _raised(self, error: Exception) -> None:
        log = self._app.log
        if self._stage is STARTING and self._failure is None:
            # The specification: go on, without events of the lifespan.
            is_plain = not self._asked or isinstance(error, UnexpectedMessage)
            level = logging.INFO if is_plain else logging.WARNING
            log.log(level, "the application has no lifespan: %s: %s", type(error).__name__, error)
        elif self._failure is None:
            log.error("the lifespan of the application failed", exc_info=error)

    async def _receive(self) -> Message:
        if not self._asked:
            self._asked = True
            return {"type": "lifespan.startup"}
        await self._stops.wait()
        return {"type": "lifespan.shutdown"}

    async def _send(self, message: Message) -> None:
        kind, stage = message["type"], self._stage
        if stage is STARTING and kind == "lifespan.startup.complete":
            self._stage = RUNNING
        elif stage is STARTING and kind == "lifespan.startup.failed":
            self._failure = LifespanFailed(message.get("message", "") or "the startup failed")
            self._stage = ENDED
        elif stage is STOPPING and kind == "lifespan.shutdown.complete":
            self._stage = ENDED
        elif stage is STOPPING and kind == "lifespan.shutdown.failed":
            self._failure = LifespanFailed(message.get("message", "") or "the shutdown failed")
            self._stage = ENDED
        else:
            raise UnexpectedMessage(stage.value, message)
        self._changed.set()


_tasks: Final[set[asyncio.Task[None]]] = set()
"""asyncio keeps no strong reference to a task."""


def _spawn(function: Callable[[], Any]) -> None:
    """Run a function, which raises nothing, in a task that nobody waits for."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        import trio

        trio.lowlevel.spawn_system_task(function, name=TASK)
    else:
        task = asyncio.create_task(function(), name=TASK)
        _tasks.add(task)
        task.add_done_callback(_tasks.discard)
