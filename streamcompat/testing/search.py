"""The search for counterexamples on one route: what is learnt of it, what is checked, and what comes of it.

The rule: the same route, examples and seed give the same verdicts, unless a budget of time ends the search. A
route that accepts none of the sample bodies is not checked, never sound.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Generic, Protocol, TypeVar

from streamcompat.testing import cuts as cutting
from streamcompat.testing import invariants
from streamcompat.testing.counterexample import Counterexample
from streamcompat.testing.outcome import Outcome, Runs
from streamcompat.testing.reduction import Pair
from streamcompat.testing.routes import Target
from streamcompat.testing.samples import DESCRIBED, EMPTY, NEVER, Sample, samples_for
from streamcompat.testing.schemas import generated
from streamcompat.testing.strategies import bodies
from streamcompat.testing.wire import Request

try:
    import hypothesis
    from hypothesis import strategies as st
except ImportError as _error:
    raise ImportError(
        "streamcompat.testing.search needs Hypothesis: pip install 'streamcompat[testing]'"
    ) from _error

ENDS: Final = "ends"
CUTS: Final = "cuts"
TRUNCATION: Final = "truncation"
MEMORY: Final = "memory"
DISCONNECT: Final = "disconnect"
TOGETHER: Final = "together"
LEFTOVERS: Final = "leftovers"
INVARIANTS: Final = (ENDS, CUTS, MEMORY, DISCONNECT, TRUNCATION, TOGETHER, LEFTOVERS)

_WAYS: Final = 40
"""Ways of cutting each of the plainest bodies, which are tried first."""
_PLAINEST: Final = 2
_FEWER: Final = 16
"""Ways of cutting each of the other bodies: the sharpest, and into single bytes."""
_FEW: Final = 6
"""Ways of cutting each generated body; the user chooses the number of bodies."""
_LONG: Final = 16 * 1024
"""Bytes of a body that is sent at once, and then in pieces of `_PIECE`: a handler may have room for pieces of
some size only."""
_PIECE: Final = 256
_REFUSED: Final = frozenset({401, 403, 404, 405, 409, 423, 425, 429, 503})
"""Statuses that do not depend on a body alone."""
_OF_BODIES: Final = frozenset({CUTS, TRUNCATION, MEMORY, TOGETHER})
"""The invariants that say nothing of a request without a body."""

_AFTER_DISCONNECT: Final = frozenset({TRUNCATION, TOGETHER, LEFTOVERS})
"""The invariants that are checked after the one of clients that leave, which may leave a route broken."""

Progress = Callable[[int, int, str], None]
R = TypeVar("R", bound=Runs)
T = TypeVar("T")


class Calls(Protocol):
    """What calls a coroutine function and returns its result, such as a `BlockingLoop`."""

    def call(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Call it with these arguments."""


@dataclass(frozen=True)
class Verdict:
    """The result for one invariant.

    Attributes:
        holds: `None` if it was not checked.
        why: the reason why it was not checked.
        applies: `False` if it says nothing of this route.
    """

    invariant: str
    holds: bool | None
    why: str = ""
    counterexample: Counterexample | None = None
    applies: bool = True

    @property
    def unchecked(self) -> bool:
        """Whether the invariant applies, and could not be checked."""
        return self.holds is None and self.applies


@dataclass
class RouteReport:
    """The results for one route.

    Attributes:
        takes: the kinds of bodies that the route accepts.
        refuses: the kinds of the others, with the status of the answer; 0 if there was none.
        answers: how many requests were sent for comparisons.
        successes: how many of them were answered with 2xx.
    """

    route: Target
    takes: list[str] = field(default_factory=list)
    refuses: dict[str, int] = field(default_factory=dict)
    verdicts: list[Verdict] = field(default_factory=list)
    answers: int = 0
    successes: int = 0

    @property
    def broken(self) -> bool:
        """Whether an invariant does not hold."""
        return any(verdict.holds is False for verdict in self.verdicts)

    @property
    def unchecked(self) -> bool:
        """Whether an invariant was not checked, or only by answers that say nothing, such as redirects."""
        return any(verdict.unchecked for verdict in self.verdicts) or self.answers > 0 == self.successes


@dataclass
class Report:
    """The results for an app.

    Attributes:
        stopped: why the probe ended early; empty if it did not.
        imports: the lines that bring `app` into a test.
        known: (method, path, invariant) of failures that were there before, which do not count.
    """

    target: str
    examples: int
    seed: int
    routes: list[RouteReport] = field(default_factory=list)
    stopped: str = ""
    imports: str = "from app import app"
    known: frozenset[tuple[str, str, str]] = frozenset()

    @property
    def broken(self) -> bool:
        """Whether an invariant of a route does not hold that is not known to be broken."""
        return any(
            verdict.holds is False and not self.knows(route, verdict)
            for route in self.routes
            for verdict in route.verdicts
        )

    def knows(self, route: RouteReport, verdict: Verdict) -> bool:
        """Whether this failure was there before."""
        return (route.route.method, route.route.uri, verdict.invariant) in self.known

    @property
    def unchecked(self) -> bool:
        """Whether there is no route, or one of which an invariant was not checked."""
        return not self.routes or any(route.unchecked for route in self.routes)


