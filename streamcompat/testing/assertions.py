"""The invariants of a handler as one-line assertions, for tests with and without an event loop.

The rule: each assertion starts its app in a separate event loop and stops it there. The message contains
everything that a reader needs to understand and reproduce the failure.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import anyio

from streamcompat.testing import departures, growth, invariants, isolation
from streamcompat.testing.applications import AnyApp, served
from streamcompat.testing.counterexample import Counterexample
from streamcompat.testing.invariants import PATIENCE
from streamcompat.testing.outcome import Effects, Runner, fails
from streamcompat.testing.virtual_time import Jumps, backend_options
from streamcompat.testing.wire import Request
from streamcompat.testing.wording import in_words_of

T = TypeVar("T")
Found = Counterexample | str | None


def run(function: Callable[[], Awaitable[T]], backend: str) -> T:
    """Run a coroutine function in a new event loop, whose clock jumps, and return its result. The loop runs
    in this thread, or in a new thread if this thread already runs a loop."""

    def call() -> T:
        return anyio.run(
            function, backend=backend, backend_options=backend_options(backend, Jumps(callers=1))
        )

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
    ways: int = 300,
    allow_failure: bool = False,
    backend: str = "asyncio",
    patience: float = PATIENCE,
) -> None:
    """Assert that the status, the body and the side effects are the same wherever the network cuts the
    request.

    By default the cuts are: every possible way for a body of at most 8 bytes; otherwise one cut at each
    offset, pairs of cuts at the most error-prone offsets, and single bytes. For a chunked request, the
    assertion varies the chunks too. It also lets two minutes pass on the app's clock within the body, and
    before it. Failed responses (4xx, 5xx, or truncated) only have to fail in the same way. Of an event
    stream that does not end, the beginning is compared.

    Args:
        effects: a list to which the app appends its side effects; cleared before each request.
        cuts: the ways of cutting to try instead of the default ones.
        ways: how many of the default ones to try; fewer suffice where Hypothesis makes many requests.
        allow_failure: the request may fail without cuts; by default that is a ValueError, because the
            comparison of two failures shows little.
        backend: `"asyncio"` or `"trio"`.
        patience: seconds after which a handler counts as hanging. The app's own sleeps take no real time.
    Raises: AssertionError; TypeError: `app` is not an app; ValueError: the request fails, or the response to
        the uncut request varies, so no comparison is possible.
    """
    __tracebackhide__ = True

    async def check(runner: Runner) -> Found:
        found = await invariants.boundary(runner, request, cuts, ways, allow_failure)
        if found is None and cuts is None:
            found = await departures.silence(runner, request)
        return found

    _check(app, check, "the cuts matter", request, backend, patience, effects)


def assert_bounded_memory(
    app: AnyApp,
    request: Request,
    *,
    allow_failure: bool = False,
    backend: str = "asyncio",
    patience: float = PATIENCE,
) -> None:
    """Assert that memory does not grow with the body, whether or not the client reads the response.

    Bodies of the request's kind are sent with 256 KiB and 768 KiB, and the peaks (from tracemalloc) are
    compared; if the larger one costs more, again with 4 MiB and 16 MiB. A route that refuses the longer body
    with 413 is bounded.

    Raises: AssertionError: memory grows; TypeError: `app` is not an app; ValueError: the route refuses the
        request or its longer body, so no comparison is possible.
    """
    __tracebackhide__ = True

    async def check(runner: Runner) -> Found:
        if not allow_failure and (why := fails(request, await runner.run(request))):
            return why
        return await growth.memory(runner, request)

    _check(app, check, "memory is bounded", request, backend, patience)


def assert_survives_disconnect(
    app: AnyApp,
    request: Request,
    *,
    allow_failure: bool = False,
    backend: str = "asyncio",
    patience: float = PATIENCE,
) -> None:
    """Assert that the handler survives a client that disconnects at any point of the request or response:
    the handler ends (so its `finally` blocks run), no task is left running, the next request on a new
    connection gets the same response as before, and a body that is cut is not answered as a whole one.

    Raises: AssertionError; TypeError: `app` is not an app; ValueError: the request fails.
    """
    __tracebackhide__ = True

    async def check(runner: Runner) -> Found:
        found = await departures.disconnect(runner, request, allow_failure)
        if found is None and request.body:
            found = await departures.truncation(runner, request)
        return found

    _check(app, check, "clients may leave", request, backend, patience)


def assert_isolated(
    app: AnyApp,
    request: Request,
    other: Request | None = None,
    *,
    backend: str = "asyncio",
    patience: float = PATIENCE,
) -> None:
    """Assert that a request is answered as when it comes alone while another one is received at the same
    time, and that twelve of them leave neither memory nor descriptors nor threads behind.

    Args:
        other: the request that is received at the same time; by default the same one.
    Raises: AssertionError; TypeError: `app` is not an app; ValueError: the request fails, or its response
        varies.
    """
    __tracebackhide__ = True

    async def check(runner: Runner) -> Found:
        if why := fails(request, await runner.run(request)):
            return why
        found = await isolation.together(runner, request, other or request)
        return found or await isolation.leftovers(runner, request)

    _check(app, check, "requests are isolated", request, backend, patience)


def assert_same_behaviour(
    app_a: AnyApp,
    app_b: AnyApp,
    request: Request,
    *,
    ignore_headers: Collection[str] = (),
    names: tuple[str, str] = ("app_a", "app_b"),
    allow_failure: bool = False,
    backend: str = "asyncio",
    patience: float = PATIENCE,
) -> None:
    """Assert that two apps give the same response, uncut and with some cuts: status, headers (except Date)
    and body.

    Responses of 5xx only have to have the same status.

    Args:
        ignore_headers: names of header fields that may differ.
        names: the names of the two apps in the message.
        allow_failure: the request may fail in both apps; by default that is a ValueError.
    Raises: AssertionError; TypeError: one of them is not an app; ValueError: the request fails in both.
    """
    __tracebackhide__ = True
    ignored = frozenset(name.lower() for name in ignore_headers)

    async def check(one: Runner) -> Found:
        async with invariants.running(app_b, None, patience) as other:
            found = await invariants.same_behaviour(one, other, request, ignored, names)
            if found is None and not allow_failure:
                return fails(request, await one.run(request)) or None
            return found

    _check(app_a, check, "the apps behave the same", request, backend, patience)


def _check(
    app: AnyApp,
    search: Callable[[Runner], Awaitable[Found]],
    question: str,
    request: Request,
    backend: str,
    patience: float,
    effects: Effects = None,
) -> None:
    """Run a search on an app, and raise what it finds."""
    __tracebackhide__ = True
    served(app)  # raises for what is none

    async def check() -> Found:
        async with invariants.running(app, effects, patience) as runner:
            return await search(runner)

    found = run(check, backend)
    if isinstance(found, str):
        raise ValueError(f"cannot tell whether {question} for {request!r}: {found}")
    if found is not None:
        raise AssertionError(str(in_words_of(app, found)))
