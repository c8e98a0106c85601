"""Checks that two apps answer alike, for example one app before and after it was ported.

The rule: both get the same generated requests over the real engine, in memory. What a client can see is
compared: status, header fields, body, chunk boundaries, and whether the body is complete. For each difference
the smallest request that shows it is reported.

A pytest test is one line: `assert_alike(before, after)`.
"""

from __future__ import annotations

import contextlib
import io
import logging
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky

from streamcompat import aliases
from streamcompat.kernel.routes.router import PARAMETER
from streamcompat.serving import targets
from streamcompat.serving.served_app import ServedApp
from streamcompat.serving.site import Site
from streamcompat.testing import Client, Request, Response, strategies
from streamcompat.testing.response import ResponseReader
from streamcompat.testing.wire import cut
from streamcompat_engine import ClientDisconnected

__all__ = ["Case", "Difference", "ComparedRoute", "Comparison", "assert_alike", "compare", "load"]

DIFFERENT = 1
UNFINISHED = 4
PATIENCE = 5.0
"""Real seconds that a handler may take to respond; the apps' own sleeps run in real time."""

BUDGET = 600.0
"""Real seconds that a whole comparison may take; what was not compared then is said not to have been."""

_ENDLESS = 3
"""Requests to a route after which one whose answers do not end within `PATIENCE` is left."""

_AGAIN = 3
"""How often a difference is checked again if the client leaves: how far a handler gets then may vary, for
example if it waits for a thread."""

# The engine takes it from the clock.
_VARYING = frozenset({"date"})

_SAFE = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
_VALUES: dict[str, st.SearchStrategy[str]] = {
    "int": st.integers(0, 100).map(str),
    "number": st.floats(0, 100).map(lambda number: f"{number:.2f}"),
    "alpha": st.text(_SAFE[:52], min_size=1, max_size=8),
    "path": st.lists(st.text(_SAFE, min_size=1, max_size=4), min_size=1, max_size=3).map("/".join),
    "uuid": st.uuids().map(str),
}

# Made of many choices, so that Hypothesis shrinks towards a short body.
_LARGE = st.lists(st.integers(1, 3), min_size=64, max_size=64).map(
    lambda counts: b"0123456789abcdef" * 80 * sum(counts)
)