# ---- searching ----


class OverBudget(Exception):
    """The time for the probe is over."""


Drawn = tuple[int, bytes | tuple[int, int], bool]
"""The number of a sample, a generated body of its kind or the place and size of a part of its own one, and
whether it is chunked."""


def _drawn(
    samples: tuple[Sample, ...], examples: int, seed: int, schema: Mapping[str, Any] | None
) -> Sequence[Drawn]:
    """Generated bodies of the samples' kinds, or parts of samples without a strategy; each of them once."""

    def of(sample: Sample) -> st.SearchStrategy[bytes | tuple[int, int]]:
        if sample.has_strategy:
            return bodies(sample.kind)
        if sample.kind == DESCRIBED and schema:
            return generated(schema)
        size = max(len(sample.body), 1)
        return st.tuples(st.just(0) | st.integers(0, size - 1), st.integers(1, size))

    found: dict[Drawn, None] = {}

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(
        st.one_of([st.tuples(st.just(at), of(one), st.booleans()) for at, one in enumerate(samples)])
    )
    def draw(one: Drawn) -> None:
        found[one] = None

    draw()
    return list(found)


_drawn_once = functools.lru_cache(maxsize=16)(_drawn)
"""The routes of an app mostly take the same kinds of bodies, and to generate them costs as much as to send
half of them."""


