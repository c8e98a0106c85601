"""What is compared of an answer that does not end, takes long, or whose client leaves."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import anyio
import anyio.lowlevel
import pytest

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream
from streamcompat.testing import Client, Request
from streamcompat.verification import Case, answers, compare
from tests.support.clients import PATIENCE


def test_answers_that_do_not_end_are_compared_over_their_first_chunks() -> None:

    def events(word: str, kind: str) -> Sanic:
        app = Sanic("events")

        @app.get("/events")
        async def ticks(request):
            async def ticking(response):
                while True:
                    await response.write(word)
                    await anyio.sleep(1)

            return stream(ticking, content_type=kind)

        return app

    for kind in ("text/event-stream", "text/plain"):
        verdict = compare(events("a", kind), events("a", kind), requests=20)
        assert verdict.differences == [] and verdict.endless.total() == 3
    assert compare(events("a", kind), events("b", kind), requests=20).differences


COUNT = Case(Request("GET", "/count"))


async def checkpoint(chunk: int) -> None:
    await anyio.lowlevel.checkpoint()


def counting(wrong: int = -1, before: Callable[[int], Awaitable[None]] = checkpoint) -> Sanic:
    """An app that answers in 40 chunks, and waits `before` each of them."""
    app = Sanic("counting")

    @app.get("/count")
    async def count(request):
        async def counted(response):
            for chunk in range(40):
                await before(chunk)
                await response.write(b"wrong" if chunk == wrong else b"%d" % chunk)

        return stream(counted)

    return app


def test_what_a_client_that_left_still_saw_says_nothing_of_other_answers() -> None:
    seen = answers.Answer(200, (("content-length", "1"),), (b"a",), complete=True)
    unseen = answers.Answer(handled=False)
    assert answers.differing(seen, unseen, Case(Request("GET", "/"), leaves_after=1)) == {"handled"}
    assert "status" in answers.differing(seen, unseen, Case(Request("GET", "/")))


async def answer_of(app: Sanic, patience: anyio.CancelScope) -> answers.Answer:
    async with Client(app) as client:
        return await answers.answer(client, COUNT, patience)


@pytest.mark.parametrize("still", [0.0, PATIENCE])
async def test_what_takes_too_long_is_compared_as_far_as_it_came_if_it_moves(
    still: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no longer arrives differs from a whole answer."""
    monkeypatch.setattr(answers, "_STILL", still)
    patience = anyio.CancelScope()

    async def until_it_is_over(chunk: int) -> None:
        await anyio.lowlevel.checkpoint()
        if chunk == 10:
            patience.cancel()
            await anyio.sleep_forever()

    slow = await answer_of(counting(before=until_it_is_over), patience)
    quick, wrong = [await answer_of(counting(number), anyio.CancelScope()) for number in (-1, 3)]
    assert slow.endless and 3 < len(slow.chunks) <= 10
    assert slow.chunks == quick.chunks[: len(slow.chunks)]
    for one, other in ((slow, quick), (quick, slow)):
        assert answers.alike(one, other, COUNT) == answers.cut_short(one, other) == (still > 0)
    assert not answers.alike(slow, wrong, COUNT)


@pytest.mark.long
@pytest.mark.parametrize("slow", [0, 1])
def test_an_app_that_takes_real_time_is_compared_as_far_as_it_came(slow: int) -> None:
    async def takes_time(chunk: int) -> None:
        time.sleep(0.25)  # noqa: ASYNC251 - real time, which a slow machine takes too
        await anyio.sleep(0.001)

    apps = [counting(), counting()]
    apps[slow] = counting(before=takes_time)
    verdict = compare(*apps, requests=2)
    assert verdict.differences == [] and verdict.cut_short.total() > 0
    apps[1 - slow] = counting(3)
    assert compare(*apps, requests=2).differences
