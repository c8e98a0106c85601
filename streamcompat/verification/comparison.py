"""Sends two apps the same requests, and keeps the smallest one of each route that they answer differently.

The rule: each app gets every request once, in the same order, so that all carry the same state. What the app
before does not answer alike itself is not held against the app after.
"""

from __future__ import annotations

import contextlib
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import anyio
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky, HypothesisWarning

from streamcompat.serving.served_app import ServedApp
from streamcompat.testing import Client
from streamcompat.testing.applications import AnyApp
from streamcompat.testing.outcome import Failures, failures_of
from streamcompat.verification.answers import FIELDS, LONGEST, Answer, alike, answer, cut_short, differing
from streamcompat.verification.conversations import FAILED
from streamcompat.verification.lines import PortedLines
from streamcompat.verification.loop import AppLoop, Blocked
from streamcompat.verification.requests import Case, ComparedRoute, cases, route_of, routes

BUDGET: Final = 600.0
"""Real seconds that a whole comparison may take; what was not compared then is said not to have been."""
ENDLESS: Final = 3
"""Requests after which a route is left whose answers do not end."""
SILENT: Final = 2
"""Requests after which a route is left that took all the time that one may take."""
_OF_CONNECTION: Final = frozenset({"connection", "keep-alive"})
_AGAIN: Final = 3
"""How often a difference is checked again if it may be by chance."""
SEED: Final = 2
"""The seed of the requests: every comparison sends the same ones, also after this code has changed."""
_SECOND: Final = 1.1
"""Real seconds after which an answer with the time in it has changed."""


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
        for name in FIELDS:
            before, after = getattr(self.before, name), getattr(self.after, name)
            if before != after:
                lines += [f"  {name} before: {before!r}", f"  {name} after:  {after!r}"]
        for name, one in (("before: ", self.before), ("after:  ", self.after)):
            if one.error:
                lines.append(f"  exception {name}{one.error}")
        return "\n".join(lines)


