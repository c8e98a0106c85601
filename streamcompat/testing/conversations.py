"""The probe of a WebSocket route: holds conversations, and looks for what depends on how they are sent.

The rule: a client sends the same messages every time. Only their frames, the cuts of the network, and when
the client leaves differ. What a route answers to them has to be the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import anyio

from streamcompat.testing import cuts as cutting
from streamcompat.testing import isolation
from streamcompat.testing.client import Client
from streamcompat.testing.counterexample import Counterexample
from streamcompat.testing.frames import Conversation
from streamcompat.testing.outcome import GLANCE, Outcome, Runner
from streamcompat.testing.samples import MESSAGES, Sample
from streamcompat.testing.search import CUTS, DISCONNECT, LEFTOVERS, TOGETHER, TRUNCATION, Search, Verdict
from streamcompat.testing.websocket import WebSocket, WebSocketClosed, WebSocketRejected
from streamcompat.testing.wire import Request, cut

_OPEN: Final = 101
_FINE: Final = (1000, 1001, 1005)
"""Codes of a Close that tell of no error (RFC 6455 §7.4.1)."""
_MOST: Final = 1000
"""Messages of a route that goes on talking."""
_SINGLE: Final = 8
"""Places of a message at which it is cut, and at which it is divided into fragments."""
_AGAIN: Final = (False, True, False, True)
"""Which of the conversations that must show a difference again are cut."""

_Side = tuple[str, tuple[int, ...] | None, Outcome]
"""A side of a counterexample."""


class ConversationRunner:
    """Holds conversations.

    Attributes:
        answers: how many were held.
        successes: in how many of them the route reported no error.
        firsts: the outcome of the first one of each kind.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self.client: Client = runner.client
        self.firsts: dict[Request, Outcome] = {}
        self.answers: int = 0
        self.successes: int = 0

    async def run(self, request: Request, cuts: Sequence[int] = ()) -> Outcome:
        """Hold a conversation with these cuts; without any, each message arrives at once and by itself."""
        outcome = await self.held(request, cuts or (len(request.framed()) // 2,))
        self.answers += 1
        self.successes += not outcome.failed
        self.firsts.setdefault(request, outcome)
        return outcome

    def fell_silent(self, request: Request, now: Outcome) -> bool:
        """Whether the route has said something to the first client, and says nothing or fails now."""
        first = self.firsts[request]
        return bool(first.body) and not first.failed and (now.failed or not now.body)

    async def held(
        self, request: Request, cuts: Sequence[int], leaves_after: int | None = None, closes: bool = True
    ) -> Outcome:
        """The outcome of a conversation: what the route said, and the code with which it closed.

        Args:
            leaves_after: bytes after which the client leaves without a Close; `None` if it stays to the end.
            closes: it says so when it leaves at the end.
        """
        runner = self.runner
        runner.begin()
        try:
            socket = await self.client.open_websocket(request.target, headers=request.headers)
        except WebSocketRejected as refused:
            return Outcome(refused.status, refused.body, True, error=runner.failures.take())
        said, code = _Said(socket), 0
        try:
            for piece in cut(request.framed()[:leaves_after], cuts):
                await socket.send_raw(piece)
            if leaves_after is None:
                await said.hear()
            if closes and leaves_after is None and not said.goes_on:
                await socket.close()
        except WebSocketClosed as closed:
            code = 0 if closed.code in _FINE else int(closed.code)
            await said.hear()
        except TimeoutError:
            return self._ended(said, 0, ("the route does not answer a Close",))
        finally:
            await socket.connection.aclose()
        violations, left = await runner.violations(socket.seen)
        if left:
            violations.append(f"left a task behind: {', '.join(left)}")
        return self._ended(said, code or said.code, tuple(violations))

    def _ended(self, said: _Said, code: int, violations: tuple[str, ...]) -> Outcome:
        changed = (one.replace("after its response", "after its client has left") for one in violations)
        return Outcome(
            code or _OPEN,
            said.text(),
            True,
            error=self.runner.failures.take(),
            endless=said.goes_on,
            violations=tuple(changed),
            observed=False,
        )


class _Said:
    """What a route says.

    Attributes:
        goes_on: it does not become silent.
        code: with which it closed because of an error, or 0.
    """

    def __init__(self, socket: WebSocket) -> None:
        self._socket = socket
        self._messages: list[str | bytes] = []
        self.goes_on = False
        self.code = 0

    async def hear(self) -> None:
        """Hear the route until it is silent, or closes."""
        end = anyio.current_time() + GLANCE * 10
        try:
            while await self._hears_one():
                if len(self._messages) >= _MOST or anyio.current_time() > end:
                    self.goes_on = True
                    return
        except WebSocketClosed as closed:
            self.code = 0 if closed.code in _FINE else int(closed.code)

    async def _hears_one(self) -> bool:
        """Whether there is another message."""
        while True:
            try:
                with anyio.fail_after(GLANCE):
                    self._messages.append(await self._socket.receive())
                return True
            except TimeoutError:
                # On a machine that stood still, a sleep of the handler ends only now.
                connection = self._socket.connection
                await connection.client.settle()
                if not connection.unread:
                    return False

    def text(self) -> bytes:
        """The messages, a line each."""
        return "\n".join(map(repr, self._messages)).encode()


class ConversationSearch(Search[ConversationRunner]):
    """The search on a WebSocket route of an app in this process."""

    def _samples(self, given: Sequence[Sample]) -> Sequence[Sample]:
        return [*given, *(replace(one, is_text=False) for one in given)] or MESSAGES

    def _broken(self, request: Request, outcome: Outcome) -> Counterexample:
        assert isinstance(request, Conversation)
        found = super()._broken(request, outcome)
        ended = "assert socket.seen.ended, 'its handler goes on'"
        return replace(found, reproduce=_program(request, (request.framed(),), ["socket.close()"], [ended]))

    def _cuts(self) -> Verdict:
        for sample in self._taken:
            self._in_time()
            found = self._loop.call(difference, self._runner, sample.request(self._route))
            if found is not None:
                return self._told(CUTS, found)
        return Verdict(CUTS, True)

    def _truncation(self) -> Verdict:
        return Verdict(TRUNCATION, None, "a message that is cut is never given to its handler", applies=False)

    def _disconnect(self) -> Verdict:
        return self._first(DISCONNECT, departure, 2)

    def _together(self) -> Verdict:
        return Verdict(TOGETHER, None, "what one client says may be for others", applies=False)

    def _leftovers(self) -> Verdict:
        verdict = self._first(LEFTOVERS, isolation.leftovers, 1)
        found = verdict.counterexample
        if found is None or not isinstance(found.request, Conversation):
            return verdict
        program = _program(found.request, (found.request.framed(),), ["socket.close()"])
        hint = "        # many times, with a look at the process\n        with client."
        many = program.replace("        with client.", hint)
        return replace(verdict, counterexample=replace(found, reproduce=many))


def _ways(request: Conversation) -> Iterator[tuple[Conversation, tuple[int, ...]]]:
    """The frames and the cuts to try, the plainest first."""
    size, body = len(request.message()), request.body
    yield request, tuple(range(1, 2 * size)) if size < 256 else cutting.pieces_of(2 * size, size // 128)
    head = size - len(body)
    places = [*range(1, head + 1), *(head + at for at in cutting.interesting(body)[:_SINGLE])]
    for at in places:
        yield request, (at, size)
    yield request, (2 * size,)  # both messages arrive at once
    ends = [*cutting.plain(body), *cutting.interesting(body)]
    for at in list(dict.fromkeys(ends))[:_SINGLE]:
        yield from _in_frames(replace(request, chunks=(at,)))
    for chunks in ((0, *ends[:1]), tuple(range(1, len(body)))[: 3 * _SINGLE]):
        yield from _in_frames(replace(request, chunks=chunks))
        yield from _in_frames(replace(request, chunks=chunks, pings=True))


def _in_frames(request: Conversation) -> Iterator[tuple[Conversation, tuple[int, ...]]]:
    whole = len(request.message())
    yield request, (whole,)
    yield request, (whole // 2, whole, whole + whole // 2)


async def difference(runner: ConversationRunner, request: Request) -> Counterexample | str | None:
    """Search for frames and cuts that change what the route says."""
    assert isinstance(request, Conversation)
    whole = await runner.run(request)
    if runner.fell_silent(request, whole):
        return "the route does not answer a later client"
    if whole.differences(await runner.run(request)):
        return "the route says something else each time"
    for other, way in _ways(request):
        outcome = await runner.run(other, way)
        if whole.differences(outcome) and await _shows_again(runner, request, whole, other, way):
            return _of_cuts(request, whole, other, way, outcome)
    return None


async def _shows_again(
    runner: ConversationRunner, request: Request, whole: Outcome, other: Request, way: Sequence[int]
) -> bool:
    for changed in _AGAIN:
        outcome = await (runner.run(other, way) if changed else runner.run(request))
        if bool(whole.differences(outcome)) is not changed:
            return False
    return True


def _of_cuts(
    request: Conversation, whole: Outcome, other: Conversation, way: tuple[int, ...], outcome: Outcome
) -> Counterexample:
    return Counterexample(
        "What the route says depends on the frames, or on where the network cuts them.",
        other,
        (("each message by itself", None, whole), (f"cut at {', '.join(map(str, way[:8]))}", way, outcome)),
        tuple(whole.differences(outcome)),
        _program(request, cut(other.framed(), way), _hears(whole)),
        "A message is whole, however it arrived, and several may arrive at once. Do not cancel a read that\n"
        "waits for one, such as by a timeout, and count on no pause between two of them.",
    )


def _program(
    request: Conversation, pieces: Sequence[bytes], then: Sequence[str], after: Sequence[str] = ()
) -> str:
    """A program that sends the pieces on a WebSocket.

    Args:
        then: what it does with the socket.
        after: what it does once the socket's connection is gone.
    """
    return "\n".join(
        [
            "    from streamcompat.testing import TestClient",
            "",
            "    with TestClient(app) as client:",
            f"        with client.websocket({request.target!r}, headers={request.headers!r}) as socket:",
            f"            for piece in {list(pieces)!r}:",
            "                socket.send_raw(piece)",
            *(f"            {line}" for line in then),
            *(f"        {line}" for line in after),
        ]
    )


def _hears(whole: Outcome) -> list[str]:
    """Lines that compare what is said with what was said."""
    said = whole.body.decode().splitlines()
    return [f"assert [socket.receive() for _ in range({len(said)})] == [{', '.join(said)}]"]


async def departure(runner: ConversationRunner, request: Request) -> Counterexample | str | None:
    """Search for a moment at which a client can leave, so that its handler goes on, or the next one is told
    something else."""
    assert isinstance(request, Conversation)
    before = [await runner.run(request), await runner.run(request)]
    if all(runner.fell_silent(request, one) for one in before):
        first: _Side = ("the first client", None, runner.firsts[request])
        what, later = "a later one is not answered any more", ("a later one", None, before[1])
        return _of_departure(request, what, (first, later), len(request.framed()))
    size = len(request.framed())
    steady = not before[0].differences(before[1])
    for at in dict.fromkeys([0, 1, size // 4, size // 2, size]):
        gone = await _left(runner, request, at)
        after = await runner.run(request)
        changed = before[0].differences(after) if steady else []
        if changed and not before[0].differences(await runner.run(request)):
            changed = []  # it had not noticed yet
        if gone.violations or changed:
            what = ", ".join(gone.violations) or "the next one is told something else"
            left = (f"after one has left after {at} bytes", (at,), after)
            return _of_departure(request, what, (("before", None, before[1]), left), at)
    return None


def _of_departure(request: Conversation, what: str, sides: tuple[_Side, _Side], at: int) -> Counterexample:
    before, after = sides[0][2], sides[1][2]
    return Counterexample(
        f"A client leaves, and {what}.",
        request,
        sides,
        tuple(before.differences(after)),
        _leaving(request, at, before),
        "Let the error of a read or a write end the handler, and in `finally` take the\n"
        "connection out of every list that others send to.",
    )


def _leaving(request: Conversation, at: int, before: Outcome) -> str:
    """A program in which some clients leave and another one comes."""
    leaves = _program(request, (request.framed()[:at],), ()).splitlines()
    ended = "assert socket.seen.ended, 'its handler goes on'"
    comes = _program(request, cut(request.framed(), (len(request.message()),)), _hears(before))
    several = [f"    {line}" for line in [*leaves[3:], f"        {ended}"]]
    return "\n".join([*leaves[:3], "        for _ in range(8):", *several, *comes.splitlines()[3:]])


async def _left(runner: ConversationRunner, request: Request, at: int) -> Outcome:
    """The outcome for a client that leaves. A task that only the first one leaves is for the app's life."""
    gone = await runner.held(request, (), leaves_after=at)
    for _ in range(2 if any("left a task" in one for one in gone.violations) else 0):
        gone = await runner.held(request, (), leaves_after=at)
    return gone
