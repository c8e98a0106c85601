"""Calls that Python refuses today: `loop=` of asyncio's functions and classes, `asyncio.wait` of coroutines,
`get_event_loop` without a loop, locks that are awaited.

The rule: a call that this Python takes goes to the function that it has.
"""

from __future__ import annotations

import asyncio
import functools
import sys
import threading
from collections.abc import Callable, Generator, Iterable
from types import ModuleType
from typing import Any, Final

from streamcompat.aliases.removed.arguments import replace, without
from streamcompat.aliases.removed.notes import note
from streamcompat.aliases.removed.table import ARGUMENTS

__all__ = ["change_asyncio"]

_ABSENT: Final = object()
_CLASSES: Final = (
    asyncio.Lock,
    asyncio.Event,
    asyncio.Condition,
    asyncio.Semaphore,
    asyncio.BoundedSemaphore,
    asyncio.Queue,
)
_AWAITED: Final = (asyncio.Lock, asyncio.Condition, asyncio.Semaphore)
_OF_AWAITABLES: Final = ("as_completed", "gather", "shield", "wait")


def change_asyncio(package: ModuleType) -> None:
    """Changes asyncio: its functions under each name that its modules have for them, its classes in place."""
    for cls in _CLASSES:
        replace(cls, "__init__", _without_loop(cls.__init__, cls.__name__))
    for cls in _AWAITED:
        replace(cls, "__iter__", _held)
        replace(cls, "__await__", _held)
    replaced: dict[str, Callable[..., Any]] = {
        "as_completed": _as_completed,
        "gather": _gather,
        "get_event_loop": _event_loop(asyncio.get_event_loop),
        "shield": _shield,
        "wait": _wait,
    }
    for full in ARGUMENTS:
        owner, _, name = full.partition(".")
        old = vars(package).get(name)  # none for a Unix socket's on Windows
        if owner == "asyncio" and name not in replaced and old is not None and not isinstance(old, type):
            replaced[name] = _without_loop(old, name)
    for name, new in replaced.items():
        old = getattr(package, name)
        # `asyncio.tasks.sleep` is `asyncio.sleep`; asyncio's own modules call each other by these names.
        for module in [package, *_submodules()]:
            if vars(module).get(name) is old:
                replace(module, name, new)


def _submodules() -> list[ModuleType]:
    return [module for name, module in sys.modules.items() if name.startswith("asyncio.")]


def _without_loop(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    # A subclass, such as PriorityQueue, has no `__init__` of its own.
    return without(function, f"asyncio.{name}", "loop", _NO_LOOP)


_NO_LOOP: Final = "leave it out; the running loop is taken"


def _note_loop(name: str) -> None:
    note(f"asyncio.{name}(loop=...)", ARGUMENTS[f"asyncio.{name}"][1], _NO_LOOP)


def _on(loop: Any, name: str, awaitables: Iterable[Any]) -> list[Any]:
    """The awaitables as futures of the loop that was given, so that they need not be made inside of it."""
    if loop is _ABSENT:
        return list(awaitables)
    _note_loop(name)
    return list(awaitables) if loop is None else [asyncio.ensure_future(one, loop=loop) for one in awaitables]


_original: Final = {name: getattr(asyncio, name) for name in _OF_AWAITABLES}


@functools.wraps(asyncio.gather)
def _gather(*awaitables: Any, loop: Any = _ABSENT, **kwargs: Any) -> Any:
    if not awaitables and isinstance(loop, asyncio.AbstractEventLoop):
        _note_loop("gather")
        empty = loop.create_future()
        empty.set_result([])
        return empty
    return _original["gather"](*_on(loop, "gather", awaitables), **kwargs)


@functools.wraps(asyncio.shield)
def _shield(arg: Any, *, loop: Any = _ABSENT) -> Any:
    return _original["shield"](*_on(loop, "shield", [arg]))


@functools.wraps(asyncio.as_completed)
def _as_completed(fs: Any, *, loop: Any = _ABSENT, **kwargs: Any) -> Any:
    if not isinstance(loop, asyncio.AbstractEventLoop):
        _on(loop, "as_completed", ())
        return _original["as_completed"](fs, **kwargs)
    return _original["as_completed"](_on(loop, "as_completed", set(fs)), **kwargs)


@functools.wraps(asyncio.wait)
def _wait(fs: Any, *, loop: Any = _ABSENT, **kwargs: Any) -> Any:
    if loop is not _ABSENT:
        _note_loop("wait")
    if not asyncio.iscoroutine(fs) and not asyncio.isfuture(fs):
        fs = set(fs)
        if any(map(asyncio.iscoroutine, fs)):
            note("asyncio.wait of coroutines", "3.11", "asyncio.wait of tasks")
    return _waited(fs, **kwargs)


async def _waited(fs: Any, **kwargs: Any) -> Any:
    # The tasks are made here, since the call may stand outside of the loop.
    if isinstance(fs, set):
        fs = {asyncio.ensure_future(one) for one in fs}
    return await _original["wait"](fs, **kwargs)


def _event_loop(function: Callable[[], asyncio.AbstractEventLoop]) -> Callable[[], asyncio.AbstractEventLoop]:
    """`get_event_loop`, which makes a loop in the main thread where there is none."""

    @functools.wraps(function)
    def get_event_loop() -> asyncio.AbstractEventLoop:
        try:
            return function()
        except (RuntimeError, DeprecationWarning):
            if threading.current_thread() is not threading.main_thread():
                raise
        note("asyncio.get_event_loop() without a loop", "3.14", "asyncio.new_event_loop()")
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        return loop

    return get_event_loop


class _Held:
    """What `with (yield from lock):` enters: the lock is held already, and released at the end."""

    def __init__(self, lock: asyncio.Lock | asyncio.Condition | asyncio.Semaphore) -> None:
        self._lock = lock

    def __enter__(self) -> None:
        return None

    def __exit__(self, *error: object) -> None:
        self._lock.release()


def _held(lock: asyncio.Lock | asyncio.Condition | asyncio.Semaphore) -> Generator[Any, Any, _Held]:
    note(f"with (yield from {type(lock).__name__}())", "3.9", "async with")
    yield from lock.acquire().__await__()
    return _Held(lock)
