"""The invariants that a handler must keep on any network, each as a search for a counterexample.

The rule: a search is deterministic and finite. It tries the simplest cases first and returns the first
counterexample, `None`, or a text that says why it cannot tell.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Final

from streamcompat.testing import cuts as cutting
from streamcompat.testing.advice import advise
from streamcompat.testing.client import Client
from streamcompat.testing.counterexample import Counterexample, asserted, reproduced
from streamcompat.testing.outcome import FIELDS, Effects, Outcome, Runner, Runs, fails, failures_of
from streamcompat.testing.reduction import Pair, Reduction
from streamcompat.testing.wire import LAST_CHUNK, Request, chunk

PATIENCE = 30.0
"""Seconds that one wait for a handler may take before it counts as hanging. An app's own sleeps take no real
time, so this is long enough for a slow backend."""

_CHUNKINGS: Final = 5
"""One of this many ways of cutting a request is one of dividing it into HTTP chunks."""
_MOST_CHUNKINGS: Final = 40


@asynccontextmanager
async def running(app: Any, effects: Effects = None, patience: float = PATIENCE) -> AsyncIterator[Runner]:
    """Run an app for several searches."""
    with failures_of(app) as failures:
        async with Client(app, patience=patience) as client:
            yield Runner(client, failures, effects)


# ---- the same for every cut ----


class _Cuts:
    """A search for a way of cutting one request that changes its outcome.

    Attributes:
        whole: the outcome without cuts.
    """

    def __init__(self, runner: Runs, request: Request, whole: Outcome) -> None:
        self._runner = runner
        self._request = request
        self.whole = whole

    async def found(self, ways: Iterable[Sequence[int]] | None, most: int) -> Pair | None:
        """The first pair whose outcomes differ, without the cuts that it does not need."""
        request = self._request
        for way in _told_apart(request, most) if ways is None else ways:
            pair = await self._compared(tuple(way))
            if pair is not None:
                return await self._plainer(pair) if ways is None else pair
        return await self._other_chunks(most) if request.chunks is not None else None

    async def _compared(self, way: tuple[int, ...]) -> Pair | None:
        outcome = await self._runner.run(self._request, way)
        if not self.whole.differences(outcome):
            return None
        size = len(way) // 2
        while size:
            for start in range(len(way) - size, -1, -size):
                fewer = way[:start] + way[start + size :]
                less = await self._runner.run(self._request, fewer)
                if fewer and self.whole.differences(less):
                    way, outcome = fewer, less
            size //= 2
        return Pair(self._request, way, self.whole, outcome)

    async def _plainer(self, pair: Pair) -> Pair:
        """The same request with a cut between two letters, if that suffices: such a cut misleads nobody."""
        for offset in cutting.plain(self._request.framed()):
            outcome = await self._runner.run(self._request, (offset,))
            if self.whole.differences(outcome):
                return Pair(self._request, (offset,), self.whole, outcome)
        return pair

    async def _other_chunks(self, most: int) -> Pair | None:
        """Try the same body in other HTTP chunks, each of which arrives separately."""
        # Few, as a handler is given the same pieces as for cuts of one chunk.
        for chunks in cutting.candidates(self._request.body, min(most // _CHUNKINGS, _MOST_CHUNKINGS)):
            other = replace(self._request, chunks=chunks)
            outcome = await self._runner.run(other, _chunk_ends(other))
            if self.whole.differences(outcome):
                return Pair(other, tuple(_chunk_ends(other)), self.whole, outcome)
        return None


def _told_apart(request: Request, most: int) -> Iterator[Sequence[int]]:
    """The ways of cutting a request that are worth a try, without those that give its handler the same pieces
    as an earlier one, because they are inside of the framing."""
    if request.chunks is None:
        yield from cutting.candidates(request.body, most)
        return
    before = _content_before(request)
    tried: set[tuple[int, ...]] = set()
    for way in cutting.candidates(request.framed(), most):
        given = tuple(dict.fromkeys(before[offset] for offset in way))
        if given not in tried:
            tried.add(given)
            yield way


def _content_before(request: Request) -> list[int]:
    """The bytes of the body that have arrived before each offset on the wire."""
    before = [0]
    for start, end in itertools.pairwise((0, *(request.chunks or ()), len(request.body))):
        size = end - start
        head = len(chunk(request.body[start:end])) - size - 2
        before += [start] * head + [*range(start + 1, end + 1)] + [end] * 2 if size else []
    return before + [len(request.body)] * len(LAST_CHUNK)


def _chunk_ends(request: Request) -> list[int]:
    """The offsets on the wire at which the request's chunks end."""
    ends, position = [], 0
    chunks = request.chunks or ()
    for start, end in zip((0, *chunks), (*chunks, len(request.body)), strict=True):
        position += len(chunk(request.body[start:end]))
        ends.append(position)
    return ends


async def difference(
    runner: Runs,
    request: Request,
    ways: Iterable[Sequence[int]] | None = None,
    most: int = 300,
    allow_failure: bool = True,
) -> Pair | Counterexample | str | None:
    """Search for a way of cutting the request that changes its outcome; `boundary` also explains it."""
    whole = await runner.run(request)
    if whole.violations:
        return violation(request, whole)
    if not allow_failure and (why := fails(request, whole)):
        return why
    search = _Cuts(runner, request, whole)
    found = await search.found(ways, most)
    if found is None:
        return None
    again = await runner.run(request)
    twice = await runner.run(found.request, found.cuts)
    # Does it vary even without cuts, or with the same ones? It may have an identifier, a time or a counter.
    unsteady = whole.varies(again) | found.cut.varies(twice)
    if not unsteady and not whole.differences(again):
        return found
    search.whole = replace(whole, unsteady=unsteady)
    if search.whole.differences(again):
        return f"the same request is answered with {whole.status}, and then with {again.status}"
    found = await search.found(ways, most)
    if found is None and unsteady & {"body", "effects"}:
        return "the response differs each time; its status does not depend on the cuts"
    return found


