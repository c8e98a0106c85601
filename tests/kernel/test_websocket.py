"""A WebSocket as a handler sees it, over real sockets, with the websockets library as the client."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import websockets

from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.sanic_api.websocket import (
    ConnectionClosed,
    WebSocketCommonProtocol,
    WebSocketConnection,
    WebSocketProtocol,
)
from streamcompat_engine import Timeouts
from tests.support.commands import run_python
from tests.support.frames import handshake
from tests.support.servers import PATIENCE, Gate, eventually
from tests.support.websocket_clients import code_of, open_, serving

# ---- messages ----


def test_messages_of_both_kinds_and_an_end(app: Sanic, driver: str) -> None:
    ended: list[str] = []

    @app.websocket("/feed/<name>")
    async def feed(request: Any, ws: Any, name: str) -> None:
        assert isinstance(ws, WebSocketCommonProtocol) and ws.open and not ws.closed
        assert request.scheme == "ws" and request.match_info == {"name": name}
        assert ws.remote_address == request.socket and ws.local_address is not None
        await ws.send(name)
        async for message in ws:
            assert type(message) in (str, bytes)
            await ws.send(message)
        assert (ws.close_code, ws.close_reason, ws.open, ws.closed) == (1000, "bye", False, True)
        ended.append(repr(ws))

    with serving(app, driver) as served:
        with open_(served, "/feed/news?x=1") as client:
            assert client.recv() == "news"
            for message in ("héllo", b"\x00\xff", "", b"", "x" * 1_000_000):
                client.send(message)
                assert client.recv() == message
            client.send(["in ", "three ", "frames"])
            assert client.recv() == "in three frames"
            client.close(1000, "bye")
        served.until_empty()
    assert ended == ["<WebSocketConnection closed 1000>"]
    assert app.websocket_enabled and app.websocket_tasks == set()


def test_what_can_be_sent(app: Sanic) -> None:
    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        await ws.send(bytearray(b"array"))
        await ws.send(memoryview(b"view"))
        for wrong in (1, None, ["a"], {"a": 1}):
            with pytest.raises(TypeError, match="str or bytes"):
                await ws.send(wrong)
        with pytest.raises(UnicodeEncodeError):
            await ws.send("\ud800")
        await ws.send("sound")

    with serving(app) as served, open_(served) as client:
        assert [client.recv(), client.recv(), client.recv()] == [b"array", b"view", "sound"]
        assert code_of(client) == (1000, "")


def test_pings_both_ways(app: Sanic, driver: str) -> None:
    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        first = await ws.ping()
        second = await ws.ping("named")
        with pytest.raises(ValueError):
            await ws.ping(b"named")
        await second
        assert first.done() and second.done()
        await first
        await ws.pong(b"unasked")
        await ws.send("answered")
        await ws.recv()

    with serving(app, driver) as served, open_(served) as client:
        assert client.recv() == "answered"
        assert client.ping().wait(PATIENCE)


def test_a_ping_that_is_never_answered_fails_with_the_connection(app: Sanic) -> None:
    ended: list[int] = []

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        try:
            await (await ws.ping())
        except ConnectionClosed as closed:
            ended.append(closed.code)

    with serving(app) as served:
        with served.connect() as client:
            client.send(handshake())
            assert client.receive()
        served.until_empty()
    assert ended == [1006]


def test_a_read_that_is_given_up_loses_nothing(app: Sanic) -> None:
    """The way old handlers looked after silent clients: a timeout, a ping, and on."""
    gate = Gate()

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(ws.recv(), timeout=0.01)
        await asyncio.wait_for(await ws.ping(), timeout=PATIENCE)
        await gate.wait()
        await ws.send(await asyncio.wait_for(ws.recv(), timeout=PATIENCE))

    with serving(app) as served, open_(served) as client:
        gate.until_reached()
        client.send("kept")
        gate.open()
        assert client.recv() == "kept"


def test_one_task_reads_while_another_writes(app: Sanic) -> None:
    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        lines: asyncio.Queue[Any] = asyncio.Queue()

        async def read() -> None:
            async for message in ws:
                lines.put_nowait(message)
            lines.put_nowait(None)

        async def write() -> None:
            while (line := await lines.get()) is not None:
                await ws.send(line.upper())

        await asyncio.gather(read(), write())

    with serving(app) as served, open_(served) as client:
        for number in range(100):
            client.send(f"line {number}")
        assert [client.recv() for _ in range(100)] == [f"LINE {number}" for number in range(100)]


# ---- the end ----


def test_a_close_of_the_clients_reaches_reads_and_writes(app: Sanic, driver: str) -> None:
    ended: list[Any] = []
    gate = Gate()

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        await gate.wait()
        await ws.wait_closed()
        assert await ws.recv() == "before"
        for use in (ws.recv, lambda: ws.send("x"), ws.ping, ws.pong):
            with pytest.raises(ConnectionClosed) as closed:
                await use()
            ended.append((closed.value.code, closed.value.reason))
        ended.append(str(closed.value))
        await ws.close(4000, "does nothing any more")
        with pytest.raises(ConnectionClosed):
            async for _ in ws:
                pass
        raise closed.value  # which is no failure of the handler's

    with serving(app, driver) as served:
        with open_(served) as client:
            gate.until_reached()
            client.send("before")
            client.close(3001, "why")
        gate.open()
        served.until_empty()
    text_ = "WebSocket connection is closed: code = 3001 (registered), reason = why"
    assert ended == [(3001, "why")] * 4 + [text_]


def test_a_close_of_the_handlers(app: Sanic, driver: str) -> None:
    ended: list[Any] = []

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        with pytest.raises(ValueError):
            await ws.close(1006)
        assert ws.open
        await ws.close(code=4001, reason="enough")
        ended.append((ws.closed, ws.close_code))
        with pytest.raises(ConnectionClosed):
            await ws.send("x")

    with serving(app, driver) as served, open_(served) as client:
        assert code_of(client) == (4001, "enough")
        served.until_empty()
    assert ended == [(True, 4001)]


def test_a_handler_that_returns_or_is_cancelled_by_its_own_doing(app: Sanic) -> None:
    @app.websocket("/returns")
    async def returns(request: Any, ws: Any) -> None:
        pass

    @app.websocket("/cancelled")
    async def cancelled(request: Any, ws: Any) -> None:
        task = asyncio.ensure_future(asyncio.sleep(1000))
        task.cancel()
        await task

    @app.websocket("/plain")
    def plain(request: Any, ws: Any) -> None:
        pass

    with serving(app) as served:
        for target in ("/returns", "/cancelled", "/plain"):
            with open_(served, target) as client:
                assert code_of(client) == (1000, "")


def test_a_handler_that_fails_is_1011_and_told_to_the_exception_handlers(app: Sanic, driver: str) -> None:
    told: list[Any] = []

    @app.exception(ZeroDivisionError)
    def divided(request: Any, exception: Any) -> Any:
        told.append((request.path, type(exception)))
        return text("nobody gets this")

    @app.websocket("/handled")
    async def handled(request: Any, ws: Any) -> None:
        raise ZeroDivisionError

    @app.websocket("/unhandled")
    async def unhandled(request: Any, ws: Any) -> None:
        raise RuntimeError("as the test wants")

    logged = ("GET /unhandled on route /unhandled (",)
    with serving(app, driver, logged) as served:
        for target in ("/handled", "/unhandled"):
            with open_(served, target) as client:
                assert code_of(client) == (1011, "")
    assert told == [("/handled", ZeroDivisionError)]


def test_a_task_group_that_fails_for_the_close_alone_is_no_failure(app: Sanic, driver: str) -> None:
    ended: list[str] = []

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(ws.recv)
                group.start_soon(ws.recv)
        finally:
            ended.append("cleaned up")

    with serving(app, driver) as served:
        with open_(served) as client:
            client.close()
        served.until_empty()
    assert ended == ["cleaned up"]


def test_a_client_that_vanishes(app: Sanic, driver: str) -> None:
    ended: list[int] = []

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        try:
            while True:
                await ws.recv()
        except ConnectionClosed as closed:
            ended.append(closed.code)
            raise

    with serving(app, driver) as served:
        client = served.connect()
        client.send(handshake())
        assert client.receive()
        client.reset()
        served.until_empty()
    assert ended == [1006]


def test_the_exception_is_caught_by_the_name_that_the_websockets_library_has(app: Sanic) -> None:
    caught: list[Any] = []

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        try:
            await ws.recv()
        except websockets.exceptions.ConnectionClosed as closed:
            caught.append((closed.code, closed.reason, isinstance(closed, ConnectionClosed)))
            raise

    with serving(app) as served:
        with open_(served) as client:
            client.close(1001, "gone")
        served.until_empty()
    assert caught == [(1001, "gone", True)]


CATCHES = """
import sys
assert "websockets" not in sys.modules
{imports}
from streamcompat.kernel.websocket.connection import ConnectionClosed, closed

