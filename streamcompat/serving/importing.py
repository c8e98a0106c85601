"""Keeps an app from serving itself while a command imports it.

The rule: what runs within `importing`, or in a thread that was started within it, has its calls of `app.run`
and `app.create_server` recorded and not carried out. Else the server would run inside the import, at another
address than the command's, and the command itself would begin once that server had ended.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import weakref
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from streamcompat.serving.options import RunOptions
    from streamcompat.serving.servable import Servable

__all__ = ["ImportEnds", "SelfRun", "importing", "may_serve", "serving_anyway"]


class ImportEnds(SystemExit):
    """Ends an import whose code would wait for a server forever.

    A SystemExit, because asyncio lets it out of its loop and few apps catch it.
    """


@dataclass(frozen=True, slots=True)
class SelfRun:
    """A call that was recorded.

    Attributes:
        app: what was to be served.
        options: the call's arguments.
        method: `run` or `create_server`.
        place: file and line of the call.
        modules: those that were imported at that time, also half imported ones.
        task: the asyncio task of the call, if it had one.
    """

    app: Servable
    options: RunOptions
    method: str
    place: tuple[str, int]
    modules: dict[str, ModuleType]
    task: asyncio.Task[object] | None


_recorded: list[SelfRun] | None = None
_threads: Final = weakref.WeakSet[threading.Thread]()
_anyway: Final = ContextVar("anyway", default=False)
_BELOW: Final = (str(Path(__file__).parent.parent), str(Path(asyncio.__file__).parent))


@contextlib.contextmanager
def importing() -> Iterator[list[SelfRun]]:
    """Within it apps do not serve; gives the list of the calls that were recorded."""
    global _recorded
    before, known = _recorded, set(threading.enumerate())
    runs: list[SelfRun] = []
    _recorded = runs
    try:
        yield runs
    finally:
        _recorded = before
        for run in runs:
            if run.task is not None and run.task.done():
                run.task.exception()  # else asyncio logs that nobody has asked for it
        _threads.update(set(threading.enumerate()) - known)


@contextlib.contextmanager
def serving_anyway() -> Iterator[None]:
    """Within it apps serve, also during an import: for a server that ends by itself."""
    token = _anyway.set(True)
    try:
        yield
    finally:
        _anyway.reset(token)


def may_serve(app: Servable, options: RunOptions, waits: bool) -> bool:
    """Whether a call of `run` or `create_server` is to be carried out; it is recorded if not.

    Args:
        waits: the caller needs the server, and cannot go on without one.
    Raises: ImportEnds: the caller would wait, or calls `run` in a loop.
    """
    if _anyway.get() or (_recorded is None and threading.current_thread() not in _threads):
        return True
    runs = [] if _recorded is None else _recorded
    again = any(run.app is app for run in runs)
    method = "create_server" if waits else "run"
    task = asyncio.current_task() if waits else None
    runs.append(SelfRun(app, options, method, _caller(), dict(sys.modules), task))
    if waits or again:
        raise ImportEnds
    return False


def _caller() -> tuple[str, int]:
    """The innermost frame outside of this library and of asyncio."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_BELOW):
        frame = frame.f_back
    return frame.f_code.co_filename, frame.f_lineno
