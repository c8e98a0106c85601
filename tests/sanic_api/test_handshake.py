"""A WebSocket's handshake that a library does in a handler of its own, by `request.transport`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from streamcompat.sanic_api import Sanic, compat
from streamcompat.sanic_api.exceptions import InvalidUsage
from streamcompat.sanic_api.request import Request
from streamcompat.sanic_api.response import text
from streamcompat.sanic_api.websocket import ConnectionClosed
from tests.asgi.test_asgi_websocket import Socket
from tests.support.clients import get
from tests.support.frames import handshake
from tests.support.servers import Gate
from tests.support.websocket_clients import code_of, open_, serving


async def shake(request: Any, subprotocols: Any = None) -> Any:
    return await request.transport.get_protocol().websocket_handshake(request, subprotocols)


def fail() -> None:
    raise ZeroDivisionError


ENDS: dict[str, tuple[Callable[[], Any], tuple[int, str]]] = {
    "a response": (lambda: text("nobody gets this"), (1000, "")),
    "nothing": (lambda: None, (1000, "")),
    "what is no response": (lambda: 5, (1000, "")),
    "a failure": (fail, (1011, "")),
}


class Wraps(Sanic):
    """An app that overrides what is called for each request."""

    async def handle_request(self, request: Any, *callbacks: Any) -> None:
        await super().handle_request(request, *callbacks)


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("kind", [Sanic, Wraps])
def test_the_end_of_the_handler_is_that_of_the_connection(kind: Any, end: str) -> None:
    app, (returns, code), told = kind("app", load_env=False), ENDS[end], []

    @app.route("/", methods=["GET", "POST"])
    async def feed(request: Any) -> Any:
        ws = await shake(request)
        await ws.send((await ws.recv())[::-1])
        return returns()

    @app.middleware("response")
    async def after(request: Any, response: Any) -> None:
        response.headers["x-a"] = "b"

    @app.exception(ZeroDivisionError)
    def divided(request: Any, exception: Any) -> Any:
        told.append(request.path)
        return text("nobody gets this either")

    with serving(app) as served, open_(served) as client:
        client.send("abc")
        assert client.recv() == "cba"
        assert code_of(client) == code
        served.until_empty()
    assert told == (["/"] if end == "a failure" else [])


def test_on_each_driver_a_client_that_leaves_is_told_to_the_handler(app: Sanic, driver: str) -> None:
    ended: list[Any] = []

    @app.get("/")
    async def feed(request: Any) -> Any:
        ws = await shake(request, ["b", "c"])
        await ws.send(str(ws.subprotocol))
        try:
            await ws.recv()
        except ConnectionClosed as error:
            ended.append(error.code)
            raise

    with serving(app, driver) as served:
        with open_(served, subprotocols=["a", "c"]) as client:
            assert client.recv() == "c" == client.subprotocol
            client.close(3001, "why")
        served.until_empty()
    assert ended == [3001]


def test_a_stop_closes_it_with_1001(app: Sanic, driver: str) -> None:
    ended: list[int] = []
    gate = Gate()

    @app.get("/")
    async def feed(request: Any) -> Any:
        ws = await shake(request)
        await gate.wait()
        try:
            await ws.recv()
        except ConnectionClosed as error:
            ended.append(error.code)

    with serving(app, driver) as served:
        with open_(served) as client:
            gate.until_reached()
            gate.open()
            served.server.stop()
            assert code_of(client) == (1001, "")
        served.until_ended()
    assert ended == [1001]


def test_what_is_no_handshake_is_refused_and_the_handler_may_answer(app: Sanic) -> None:
    @app.get("/plain")
    async def plain(request: Any) -> Any:
        await shake(request)

    @app.get("/both")
    async def both(request: Any) -> Any:
        try:
            await shake(request)
        except InvalidUsage as error:
            return text(f"over HTTP: {error}")

    with serving(app) as served, served.connect() as client:
        for target, expected in [
            ("/plain", (400, b"Error: Invalid websocket request")),
            ("/both", (200, b"over HTTP: Invalid websocket request")),
        ]:
            client.send(get(target))
            answer = client.response()
            assert (answer.status, answer.body) == expected
        client.send(handshake(target="/plain").replace(b"Version: 13", b"Version: 99"))
        assert client.response().status == 426


def test_twice_is_an_error_of_the_app(app: Sanic) -> None:
    @app.get("/")
    async def feed(request: Any) -> Any:
        await shake(request)
        with pytest.raises(Exception, match="response|HTTP"):
            await shake(request)
        return text("")

    with serving(app) as served, open_(served) as client:
        assert code_of(client) == (1000, "")


@pytest.mark.anyio
async def test_behind_an_asgi_server(app: Sanic) -> None:
    async def feed(request: Any) -> Any:
        ws = await shake(request)
        await ws.send((await ws.recv())[::-1])
        return text("nobody gets this")

    app.add_route(feed, "/")
    socket = await Socket("/", "abc").ask(app)
    assert [message["type"] for message in socket.sent] == [
        "websocket.accept",
        "websocket.send",
        "websocket.close",
    ]
    assert (socket.sent[1]["text"], socket.sent[2]["code"]) == ("cba", 1000)


def test_the_transport_is_that_of_the_connection(app: Sanic) -> None:
    compat("21.12")
    seen: list[Any] = []

    @app.get("/")
    async def index(request: Any) -> Any:
        request.conn_info.ctx.count = getattr(request.conn_info.ctx, "count", 0) + 1
        seen.append(request.transport)
        return text(f"{request.transport.get_extra_info('peername')[0]} {request.conn_info.ctx.count}")

    with serving(app) as served, served.connect() as client:
        for count in (1, 2):
            client.send(get("/"))
            assert client.response().body == b"127.0.0.1 %d" % count
    assert seen[0] == seen[1] and len(set(seen)) == 1 and seen[0] != object()
    made = object()
    assert Request(b"/", {}, transport=made).transport is made
