"""Probes the routes of a server at an address: the same search as for an app, over sockets.

The rule: only what a client can see counts. A difference has to show each time that it is tried again, and an
answer that differs by itself is never held against the cuts.
"""

from __future__ import annotations

import re
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar
from urllib.parse import quote

from streamcompat.testing import cuts as cutting
from streamcompat.testing import invariants
from streamcompat.testing.counterexample import Counterexample, reproduced
from streamcompat.testing.outcome import FIELDS, Outcome, decoded, fields_of
from streamcompat.testing.preparation import Step, prepared
from streamcompat.testing.reduction import Pair
from streamcompat.testing.remote.client import Answer, NoResponse, SocketClient, Unreachable
from streamcompat.testing.response import Response
from streamcompat.testing.routes import NOTHING, WEBSOCKET, Needs, NoSuchRoute, Target
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
from streamcompat.testing.wire import Request

T = TypeVar("T")

_AGAIN: Final = (False, True, True, False, False, True)
"""Which of the requests that must show a difference again are cut: a server that fails every other time does
not fit them."""
_TOGETHER: Final = 3
"""How often two requests must mix."""
_SHARPEST: Final = 8
"""Ways of cutting that are tried again with a longer pause, where nothing was found."""
_SLOWER: Final = 10
"""The longer pause is this many times the usual one."""
_PLACES: Final = 4
"""Error-prone offsets inside a body at which a client leaves."""
_REFUSALS: Final = frozenset({409, 423, 425, 429, 503})
_ROUTE: Final = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+) (/\S*)")
_PARAMETER: Final = re.compile(r"[{<](\w+)(?::[^{}<>]*)?[}>]")
_ADVICE_ENDS: Final = re.compile(r"(?<=[a-z])\.\s")
_FROM_OUTSIDE: Final = "it cannot be seen from outside of the server"


class Inline:
    """Calls coroutine functions that never wait for a loop."""

    def call(self, function: Callable[..., Awaitable[T]], *arguments: Any) -> T:
        """Call it with these arguments, and return its result."""
        try:
            function(*arguments).__await__().send(None)
        except StopIteration as stop:
            result: T = stop.value
            return result
        raise RuntimeError("the function waits")


class RemoteRunner:
    """Runs requests against a server.

    Attributes:
        answers, successes: as for `Runs`.
        took: seconds of the longest whole request so far.
    """

    def __init__(self, client: SocketClient) -> None:
        self.client = client
        self.answers: int = 0
        self.successes: int = 0
        self.took: float = 0.0

    async def run(self, request: Request, cuts: Sequence[int] = ()) -> Outcome:
        """Send the request with these cuts. Raises: Unreachable."""
        answer = self.client.ask(request, cuts)
        if not cuts:
            self.took = max(self.took, answer.took)
        outcome = outcome_of(answer)
        self.answers += 1
        self.successes += 200 <= outcome.status < 300
        return outcome


def outcome_of(answer: Answer) -> Outcome:
    """The outcome of an answer. A server that closes without one has refused the request."""
    response = answer.response
    hangs = bool(answer.fault) and not answer.closed
    return Outcome(
        response.status,
        decoded(response),
        response.complete,
        fields_of(response),
        endless=answer.endless,
        violations=(answer.fault,) if hangs else (),
        error=answer.fault if answer.closed else "",
        observed=False,
    )


def routes_of(wanted: Sequence[str], needs: Needs) -> list[Target]:
    """The routes that the user named as `METHOD /path`. Raises: NoSuchRoute."""
    if not wanted:
        raise NoSuchRoute("a server does not say what routes it has: name them with --route 'METHOD /path'")
    found: list[Target] = []
    for name in wanted:
        match = _ROUTE.fullmatch(name)
        if match is None:
            raise NoSuchRoute(f"{name!r} is not of the form 'METHOD /path'")
        method, path = match.groups()
        if method == WEBSOCKET:
            raise NoSuchRoute(f"{name!r}: WebSockets are probed in an app, not at an address")
        target = _filled(path, needs)
        if needs.query:
            target += f"{'&' if '?' in target else '?'}{needs.query}"
        found.append(Target(method, match[2], target, None, True, needs.fields(target)))
    return list(dict.fromkeys(found))


