"""Waiting writes: an awaited write waits in its `await`, an un-awaited one is suspended by greenlet.

This module also tells a session when its application begins to wait, so that written bytes leave then.

The rule: a streaming function runs on a stack of its own. So a synchronous write deep inside it can switch to
the event loop, and continue once the peer has caught up. Without greenlet nothing can be suspended, and only
an awaited write waits.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar

T = TypeVar("T")
Make = Callable[[], Coroutine[Any, Any, None]]


class Ready:
    """The result of a write that does not have to wait: awaiting it returns `None` at once.

    It has no state, may be dropped without a warning, and is accepted as a coroutine (`create_task`).
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, Any, None]: ...
    else:
        # A bound method of an exhausted iterator: half the cost of a Python function here.
        __await__ = iter(()).__iter__

    def send(self, _: None) -> None:
        raise StopIteration

    def throw(self, error: Any, *_: object) -> None:
        raise error

    def close(self) -> None:
        pass


Coroutine.register(Ready)
READY: Final = Ready()


class Wait(Coroutine[Any, Any, None]):
    """A coroutine that is made once it is awaited: nobody is warned of one that never is.

    It is the result of a write whose caller should wait, and what a task runs that may end before it begins.
    """

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


class Stepper(Protocol):
    """Follows the steps of a coroutine.

    Attributes:
        stepping: the coroutine is running now.
    """

    stepping: bool

    def suspended(self) -> None:
        """The coroutine has begun to wait."""


@types.coroutine
def stepped(awaitable: Awaitable[T], stepper: Stepper) -> Generator[Any, Any, T]:
    """Run the awaitable as `await` does, and tell the stepper each time it begins to wait."""
    function = awaitable.__await__()
    step: Callable[[Any], Any] = function.send
    value: Any = None
    while True:
        stepper.stepping = True
        try:
            yielded = step(value)
        except StopIteration as stop:
            result: T = stop.value
            return result
        except GeneratorExit as error:
            if isinstance(value, GeneratorExit):  # Python closes the coroutine
                raise
            raise RuntimeError("the application raised GeneratorExit") from error
        finally:
            stepper.stepping = False
        stepper.suspended()
        try:
            value = yield yielded
            step = function.send
        except BaseException as error:
            value = error
            step = function.throw


try:
    from greenlet import getcurrent, greenlet
except ImportError:

    def wait(make: Make) -> Awaitable[None]:
        """An awaitable for the coroutine that `make` makes."""
        return Wait(make)

    @types.coroutine
    def drive(function: Coroutine[Any, Any, T], stacks: list[Any]) -> Generator[Any, Any, T]:
        """Run a streaming function."""
        return (yield from function.__await__())

else:
    _YIELD, _WAIT, _DONE = "yield", "wait", "done"
    _KEPT: Final = 32
    """Stacks that are kept for reuse; a new stack costs two system calls and page faults."""

    class _Streaming(greenlet):
        """The stack of streaming functions, one at a time."""

    def wait(make: Make) -> Awaitable[None]:
        """Wait now if the caller runs in a streaming function, otherwise when it awaits the result."""
        current = getcurrent()
        if type(current) is not _Streaming or current.parent is None:
            return Wait(make)
        current.parent.switch((_WAIT, make()))
        return READY

    def _steps(step: Callable[[Any], Any] | None, value: Any) -> NoReturn:
        """Run one step of a coroutine after another on this stack, each for whoever switches here; pass on
        what it yields or returns. An exception ends the stack too.

        No variable here may refer to the stack itself: the garbage collector cannot free such a cycle.
        """
        while True:
            assert step is not None
            try:
                kind, thing = _YIELD, step(value)
            except StopIteration as stop:
                kind, thing = _DONE, stop.value
            step = value = None  # keep nothing alive
            passed, thing = (kind, thing), None
            step, value = getcurrent().parent.switch(passed)  # type: ignore[union-attr]

    @types.coroutine
    def drive(function: Coroutine[Any, Any, T], stacks: list[Any]) -> Generator[Any, Any, T]:
        """Run a streaming function so that its un-awaited writes can wait.

        What the function yields is passed to the loop. It has a stack only for as long as it runs, since a
        stack takes 16 KiB and more; a write that has to wait keeps it, and is awaited here.

        Args:
            stacks: stacks of this thread that are free for reuse.
        """
        step: Callable[[Any], Any] = function.send
        value: Any = None
        while True:
            current = getcurrent()
            runner = stacks.pop() if stacks else _Streaming(_steps)
            runner.parent = current
            runner.gr_context = current.gr_context
            kind, thing = runner.switch(step, value)
            while kind is _WAIT:
                try:
                    value = yield from thing.__await__()
                except BaseException as error:
                    runner.parent = getcurrent()
                    kind, thing = runner.throw(error)
                else:
                    runner.parent = getcurrent()
                    kind, thing = runner.switch(value)
            if len(stacks) < _KEPT:
                runner.gr_context = None
                stacks.append(runner)
            if kind is _DONE:
                result: T = thing
                return result
            del runner, current, value  # keep nothing alive
            try:
                value = yield thing
                step = function.send
            except BaseException as error:
                value = error
                step = function.throw
