"""One WebSocket of an ASGI application: each rule of the specification, over sockets on every driver."""

from __future__ import annotations

from typing import Any

import anyio
import anyio.lowlevel
import pytest

from streamcompat.asgi_api import ClientGone
from streamcompat.asgi_api.errors import UnexpectedMessage
from tests.support.asgi_apps import Told, without_lifespan
from tests.support.clients import get, request
from tests.support.servers import PATIENCE, Gate, every_driver
from tests.support.websocket_clients import code_of, open_, serving

ACCEPT = {"type": "websocket.accept"}
HANDSHAKE = (
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
)


async def echo(scope: Any, receive: Any, send: Any) -> None:
    assert await receive() == {"type": "websocket.connect"}
    await send({**ACCEPT, "headers": [(b"x-own", b"1")], "subprotocol": (scope["subprotocols"] or [None])[0]})
    while (message := await receive())["type"] == "websocket.receive":
        await send({**message, "type": "websocket.send"})


@every_driver
def test_messages_go_both_ways(driver: str) -> None:
    with serving(without_lifespan(echo), driver) as served:
        with open_(served, subprotocols=["one", "two"]) as client:
            assert client.subprotocol == "one"
            assert client.response.headers["x-own"] == "1"
            for message in ("text", b"bytes", "", b"", "é" * 100_000, bytes(300_000)):
                client.send(message)
                assert client.recv(PATIENCE) == message


@every_driver
@pytest.mark.parametrize(("code", "reason"), [(1000, ""), (4001, "why"), (1001, "")])
def test_the_client_closes(driver: str, code: int, reason: str) -> None:
    told = Told()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        told.tell(await receive())
        told.tell(await receive())
        try:
            await send({"type": "websocket.send", "text": "late"})
        except OSError as error:
            told.tell(error)

    with serving(without_lifespan(app), driver) as served:
        with open_(served) as client:
            client.close(code, reason)
        end = {"type": "websocket.disconnect", "code": code, "reason": reason}
        assert [told.next(), told.next()] == [end, end]
        assert isinstance(told.next(), ClientGone)


@every_driver
def test_the_client_vanishes(driver: str) -> None:
    told = Told()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        if scope["path"] == "/open":
            await send(ACCEPT)
        told.tell("waits")
        told.tell(await receive())

    with serving(without_lifespan(app), driver) as served:
        for target in ("/", "/open"):
            with served.connect() as client:
                client.send(get(target, *HANDSHAKE))
                assert told.next() == "waits"
                client.reset()
            assert told.next() == {"type": "websocket.disconnect", "code": 1006, "reason": ""}
        served.until_empty()


@every_driver
@pytest.mark.parametrize(
    ("messages", "error", "code", "logged"),
    [
        ([{"type": "websocket.close", "code": 4000, "reason": "bye"}], None, (4000, "bye"), ()),
        ([{"type": "websocket.close"}], None, (1000, ""), ()),
        ([], None, (1000, ""), ()),
        ([], ValueError("on purpose"), (1011, ""), ("WebSocket / failed",)),
        ([{"type": "websocket.close"}] * 2, None, (1000, ""), ("WebSocket / failed",)),
    ],
)
def test_the_application_ends(driver: str, messages: Any, error: Any, code: Any, logged: Any) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        for message in messages:
            await send(message)
        if error is not None:
            raise error

    with serving(without_lifespan(app), driver, logged=logged) as served, open_(served) as client:
        assert code_of(client) == code


@every_driver
@pytest.mark.parametrize(
    ("messages", "status", "text", "logged"),
    [
        ([{"type": "websocket.close"}], 403, b"", ()),
        (
            [
                {"type": "websocket.http.response.start", "status": 401, "headers": [(b"x-a", b"1")]},
                {"type": "websocket.http.response.body", "body": b"a", "more_body": True},
                {"type": "websocket.http.response.body", "body": b"b"},
            ],
            401,
            b"ab",
            (),
        ),
        ([], 500, b"Internal Server Error\n", ("without an answer to the handshake",)),
        ([{"type": "websocket.send", "text": "a"}], 500, b"Internal Server Error\n", ("failed",)),
        ([{**ACCEPT, "subprotocol": "x"}], 500, b"Internal Server Error\n", ("failed",)),
        ([{**ACCEPT, "headers": [(b"upgrade", b"x")]}], 500, b"Internal Server Error\n", ("failed",)),
        (
            [{"type": "websocket.http.response.start", "status": 401}],
            500,
            b"Internal Server Error\n",
            ("without an answer to the handshake",),
        ),
    ],
)
def test_a_handshake_that_is_refused(
    driver: str, messages: Any, status: int, text: bytes, logged: Any
) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["extensions"] == {"websocket.http.response": {}}
        await receive()
        for message in messages:
            await send(message)

    with serving(without_lifespan(app), driver, logged=logged) as served, served.connect() as client:
        client.send(get("/", *HANDSHAKE))
        response = client.response()
        assert (response.status, b"".join(response.chunks)) == (status, text)