def _filled(path: str, needs: Needs) -> str:
    """The path with a value for each parameter, `{name}` or `<name>`. Raises: NoSuchRoute."""

    def value(place: re.Match[str]) -> str:
        name = place[1]
        if name not in needs.parameters:
            raise NoSuchRoute(f"{path!r} has a parameter: give it with --param {name}=...")
        return quote(needs.parameters[name], safe="~")

    return _PARAMETER.sub(value, path)


class _Sender:
    """Sends the requests of a setup, as `prepared` wants it."""

    def __init__(self, client: SocketClient) -> None:
        self._client = client

    async def send(self, request: Request) -> Response:
        try:
            return self._client.send(request)
        except NoResponse as error:
            raise TimeoutError(str(error)) from error


def check_alive(client: SocketClient) -> None:
    """Check that there is an HTTP server. Raises: NoResponse, Unreachable."""
    client.send(Request("GET", "/", (("Connection", "close"),)))


def probe_server(
    client: SocketClient,
    *,
    routes: Sequence[str],
    samples: Sequence[tuple[str, bytes]] = (),
    needs: Needs = NOTHING,
    examples: int = 50,
    seed: int = 0,
    budget: float | None = None,
    progress: Progress = lambda done, total, what: None,
    setup: Sequence[Step] = (),
) -> Report:
    """Search for a counterexample to each invariant on each route.

    Args:
        routes: as `METHOD /path`; a part in braces is a parameter.
        samples, needs, examples, seed, budget, progress, setup: as for `probe`.
    Raises: NoSuchRoute; SetupError; NoResponse, Unreachable: there is no HTTP server.
    """
    if not setup:
        routes_of(routes, needs)  # what is wrong with them is said before anything is sent
    check_alive(client)
    sender, inline = _Sender(client), Inline()

    def found_now() -> list[Target]:
        filled = inline.call(prepared, sender, setup, needs) if setup else needs
        return routes_of(routes, filled)

    targets = found_now()
    url = client.address.url
    report = Report(url, examples, seed, imports=f"\n# The server at {url} has to run.")
    given = [Sample(kind, body) for kind, body in samples]
    end = None if budget is None else time.monotonic() + budget
    for number, route in enumerate(targets):
        if setup and number:  # what another route has used up is there again
            route = found_now()[number]
        found = RouteReport(route)
        report.routes.append(found)
        search = _RemoteSearch(inline, RemoteRunner(client), found, examples, seed, end)
        for step, invariant in enumerate(INVARIANTS):
            done, total = number * len(INVARIANTS) + step, len(targets) * len(INVARIANTS)
            progress(done, total, f"{route.name}: {invariant}")
            verdict = _verdict(report, search, invariant, given)
            if verdict.counterexample is not None:
                verdict = replace(verdict, counterexample=_elsewhere(verdict.counterexample, url))
            found.verdicts.append(verdict)
    progress(1, 1, "done")
    return report


def _verdict(report: Report, search: _RemoteSearch, invariant: str, given: Sequence[Sample]) -> Verdict:
    if not report.stopped:
        try:
            if invariant == ENDS:
                search.learn(given)
            return search.check(invariant)
        except OverBudget:
            report.stopped = "the budget is used up"
        except Unreachable as gone:
            report.stopped = f"the server is gone: {gone}"
        except KeyboardInterrupt:
            report.stopped = "the probe was stopped"
    return Verdict(invariant, None, report.stopped)


