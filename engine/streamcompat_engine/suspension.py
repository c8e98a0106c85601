"""How a write waits: when it is awaited, or, in a streaming function that drops it, by greenlet.

The rule: a streaming function runs on a stack of its own, so that a synchronous write deep inside it can
switch out, let the loop go on, and come back once the peer has caught up. Without greenlet nothing can
suspend, and only an awaited write waits.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import Any, TypeVar

from .pipeline import READY

T = TypeVar("T")
Make = Callable[[], Coroutine[Any, Any, None]]


class Wait:
    """What a write returns when its caller should wait: the wait begins when it is awaited."""

    __slots__ = ("_coroutine", "_make")

    def __init__(self, make: Make) -> None:
        self._make = make
        self._coroutine: Coroutine[Any, Any, None] | None = None

    def __await__(self) -> Generator[Any, Any, None]:
        return self._make().__await__()

    def _begun(self) -> Coroutine[Any, Any, None]:
        if self._coroutine is None:
            self._coroutine = self._make()
        return self._coroutine

    def send(self, value: Any) -> Any:
        return self._begun().send(value)

    def throw(self, *error: Any) -> Any:
        return self._begun().throw(*error)

    def close(self) -> None:
        if self._coroutine is not None:
            self._coroutine.close()


Coroutine.register(Wait)


try:
    from greenlet import getcurrent, greenlet
except ImportError:

    def wait(make: Make) -> Awaitable[None]:
        """The wait that `make` makes, for the caller to await."""
        return Wait(make)

    async def drive(function: Coroutine[Any, Any, T]) -> T:
        """Run a streaming function."""
        return await function

else:
    _YIELD, _WAIT, _DONE = "yield", "wait", "done"

    class _Streaming(greenlet):
        """The stack of a streaming function."""

    def wait(make: Make) -> Awaitable[None]:
        """Wait here and now where the caller runs in a streaming function, else when it awaits."""
        current = getcurrent()
        if type(current) is not _Streaming or current.parent is None:
            return Wait(make)
        current.parent.switch((_WAIT, make()))
        return READY

    def _step_through(function: Coroutine[Any, Any, Any]) -> tuple[str, Any]:
        """Step the coroutine on this stack, handing what it yields to the outside."""
        outside = getcurrent().parent
        assert outside is not None
        step: Callable[[Any], Any] = function.send
        value: Any = None
        while True:
            try:
                yielded = step(value)
            except StopIteration as stop:
                return _DONE, stop.value
            try:
                value = outside.switch((_YIELD, yielded))
                step = function.send
            except BaseException as error:
                value = error
                step = function.throw

    @types.coroutine
    def _drive(function: Coroutine[Any, Any, Any]) -> Generator[Any, Any, Any]:
        runner = _Streaming(_step_through)
        runner.gr_context = getcurrent().gr_context
        kind, thing = runner.switch(function)
        while kind is not _DONE:
            try:
                value = (yield thing) if kind is _YIELD else (yield from thing.__await__())
            except BaseException as error:
                kind, thing = runner.throw(error)
            else:
                kind, thing = runner.switch(value)
        return thing

    async def drive(function: Coroutine[Any, Any, T]) -> T:
        """Run a streaming function so that its dropped writes can wait.

        What it yields is passed to the loop, and where a write switched out, its wait is awaited here.
        """
        result: T = await _drive(function)
        return result
