"""Probes an app's routes: finds them, learns what each takes, and looks for a counterexample of each promise.

The rule: the same app, examples and seed give the same report; a route that takes none of the bodies that
were tried is said not to have been checked, never to be sound.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from anyio.from_thread import BlockingPortal, start_blocking_portal

from streamcompat.serving import Servable
from streamcompat.testing import invariants
from streamcompat.testing.counterexample import Counterexample
from streamcompat.testing.outcome import Runner
from streamcompat.testing.strategies import BOUNDARY, CONTENT_TYPES, bodies
from streamcompat.testing.wire import WITH_BODY, Request

try:
    import hypothesis
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "streamcompat.testing.probe needs Hypothesis: pip install 'streamcompat[testing]'"
    ) from error

CUTS: Final = "cuts"
MEMORY: Final = "memory"
DISCONNECT: Final = "disconnect"
PROMISES: Final = (CUTS, MEMORY, DISCONNECT)

_WAYS: Final = 40
"""Ways of cutting each body; the number of bodies is the user's."""
_PATIENCE: Final = 2.0
_TO_SHRINK: Final = 100
_BUDGET: Final = 30.0
"""Real seconds after which the search for a smaller counterexample of a route ends."""

# One of each kind, the plainest first.
SAMPLES: Final = {
    "text": "aé€😀 plain text".encode(),
    "lines": "one\ntwo é\r\n\nthree\n".encode(),
    "json": '{"name": "é", "values": [1, -2, true, null]}'.encode(),
    "jsonlines": '{"a": "é"}\n[1, 2]\n3\n'.encode(),
    "form": b"a=b&c=%C3%A9",
    "multipart": (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--{BOUNDARY}--\r\n'.encode()
    ),
    "binary": bytes(range(256)),
}

_TINY: Final = ("é".encode(), b"ab", b" a", b"a\n", b"\r\n", b"{}", b"a b", b"a\nb")
"""Bodies that show most of what is broken, and are as small as can be."""

_VALUES: Final = ("x", "1", "1.0", "00000000-0000-0000-0000-000000000000", "x/y")

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Target:
    """A route and a request line that reaches it.

    Attributes:
        uri: as it was registered, with the prefix of its app.
        target: with a value for each of its parameters.
        host: that it is for, where it is for one.
        streams: it reads its request's body as a stream.
    """

    method: str
    uri: str
    target: str
    host: str | None
    streams: bool

    @property
    def name(self) -> str:
        return f"{self.method} {self.uri}"


@dataclass(frozen=True)
class Verdict:
    """What was found of one promise.

    Attributes:
        holds: `None` where it was not checked.
        why: it was not.
    """

    promise: str
    holds: bool | None
    why: str = ""
    counterexample: Counterexample | None = None


@dataclass
class RouteReport:
    """What was found of one route; `takes` are the kinds of bodies that it answered well."""

    route: Target
    takes: list[str] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        return any(verdict.holds is False for verdict in self.verdicts)


@dataclass
class Report:
    """What was found of an app."""

    target: str
    examples: int
    seed: int
    routes: list[RouteReport] = field(default_factory=list)

    @property
    def broken(self) -> bool:
        return any(route.broken for route in self.routes)


class NoSuchRoute(LookupError):
    """A route that was asked for is not there; the text says which are."""


# ---- the routes ----


def routes_of(app: Any, prefix: str = "", host: str | None = None) -> list[Target]:
    """Every route of an app, or of a site's apps, once for each method."""
    if hasattr(app, "mounts"):
        return [
            route
            for mount in app.mounts
            for route in routes_of(mount.app, prefix + mount.prefix, mount.host or host)
        ]
    found: list[Target] = []
    for route in app.router.routes_all.values():
        if route.implied:
            continue
        target = _filled(route)
        for method, endpoint in route.endpoints.items():
            if target is not None:
                found.append(
                    Target(
                        method or "POST",
                        prefix + route.uri,
                        prefix + target,
                        route.host or host,
                        endpoint.stream,
                    )
                )
    return found


def _filled(route: Any) -> str | None:
    """The route's path with a value for each parameter; `None` where none was found that fits."""
    path, end = "", 0
    places = list(re.finditer(r"<.+?>", route.uri))
    for place, pattern in zip(places, route.patterns, strict=True):
        value = next((value for value in _VALUES if re.fullmatch(pattern, value)), None)
        if value is None:
            value = hypothesis.find(
                st.from_regex(pattern, fullmatch=True).filter(str.isalnum),
                lambda _: True,
                settings=hypothesis.settings(database=None, derandomize=True),
            )
        path += route.uri[end : place.start()] + value
        end = place.end()
    path += route.uri[end:]
    return path if route.match(path) is not None else None


def chosen(app: Any, wanted: Sequence[str]) -> list[Target]:
    """The routes to probe: those that are named, as `/path` or `METHOD /path`; else all that stream.

    Raises: NoSuchRoute.
    """
    routes = routes_of(app)
    if not wanted:
        return [route for route in routes if route.streams]
    found: list[Target] = []
    for name in wanted:
        matches = [route for route in routes if name in (route.uri, route.name)]
        if not matches:
            known = ", ".join(route.name for route in routes) or "none"
            raise NoSuchRoute(f"there is no route {name!r}: the app has {known}")
        found += matches
    return list(dict.fromkeys(found))