def _elsewhere(found: Counterexample, url: str) -> Counterexample:
    """The counterexample for a server, whose code may be in any language: without Python in the advice, and
    with a client of sockets in the program."""
    program = found.reproduce.replace("TestClient(app)", f"SocketClient({url!r})")
    program = program.replace("TestClient", "SocketClient")
    advice = _ADVICE_ENDS.split(found.advice.replace("\n", " "), maxsplit=1)[0].rstrip(".")
    advice = advice.replace("`piece.decode()` cannot decode half of one", "half of one cannot be decoded")
    return replace(found, reproduce=program, advice=advice and f"{advice}.")


class _RemoteSearch(Search[RemoteRunner]):
    """The search on a route of a server."""

    def _broken(self, request: Request, outcome: Outcome) -> Counterexample:
        found = super()._broken(request, outcome)
        program = _program(request, "answer = client.ask(request)", "assert not answer.fault, answer.fault")
        return replace(found, reproduce=program)

    def _cuts(self) -> Verdict:
        verdict = super()._cuts()
        if verdict.holds:
            verdict = self._slower()
        found = verdict.counterexample
        if found is None:
            return verdict
        whole, cut = found.sides[0][2], found.sides[1]
        shown = Pair(found.request, cut[1] or (), whole, cut[2])
        if not self._loop.call(_shows_again, self._runner, shown):
            return Verdict(CUTS, None, f"a difference did not show again: {found.differences[0]}")
        return verdict

    def _slower(self) -> Verdict:
        """Try the sharpest ways again with a longer pause, in case the server joined the segments."""
        client = self._runner.client
        client.pause *= _SLOWER
        try:
            for sample in self._taken:
                request = sample.request(self._route)
                ways = list(cutting.candidates(request.framed(), _SHARPEST))
                found = self._loop.call(invariants.boundary, self._runner, request, ways, _SHARPEST, True)
                if isinstance(found, Counterexample):
                    return Verdict(CUTS, False, counterexample=found)
        finally:
            client.pause /= _SLOWER
        return Verdict(CUTS, True)

    def _truncation(self) -> Verdict:
        if self._runner.client.address.tls:
            return Verdict(TRUNCATION, None, "TLS cannot close one side alone", applies=False)
        return self._first(TRUNCATION, _truncation, 2)

    def _memory(self) -> Verdict:
        return Verdict(MEMORY, None, _FROM_OUTSIDE, applies=False)

    def _disconnect(self) -> Verdict:
        return self._first(DISCONNECT, _disconnect, 2)

    def _together(self) -> Verdict:
        one, other = self._taken[0], self._taken[min(1, len(self._taken) - 1)]
        pair = one.request(self._route), other.request(self._route)
        return self._told(TOGETHER, self._loop.call(_together, self._runner, *pair))

    def _leftovers(self) -> Verdict:
        return Verdict(LEFTOVERS, None, _FROM_OUTSIDE, applies=False)


async def _shows_again(runner: RemoteRunner, pair: Pair) -> bool:
    chunks = pair.request.chunks
    uncut = replace(pair.request, chunks=chunks if chunks is None else ())
    for cut in _AGAIN:
        way = (pair.request, pair.cuts) if cut else (uncut, ())
        outcome = replace(await runner.run(*way), unsteady=pair.whole.unsteady)
        if bool(pair.whole.differences(outcome)) != cut:
            return False
    return True


async def _steady(runner: RemoteRunner, request: Request, cuts: Sequence[int] = ()) -> Outcome | None:
    """The outcome of a request, without what varies by itself; `None` if its status does."""
    whole, again = await runner.run(request, cuts), await runner.run(request, cuts)
    # A field may well say how many requests there were, or how many there are now.
    whole = replace(whole, unsteady=whole.varies(again) | {FIELDS})
    return None if whole.differences(again) else whole


