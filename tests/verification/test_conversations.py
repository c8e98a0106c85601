"""What a client says on a WebSocket and is told: compared between two apps in memory."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.testing import Client
from streamcompat.verification import Case, Comparison, answers, compare
from streamcompat.verification.answers import Answer
from streamcompat.verification.command import sent_alike, unproved
from streamcompat.verification.conversations import MOST, Conversation
from streamcompat.verification.loop import AppLoop

Handler = Callable[[Any, Any], Awaitable[None]]


def app_of(handler: Handler, kind: type = Sanic) -> Sanic | Mach9:
    app = kind("chat")
    app.websocket("/chat")(handler)
    return app


async def echoes(request, ws):
    while True:
        await ws.send(await ws.recv())


async def echoes_late(request, ws):
    while True:
        message = await ws.recv()
        await asyncio.sleep(5)
        await ws.send(message)


async def echoes_once(request, ws):
    await ws.send(await ws.recv())


async def obeys(request, ws):
    while True:
        message = await ws.recv()
        await ws.send("gone" if message == "leave" else message)


async def greets(request, ws):
    await ws.send("hello")
    await echoes(request, ws)


async def closes(request, ws):
    await ws.send(await ws.recv())
    await ws.close(4001)


async def fails(request, ws):
    raise ZeroDivisionError("by nothing")


def ticking(wrong: int = -1) -> Handler:
    async def ticks(request, ws):
        for number in itertools.count():
            await ws.send(str(number) if number != wrong else "wrong")
            await asyncio.sleep(1)

    return ticks


@pytest.mark.parametrize(
    ("before", "after", "field", "seen"),
    [
        (echoes, echoes_once, "messages", 2),
        (echoes, obeys, "messages", 1),
        (echoes, greets, "messages", 0),
        (echoes_once, closes, "closed", 1),
        (fails, echoes, "closed", 0),
        (ticking(), ticking(wrong=3), "messages", 0),
    ],
    ids=["fewer", "a word of the code", "a greeting", "a code", "an exception", "ticks"],
)
def test_a_difference_is_shrunk(before: Handler, after: Handler, field: str, seen: int) -> None:
    """`seen` is how many messages the client must send to see it."""
    (difference,) = compare(app_of(before), app_of(after), requests=20).differences
    request = difference.case.request
    assert isinstance(request, Conversation) and len(request.messages) == seen
    assert f"  {field} before: " in str(difference) and "request: WEBSOCKET /chat" in str(difference)
    assert ("exception before: ZeroDivisionError" in str(difference)) == (before is fails)


@pytest.mark.parametrize(
    ("before", "after"), [(echoes, echoes_late), (greets, greets), (closes, closes), (fails, fails)]
)
def test_conversations_that_are_alike(before: Handler, after: Handler) -> None:
    verdict = compare(app_of(before), app_of(after, Mach9), requests=8)
    assert verdict.differences == []
    (route,) = verdict.routes
    opened = verdict.succeeded[route]
    assert opened == 8
    assert sent_alike(verdict, route) == ("8 conversations, answered alike, 8 of them on an open WebSocket")


def test_an_app_that_goes_on_talking() -> None:
    verdict = compare(app_of(ticking()), app_of(ticking()), requests=5)
    (route,) = verdict.routes
    assert verdict.differences == []
    assert sent_alike(verdict, route) == "3 requests, whose answers do not end, began alike"


def told(app: Sanic | Mach9, said: Conversation) -> Answer:
    with AppLoop() as loop:
        client = Client(app)
        loop.start(client)
        return loop.call(answers.answer, client, Case(said))


def test_what_is_told() -> None:
    said = Conversation("GET", "/chat", messages=("a", b"b"), ping=b"?", code=3000)
    answer = told(app_of(greets), said)
    assert answer.messages == ("hello", "Pong: b'?'", "a", b"b")
    assert (answer.status, answer.closed, answer.succeeded) == (101, 3000, True)
    talks = told(app_of(ticking()), said)
    assert talks.endless and len(talks.messages) == MOST and talks.closed is None
    assert str(said) == "WEBSOCKET /chat: a Ping of b'?', 'a', b'b', a Close with 3000"


def test_a_subprotocol() -> None:
    app = Sanic("chat")
    app.websocket("/chat", subprotocols=["v2"])(echoes)
    said = Conversation("GET", "/chat", subprotocols=("v1", "v2"))
    assert told(app, said).headers == (("sec-websocket-protocol", "v2"),)
    assert "offering v1, v2" in repr(said)


def refusing(status: int) -> Sanic:
    app = app_of(echoes)
    assert isinstance(app, Sanic)

    @app.middleware("request")
    async def refuse(request):
        return text("no", status=status)

    return app


def test_a_handshake_that_is_refused() -> None:
    verdict = compare(refusing(403), refusing(403), requests=5)
    (route,) = verdict.routes
    assert (verdict.differences, verdict.succeeded[route]) == ([], 0)
    assert unproved(route) == "the WebSocket was never opened, so try --header or by hand"
    (difference,) = compare(refusing(403), refusing(401), requests=5).differences
    assert "status before: 403\n  status after:  401" in str(difference)
    (difference,) = compare(refusing(403), app_of(echoes), requests=5).differences
    assert "status before: 403\n  status after:  101" in str(difference)


def test_messages_that_vary_are_said_and_not_compared() -> None:
    def counting() -> Sanic | Mach9:
        numbers = itertools.count()

        async def counts(request, ws):
            await ws.send(str(id(numbers)))
            await ws.send(str(next(numbers)))

        return app_of(counts)

    apps = [counting() for _ in range(3)]
    verdict: Comparison = compare(apps[0], apps[1], requests=5, again=apps[2])
    assert verdict.differences == []
    assert next(iter(verdict.unsteady.values())) == {"messages"}
