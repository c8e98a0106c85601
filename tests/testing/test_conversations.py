"""The probe of WebSocket routes: what depends on frames and cuts, what is left when clients leave."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from streamcompat.testing import WebSocketClosed, probe_report
from streamcompat.testing.frames import Conversation, frame
from streamcompat.testing.probe import probe
from streamcompat.testing.search import CUTS, DISCONNECT, ENDS, LEFTOVERS, RouteReport

Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[Any]]
Talk = Callable[[dict[str, Any], Receive, Send], Awaitable[None]]
"""A handler: what the app keeps, and how to receive and send a message."""


def sanic(talk: Talk) -> Any:
    return _flavour(Sanic("talking"), talk)


def mach9(talk: Talk) -> Any:
    return _flavour(Mach9("talking"), talk)


def _flavour(app: Any, talk: Talk) -> Any:
    kept: dict[str, Any] = {}

    @app.websocket("/chat")
    async def chat(request: Any, socket: Any) -> None:
        await talk(kept, socket.recv, socket.send)

    return app


class _Gone(Exception):
    """The client has left."""


def asgi(talk: Talk) -> Any:
    kept: dict[str, Any] = {}

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "websocket":
            raise NotImplementedError
        await receive()
        await send({"type": "websocket.accept"})

        async def hears() -> Any:
            message = await receive()
            if message["type"] != "websocket.receive":
                raise _Gone
            return message.get("text") or message.get("bytes")

        async def says(message: Any) -> None:
            kind = "text" if isinstance(message, str) else "bytes"
            await send({"type": "websocket.send", kind: message})

        try:
            await talk(kept, hears, says)
        except _Gone:
            pass

    return app


# ---- sound ----


async def echoes(kept: Any, receive: Receive, send: Send) -> None:
    while True:
        await send(await receive())


async def answers_slowly(kept: Any, receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await asyncio.sleep(0.5)
        await send(message)


async def tells_its_room(kept: Any, receive: Receive, send: Send) -> None:
    room = kept.setdefault("room", set())
    room.add(send)
    try:
        while True:
            message = await receive()
            for other in [*room]:
                await other(message)
    finally:
        room.discard(send)


async def takes_json(kept: Any, receive: Receive, send: Send) -> None:
    while True:
        await send(json.dumps(sorted(json.loads(await receive()))))


# ---- broken ----


async def takes_two_for_one(kept: Any, receive: Receive, send: Send) -> None:
    """Two messages that arrive together."""
    while True:
        first = await receive()
        second = asyncio.ensure_future(receive())
        for _ in range(4):
            await asyncio.sleep(0)
        await send("two" if second.done() else first)
        await send(await second)


async def keeps_the_dead_in_its_room(kept: Any, receive: Receive, send: Send) -> None:
    room = kept.setdefault("room", [])
    room.append(send)
    while True:
        message = await receive()
        for other in room:
            await other(message)


async def has_four_places(kept: Any, receive: Receive, send: Send) -> None:
    """Those who leave never give theirs back."""
    kept["inside"] = kept.get("inside", 0) + 1
    if kept["inside"] > 4:
        raise RuntimeError("full")
    for _ in range(2):
        await send(await receive())
    kept["inside"] -= 1


async def never_ends(kept: Any, receive: Receive, send: Send) -> None:
    try:
        await echoes(kept, receive, send)
    except Exception:
        await asyncio.Event().wait()


async def keeps_what_it_heard(kept: Any, receive: Receive, send: Send) -> None:
    kept.setdefault("all", []).append(bytes(50_000))
    await echoes(kept, receive, send)


def probed(app: Any, *routes: str) -> RouteReport:
    (found,) = probe(app, routes=routes).routes
    return found


def broken(found: RouteReport) -> set[str]:
    return {verdict.invariant for verdict in found.verdicts if verdict.holds is False}


@pytest.mark.parametrize(
    ("make", "talk"),
    [(sanic, echoes), (mach9, answers_slowly), (sanic, tells_its_room)],
    ids=lambda value: value.__name__,
)
def test_nobody_sound_is_accused(make: Callable[[Talk], Any], talk: Talk) -> None:
    report = probe(make(talk))
    (found,) = report.routes
    assert (found.route.name, found.takes) == ("WEBSOCKET /chat", ["text", "json", "binary"])
    assert not found.broken and not report.unchecked
    assert "conversations compared" in probe_report.as_text(report)


@pytest.mark.long
def test_an_application_without_a_table_and_messages_that_are_refused() -> None:
    found = probed(asgi(takes_json), "WEBSOCKET /anything/{room}")
    assert found.takes == ["json"]
    assert set(found.refuses.values()) == {1011}
    assert not found.broken and not found.unchecked


@pytest.mark.parametrize(
    ("make", "talk", "invariant"),
    [
        (sanic, takes_two_for_one, CUTS),
        (mach9, keeps_the_dead_in_its_room, DISCONNECT),
        (asgi, has_four_places, DISCONNECT),
        (mach9, never_ends, ENDS),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_each_fault_is_found_with_a_test_that_fails(
    make: Callable[[Talk], Any], talk: Talk, invariant: str
) -> None:
    found = probed(make(talk), "WEBSOCKET /chat")
    assert broken(found) == {invariant}
    (counterexample,) = [one.counterexample for one in found.verdicts if one.counterexample is not None]
    assert counterexample.advice
    assert "WEBSOCKET /chat" in str(counterexample)
    program = counterexample.as_test("it", "")
    scope: dict[str, Any] = {"app": make(talk)}
    exec(program, scope)
    with pytest.raises((AssertionError, TimeoutError, WebSocketClosed)):
        scope["test_it"]()
    if invariant in (CUTS, ENDS):
        scope["app"] = make(echoes)
        scope["test_it"]()


@pytest.mark.long
def test_what_conversations_leave_is_found() -> None:
    found = probed(sanic(keeps_what_it_heard))
    assert broken(found) == {LEFTOVERS}


def test_a_body_of_the_user_is_a_text_or_a_binary_message() -> None:
    (found,) = probe(sanic(echoes), samples=[("hello", "né".encode())]).routes
    assert found.takes == ["hello", "hello"]


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
def test_frames_are_those_of_the_rfc(size: int) -> None:
    """RFC 6455 §5.2: the length has 7, 16 or 64 bits; a client masks."""
    made = frame(0x2, bytes(size), True)
    head = 6 + (0 if size < 126 else 2 if size < 65536 else 8)
    assert len(made) == head + size
    assert made[0] == 0x82 and made[1] & 0x80
    key = made[head - 4 : head]
    assert made[head : head + 8] == (key * 2)[: min(size, 8)]


def test_a_message_is_divided_into_frames() -> None:
    whole = Conversation("WEBSOCKET", "/", body=b"abc", chunks=(0, 1), pings=True)
    frames = [frame(0x1, b"", False), frame(0x0, b"a", False), frame(0x0, b"bc", True)]
    assert whole.message() == frame(0x9, b"?", True).join(frames)
    assert whole.framed() == whole.message() * 2
    assert repr(whole) == "WEBSOCKET /: 'abc', twice, in frames that end at [0, 1, 3], Pings between"
