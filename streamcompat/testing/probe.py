"""Probes an app's routes: finds them, learns which bodies each accepts, and searches for counterexamples.

The rule: the same app, examples and seed give the same report. A route that accepts none of the sample bodies
is reported as not checked, never as sound.
"""

from __future__ import annotations

import gzip
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from anyio.from_thread import BlockingPortal, start_blocking_portal

from streamcompat.serving.servable import Servable
from streamcompat.testing import invariants
from streamcompat.testing.counterexample import Counterexample
from streamcompat.testing.outcome import Runner
from streamcompat.testing.routes import Target, chosen
from streamcompat.testing.strategies import BOUNDARY, CONTENT_TYPES, KINDS, bodies
from streamcompat.testing.wire import WITH_BODY, Request

try:
    import hypothesis
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "streamcompat.testing.probe needs Hypothesis: pip install 'streamcompat[testing]'"
    ) from error

ENDS: Final = "ends"
CUTS: Final = "cuts"
MEMORY: Final = "memory"
DISCONNECT: Final = "disconnect"
INVARIANTS: Final = (ENDS, CUTS, MEMORY, DISCONNECT)

_WAYS: Final = 40
"""Ways of cutting each body; the user chooses the number of bodies."""
_PATIENCE: Final = 2.0
_TO_SHRINK: Final = 100
_SHRINKS: Final = 400
"""Bodies after which the search for a smaller counterexample ends. The limit is a number and not a time, so
that a slow machine finds the same counterexample."""


@dataclass(frozen=True)
class _Sample:
    """A body and its kind: one of the strategies' `KINDS`, one of `_FORMATS`, or the name of a file."""

    kind: str
    body: bytes
    content_type: str = ""

    @property
    def has_strategy(self) -> bool:
        """Whether a strategy generates bodies of this kind."""
        return bool(self.content_type) and self.kind in KINDS

    def request(self, route: Target, body: bytes | None = None, chunked: bool = False) -> Request:
        headers = [("Host", route.host)] if route.host else []
        if self.content_type:
            headers.append(("Content-Type", self.content_type))
        data = self.body if body is None else body
        return Request(route.method, route.target, tuple(headers), data, () if chunked else None)


# One of each kind, the plainest first.
_PLAIN: Final = {
    "text": "aé€😀 plain text".encode(),
    "lines": "one\ntwo é\r\n\r\nthree\n".encode(),
    "json": r'{"name": "é \"quoted\"\n", "values": [1, -2, true, null]}'.encode(),
    "jsonlines": '{"a": "é"}\n[1, 2]\n3\n'.encode(),
    "form": b"a=b&c=%C3%A9",
    "multipart": (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--{BOUNDARY}--\r\n'.encode()
    ),
    "binary": bytes(range(256)),
}

# Other formats that many handlers read. They have no strategy; the probe sends parts of these bodies.
_FORMATS: Final = {
    "events": ("text/event-stream", 'data: {"a":\r\ndata: "é"}\r\n\r\ndata: end\r\n\r\n'.encode()),
    "csv": ("text/csv", 'a,"b ""c"""\r\n1,"two\nlines"\r\n'.encode("utf-8-sig")),
    "utf-16": ("text/plain; charset=utf-16le", "a é😀\r\n".encode("utf-16-le")),
    "base64": ("text/plain", b64encode("base64 é".encode())),
    "gzip": ("application/gzip", gzip.compress(b"packed, packed, packed\n", mtime=0)),
}

SAMPLES: Final = (
    *(_Sample(kind, body, CONTENT_TYPES[kind]) for kind, body in _PLAIN.items()),
    *(_Sample(kind, body, content_type) for kind, (content_type, body) in _FORMATS.items()),
)
"""The bodies to try if the user gives none."""

