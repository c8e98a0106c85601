"""How a write waits: when it is awaited, or, in a streaming function that drops it, by greenlet.

It also tells a session when its application waits, so that what was written leaves then.

The rule: a streaming function runs on a stack of its own, so that a synchronous write deep inside it can
switch out, let the loop go on, and come back once the peer has caught up. Without greenlet nothing can
suspend, and only an awaited write waits.
"""

from __future__ import annotations

import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from typing import TYPE_CHECKING, Any, Final, NoReturn, Protocol, TypeVar

T = TypeVar("T")
Make = Callable[[], Coroutine[Any, Any, None]]


class Ready:
    """What a write returns when nobody has to wait: awaiting it gives `None` at once.

    It holds no state, may be dropped without a warning, and passes for a coroutine (`create_task`).
    """

    __slots__ = ()

    if TYPE_CHECKING:

        def __await__(self) -> Generator[Any, Any, None]: ...
    else:
        # A bound method of an exhausted iterator: half the price of a Python function here.
        __await__ = iter(()).__iter__

    def send(self, _: None) -> None:
        raise StopIteration

    def throw(self, error: Any, *_: object) -> None:
        raise error

    def close(self) -> None:
        pass


Coroutine.register(Ready)
READY: Final = Ready()


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


class Stepper(Protocol):
    """Who wants to know when a coroutine runs.

    Attributes:
        stepping: it runs now.
    """

    stepping: bool

    def suspended(self) -> None:
        """It has begun to wait."""


@types.coroutine
def stepped(awaitable: Awaitable[T], stepper: Stepper) -> Generator[Any, Any, T]:
    """Run it as `await` does, and tell the stepper each time that it begins to wait."""
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
        """The wait that `make` makes, for the caller to await."""
        return Wait(make)

    @types.coroutine
    def drive(function: Coroutine[Any, Any, T], stacks: list[Any]) -> Generator[Any, Any, T]:
        """Run a streaming function."""
        return (yield from function.__await__())

else:
    _YIELD, _WAIT, _DONE = "yield", "wait", "done"
    _KEPT: Final = 32
    """Stacks that are kept for the next function; a new one costs two system calls and page faults."""

    class _Streaming(greenlet):
        """The stack of a streaming function, and after it of others, one at a time."""

    def wait(make: Make) -> Awaitable[None]:
        """Wait here and now where the caller runs in a streaming function, else when it awaits."""
        current = getcurrent()
        if type(current) is not _Streaming or current.parent is None:
            return Wait(make)
        current.parent.switch((_WAIT, make()))
        return READY

    def _step_through(function: Coroutine[Any, Any, Any] | None) -> NoReturn:
        """Step one coroutine after another on this stack, handing what it yields to the outside; an
        exception ends the stack as well.

        A stack that held itself in a variable would never be freed: greenlets are not searched for cycles.
        """
        while True:
            assert function is not None
            step: Callable[[Any], Any] = function.send
            value: Any = None
            while True:
                try:
                    yielded = step(value)
                except StopIteration as stop:
                    done = stop.value
                    break
                try:
                    value = getcurrent().parent.switch((_YIELD, yielded))  # type: ignore[union-attr]
                    step = function.send
                except BaseException as error:
                    value = error
                    step = function.throw
            function = step = value = yielded = None  # type: ignore[assignment]  # to keep nothing alive
            function = getcurrent().parent.switch((_DONE, done))  # type: ignore[union-attr]

    @types.coroutine
    def drive(function: Coroutine[Any, Any, T], stacks: list[Any]) -> Generator[Any, Any, T]:
        """Run a streaming function so that its dropped writes can wait.

        What it yields is passed to the loop, and where a write switched out, its wait is awaited here.

        Args:
            stacks: that have run one before; of this thread.
        """
        current = getcurrent()
        if stacks:
            runner = stacks.pop()
            runner.parent = current
        else:
            runner = _Streaming(_step_through)
        runner.gr_context = current.gr_context
        kind, thing = runner.switch(function)
        while kind is not _DONE:
            try:
                value = (yield thing) if kind is _YIELD else (yield from thing.__await__())
            except BaseException as error:
                kind, thing = runner.throw(error)
            else:
                kind, thing = runner.switch(value)
        if len(stacks) < _KEPT:
            runner.gr_context = None
            stacks.append(runner)
        result: T = thing
        return result
