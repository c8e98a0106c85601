"""The invariants of a handler as assertions of one line, for tests with and without an event loop.

The rule: an assertion runs its app in a loop of its own, from start to stop; its message is all that is
needed to understand the failure and to see it again.
"""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import anyio

from streamcompat.serving.servable import Servable
from streamcompat.testing import invariants
from streamcompat.testing.client import EngineApp
from streamcompat.testing.counterexample import Counterexample
from streamcompat.testing.outcome import Effects
from streamcompat.testing.wire import Request

T = TypeVar("T")
AnyApp = Servable | EngineApp

PATIENCE = 5.0
"""Real seconds that a handler may take for anything before it is taken to hang."""


def run(function: Callable[[], Awaitable[T]], backend: str) -> T:
    """What a coroutine function returns, in an event loop of its own: in this thread, or in another where
    a loop runs here."""
    call = functools.partial(anyio.run, function, backend=backend)
    try:
        anyio.get_current_task()
    except RuntimeError:  # no loop runs here
        return call()
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(call).result()


def assert_boundary_invariant(
    app: AnyApp,
    request: Request,
    *,
    effects: Effects = None,
    cuts: Iterable[Sequence[int]] | None = None,
    backend: str = "asyncio",
    patience: float = PATIENCE,
) -> None:
    """The status, the body and the side effects are the same wherever the network cuts the request.

    The cuts are chosen: all where the body has at most 8 bytes; else one at each offset, pairs at those
    that hurt most often, and single bytes. Where the request is chunked, its chunks are varied too. Answers
    that fail (4xx, 5xx, a cut response) need only fail alike.

    Args:
        effects: a list in which the app notes what it does; emptied before each request.
        cuts: to be tried instead of the chosen ones.
        backend: `"asyncio"` or `"trio"`.
        patience: real seconds after which a handler is taken to hang.
    Raises: AssertionError; ValueError: the app answers differently each time, so that it cannot be told.
    """
    __tracebackhide__ = True

    async def check() -> Counterexample | str | None:
        async with invariants.running(app, effects, patience) as runner:
            return await invariants.boundary(runner, request, cuts)

    found = run(check, backend)
    if isinstance(found, str):
        raise ValueError(f"it cannot be told whether the cuts matter for {request!r}: {found}")
    _fail(found)


def assert_bounded_memory(
    app: AnyApp, request: Request, *, backend: str = "asyncio", patience: float = PATIENCE
) -> None:
    """Memory does not grow with the body, whether the client reads the response or not.

    The request's body is sent repeated, to 256 KiB and to 768 KiB, and the peaks are compared (by
    tracemalloc). A route that refuses the longer one with 413 is bounded.

    Raises: AssertionError: it grows; ValueError: the repeated body is refused, so that it cannot be told.
    """
    __tracebackhide__ = True

    async def check() -> Counterexample | str | None:
        async with invariants.running(app, None, patience) as runner:
            return await invariants.memory(runner, request)

    found = run(check, backend)
    if isinstance(found, str):
        raise ValueError(f"it cannot be told whether memory is bounded for {request!r}: {found}")
    _fail(found)


def assert_survives_disconnect(
    app: AnyApp, request: Request, *, backend: str = "asyncio", patience: float = PATIENCE
) -> None:
    """Wherever in the request or its response the client leaves, the handler ends (and so its `finally`
    runs), no task is left behind, and the next request on a new connection is answered as before.

    Raises: AssertionError.
    """
    __tracebackhide__ = True

    async def check() -> Counterexample | None:
        async with invariants.running(app, None, patience) as runner:
            return await invariants.disconnect(runner, request)

    _fail(run(check, backend))


def assert_same_behaviour(
    app_a: AnyApp,
    app_b: AnyApp,
    request: Request,
    *,
    ignore_headers: Collection[str] = (),
    names: tuple[str, str] = ("app_a", "app_b"),
    backend: str = "asyncio",
    patience: float = PATIENCE,
) -> None:
    """Two apps answer the request alike, uncut and in some cuts: status, headers (but for Date) and body.

    Answers of 5xx need only have the same status.

    Args:
        ignore_headers: names of fields that may differ.
        names: of the two, for the message.
    Raises: AssertionError.
    """
    __tracebackhide__ = True
    ignored = frozenset(name.lower() for name in ignore_headers)

    async def check() -> Counterexample | None:
        async with (
            invariants.running(app_a, None, patience) as one,
            invariants.running(app_b, None, patience) as other,
        ):
            return await invariants.same_behaviour(one, other, request, ignored, names)

    _fail(run(check, backend))


def _fail(found: Counterexample | None) -> None:
    __tracebackhide__ = True
    if found is not None:
        raise AssertionError(str(found))