# ---- probing ----


@dataclass(frozen=True)
class _Sample:
    """A body, and of which kind it is: the key of a content type, or the name of the user's file."""

    kind: str
    body: bytes

    def request(self, route: Target, body: bytes | None = None, chunked: bool = False) -> Request:
        headers = [("Host", route.host)] if route.host else []
        if self.kind in CONTENT_TYPES:
            headers.append(("Content-Type", CONTENT_TYPES[self.kind]))
        data = self.body if body is None else body
        return Request(route.method, route.target, tuple(headers), data, () if chunked else None)


class _Enough(KeyboardInterrupt):
    """Ends a search of Hypothesis's from within."""


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
    """Look for a counterexample of each promise on each route.

    Args:
        name: of the app, for the report.
        routes: see `chosen`.
        samples: (name, body) of bodies that the routes take.
        examples: bodies for each route.
        progress: called with what is done, of how much, and what is being done.
    Raises: NoSuchRoute.
    """
    targets = chosen(app, routes)
    report = Report(name, examples, seed)
    total = len(targets) * len(PROMISES)
    tried = [_Sample(kind, body) for kind, body in samples or SAMPLES.items()]
    with start_blocking_portal(backend) as portal:
        runs = invariants.running(app, None, _PATIENCE)
        with portal.wrap_async_context_manager(runs) as runner:
            for number, route in enumerate(targets):
                search = _Search(portal, runner, route, tried, examples, seed)
                found = RouteReport(route, [sample.kind for sample in search.taken])
                for step, promise in enumerate(PROMISES):
                    progress(number * len(PROMISES) + step, total, f"{route.name}: {promise}")
                    found.verdicts.append(search.check(promise))
                report.routes.append(found)
    progress(total, total, "done")
    return report


class _Search:
    """The search on one route.

    Attributes:
        taken: the samples that the route answers well.
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
        self._faulty = False
        if route.method not in WITH_BODY:
            samples = [_Sample("empty", b"")]
        self.taken: list[_Sample] = []
        for sample in samples:
            outcome = self._portal.call(self._runner.run, sample.request(self._route))
            if outcome.faults:
                # It shows with any body, and costs seconds each time: one will do.
                self._faulty = True
                self.taken = [sample]
                break
            if not outcome.failed:
                self.taken.append(sample)

    def check(self, promise: str) -> Verdict:
        """What is found of a promise."""
        if not self.taken:
            return Verdict(promise, None, "it takes none of the bodies that were tried: give one with --body")
        if promise == CUTS:
            return self._cuts()
        if self._faulty:
            return Verdict(promise, None, "its handler does what none may do, see above")
        return self._memory() if promise == MEMORY else self._disconnect()

    def _cuts(self) -> Verdict:
        known = None
        for sample in self.taken:
            known = known or self._boundary(sample.request(self._route))
        if known is not None and self._faulty:
            return Verdict(CUTS, False, counterexample=known)
        # What is known to be broken is worth a longer search for something small.
        found = self._smallest(self._examples if known is None else max(self._examples, _TO_SHRINK))
        if known is not None and (found is None or _size(known) < _size(found)):
            found = known
        if found is not None:
            found = self._tinier(found)
        return Verdict(CUTS, found is None, counterexample=found)

    def _tinier(self, found: Counterexample) -> Counterexample:
        """A counterexample that is as small or smaller, and plainer; Hypothesis may have stopped before."""
        for body in _TINY:
            request = self.taken[0].request(self._route, body)
            if len(body) <= len(found.request.framed()) and (plainer := self._boundary(request)):
                return plainer
        return found

    def _boundary(self, request: Request) -> Counterexample | None:
        return self._portal.call(invariants.boundary, self._runner, request, None, _WAYS)

    def _drawn(self) -> st.SearchStrategy[Request]:
        """Requests with bodies of the kinds that the route takes, and with parts of the user's own."""

        def of(sample: _Sample) -> st.SearchStrategy[bytes]:
            if sample.kind in CONTENT_TYPES:
                return bodies(sample.kind)
            size = max(len(sample.body), 1)
            parts = st.tuples(st.just(0) | st.integers(0, size - 1), st.integers(1, size))
            return parts.map(lambda part: sample.body[part[0] : part[0] + part[1]])

        return st.one_of(
            [
                st.builds(sample.request, st.just(self._route), of(sample), st.booleans())
                for sample in self.taken
            ]
        )

    def _smallest(self, examples: int) -> Counterexample | None:
        """The smallest counterexample that the examples lead to."""
        best: Counterexample | None = None
        since = 0.0

        @hypothesis.seed(self._seed)
        @hypothesis.settings(
            max_examples=examples,
            database=None,
            deadline=None,
            phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
            suppress_health_check=list(hypothesis.HealthCheck),
            report_multiple_bugs=False,
        )
        @hypothesis.given(self._drawn())
        def search(request: Request) -> None:
            nonlocal best, since
            found = self._boundary(request)
            if found is None:
                return
            since = since or time.monotonic()
            if best is None or _size(found) < _size(best):
                best = found
            if time.monotonic() - since > _BUDGET:
                raise _Enough
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