class Search(Generic[R]):
    """The search on one route.

    Args:
        found: the route's report, to which the search adds.
        end: the monotonic time at which it ends; `None` for no end.
    """

    def __init__(
        self,
        loop: Calls,
        runner: R,
        found: RouteReport,
        examples: int,
        seed: int,
        end: float | None,
    ) -> None:
        self._loop = loop
        self._runner = runner
        self._found = found
        self._route = found.route
        self._examples = examples
        self._seed = seed
        self._end = end
        self._violation: Counterexample | None = None
        self._taken: list[Sample] = []
        self._declined: list[Sample] = []
        self._without_body = "it has no body"

    def learn(self, given: Sequence[Sample]) -> None:
        """Learn which bodies the route takes."""
        found = self._found
        if given and self._route.method in NEVER:
            self._without_body = f"a {self._route.method} has no body (RFC 9110 §9.3): --body is not sent"
        for sample in self._samples(given) if not self._route.why_not else ():
            request = sample.request(self._route)
            outcome = self._run(request)
            if outcome.violations:
                # Any body would show it: one is enough.
                self._violation = self._broken(request, outcome)
                self._taken = [sample]
                break
            if outcome.failed:
                found.refuses[sample.kind] = outcome.status
                if outcome.status not in _REFUSED:
                    self._declined.append(sample)
            else:
                self._taken.append(sample)
        if any(sample is not EMPTY for sample in self._taken):
            self._taken = [sample for sample in self._taken if sample is not EMPTY]
        found.takes = [sample.kind for sample in self._taken]

    def _samples(self, given: Sequence[Sample]) -> Sequence[Sample]:
        return samples_for(self._route, given)

    def _broken(self, request: Request, outcome: Outcome) -> Counterexample:
        """The counterexample for a request that breaks a rule for all handlers."""
        return invariants.violation(request, outcome)

    def check(self, invariant: str) -> Verdict:
        """Check one invariant."""
        if self._route.why_not:
            return Verdict(invariant, None, self._route.why_not)
        if not self._taken:
            return Verdict(invariant, None, self._refusal())
        if invariant == ENDS:
            return Verdict(ENDS, self._violation is None, counterexample=self._violation)
        if self._violation is not None:
            return Verdict(invariant, None, "the handler does not end properly, see above")
        if invariant in _OF_BODIES and not any(sample.body for sample in self._taken):
            return Verdict(invariant, None, self._without_body, applies=False)
        if invariant == MEMORY and not self._route.streams:
            return Verdict(invariant, None, "it takes the body whole, within the app's limit", applies=False)
        self._in_time()
        if invariant in _AFTER_DISCONNECT and (why := self._no_longer_answers()):
            return Verdict(invariant, None, why)
        answers, successes = self._runner.answers, self._runner.successes
        searches = {
            CUTS: self._cuts,
            TRUNCATION: self._truncation,
            MEMORY: self._memory,
            DISCONNECT: self._disconnect,
            TOGETHER: self._together,
            LEFTOVERS: self._leftovers,
        }
        try:
            return searches[invariant]()
        finally:
            self._found.answers += self._runner.answers - answers
            self._found.successes += self._runner.successes - successes

    def _no_longer_answers(self) -> str:
        """Why no search can go on: an earlier one, or the route's own limit, has left it refusing."""
        for _ in range(2):  # it may refuse the same body once
            outcome = self._run(self._taken[0].request(self._route))
            if not outcome.failed:
                return ""
        return f"the route does not take its first body any more (it answers {outcome.status or 'nothing'})"

    def _refusal(self) -> str:
        statuses = sorted({*self._found.refuses.values()})
        said = " or ".join(str(status) if status else "nothing" for status in statuses)
        if statuses and {*statuses} <= {401, 403}:
            return f"the route answers {said}: give what it needs with --header or --cookie"
        return f"the route accepts none of the sample bodies (it answers {said}): give one with --body"

    def _in_time(self) -> None:
        if self._end is not None and time.monotonic() > self._end:
            raise OverBudget

    def _run(self, request: Request) -> Outcome:
        self._in_time()
        return self._loop.call(self._runner.run, request)

    def _cuts(self) -> Verdict:
        why = ""
        best: Pair | Counterexample | None = None
        for number, sample in enumerate(self._taken):
            most = _WAYS if number < _PLAINEST else _FEWER
            found = self._difference(sample.request(self._route), most)
            if isinstance(found, str):
                why = found
            elif found is not None:
                best = found
                break
        if best is None:
            best = self._of_pieces()
        if best is None:
            best = self._generated(
                [one for one in self._taken if one.has_strategy or one.kind == DESCRIBED] or self._taken
            )
        if best is None:
            return Verdict(CUTS, None if why else True, why)
        if isinstance(best, Pair):
            best = self._loop.call(invariants.reduced, self._runner, best)
        return Verdict(CUTS, False, counterexample=best)

    def _difference(
        self, request: Request, most: int, ways: Sequence[Sequence[int]] | None = None
    ) -> Pair | Counterexample | str | None:
        self._in_time()
        return self._loop.call(invariants.difference, self._runner, request, ways, most)

    def _of_pieces(self) -> Pair | Counterexample | None:
        """What a long body in small pieces shows, or one that is refused as a whole and taken in pieces."""
        first = self._taken[0].request(self._route)
        long = replace(first, body=first.body * (_LONG // max(len(first.body), 1)))
        tried = [(long, _PIECE)] if first.body else []
        tried += [(sample.request(self._route), 1) for sample in self._declined if sample.body]
        for request, size in tried:
            found = self._difference(request, 1, [cutting.pieces_of(len(request.body), size)])
            if found is not None and not isinstance(found, str):
                return found
        return None

    def _generated(self, samples: Sequence[Sample]) -> Pair | Counterexample | None:
        """What a number of generated bodies shows first."""
        schema = self._route.described.schema if any(one.kind == DESCRIBED for one in samples) else {}
        drawn = _drawn if schema else _drawn_once
        for number, body, chunked in drawn(tuple(samples), self._examples, self._seed, schema or None):
            sample = samples[number]
            if isinstance(body, tuple):  # it may be a large file of the user's
                body = sample.body[body[0] : sum(body)]
            found = self._difference(sample.request(self._route, body, chunked), _FEW)
            if found is not None and not isinstance(found, str):
                return found
        return None

    def _truncation(self) -> Verdict:
        raise NotImplementedError

    def _memory(self) -> Verdict:
        raise NotImplementedError

    def _disconnect(self) -> Verdict:
        raise NotImplementedError

    def _together(self) -> Verdict:
        raise NotImplementedError

    def _leftovers(self) -> Verdict:
        raise NotImplementedError

    def _first(
        self,
        invariant: str,
        search: Callable[[R, Request], Awaitable[Counterexample | str | None]],
        most: int,
        one_is_enough: bool = False,
    ) -> Verdict:
        """The first counterexample that one of the samples shows.

        Args:
            most: how many samples to try.
            one_is_enough: a sample of which the invariant holds speaks for all.
        """
        verdict = Verdict(invariant, None)
        for sample in self._taken[:most]:
            self._in_time()
            verdict = self._told(
                invariant, self._loop.call(search, self._runner, sample.request(self._route))
            )
            if verdict.holds is False or (verdict.holds and one_is_enough):
                break
        return verdict

    def _told(self, invariant: str, found: Counterexample | str | None) -> Verdict:
        if isinstance(found, str):
            return Verdict(invariant, None, found)
        return Verdict(invariant, found is None, counterexample=found)