_TINY: Final = ("é".encode(), b"ab", b" a", b"a\n", b"\r\n", b"{}", b"a b", b"a\nb")
"""The smallest bodies that reveal the most common bugs."""

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Verdict:
    """The result for one invariant.

    Attributes:
        holds: `None` if it was not checked.
        why: the reason why it was not checked.
    """

    invariant: str
    holds: bool | None
    why: str = ""
    counterexample: Counterexample | None = None


@dataclass
class RouteReport:
    """The results for one route; `takes` lists the kinds of bodies that the route accepts."""

    route: Target
    takes: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        return any(verdict.holds is False for verdict in self.verdicts)


@dataclass
class Report:
    """The results for an app."""

    target: str
    examples: int
    seed: int
    routes: list[RouteReport] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        return any(route.broken for route in self.routes)


# ---- probing ----


class _Enough(KeyboardInterrupt):
    """Ends a search of Hypothesis early; a KeyboardInterrupt, because Hypothesis does not catch that."""


class _Found(Exception):
    """A counterexample was found."""


def probe(
    app: Servable,
    *,
    name: str = "app",
    routes: Sequence[str] = (),
    samples: Sequence[tuple[str, bytes]] = (),
    examples: int = 50,
    seed: int = 0,
    progress: Progress = lambda done, total, what: None,
    backend: str = "asyncio",
) -> Report:
    """Search for a counterexample to each invariant on each route.

    Args:
        name: the name of the app in the report.
        routes: see `chosen`.
        samples: (name, body) of bodies that the routes accept.
        examples: the number of bodies for each route.
        progress: called with the steps done, the total, and a name of the current step.
    Raises: NoSuchRoute.
    """
    targets = chosen(app, routes)
    report = Report(name, examples, seed)
    total = len(targets) * len(INVARIANTS)
    tried = [_Sample(kind, body) for kind, body in samples] or SAMPLES
    with start_blocking_portal(backend) as portal:
        runs = invariants.running(app, None, _PATIENCE)
        with portal.wrap_async_context_manager(runs) as runner:
            for number, route in enumerate(targets):
                search = _Search(portal, runner, route, tried, examples, seed)
                found = RouteReport(route, [sample.kind for sample in search.taken])
                for step, invariant in enumerate(INVARIANTS):
                    progress(number * len(INVARIANTS) + step, total, f"{route.name}: {invariant}")
                    found.verdicts.append(search.check(invariant))
                report.routes.append(found)
    progress(total, total, "done")
    return report