async def boundary(
    runner: Runs,
    request: Request,
    ways: Iterable[Sequence[int]] | None = None,
    most: int = 300,
    allow_failure: bool = False,
) -> Counterexample | str | None:
    """Search for a way of cutting the request that changes its outcome.

    Args:
        ways: the ways of cutting to try, with offsets as for `Client.stream`; by default those of
            `cuts.candidates`.
        most: how many of the default ways to try.
        allow_failure: a request that fails without cuts may be compared.
    """
    found = await difference(runner, request, ways, most, allow_failure)
    if not isinstance(found, Pair):
        return found
    return await explained(runner, found, request)


async def reduced(runner: Runs, found: Pair) -> Counterexample:
    """The smallest counterexample that follows from a pair."""
    return await explained(runner, await Reduction(runner, found).result(), found.request)


async def explained(runner: Runs, found: Pair, original: Request) -> Counterexample:
    """The counterexample of a pair, with advice.

    Args:
        original: the request from which the pair was made; its body is one that the route takes.
    """
    request, way, whole = found.request, found.cuts, found.whole
    advice = await advise(runner, request, original, whole, found.cut)
    if request.chunks is not None and request.chunks != original.chunks:
        return Counterexample(
            "The answer depends on the request's HTTP chunks.",
            request,
            (("in one", None, whole), (f"in {len(way)} chunks", way, found.cut)),
            tuple(whole.differences(found.cut)),
            reproduced(
                request,
                f"whole = client.send({original!r})",
                f"chunked = client.send(request, cuts={list(way)!r})",
                *_same("chunked", whole, found.cut),
            ),
            advice,
        )
    return Counterexample(
        "The answer depends on where the network cuts the request.",
        request,
        (("uncut", (), whole), (f"cut at {', '.join(map(str, way))}", way, found.cut)),
        tuple(whole.differences(found.cut)),
        reproduced(
            request,
            "whole = client.send(request)",
            f"cut = client.send(request, cuts={list(way)!r})",
            *_same("cut", whole, found.cut),
        ),
        advice,
    )


def _same(name: str, whole: Outcome, cut: Outcome) -> list[str]:
    """The lines of code that compare the response of this name with the uncut one."""
    if whole.status == cut.status and whole.body == cut.body and (fields := whole.other_fields(cut)):
        return [f"assert {name}.headers.get({one!r}) == whole.headers.get({one!r})" for one in fields]
    if "body" in whole.unsteady:
        return [f"assert {name}.status == whole.status"]
    return [f"assert ({name}.status, {name}.body) == (whole.status, whole.body)"]


def violation(request: Request, outcome: Outcome) -> Counterexample:
    """The counterexample for an uncut request whose handler broke a rule that holds for all handlers."""
    advice = ""
    if any("left a task" in one for one in outcome.violations):
        advice = "Await every task that the handler starts, or cancel it in `finally`."
    elif any("wrote after" in one for one in outcome.violations):
        advice = "Do not write after the streaming function has returned: await every task that writes."
    elif any("after its client has left" in one for one in outcome.violations):
        advice = "Let the error of a write end the handler, and do nothing for ever that does not write."
    elif any("for ever" in one or "hangs" in one for one in outcome.violations):
        advice = "Leave the loop at the end of the body: `None` (Sanic), `more_content: False` (Mach9)."
    return Counterexample(
        f"The handler does not end properly: {', '.join(outcome.violations)}.",
        request,
        (("uncut", (), outcome),),
        (),
        asserted("assert_boundary_invariant", request),
        advice,
    )


# ---- two apps ----


async def same_behaviour(
    one: Runner, other: Runner, request: Request, ignored: frozenset[str], names: tuple[str, str]
) -> Counterexample | None:
    """Search for a way of cutting the request to which the two apps respond differently."""
    for way in [(), *cutting.candidates(request.framed(), 16)]:
        ours, theirs = await one.run(request, way), await other.run(request, way)
        ours = replace(ours, unsteady=frozenset({FIELDS}))  # they are compared below, all but the ignored
        differences = ours.differences(theirs)
        if ours.complete and theirs.complete and not (ours.status >= 500 <= theirs.status):
            differences += _different_headers(ours, theirs, ignored)
        if differences:
            return Counterexample(
                "The two apps respond differently.",
                request,
                ((names[0], way, ours), (names[1], way, theirs)),
                tuple(differences),
                "    from streamcompat.testing import Request, TestClient\n\n"
                f"    request = {request!r}\n"
                f"    one = TestClient(app_a).send(request, cuts={list(way)!r})\n"
                f"    other = TestClient(app_b).send(request, cuts={list(way)!r})\n"
                "    assert (one.status, one.body) == (other.status, other.body)",
            )
    return None


def _different_headers(ours: Outcome, theirs: Outcome, ignored: frozenset[str]) -> list[str]:
    one, other = dict(ours.headers), dict(theirs.headers)
    return [
        f"{name}: {one.get(name, 'none')} and {other.get(name, 'none')}"
        for name in sorted(one.keys() | other.keys())
        if name not in ignored and one.get(name) != other.get(name)
    ]