async def _truncation(runner: RemoteRunner, request: Request) -> Counterexample | str | None:
    """Search for a place at which the body can be cut, so that the server answers as if it were whole.

    A handler that answers before it has the whole body does not look at its end, and is left alone.
    """
    if not request.body:
        return "it has no body"
    await runner.run(request)
    wait = 3 * runner.took + 0.1
    for framed in (replace(request, chunks=None), replace(request, chunks=())):
        end = len(framed.framed()) - (1 if framed.chunks is None else len(b"0\r\n\r\n"))
        for offset in dict.fromkeys([end // 2, end]):
            answer, early = runner.client.cut_off(framed, offset, wait)
            outcome = outcome_of(answer)
            if early or not 200 <= outcome.status < 300 or not outcome.complete:
                continue
            if not _whole_by_framing(answer):
                continue
            return Counterexample(
                f"The body is cut, and the server answers as if it were whole, with {outcome.status}.",
                framed,
                ((f"the sending side is closed after {offset} of {len(framed.framed())} bytes", (offset,),
                  outcome),),
                (),
                _program(framed, f"answer, early = client.cut_off(request, {offset}, wait={wait:.1f})",
                         "assert early or answer.response.status >= 400 or not answer.response.complete"),
                "Do not take the end of the connection for the end of the body (RFC 9112 §8).",
            )  # fmt: skip
    return None


def _whole_by_framing(answer: Answer) -> bool:
    """Whether it is whole by its length or last chunk. One that ends with its connection may be cut."""
    headers = answer.response.headers
    return "content-length" in headers or "transfer-encoding" in headers


async def _disconnect(runner: RemoteRunner, request: Request) -> Counterexample | str | None:
    """Search for an offset at which a client can leave, so that the next one gets another answer."""
    before = await _steady(runner, request)
    if before is None:
        return "the same request is answered with another status each time"
    body = request.framed()
    places = {0, *cutting.interesting(body)[:_PLACES], len(body) // 2, len(body)}
    for offset in sorted(places):
        runner.client.leave(request, offset, runner.client.wait)
        after = await runner.run(request)
        differences = before.differences(after)
        if differences and before.differences(await runner.run(request)):
            return Counterexample(
                "A client leaves, and the next one gets another answer.",
                request,
                (("before", None, before), (f"after one has left after {offset} bytes", (offset,), after)),
                tuple(differences),
                _program(
                    request,
                    "before = client.send(request)",
                    f"client.leave(request, {offset}, wait=0.1)",
                    "after = client.send(request)",
                    "assert (before.status, before.body) == (after.status, after.body)",
                ),
                "Keep what belongs to a request apart from other requests, and clean up when a read fails.",
            )
    return None


async def _together(runner: RemoteRunner, first: Request, second: Request) -> Counterexample | str | None:
    """Check whether two requests, one of which arrives within the other, get what each gets alone."""
    first, second = replace(first, chunks=None), replace(second, chunks=None)
    expected = [await _steady(runner, first, (len(first.body) // 2,)), await _steady(runner, second)]
    if None in expected:
        return "the same request is answered with another status each time"
    wait = 3 * runner.took + 0.1
    for _ in range(_TOGETHER):
        got = [outcome_of(one) for one in runner.client.in_turns(first, second, wait)]
        found = list(_mixed((first, second), expected, got))
        if not found:
            return None
    request, alone, both = found[0]
    return Counterexample(
        "Two requests at once mix: one gets another answer than it gets alone.",
        request,
        (("alone", None, alone), ("while another one is sent", None, both)),
        tuple(alone.differences(both)),
        _program(request, f"one, other = client.in_turns({first!r}, {second!r}, wait={wait:.1f})",
                 "alone = client.send(request)",
                 "assert alone.body in (one.response.body, other.response.body)"),
        "Keep what belongs to a request in local variables.",
    )  # fmt: skip


def _mixed(
    requests: Sequence[Request], expected: Sequence[Outcome | None], got: Sequence[Outcome]
) -> Iterable[tuple[Request, Outcome, Outcome]]:
    for request, alone, both in zip(requests, expected, got, strict=True):
        if alone is None or alone.failed or both.status in _REFUSALS or not alone.differences(both):
            continue
        yield request, alone, both


def _program(request: Request, *lines: str) -> str:
    return reproduced(request, *lines)