@dataclass(frozen=True)
class ComparedRoute:
    """One method of one path, on one host or on any.

    Attributes:
        words: short string literals in its handlers, tried as names of query parameters.
    """

    method: str
    uri: str
    host: str | None = None
    words: tuple[str, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{self.method} {self.host or ''}{self.uri}"


@dataclass(frozen=True)
class Case:
    """One request, how the network splits it, and whether the client leaves.

    Attributes:
        cuts: byte offsets after the head at which the network splits the request; 0 is the end of the head.
        leaves_after: how many pieces are sent before the client disconnects; `None` if it stays.
    """

    request: Request
    cuts: tuple[int, ...] = ()
    leaves_after: int | None = None

    def __str__(self) -> str:
        parts = [repr(self.request)]
        if self.cuts:
            parts.append(f"cut at {', '.join(map(str, self.cuts))}")
        if self.leaves_after is not None:
            parts.append(f"the client leaves after {self.leaves_after} pieces")
        return "; ".join(parts)


@dataclass(frozen=True)
class Answer:
    """What a client received.

    Attributes:
        chunks: the body, in the chunks in which it was sent.
        complete: the body was received to its end.
        handled: the handler has returned.
        unseen: bytes that the handler wrote, if the client left before it saw any of them.
        endless: the body did not end within `PATIENCE`; only its first chunks are there.
        fault: the type of the error that kept the client from an answer, or an empty text.
    """

    status: int = 0
    headers: tuple[tuple[str, str], ...] = ()
    chunks: tuple[bytes, ...] = ()
    complete: bool = False
    handled: bool = True
    unseen: int = 0
    endless: bool = False
    fault: str = ""


class Difference(AssertionError):
    """A request to which the two apps respond differently.

    Attributes:
        route, case: the request.
        before, after: the response of each app; `None` for an app that does not have the route.
    """

    def __init__(
        self,
        route: ComparedRoute,
        case: Case | None = None,
        before: Answer | None = None,
        after: Answer | None = None,
    ) -> None:
        self.route = route
        self.case = case
        self.before = before
        self.after = after
        super().__init__(self._message())

    def _message(self) -> str:
        if self.case is None or self.before is None or self.after is None:
            which = "before" if self.before is not None else "after"
            return f"{self.route}: only the app {which} has this route"
        lines = [f"{self.route}: answered differently", f"  request: {self.case}"]
        for name in ("status", "headers", "chunks", "complete", "handled", "unseen", "fault"):
            before, after = getattr(self.before, name), getattr(self.after, name)
            if before != after:
                lines += [f"  {name} before: {before!r}", f"  {name} after:  {after!r}"]
        return "\n".join(lines)


@dataclass
class Comparison:
    """The result of a comparison.

    Attributes:
        routes: the routes that both apps have.
        differences: the smallest one for each route, and one for each route that only one app has.
        succeeded: how many answers of each route had a status of 2xx on both sides.
        endless: how many answers of each route did not end.
        unfinished: routes for which the budget was too small.
    """

    routes: list[ComparedRoute] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    succeeded: Counter[ComparedRoute] = field(default_factory=Counter)
    endless: Counter[ComparedRoute] = field(default_factory=Counter)
    unfinished: set[ComparedRoute] = field(default_factory=set)


def assert_alike(before: ServedApp, after: ServedApp, *, requests: int = 100) -> None:
    """For tests: raises the first `Difference` (an AssertionError) that `compare` finds."""
    for difference in compare(before, after, requests=requests).differences:
        raise difference


def compare(
    before: ServedApp,
    after: ServedApp,
    *,
    requests: int = 100,
    headers: Sequence[tuple[str, str]] = (),
    budget: float = BUDGET,
) -> Comparison:
    """Send both apps the same requests, `requests` of them to each route.

    Each app is started and stopped once, so that both carry the same state from one request to the next.

    Args:
        headers: header fields of every request.
        budget: real seconds after which no further request is sent.
    """
    until = time.monotonic() + budget
    comparison = Comparison()
    ours, theirs = {route: route for route in routes(before)}, set(routes(after))
    comparison.routes = [route for route in ours if route in theirs]
    comparison.differences += [Difference(route, before=Answer()) for route in ours if route not in theirs]
    comparison.differences += [
        Difference(route, after=Answer()) for route in sorted(theirs - ours.keys(), key=str)
    ]
    with (
        start_blocking_portal("asyncio") as portal,
        portal.wrap_async_context_manager(Client(before, patience=PATIENCE)) as one,
        portal.wrap_async_context_manager(Client(after, patience=PATIENCE)) as other,
    ):
        for route in comparison.routes:
            difference = _compare_route(portal, one, other, route, requests, headers, comparison, until)
            if difference is not None:
                comparison.differences.append(difference)
    return comparison


def _compare_route(
    portal: BlockingPortal,
    one: Client,
    other: Client,
    route: ComparedRoute,
    requests: int,
    headers: Sequence[tuple[str, str]],
    comparison: Comparison,
    until: float,
) -> Difference | None:
    @settings(
        max_examples=requests,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(cases(route, tuple(headers)))
    def check(case: Case) -> None:
        if time.monotonic() > until:
            comparison.unfinished.add(route)
            return
        if comparison.endless[route] >= _ENDLESS:
            return
        before = portal.call(outcome, one, case)
        after = portal.call(outcome, other, case)
        comparison.succeeded[route] += 200 <= before.status < 300 and 200 <= after.status < 300
        comparison.endless[route] += before.endless and after.endless
        if _alike(before, after, case):
            return
        for _ in range(_AGAIN if case.leaves_after is not None else 0):
            if _alike(portal.call(outcome, one, case), after, case):
                return
            if _alike(before, portal.call(outcome, other, case), case):
                return
        raise Difference(route, case, before, after)

    try:
        check()
    except Difference as difference:
        return difference
    except Flaky as error:
        # An app's answers vary from run to run; the difference that was seen still counts.
        for inner in getattr(error, "exceptions", ()):
            if isinstance(inner, Difference):
                return inner
        raise
    return None


def _alike(before: Answer, after: Answer, case: Case) -> bool:
    if before == after:
        return True
    if before.endless and after.endless:
        heads = [(one.status, one.headers) for one in (before, after)]
        alike = all(x == y for x, y in zip(before.chunks, after.chunks, strict=False))
        return heads[0] == heads[1] and alike and bool(before.chunks) == bool(after.chunks)
    if case.leaves_after is None:
        return False
    # How far a handler got when the client disconnected depends on the scheduling of the event loop.
    if before.complete and after.complete or before.handled != after.handled:
        return False
    if before.unseen != after.unseen and not before.status and not after.status:
        return False
    if before.status and after.status and (before.status, before.headers) != (after.status, after.headers):
        return False
    return all(x == y for x, y in zip(before.chunks[:-1], after.chunks[:-1], strict=False))


# ---- requests ----


def routes(app: ServedApp) -> Iterator[ComparedRoute]:
    """Every method of every registered route."""
    for route in app.router.routes_all.values():
        if route.implied:
            continue
        for method, endpoint in route.endpoints.items():
            words = tuple(sorted(set(_words(endpoint.handler))))
            for one in [method] if method is not None else ["GET", "POST"]:
                yield ComparedRoute(one, route.uri, route.host, words)


def _words(handler: Any) -> Iterator[str]:
    """Short string literals in a handler, such as names that it looks for in the query."""
    called = handler if hasattr(handler, "__code__") else type(handler).__call__
    stack = [getattr(called, "__code__", None)]
    while stack:
        code = stack.pop()
        for constant in getattr(code, "co_consts", ()):
            if isinstance(constant, str) and (
                0 < len(constant) <= 16 and constant.isidentifier() or _TYPE.fullmatch(constant)
            ):
                yield constant
            elif hasattr(constant, "co_consts"):
                stack.append(constant)


_TYPE = re.compile(r"[a-z]{1,20}/[a-z0-9.+-]{1,40}")


@st.composite
def cases(draw: st.DrawFn, route: ComparedRoute, headers: tuple[tuple[str, str], ...] = ()) -> Case:
    """Requests for a route: parameters, query, body, framing, segmentation, a client that leaves."""
    target = PARAMETER.sub(lambda found: draw(_value(found[1])), route.uri)
    word = st.text(_SAFE, min_size=1, max_size=5)
    known = [one for one in route.words if one.isidentifier()]
    names = st.sampled_from(known) | word if known else word
    query = draw(st.lists(st.tuples(names, st.integers(0, 20).map(str) | word), max_size=2))
    if query:
        target += "?" + "&".join(f"{name}={value}" for name, value in query)
    fields = ((("Host", route.host),) if route.host else ()) + headers
    fields += draw(st.just(()) | _fields(route, {name.lower() for name, _ in headers}))
    body = b""
    chunks = None
    if route.method not in ("GET", "HEAD", "OPTIONS", "DELETE") or draw(st.integers(0, 9)) == 9:
        body = draw(strategies.bodies() | _LARGE)
        chunks = draw(strategies.chunkings(body))
    request = Request(route.method, target, fields, body, chunks)
    cuts = draw(strategies.segmentations(request.framed()))
    leaves = draw(st.none() | st.none() | st.none() | st.integers(1, 4))
    return Case(request, cuts, leaves)


_CONTENT_TYPES = ("application/json", "application/x-www-form-urlencoded", "text/plain")
_CREDENTIALS = ("Basic dXNlcjpwYXNzd29yZA==", "Bearer token")


def _fields(route: ComparedRoute, given: set[str]) -> st.SearchStrategy[tuple[tuple[str, str], ...]]:
    """A content type or credentials, those first that the code's own literals name."""
    kinds = (*(one for one in route.words if _TYPE.fullmatch(one)), *_CONTENT_TYPES)
    choices = [("Content-Type", kind) for kind in kinds] + [("Authorization", one) for one in _CREDENTIALS]
    fields: list[tuple[tuple[str, str], ...]] = [(one,) for one in choices if one[0].lower() not in given]
    return st.sampled_from(fields or [()])


def _value(parameter: str) -> st.SearchStrategy[str]:
    kind = parameter.partition(":")[2] or "string"
    if kind == "string" or kind == "[^/]+":
        return st.text(_SAFE, min_size=1, max_size=8)
    if kind in _VALUES:
        return _VALUES[kind]
    return st.from_regex(kind, fullmatch=True, alphabet=st.sampled_from(_SAFE + "-_./"))


# ---- one request ----


async def outcome(client: Client, case: Case) -> Answer:
    """What a client receives for one request."""
    try:
        if case.leaves_after is None:
            async with client.start(case.request, case.cuts) as stream:
                with anyio.move_on_after(PATIENCE) as waited:
                    return _seen(await stream.response())
                if waited.cancelled_caught and stream.received.status:
                    return replace(_seen(stream.received), endless=True)
                return Answer(fault=TimeoutError.__name__)
        return await _leaving(client, case)
    except (TimeoutError, ClientDisconnected, AssertionError) as error:
        return Answer(fault=type(error).__name__)


async def _leaving(client: Client, case: Case) -> Answer:
    head, rest = case.request.head(), case.request.framed()
    reader = ResponseReader()
    reader.begin(case.request.method)
    async with client.connect() as connection:
        pieces = list(cut(head + rest, sorted({len(head) + at for at in case.cuts})))
        for piece in pieces[: case.leaves_after]:
            try:
                await connection.send(piece)
            except ClientDisconnected:
                break
        while connection.unread:
            reader.feed(await connection.receive())
            while reader.next_piece() is not None:
                pass
        connection.disconnect()
        await client.settle()
        handled = all(one.ended for one in connection.exchanges)
        unseen = 0 if reader.response.status else sum(one.written for one in connection.exchanges)
    return _seen(reader.response, handled, unseen)


def _seen(response: Response, handled: bool = True, unseen: int = 0) -> Answer:
    headers = tuple(
        sorted((name, value) for name, value in response.headers.multi_items() if name not in _VARYING)
    )
    framed = "transfer-encoding" in response.headers
    chunks = tuple(response.chunks) if framed else (response.body,)
    return Answer(response.status, headers, chunks, response.complete, handled, unseen)


# ---- the command ----


def run(
    before: str,
    after: str,
    *,
    requests: int,
    alias: bool,
    headers: Sequence[tuple[str, str]] = (),
    budget: float = BUDGET,
) -> int:
    """`streamcompat port --verify BEFORE AFTER`.

    Returns: 0 if every request is answered alike; 1 for a difference; 4 if the budget was too small.

    Raises: TargetError: a TARGET cannot be loaded, or is not an app.
    """
    if alias:
        aliases.install()
    apps = [load(target) for target in (before, after)]
    logging.disable(logging.CRITICAL)  # keep the handlers' logged errors out of the report
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # the apps' own prints
            comparison = compare(*apps, requests=requests, headers=headers, budget=budget)
    finally:
        logging.disable(logging.NOTSET)
    by_route = {difference.route: difference for difference in comparison.differences}
    for route in comparison.routes:
        sys.stdout.write(f"{by_route.get(route) or _verdict(comparison, route, requests)}\n")
    for difference in comparison.differences:
        if difference.route not in comparison.routes:
            sys.stdout.write(f"{difference}\n")
    sys.stdout.write(
        f"{_count(comparison.routes, 'route')}, {_count(comparison.differences, 'difference')}\n"
    )
    if comparison.differences:
        return DIFFERENT
    return UNFINISHED if comparison.unfinished else 0


def _verdict(comparison: Comparison, route: ComparedRoute, requests: int) -> str:
    if route in comparison.unfinished:
        return f"{route}: not checked to the end: the budget was too small"
    if comparison.endless[route] >= _ENDLESS:
        return f"{route}: {_ENDLESS} requests, whose answers do not end, began alike"
    text = f"{route}: {requests} requests, answered alike"
    if not comparison.succeeded[route]:
        text += "; warning: none was answered with a 2xx, so try --header or by hand"
    return text


def _count(items: Sized, name: str) -> str:
    return f"{len(items)} {name}" if len(items) == 1 else f"{len(items)} {name}s"


def load(target: str) -> ServedApp:
    """The app of a TARGET. Its modules are removed from `sys.modules`, so that the other TARGET may have
    modules of the same names."""
    known, path = set(sys.modules), list(sys.path)
    app = targets.load(target)
    if isinstance(app, Site):
        raise targets.TargetError(f"{target} is a site: give one of its apps")
    roots = [Path(one).resolve() for one in sys.path if one not in path]
    for name in set(sys.modules) - known:
        place = getattr(sys.modules[name], "__file__", None)
        if place is not None and any(Path(place).resolve().is_relative_to(root) for root in roots):
            del sys.modules[name]
    sys.path[:] = path
    return app