def test_a_refusal_in_one_message_has_a_length() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 401})
        await send({"type": "websocket.http.response.body", "body": b"no"})

    with serving(without_lifespan(app)) as served, served.connect() as client:
        client.send(get("/", *HANDSHAKE))
        response = client.response()
        assert (response.status, response.field(b"content-length"), response.body) == (401, [b"2"], b"no")


BAD = [
    ({}, UnexpectedMessage),
    (None, UnexpectedMessage),
    ({"type": "websocket.send"}, ValueError),
    ({"type": "websocket.send", "text": "a", "bytes": b"a"}, ValueError),
    ({"type": "websocket.send", "text": b"a"}, TypeError),
    ({"type": "websocket.send", "bytes": "a"}, TypeError),
    ({"type": "websocket.close", "code": 1006}, ValueError),
    ({"type": "websocket.close", "reason": "a" * 200}, ValueError),
    (ACCEPT, UnexpectedMessage),
    ({"type": "http.response.start", "status": 200}, UnexpectedMessage),
]


@pytest.mark.parametrize(("message", "error"), BAD)
def test_a_message_that_may_not_be_sent_is_an_error(message: Any, error: type[Exception]) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        with pytest.raises(error):
            await send(message)
        await send({"type": "websocket.send", "text": "goes on"})

    with serving(without_lifespan(app)) as served, open_(served) as client:
        assert client.recv(PATIENCE) == "goes on"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"Sec-WebSocket-Version": "12"}, 426),
        ({"Sec-WebSocket-Key": "short"}, 400),
        ({"Upgrade": "h2c"}, 200),
    ],
)
def test_what_is_no_handshake(change: dict[str, str], status: int) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "http"
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body"})

    fields = dict(line.split(": ") for line in HANDSHAKE) | change
    with serving(without_lifespan(app)) as served, served.connect() as client:
        client.send(request("GET", "/", *(f"{name}: {value}" for name, value in fields.items())))
        assert client.response().status == status


@every_driver
def test_a_stop_of_the_server_closes_with_1001(driver: str) -> None:
    told = Told()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        told.tell(await receive())

    with serving(without_lifespan(app), driver) as served, open_(served) as client:
        served.server.stop()
        assert code_of(client) == (1001, "")
        assert told.next()["code"] == 1001


@every_driver
def test_messages_that_compress_well_do_not_hold_up_other_tasks(driver: str) -> None:
    told = Told()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                await anyio.lowlevel.checkpoint()
                turns += 1

        await receive()
        await send(ACCEPT)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            for _ in range(40):
                await send({"type": "websocket.send", "bytes": bytes(65536)})
            told.tell(turns)
            tasks.cancel_scope.cancel()

    with serving(without_lifespan(app), driver) as served, open_(served) as client:
        for _ in range(40):  # a client that leaves some unread waits in vain for the answer to its Close
            assert client.recv(PATIENCE) == bytes(65536)
        assert told.next() >= 5


@every_driver
def test_messages_that_came_before_a_close_are_given(driver: str) -> None:
    told, gate = Told(), Gate()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send(ACCEPT)
        await gate.wait()
        for _ in range(4):
            told.tell(await receive())

    with serving(without_lifespan(app), driver) as served:
        with open_(served) as client:
            client.send("a")
            client.send(b"b")
            client.socket.sendall(b"\x88\x80abcd")  # a Close without a code, masked
            gate.open()
            assert [told.next().get(key) for key in ("text", "bytes")] == ["a", b"b"]
            assert [told.next()["code"] for _ in range(2)] == [1005, 1005]
