"""The invariants of a handler as one-line assertions, for tests with and without an event loop.

The rule: each assertion starts its app in a separate event loop and stops it there. The message contains
everything that a reader needs to understand and reproduce the failure.
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
"""Real seconds to wait for a handler before it counts as hanging."""


def run(function: Callable[[], Awaitable[T]], backend: str) -> T:
    """Run a coroutine function in a new event loop and return its result. The loop runs in this thread, or
    in a new thread if this thread already runs a loop."""
    call = functools.partial(anyio.run, function, backend=backend)
    try:
        anyio.get_current_task()
    except RuntimeError:  # this thread runs no loop
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
    """Assert that the status, the body and the side effects are the same wherever the network cuts the
    request.

    By default the cuts are: every possible way for a body of at most 8 bytes; otherwise one cut at each
    offset, pairs of cuts at the most error-prone offsets, and single bytes. For a chunked request, the
    assertion varies the chunks too. Failed responses (4xx, 5xx, or truncated) only have to fail in the same
    way.

    Args:
        effects: a list to which the app appends its side effects; cleared before each request.
        cuts: the ways of cutting to try instead of the default ones.
        backend: `"asyncio"` or `"trio"`.
        patience: real seconds after which a handler counts as hanging.
    Raises: AssertionError; ValueError: the response to the uncut request varies, so no comparison is
        possible.
    """
    __tracebackhide__ = True

    async def check() -> Counterexample | str | None:
        async with invariants.running(app, effects, patience) as runner:
            return await invariants.boundary(runner, request, cuts)

    found = run(check, backend)
    if isinstance(found, str):
        raise ValueError(f"cannot tell whether the cuts matter for {request!r}: {found}")
    _fail(found)


def assert_bounded_memory(
    app: AnyApp, request: Request, *, backend: str = "asyncio", patience: float = PATIENCE
) -> None:
    """Assert that memory does not grow with the body, whether or not the client reads the response.

    The request's body is repeated to 256 KiB and to 768 KiB, and the peaks (from tracemalloc) are compared.
    A route that refuses the longer body with 413 is bounded.

    Raises: AssertionError: memory grows; ValueError: the route refuses the repeated body, so no comparison
        is possible.
    """
    __tracebackhide__ = True

    async def check() -> Counterexample | str | None:
        async with invariants.running(app, None, patience) as runner:
            return await invariants.memory(runner, request)

    found = run(check, backend)
    if isinstance(found, str):
        raise ValueError(f"cannot tell whether memory is bounded for {request!r}: {found}")
    _fail(found)


def assert_survives_disconnect(
    app: AnyApp, request: Request, *, backend: str = "asyncio", patience: float = PATIENCE
) -> None:
    """Assert that the handler survives a client that disconnects at any point of the request or response:
    the handler ends (so its `finally` blocks run), no task is left running, and the next request on a new
    connection gets the same status as before.

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
    """Assert that two apps give the same response, uncut and with some cuts: status, headers (except Date)
    and body.

    Responses of 5xx only have to have the same status.

    Args:
        ignore_headers: names of header fields that may differ.
        names: the names of the two apps in the message.
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