def smallest_difference(
    drawn: st.SearchStrategy[Case], requests: int, check: Callable[[Case], Difference | None]
) -> Difference | None:
    """The smallest difference that so many requests show."""
    smallest: Difference | None = None

    @settings(
        max_examples=requests,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @seed(SEED)
    @given(drawn)
    def search(case: Case) -> None:
        nonlocal smallest
        found = check(case)
        if found is not None:
            smallest = found
            raise found

    # Where answers vary from run to run, the difference that was seen last still counts.
    with contextlib.suppress(Difference, Flaky), warnings.catch_warnings():
        # Hypothesis warns of a large body, which under `-W error` would stand in a difference's place.
        warnings.simplefilter("ignore", HypothesisWarning)
        search()
    return smallest


@dataclass
class Comparison:
    """The result of a comparison.

    Attributes:
        routes: the routes that both apps have.
        differences: the smallest one for each route, and one for each route that only one app has.
        encoded: differences that only percent-encoded parameters show.
        sent: how many requests of each route were compared.
        left: in how many of them the client left.
        succeeded: how many of the others were answered with a status of 2xx on both sides.
        endless: how many answers of each route did not end.
        silent: how many requests to each route took all the time that one may take.
        cut_short: how many took one app too long, and were compared as far as they came.
        own_pages: how many were refused with a page of Sanic's own, of which only the status was compared.
        hidden_cuts: how many were cut before, and end as if they were whole on today's Sanic.
        unsteady: what the app before answers by chance, by time or by files on disk, and so is not compared;
            for each route, as by `answers.differing`.
        errors: an exception that the app before logged, for each route.
        unfinished: routes that were not checked to the end: the budget was too small, or `SILENT` requests
            were not answered in time.
        blocked: the route whose handler held up the event loop, which ended the comparison.
    """

    routes: list[ComparedRoute] = field(default_factory=list)
    differences: list[Difference] = field(default_factory=list)
    encoded: list[Difference] = field(default_factory=list)
    sent: Counter[ComparedRoute] = field(default_factory=Counter)
    left: Counter[ComparedRoute] = field(default_factory=Counter)
    succeeded: Counter[ComparedRoute] = field(default_factory=Counter)
    endless: Counter[ComparedRoute] = field(default_factory=Counter)
    silent: Counter[ComparedRoute] = field(default_factory=Counter)
    cut_short: Counter[ComparedRoute] = field(default_factory=Counter)
    own_pages: Counter[ComparedRoute] = field(default_factory=Counter)
    hidden_cuts: Counter[ComparedRoute] = field(default_factory=Counter)
    unsteady: dict[ComparedRoute, set[str]] = field(default_factory=dict)
    errors: dict[ComparedRoute, str] = field(default_factory=dict)
    unfinished: set[ComparedRoute] = field(default_factory=set)
    blocked: ComparedRoute | None = None

    def asks_no_more(self, route: ComparedRoute) -> bool:
        """Whether so many requests to a route were not answered in time that no further one is sent."""
        if self.silent[route] < SILENT:
            return False
        self.unfinished.add(route)
        return True


def assert_alike(
    before: AnyApp,
    after: AnyApp,
    *,
    requests: int = 100,
    only: Sequence[str] = (),
    ignore_headers: Sequence[str] = (),
) -> None:
    """For tests: raises the first `Difference` (an AssertionError) that `compare` finds; also for a route
    that could not be checked because its handler held up the event loop, and where there is no route."""
    comparison = compare(before, after, requests=requests, only=only, ignore_headers=ignore_headers)
    for difference in comparison.differences + comparison.encoded:
        raise difference
    if comparison.blocked is not None:
        raise AssertionError(f"{comparison.blocked}: a handler holds up the event loop")
    if not comparison.routes:
        raise AssertionError("there is no route to compare: give some with `only`")


def compare(
    before: AnyApp,
    after: AnyApp,
    *,
    requests: int = 100,
    headers: Sequence[tuple[str, str]] = (),
    budget: float = BUDGET,
    again: AnyApp | None = None,
    only: Sequence[str] = (),
    ignore_headers: Sequence[str] = (),
    lines: PortedLines | None = None,
) -> Comparison:
    """Send both apps the same requests, `requests` of them to each route.

    Each app is started and stopped once, so that both carry the same state from one request to the next.

    Args:
        headers: header fields of every request.
        budget: real seconds after which no further request is sent.
        again: the app before a second time, against which the first is held.
        lines: of the app after; those that requests reach are taken out.
        only: `METHOD /path` of the routes to compare, also of those that no table lists.
        ignore_headers: names of fields of responses that may differ. Those of the connection may (RFC 9110
            §7.6.1), unless both apps are of a flavour.

    Raises: ValueError: one of `only` is no route; NotStarted; what an app raises while it starts.
    """
    comparison = _paired(before, after, only)
    ignored = frozenset(name.lower() for name in ignore_headers)
    if not (isinstance(before, ServedApp) and isinstance(after, ServedApp)):
        ignored |= _OF_CONNECTION
    apps = [before, after] + ([again] if again is not None else [])
    with contextlib.ExitStack() as stack:
        failures = stack.enter_context(failures_of(*apps))
        if lines is not None:
            stack.enter_context(lines.watching_threads())
        loop = stack.enter_context(AppLoop())
        clients = [Client(app, patience=2 * LONGEST) for app in apps]
        for client in clients:
            loop.start(client)
        comparer = _Comparer(loop, clients, failures, lines, comparison, time.monotonic() + budget, ignored)
        for number, route in enumerate(comparison.routes):
            comparer.compare(route, requests, tuple(headers))
            if comparison.blocked is not None:
                comparison.unfinished |= set(comparison.routes[number + 1 :])
                break
    return comparison


def _paired(before: AnyApp, after: AnyApp, only: Sequence[str]) -> Comparison:
    """The routes that both apps have, and a difference for each that only one of them has.

    A route of another framework may call its parameters otherwise.
    """
    ours, theirs = list(dict.fromkeys(routes(before))), list(dict.fromkeys(routes(after)))
    if only:
        wanted = [route_of(one) for one in only]
        known = {one.shape: one for one in [*theirs, *ours]}
        return Comparison([known.get(one.shape, one) for one in wanted])
    said = {route: route.words for route in theirs}
    comparison = Comparison([route.and_words(said[route]) for route in ours if route in said])
    alone = [route for route in ours if route not in theirs]
    others = sorted({*theirs} - {*ours}, key=str)
    if not (isinstance(before, ServedApp) and isinstance(after, ServedApp)):
        shapes = {route.shape for route in alone} & {route.shape for route in others}
        comparison.routes += [route for route in alone if route.shape in shapes]
        alone = [route for route in alone if route.shape not in shapes]
        others = [route for route in others if route.shape not in shapes]
    comparison.differences += [Difference(route, before=Answer()) for route in alone]
    comparison.differences += [Difference(route, after=Answer()) for route in others]
    return comparison


@dataclass
class _Comparer:
    """The apps while they are compared.

    Attributes:
        clients: of the app before, the app after, and the app before again if it is there.
        until: the monotonic time at which no further request is sent.
        ignored: names of header fields, in lower case, that may differ.
    """

    loop: AppLoop
    clients: Sequence[Client]
    failures: Failures
    lines: PortedLines | None
    comparison: Comparison
    until: float
    ignored: frozenset[str] = frozenset()
    _held: set[ComparedRoute] = field(default_factory=set)

    def compare(self, route: ComparedRoute, requests: int, headers: tuple[tuple[str, str], ...]) -> None:
        found = self._search(route, cases(route, headers), requests)
        if found is not None:
            self.comparison.differences.append(found)
        elif route.takes_text and self.comparison.blocked is None:
            # Apart, so that what every port changes hides nothing else.
            found = self._search(route, cases(route, headers, encoded=True), -(-requests // 10))
            self.comparison.encoded += [found] if found is not None else []

    def _search(
        self, route: ComparedRoute, drawn: st.SearchStrategy[Case], requests: int
    ) -> Difference | None:
        """The smallest difference that so many requests show."""

        def check(case: Case) -> Difference | None:
            comparison = self.comparison
            if time.monotonic() > self.until:
                comparison.unfinished.add(route)
            elif comparison.blocked is None and comparison.endless[route] < ENDLESS:
                if comparison.asks_no_more(route):
                    return None
                try:
                    return self._difference(route, case)
                except Blocked:
                    comparison.blocked = route
            return None

        return smallest_difference(drawn, requests, check)

    def _difference(self, route: ComparedRoute, case: Case) -> Difference | None:
        comparison, given_up = self.comparison, self.loop.given_up
        before, after, *again = [self._ask(client, case) for client in self.clients]
        comparison.silent[route] += self.loop.given_up > given_up and bool(before.fault or after.fault)
        comparison.sent[route] += 1
        if case.leaves_after is not None:
            comparison.left[route] += 1  # whether it still got the answer is by chance
        else:
            comparison.succeeded[route] += before.succeeded and after.succeeded
        comparison.endless[route] += before.endless and after.endless
        comparison.cut_short[route] += cut_short(before, after)
        if before.error:
            comparison.errors[route] = before.error
        for one in again:
            self._varies(route, differing(before, one, case))
        if self._alike(route, before, after, case):
            return None
        if case.leaves_after is not None:
            # How far a handler gets may vary, for example if it waits for a thread.
            for _ in range(_AGAIN):
                if self._alike(route, self._ask(self.clients[0], case), after, case):
                    return None
                if self._alike(route, before, self._ask(self.clients[1], case), case):
                    return None
        if again:
            self._hold(route, replace(case, leaves_after=None))
            if self._alike(route, before, after, case):
                return None
        return Difference(route, case, before, after)

    def _hold(self, route: ComparedRoute, case: Case) -> None:
        """Hold the app before against itself, the last time a second later."""
        pauses = [0.0] * _AGAIN
        if route not in self._held:
            self._held.add(route)
            pauses.append(_SECOND)
        for pause in pauses:
            one = self._ask(self.clients[0], case)
            time.sleep(pause)
            self._varies(route, differing(one, self._ask(self.clients[2], case), case))

    def _varies(self, route: ComparedRoute, names: set[str]) -> None:
        if names:
            self.comparison.unsteady.setdefault(route, set()).update(names)

    def _alike(self, route: ComparedRoute, before: Answer, after: Answer, case: Case) -> bool:
        unsteady = self.comparison.unsteady.get(route, set())
        return alike(before.without(unsteady), after.without(unsteady), case)

    def _ask(self, client: Client, case: Case) -> Answer:
        self.failures.take()
        ask = self._watched if self.lines is not None and client is self.clients[1] else answer
        got = self.loop.call(ask, client, case).without(self.ignored)
        failed = got.status >= 500 or got.fault or got.closed == FAILED
        return replace(got, error=self.failures.take()) if failed else got

    async def _watched(self, client: Client, case: Case, patience: anyio.CancelScope) -> Answer:
        assert self.lines is not None
        with self.lines.watching():
            return await answer(client, case, patience)
