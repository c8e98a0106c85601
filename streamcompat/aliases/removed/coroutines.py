"""`asyncio.coroutine`: coroutines that are generators, as before Python 3.5, and `asyncio.Task`'s old names.

The rule: what a decorated function returns can be awaited, given to a task, and used by `yield from` in any
generator, decorated or not.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import inspect
import sys
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Final

from streamcompat.aliases.removed.notes import note
from streamcompat.aliases.removed.table import NAMES

__all__ = ["OldCoroutine", "OldTask", "coroutine"]

_Task: Final = asyncio.Task


class OldCoroutine(Coroutine[Any, Any, Any], Generator[Any, Any, Any]):
    """A generator as a coroutine; awaitable as well as iterable."""

    __slots__ = ("_generator",)

    def __init__(self, generator: Generator[Any, Any, Any]) -> None:
        self._generator = generator

    # Itself, since what `__await__` returns must not be a generator that is a coroutine.
    def __iter__(self) -> Generator[Any, Any, Any]:
        return self

    __await__ = __iter__

    def __next__(self) -> Any:
        return next(self._generator)

    def send(self, value: Any) -> Any:
        return self._generator.send(value)

    def throw(self, *error: Any) -> Any:
        return self._generator.throw(*error)

    def close(self) -> None:
        self._generator.close()


def coroutine(function: Callable[..., Any]) -> Callable[..., Any]:
    """The decorator `asyncio.coroutine`: for generator functions, and for those that return an awaitable."""
    if inspect.iscoroutinefunction(function):
        return function
    # The flag that it sets lets `yield from` take coroutines.
    generate: Callable[..., Any] = types.coroutine(
        function if inspect.isgeneratorfunction(function) else _awaited(function)
    )

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> OldCoroutine:
        return OldCoroutine(generate(*args, **kwargs))

    # Once the function itself was returned, so that `inspect.getargspec`, which follows no wrapper, saw it.
    with contextlib.suppress(ValueError, TypeError):  # what is written in C may have none
        vars(call)["__signature__"] = inspect.signature(function)
    if sys.version_info >= (3, 12):
        return inspect.markcoroutinefunction(call)
    vars(call)["_is_coroutine"] = vars(asyncio.coroutines)["_is_coroutine"]
    return call


def _awaited(function: Callable[..., Any]) -> Callable[..., Generator[Any, Any, Any]]:
    """A plain function as a generator function: what it returns is awaited if that is possible."""

    @functools.wraps(function)
    def generate(*args: Any, **kwargs: Any) -> Generator[Any, Any, Any]:
        result = function(*args, **kwargs)
        if inspect.isgenerator(result):
            return (yield from result)
        if inspect.isawaitable(result):
            return (yield from result.__await__())
        return result

    # It is called by `types.coroutine`, which looks at the function that it gets.
    del vars(generate)["__wrapped__"]
    return generate


class _TaskType(type):
    """Tasks of every kind are instances of `OldTask`, and the class has the names that Python removed."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, _Task) if cls is OldTask else super().__instancecheck__(instance)

    def __subclasscheck__(cls, subclass: type) -> bool:
        return issubclass(subclass, _Task) if cls is OldTask else super().__subclasscheck__(subclass)

    def current_task(cls, loop: asyncio.AbstractEventLoop | None = None) -> asyncio.Task[Any] | None:
        """The task that runs; `None` outside of a task, also where no loop runs."""
        _note_task("current_task")
        running = asyncio._get_running_loop()
        return None if loop is None and running is None else asyncio.current_task(loop)

    def all_tasks(cls, loop: asyncio.AbstractEventLoop | None = None) -> set[asyncio.Task[Any]]:
        """The tasks of a loop that are not done. (The original had those that are done, too.)"""
        _note_task("all_tasks")
        return asyncio.all_tasks(asyncio.get_event_loop() if loop is None else loop)


class OldTask(asyncio.Task[Any], metaclass=_TaskType):
    """In the place of `asyncio.Task`, whose own class takes no attributes."""


def _note_task(name: str) -> None:
    full = f"asyncio.Task.{name}"
    note(full, *NAMES[full])
