"""Makes a counterexample smaller: the fewest cuts, the fewest bytes, and the plainest ones.

The rule: the same counterexample is always reduced to the same one, by a bounded number of requests. What
fails without cuts never replaces what succeeds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from streamcompat.testing import cuts as cutting
from streamcompat.testing.outcome import Outcome, Runs
from streamcompat.testing.wire import Request

Cuts = tuple[int, ...]

TINY: Final = (
    b"ab", b"a b", b" a", b"a ", b"a\n", b"a\nb", b"\r\n", "é".encode(), b"{}", b"12", b'"a"',
)  # fmt: skip
"""The smallest bodies that reveal the most common faults, the plainest first."""
_TRIES: Final = 400
"""Pairs of requests after which the reduction ends."""


@dataclass(frozen=True)
class Pair:
    """A request and a way of cutting it that changes its outcome."""

    request: Request
    cuts: Cuts
    whole: Outcome
    cut: Outcome


class Reduction:
    """One reduction.

    Args:
        pair: what to reduce.
    """

    def __init__(self, runner: Runs, pair: Pair) -> None:
        self._runner = runner
        self._best = pair
        self._left = _TRIES

    async def result(self) -> Pair:
        """The reduced pair."""
        if self._best.request.chunks is not None and not await self._without_chunks():
            return self._best
        await self._without_type()
        if not await self._tiny():
            await self._fewer_bytes()
            await self._plainer_bytes()
            await self._tiny()
        return self._best

    async def _takes(self, request: Request, cuts: Cuts) -> bool:
        """Whether this is a counterexample too; then it is the best one."""
        if self._left <= 0 or not cuts:
            return False
        self._left -= 1
        whole = replace(await self._runner.run(request), unsteady=self._best.whole.unsteady)
        if whole.violations or (whole.failed and not self._best.whole.failed):
            return False
        cut = await self._runner.run(request, cuts)
        if not whole.differences(cut):
            return False
        self._best = Pair(request, cuts, whole, cut)
        return True

    async def _without_chunks(self) -> bool:
        request = replace(self._best.request, chunks=None)
        for cuts in cutting.candidates(request.body, 40):
            if await self._takes(request, cuts):
                return True
        return False

    async def _without_type(self) -> None:
        request = self._best.request
        headers = tuple(field for field in request.headers if field[0].lower() != "content-type")
        if headers != request.headers:
            await self._takes(replace(request, headers=headers), self._best.cuts)

    async def _tiny(self) -> bool:
        for body in TINY:
            if len(body) > len(self._best.request.body):
                continue
            for cuts in cutting.every(len(body)):
                if await self._takes(replace(self._best.request, body=body), cuts):
                    return True
        return False

    async def _fewer_bytes(self) -> None:
        """Remove ever shorter stretches, as long as one of them is not needed."""
        size = len(self._best.request.body) // 2
        while size:
            removed = [await self._takes(*without) for without in self._without(size)]
            if not any(removed) or size > 1:
                size //= 2

    def _without(self, size: int) -> Iterator[tuple[Request, Cuts]]:
        """The best pair without each stretch of this size in turn, the last one first."""
        start = len(self._best.request.body) - size
        while start >= 0:
            request = self._best.request
            body = request.body[:start] + request.body[start + size :]
            moved = {at if at <= start else max(at - size, start) for at in self._best.cuts}
            cuts = tuple(sorted(at for at in moved if 0 < at < len(body)))
            yield replace(request, body=body), cuts
            start -= size

    async def _plainer_bytes(self) -> None:
        for at in range(len(self._best.request.body)):
            request = self._best.request
            if request.body[at] != ord("a"):
                body = request.body[:at] + b"a" + request.body[at + 1 :]
                await self._takes(replace(request, body=body), self._best.cuts)
