"""What holds for any ASGI application and for any client, by Hypothesis, in memory."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
from hypothesis import given
from hypothesis import strategies as st

from streamcompat.asgi_api import ASGIApp
from streamcompat_engine import Limits, MemoryTransport, Service, Timeouts, VirtualClock
from tests.support.asgi_apps import START, body
from tests.support.clients import post, post_chunks, request
from tests.support.responses import ResponseReader

MESSAGES = st.sampled_from(
    [
        START,
        {**START, "status": 204},
        {**START, "status": 304},
        {**START, "status": 99},
        {**START, "status": 200, "trailers": True},
        {**START, "headers": [(b"content-length", b"3")]},
        {**START, "headers": [(b"content-length", b"0")]},
        {**START, "headers": [(b"connection", b"close")]},
        {**START, "headers": [(b"transfer-encoding", b"gzip, chunked")]},
        {**START, "headers": [(b"bad name", b"1")]},
        {"type": "http.response.start"},
        body(b"abc"),
        body(b"abc", more=False),
        body(b""),
        body(b"", more=False),
        body("text"),
        {"type": "http.response.body"},
        {"type": "http.response.trailers", "headers": [(b"x-t", b"1")]},
        {"type": "http.response.trailers", "headers": [(b"content-length", b"1")], "more_trailers": True},
        {"type": "http.response.early_hint", "links": [b"</a>; rel=preload"]},
        {"type": "http.response.early_hint", "links": ["text"]},
        {"type": "websocket.accept"},
        {"type": None},
        {},
    ]
)
REQUESTS = [
    (request("GET", "/"), "GET"),
    (request("HEAD", "/"), "HEAD"),
    (post(b"abcdef"), "GET"),
    (post_chunks([b"abc", b"def"]), "GET"),
    (request("GET", "/", version="1.0"), "GET"),
]


async def talk(app: Any, pieces: list[bytes], methods: str) -> tuple[bytes, bool]:
    """What the application puts on the wire for a client that sends these pieces and then ends; and whether
    the connection was reset."""
    clock = VirtualClock()
    hosted = ASGIApp(app)
    service = Service(hosted.handle, Limits(), Timeouts(linger=1))
    wire = b""
    async with anyio.create_task_group() as tasks:
        transport = MemoryTransport(service, clock, tasks)
        client = transport.client
        for piece in pieces:
            if transport.connected:
                await client.send(piece)
        await anyio.wait_all_tasks_blocked()
        clock.advance(20)
        while client.waiting:
            wire += await client.receive()
        client.disconnect()
    return wire, client.reset


def run(function: Callable[..., Any], *arguments: Any) -> Any:
    return anyio.run(function, *arguments, backend="asyncio")


def judge(wire: bytes, reset: bool, method: str) -> Any:
    """The response on the wire, which must be legal as far as it came."""
    reader = ResponseReader(method)
    reader.feed(wire)
    if not reader.over:
        reader.feed(b"")
    response = reader.response
    assert response.status, wire
    if response.complete:
        assert not reader.rest
    return response


@given(
    sent=st.integers(0, len(REQUESTS) - 1),
    messages=st.lists(MESSAGES, max_size=6),
    swallows=st.booleans(),
    reads=st.booleans(),
)
def test_any_sequence_is_legal_cut_or_an_error(
    sent: int, messages: list[Any], swallows: bool, reads: bool
) -> None:
    wire, method = REQUESTS[sent]
    accepted: list[Any] = []
    errors: list[Exception] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if reads:
            while (await receive()).get("more_body"):
                pass
        for message in messages:
            try:
                await send(message)
            except Exception as error:
                errors.append(error)
                if not swallows:
                    raise
            else:
                accepted.append(message)

    got, reset = run(talk, app, [wire], method)
    response = judge(got, reset, method)
    data = b"".join(response.chunks)
    ended = [one for one in accepted if one["type"] == "http.response.body" and not one.get("more_body")]
    # A head without a body, and a body of its declared length, are complete as they are; a cut that no
    # framing shows is a reset.
    framed = response.field(b"transfer-encoding") or sent == 4
    if response.complete and not reset and framed and method == "GET" and response.status == 200:
        assert ended, "a response is complete only if the application has ended it"
    if ended and not errors and not any(one.get("trailers") for one in accepted):
        assert response.complete and not reset
    if response.status == 200 and method == "GET":
        assert b"".join(one.get("body", b"") for one in accepted[1:] if "body" in one).startswith(data)
    for error in errors:
        assert str(error), repr(error)


@given(cuts=st.lists(st.integers(1, 160), max_size=6), chunked=st.booleans())
def test_any_cut_of_a_request_is_the_same_body(cuts: list[int], chunked: bool) -> None:
    data = bytes(range(100))
    wire = post_chunks([data[:7], data[7:8], data[8:]]) if chunked else post(data)
    places = sorted({0, *(place for place in cuts if place < len(wire)), len(wire)})
    pieces = [wire[begin:end] for begin, end in zip(places, places[1:], strict=False)]
    bodies: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got, more = b"", True
        while more:
            message = await receive()
            got, more = got + message["body"], message["more_body"]
        bodies.append(got)
        await send(START)
        await send(body(got, more=False))

    got, _ = run(talk, app, pieces, "GET")
    assert bodies == [data]
    assert judge(got, False, "GET").chunks == [data]
