"""WebSockets of the client in memory: messages in both directions, fragments, cuts, ends and refusals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from streamcompat.testing import Client, TestClient, WebSocketClosed, WebSocketRejected


def flavour(app: Any) -> Any:
    """`/echo` answers each message, and closes with 4000 at "bye"; `/` is no WebSocket."""

    @app.websocket("/echo", subprotocols=["two"])
    async def echo(request: Any, socket: Any) -> None:
        while (message := await socket.recv()) != "bye":
            await socket.send(message)
        await socket.close(4000, "gone")

    return app


def sanic() -> Any:
    return flavour(Sanic("testing_websocket_sanic"))


def mach9() -> Any:
    return flavour(Mach9("testing_websocket_mach9"))


def asgi() -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await send({"type": "http.response.start", "status": 404, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        if scope["type"] != "websocket":
            return
        await receive()
        if scope["path"] != "/echo":
            await send({"type": "websocket.close"})
            return
        chosen = "two" if "two" in scope["subprotocols"] else None
        await send({"type": "websocket.accept", "subprotocol": chosen})
        while (message := await receive())["type"] == "websocket.receive":
            if message.get("text") == "bye":
                await send({"type": "websocket.close", "code": 4000, "reason": "gone"})
                return
            message["type"] = "websocket.send"
            await send(message)

    return app


every_app = pytest.mark.parametrize("make", [sanic, mach9, asgi])


@every_app
@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_messages_in_both_directions(make: Callable[[], Any], backend: str) -> None:
    with TestClient(make(), backend=backend) as client:
        with client.websocket("/echo", subprotocols=["one", "two"]) as socket:
            assert socket.subprotocol == "two"
            socket.ping(b"still there?")
            for message in ("text é", b"bytes \x00\xff", "", b""):
                socket.send(message)
                assert socket.receive() == message
            socket.send("bye")
            with pytest.raises(WebSocketClosed) as closed:
                socket.receive()
            assert (closed.value.code, closed.value.reason) == (4000, "gone")
            with pytest.raises(WebSocketClosed):
                socket.send("after the end")


@settings(deadline=None, max_examples=25)
@given(
    message=st.text("aé€😀", max_size=6) | st.binary(max_size=6),
    fragments=st.lists(st.integers(0, 7), max_size=4),
    cuts=st.lists(st.integers(0, 60), max_size=6),
)
def test_no_fragment_and_no_cut_changes_a_message(
    message: str | bytes, fragments: list[int], cuts: list[int]
) -> None:
    with TestClient(asgi()) as client, client.websocket("/echo") as socket:
        socket.send(message, fragments, cuts)
        assert socket.receive() == message


@every_app
def test_the_client_closes(make: Callable[[], Any]) -> None:
    with TestClient(make()) as client, client.websocket("/echo") as socket:
        socket.send("dropped")
        socket.close(1000, "enough")
        with pytest.raises(WebSocketClosed) as closed:
            socket.receive()
        assert closed.value.code == 1000


@every_app
def test_what_is_refused(make: Callable[[], Any]) -> None:
    with TestClient(make()) as client:
        with pytest.raises(WebSocketRejected) as refused, client.websocket("/none"):
            pass
        assert refused.value.status in (403, 404)
        assert str(refused.value) == f"the WebSocket was refused with {refused.value.status}"


def test_a_frame_that_breaks_the_protocol() -> None:
    with TestClient(sanic()) as client, client.websocket("/echo") as socket:
        socket.send_raw(b"\x81\x01a")  # RFC 6455 §5.1: a client masks
        with pytest.raises(WebSocketClosed) as closed:
            socket.receive()
        assert closed.value.code == 1002


def test_a_connection_that_is_lost() -> None:
    with TestClient(asgi()) as client, client.websocket("/echo") as socket:
        socket.disconnect()
        with pytest.raises(WebSocketClosed) as closed:
            socket.send("a")
        assert closed.value.code == 1006


@pytest.mark.anyio
async def test_the_same_with_a_loop() -> None:
    async with Client(sanic()) as client, client.websocket("/echo") as socket:
        await socket.send("one", fragments=[1])
        assert await socket.receive() == "one"
        assert [one.ended for one in socket.connection.exchanges] == [False]
        await socket.close()
        await client.settle()
        assert [one.ended for one in socket.connection.exchanges] == [True]