for _ in range(2):
    try:
        raise closed({code}, "why")
    except {name} as error:
        assert isinstance(error, ConnectionClosed) and (error.code, error.reason) == ({code}, "why")
        assert "code = {code}" in str(error)
"""


@pytest.mark.parametrize(
    ("imports", "name", "code"),
    [
        ("import websockets", "websockets.ConnectionClosed", 1000),
        ("import websockets", "websockets.ConnectionClosed", 1006),
        ("import websockets", "websockets.exceptions.ConnectionClosed", 1006),
        ("import websockets", "websockets.ConnectionClosedOK", 1000),
        ("import websockets", "websockets.ConnectionClosedOK", 1001),
        ("import websockets", "websockets.ConnectionClosedError", 1006),
        ("import websockets", "websockets.WebSocketException", 1011),
        ("import websockets as ws", "(ValueError, ws.ConnectionClosed)", 1005),
        ("from websockets import ConnectionClosed as C", "C", 4000),
        ("from websockets.exceptions import ConnectionClosed as C", "C", 1000),
        ("sys.modules['websockets'] = sys", "ConnectionClosed", 1000),  # another module of that name
        ("", "ConnectionClosed", 1000),
    ],
)
def test_the_first_close_is_caught_by_any_name_of_the_library(
    tmp_path: Path, imports: str, name: str, code: int
) -> None:
    """In a process of its own: the library imports its exceptions when somebody names one."""
    script = tmp_path / "catches.py"
    script.write_text(CATCHES.format(imports=imports, name=name, code=code))
    ended = run_python(str(script), cwd=tmp_path)
    assert ended.returncode == 0, ended.stderr


# ---- the server's end ----


def test_a_stop_cancels_the_handlers_and_closes_with_1001(app: Sanic, driver: str) -> None:
    ended: list[str] = []
    gate = Gate()

    @app.websocket("/reads")
    async def reads(request: Any, ws: Any) -> None:
        try:
            await ws.recv()
        finally:
            ended.append("reads")

    @app.websocket("/waits")
    async def waits(request: Any, ws: Any) -> None:
        try:
            await gate.wait()
        finally:
            ended.append("waits")

    with serving(app, driver) as served:
        with open_(served, "/reads") as first, open_(served, "/waits") as second:
            gate.until_reached()
            eventually(lambda: len(app.websocket_tasks) == 2, "both are served")
            served.server.stop()
            assert code_of(first) == code_of(second) == (1001, "")
            first.close()
            second.close()
        served.until_ended()
    assert sorted(ended) == ["reads", "waits"]
    assert app.websocket_tasks == set()


def test_a_stopped_handler_on_asyncio_may_clean_up_and_say_goodbye(app: Sanic) -> None:
    """It is cancelled once, as a task is in asyncio, and goes on from there."""
    gate = Gate()

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        try:
            await gate.wait()
        finally:
            await asyncio.sleep(0)
            await ws.send("goodbye")

    with serving(app) as served:
        with open_(served) as client:
            gate.until_reached()
            served.server.stop()
            assert client.recv() == "goodbye"
            assert code_of(client) == (1001, "")
        served.until_ended()


def test_a_client_that_does_not_answer_the_close_does_not_hold_the_server(app: Sanic, driver: str) -> None:
    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        await ws.recv()

    with serving(app, driver, grace=0.2) as served:
        with served.connect() as client:
            client.send(handshake())
            assert client.receive()
            served.server.stop()
            served.until_ended()


@pytest.mark.parametrize("kind", [Sanic, Mach9])
@pytest.mark.parametrize("sends", [False, True])
def test_a_peer_holds_a_stop_only_for_a_moment(kind: Any, sends: bool, driver: str) -> None:
    """It answers no Close, or does not even read. The grace is long, and the peer's other times longer."""
    app = kind("app", load_env=False)
    app.config.WEBSOCKET_PING_INTERVAL = None

    @app.websocket("/")
    async def feed(request: Any, ws: Any, *rest: Any) -> None:
        while sends:
            await ws.send("x" * 100_000)
        await ws.recv()

    grace = 10 * PATIENCE
    with serving(app, driver, grace=grace, timeouts=Timeouts(write_stall=grace, linger=grace)) as served:
        with served.connect(4096) as client:
            client.send(handshake())
            assert client.receive()
            if sends:
                (session,) = served.server._service.sessions
                eventually(lambda: session.blocked, "the peer is slow")
            served.server.stop()
            served.until_ended()


def test_the_names_that_apps_import() -> None:
    from streamcompat.mach9_api import websocket as mach9_websocket
    from streamcompat.mach9_api.response import WebsocketResponse

    assert WebSocketCommonProtocol is WebSocketConnection and WebSocketProtocol is not None
    assert mach9_websocket.WebSocketProtocol is not None
    response = WebsocketResponse(lambda channel: None, False)
    assert response.get_message() == {"accept": False}
