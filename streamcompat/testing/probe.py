"""Probes an app's routes: finds them, and searches each for counterexamples.

The rule: a route that cannot be probed is in the report too, with the reason.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from streamcompat.testing import departures, growth, invariants, isolation
from streamcompat.testing.applications import AnyApp, served
from streamcompat.testing.conversations import ConversationRunner, ConversationSearch
from streamcompat.testing.outcome import Runner
from streamcompat.testing.preparation import Step, prepared
from streamcompat.testing.routes import NOTHING, Needs, chosen
from streamcompat.testing.samples import Sample
from streamcompat.testing.search import (
    CUTS,
    DISCONNECT,
    ENDS,
    INVARIANTS,
    LEFTOVERS,
    MEMORY,
    TOGETHER,
    TRUNCATION,
    OverBudget,
    Progress,
    Report,
    RouteReport,
    Search,
    Verdict,
)
from streamcompat.testing.virtual_time import BlockingLoop
from streamcompat.testing.wording import in_words_of

__all__ = ["INVARIANTS", "Report", "RouteReport", "Verdict", "probe"]


def probe(
    app: AnyApp,
    *,
    name: str = "app",
    routes: Sequence[str] = (),
    samples: Sequence[tuple[str, bytes]] = (),
    needs: Needs = NOTHING,
    examples: int = 50,
    seed: int = 0,
    patience: float = invariants.PATIENCE,
    budget: float | None = None,
    progress: Progress = lambda done, total, what: None,
    backend: str = "asyncio",
    setup: Sequence[Step] = (),
    only: int | None = None,
) -> Report:
    """Search for a counterexample to each invariant on each route.

    Args:
        name: the name of the app in the report.
        routes: see `chosen`.
        samples: (name, body) of bodies that the routes accept.
        needs: what each request carries beside its body.
        examples: the number of bodies for each route.
        patience: seconds after which a handler counts as hanging. The app's own sleeps take no real time.
        budget: real seconds after which no further search begins.
        progress: called with the steps done, the total, and a name of the current step.
        setup: requests that are sent before those of each route, for values that `needs` names.
        only: the number of the one of these routes to probe.
    Raises: TypeError: `app` is not an app; NoSuchRoute; SetupError.
    """
    served(app)  # raises for what is none
    report = Report(name, examples, seed)
    given = [Sample(kind, body) for kind, body in samples]
    end = None if budget is None else time.monotonic() + budget
    with BlockingLoop(backend) as loop:
        runner = loop.enter(invariants.running(app, None, patience))
        targets = chosen(app, routes, _prepared(loop, runner, setup, needs))
        for number, route in enumerate(targets):
            if only not in (None, number):
                continue
            if setup and number:  # what another route has used up, such as what it deleted, is there again
                route = chosen(app, routes, _prepared(loop, runner, setup, needs))[number]
            found = RouteReport(route)
            report.routes.append(found)
            search = _search(loop, runner, found, examples, seed, end)
            for step, invariant in enumerate(INVARIANTS):
                progress(
                    number * len(INVARIANTS) + step,
                    len(targets) * len(INVARIANTS),
                    f"{route.name}: {invariant}",
                )
                verdict = _verdict(report, search, invariant, given)
                if verdict.counterexample is not None:
                    shown = in_words_of(app, verdict.counterexample)
                    verdict = replace(verdict, counterexample=shown)
                found.verdicts.append(verdict)
    progress(1, 1, "done")
    return report


def _search(
    loop: BlockingLoop, runner: Runner, found: RouteReport, examples: int, seed: int, end: float | None
) -> Search[Any]:
    if found.route.is_websocket:
        return ConversationSearch(loop, ConversationRunner(runner), found, examples, seed, end)
    return _AppSearch(loop, runner, found, examples, seed, end)


def _prepared(loop: BlockingLoop, runner: Runner, setup: Sequence[Step], needs: Needs) -> Needs:
    return loop.call(prepared, runner.client, setup, needs) if setup else needs


def _verdict(report: Report, search: Search[Any], invariant: str, given: Sequence[Sample]) -> Verdict:
    """The verdict of a search, or what has ended the probe."""
    if not report.stopped:
        try:
            if invariant == ENDS:
                search.learn(given)
            return search.check(invariant)
        except OverBudget:
            report.stopped = "the budget is used up"
        except KeyboardInterrupt:
            report.stopped = "the probe was stopped"
    return Verdict(invariant, None, report.stopped)


class _AppSearch(Search[Runner]):
    """The search on a route of an app in this process."""

    def _cuts(self) -> Verdict:
        verdict = super()._cuts()
        return self._first(CUTS, departures.silence, 2) if verdict.holds else verdict

    def _truncation(self) -> Verdict:
        return self._first(TRUNCATION, departures.truncation, 2)

    def _memory(self) -> Verdict:
        return self._first(MEMORY, growth.memory, len(self._taken), one_is_enough=True)

    def _disconnect(self) -> Verdict:
        return self._first(DISCONNECT, departures.disconnect, 2)

    def _together(self) -> Verdict:
        one, other = self._taken[0], self._taken[min(1, len(self._taken) - 1)]
        return self._told(
            TOGETHER,
            self._loop.call(
                isolation.together, self._runner, one.request(self._route), other.request(self._route)
            ),
        )

    def _leftovers(self) -> Verdict:
        return self._first(LEFTOVERS, isolation.leftovers, 1)
