"""Tasks that an application runs beside its server, in the asyncio loop that serves it.

The rule: tasks that were added before the server runs start with it; a function is called for each run of the
server, a coroutine runs once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

Task = Coroutine[Any, Any, object] | Callable[..., Coroutine[Any, Any, object]]
"""A coroutine, or what makes one, of the app or of nothing."""


class Tasks:
    """`add_task` and `loop` of an application."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: list[Task] = []
        # A loop keeps no strong reference to its tasks.
        self._running: set[asyncio.Task[object]] = set()

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop of asyncio that serves the app; RuntimeError while none does."""
        if self._loop is None:
            raise RuntimeError("the app has a loop only while it is served on asyncio")
        return self._loop

    def add_task(self, task: Task) -> None:
        """Runs a coroutine, or what a callable returns for the app or for nothing, beside the server.

        A task that is added before the server runs is kept until it does; a callable is called for each later
        run too. asyncio only.
        """
        if self._loop is None:
            self._waiting.append(task)
        else:
            self._run_task(task)

    def _run_task(self, task: Task) -> None:
        if callable(task):
            try:
                function = task(self)
            except TypeError:
                function = task()
        else:
            function = task
        running = self.loop.create_task(function)
        self._running.add(running)
        running.add_done_callback(self._running.discard)

    def _loop_started(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """The server is about to start; `loop` is `None` on trio, which is an error where tasks wait."""
        if self._waiting and loop is None:
            raise RuntimeError("add_task needs asyncio: this server runs on trio")
        self._loop = loop
        waiting = self._waiting
        self._waiting = [task for task in waiting if callable(task)]
        for task in waiting:
            self._run_task(task)