class _Search:
    """The search on one route.

    Attributes:
        taken: the samples that the route accepts.
    """

    def __init__(
        self,
        portal: BlockingPortal,
        runner: Runner,
        route: Target,
        samples: Sequence[_Sample],
        examples: int,
        seed: int,
    ) -> None:
        self._portal = portal
        self._runner = runner
        self._route = route
        self._examples = examples
        self._seed = seed
        self._violation: Counterexample | None = None
        if route.method not in WITH_BODY:
            samples = [_Sample("empty", b"")]
        self.taken: list[_Sample] = []
        for sample in samples if route.target else ():
            request = sample.request(self._route)
            outcome = self._portal.call(self._runner.run, request)
            if outcome.violations:
                # Any body would show it, and each costs seconds: one is enough.
                self._violation = invariants.violation(request, outcome)
                self.taken = [sample]
                break
            if not outcome.failed:
                self.taken.append(sample)

    def check(self, invariant: str) -> Verdict:
        """Check one invariant."""
        if not self._route.target:
            return Verdict(invariant, None, "no values were found for its parameters")
        if not self.taken:
            return Verdict(
                invariant, None, "the route accepts none of the sample bodies: give one with --body"
            )
        if invariant == ENDS:
            return Verdict(ENDS, self._violation is None, counterexample=self._violation)
        if self._violation is not None:
            return Verdict(invariant, None, "the handler does not end properly, see above")
        return {CUTS: self._cuts, MEMORY: self._memory, DISCONNECT: self._disconnect}[invariant]()

    def _cuts(self) -> Verdict:
        known, shows, why = None, self.taken[0], ""
        for sample in self.taken:
            found = self._boundary(sample.request(self._route))
            if isinstance(found, str):
                why = found
            elif found is not None and (known is None or _size(found) < _size(known)):
                known, shows = found, sample
        if known is None:
            generated = [sample for sample in self.taken if sample.has_strategy]
            best = self._smallest(generated or self.taken, self._examples)
        else:
            # A known failure is worth a longer search for a smaller body of the same kind.
            best = self._smallest([shows], max(self._examples, _TO_SHRINK))
            best = best if best is not None and _size(best) < _size(known) else known
        if best is None:
            return Verdict(CUTS, None if why else True, why)
        return Verdict(CUTS, False, counterexample=self._tinier(best))

    def _tinier(self, best: Counterexample) -> Counterexample:
        """A simpler counterexample of at most the same size; Hypothesis may stop before it finds the
        smallest."""
        smaller = [body for body in _TINY if len(body) <= len(best.request.framed())]
        for request in (
            *(self.taken[0].request(self._route, body) for body in smaller),
            *(request for request in [best.request] if request.headers),
        ):
            plainest = replace(
                request, headers=tuple(field for field in request.headers if field[0] == "Host")
            )
            for plainer in (plainest, request):
                found = self._boundary(plainer)
                if isinstance(found, Counterexample) and found.of_a_failure <= best.of_a_failure:
                    return found
        return best

    def _boundary(self, request: Request) -> Counterexample | str | None:
        return self._portal.call(invariants.boundary, self._runner, request, None, _WAYS)

    def _drawn(self, samples: Sequence[_Sample]) -> st.SearchStrategy[Request]:
        """Requests with generated bodies of the samples' kinds, or parts of samples without a strategy."""

        def of(sample: _Sample) -> st.SearchStrategy[bytes]:
            if sample.has_strategy:
                return bodies(sample.kind)
            size = max(len(sample.body), 1)
            parts = st.tuples(st.just(0) | st.integers(0, size - 1), st.integers(1, size))
            return parts.map(lambda part: sample.body[part[0] : part[0] + part[1]])

        return st.one_of(
            [st.builds(sample.request, st.just(self._route), of(sample), st.booleans()) for sample in samples]
        )

    def _smallest(self, samples: Sequence[_Sample], examples: int) -> Counterexample | None:
        """The smallest counterexample that this number of examples finds."""
        best: Counterexample | None = None
        tried = 0  # bodies since the first counterexample

        @hypothesis.seed(self._seed)
        @hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
            suppress_health_check=list(hypothesis.HealthCheck),
            report_multiple_bugs=False,
        )
        @hypothesis.given(self._drawn(samples))
        def search(request: Request) -> None:
            nonlocal best, tried
            tried += best is not None
            if tried > _SHRINKS:
                raise _Enough
            found = self._boundary(request)
            if not isinstance(found, Counterexample):
                return
            if best is None or _size(found) < _size(best):
                best = found
            raise _Found

        try:
            search()
        except (_Found, _Enough, hypothesis.errors.Flaky, BaseExceptionGroup):
            pass
        return best

    def _memory(self) -> Verdict:
        why = ""
        for sample in self.taken:
            found = self._portal.call(invariants.memory, self._runner, sample.request(self._route))
            if isinstance(found, Counterexample):
                return Verdict(MEMORY, False, counterexample=found)
            if found is None:
                return Verdict(MEMORY, True)
            why = found
        return Verdict(MEMORY, None, why)

    def _disconnect(self) -> Verdict:
        for sample in self.taken[:2]:
            request = sample.request(self._route)
            found = self._portal.call(invariants.disconnect, self._runner, request)
            if found is not None:
                return Verdict(DISCONNECT, False, counterexample=found)
        return Verdict(DISCONNECT, True)


def _size(found: Counterexample) -> tuple[int, int, int, str]:
    cuts = max((len(side[1] or ()) for side in found.sides), default=0)
    return len(found.request.framed()), cuts, len(found.request.headers), repr(found.request)
