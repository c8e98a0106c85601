"""Routes of WebSockets, of both flavours: handshakes, what stands before them, settings, Mach9's words."""

from __future__ import annotations

import asyncio
import logging
import ssl
import threading
from typing import Any

import anyio
import anyio.lowlevel
import pytest
import trustme
import websockets

from streamcompat.kernel.websocket.routes import websocket_settings
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import text as mach9_text
from streamcompat.mach9_api.response import websocket
from streamcompat.sanic_api import Blueprint, Sanic
from streamcompat.sanic_api.response import text
from streamcompat.sanic_api.websocket import ConnectionClosed
from streamcompat.site import Site
from streamcompat_engine import WebSocketSettings
from tests.support.clients import get
from tests.support.frames import handshake
from tests.support.servers import PATIENCE, Gate, eventually, serve
from tests.support.websocket_clients import code_of, open_, serving


def test_subprotocols_are_the_first_of_the_clients_that_the_route_speaks(app: Sanic) -> None:
    async def feed(request: Any, ws: Any) -> None:
        await ws.send(str(ws.subprotocol))

    app.add_websocket_route(feed, "/some", subprotocols=["b", "c"])
    app.add_websocket_route(feed, "/none", name="none")
    with serving(app) as served:
        for target, offered, agreed in [
            ("/some", ["a", "c", "b"], "c"),
            ("/some", ["a"], None),
            ("/some", None, None),
            ("/none", ["a"], None),
        ]:
            with open_(served, target, subprotocols=offered) as client:
                assert client.subprotocol == agreed and client.recv() == str(agreed)


@pytest.mark.parametrize("kind", [Sanic, Mach9])
def test_what_is_no_handshake_is_answered_over_http(kind: Any) -> None:
    app = kind("app", load_env=False)

    async def feed(request: Any, ws: Any) -> None:
        raise AssertionError("nobody comes here")

    app.add_websocket_route(feed, "/")
    message = {Sanic: b"Invalid websocket request", Mach9: b"Invalid Handshake"}[kind]
    with serving(app) as served, served.connect() as client:
        client.send(get("/"))
        answer = client.response()
        assert (answer.status, answer.body) == (400, b"Error: " + message)
        client.send(handshake().replace(b"Version: 13", b"Version: 99"))
        answer = client.response()
        assert (answer.status, answer.body) == (426, b"Error: " + message)
        assert answer.headers[b"sec-websocket-version"] == b"13"
        assert answer.headers[b"upgrade"] == b"websocket"
        assert answer.headers[b"connection"].lower() == b"upgrade"
        client.send(handshake().replace(b"GET", b"POST"))
        assert client.response().status == 405
        client.send(handshake(target="/nowhere"))
        assert client.response().status == 404


def test_middleware_runs_before_the_handshake_and_may_answer(app: Sanic) -> None:
    seen: list[str] = []

    @app.middleware("request")
    async def check(request: Any) -> Any:
        request["user"] = request.args.get("user")
        return None if request["user"] else text("who are you?", status=401)

    @app.middleware("response")
    async def after(request: Any, response: Any) -> None:
        seen.append(f"{request.path} {response.status}")

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        await ws.send(request["user"])

    with serving(app) as served:
        with pytest.raises(websockets.InvalidStatus) as refused:
            open_(served)
        assert refused.value.response.status_code == 401
        assert refused.value.response.body == b"who are you?"
        with open_(served, "/?user=ann") as client:
            assert client.recv() == "ann"
    assert seen == ["/ 401"]  # a WebSocket has no response


def test_blueprints_hosts_versions_and_urls(app: Sanic) -> None:
    blueprint = Blueprint("bp", url_prefix="/bp")

    @blueprint.websocket("/feed", version=2)
    async def feed(request: Any, ws: Any) -> None:
        await ws.send(request.uri_template)

    async def other(request: Any, ws: Any) -> None:
        await ws.send(f"{request.host} {ws.subprotocol}")

    blueprint.add_websocket_route(other, "/other", "h.example", name="named", subprotocols=["x"])

    @app.websocket("strict/", None, True, ["p"], "strict")
    async def strict(request: Any, ws: Any) -> None:
        await ws.send(str(ws.subprotocol))

    app.blueprint(blueprint)
    assert app.url_for("bp.feed") == "/v2/bp/feed"
    assert app.url_for("bp.named") == "/bp/other"
    with serving(app) as served:
        with open_(served, "/v2/bp/feed") as client:
            assert client.recv() == "/v2/bp/feed"
        with pytest.raises(websockets.InvalidStatus):
            open_(served, "/bp/other")
        with served.connect() as raw:
            raw.send(
                handshake("Sec-WebSocket-Protocol: x", target="/bp/other").replace(b"test", b"h.example")
            )
            received = raw.receive()
            while b"h.example x" not in received:
                received += raw.receive()
        with open_(served, "/strict/", subprotocols=["p"]) as client:
            assert client.recv() == "p"
        with pytest.raises(websockets.InvalidStatus) as refused:
            open_(served, "/strict")
        assert refused.value.response.status_code == 404


def test_they_can_be_disabled(app: Sanic) -> None:
    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        raise AssertionError("nobody comes here")

    app.enable_websocket(False)
    logged = ("answered with a WebSocketResponse", "failed")
    with serving(app, logged=logged) as served, pytest.raises(websockets.InvalidStatus) as refused:
        open_(served)
    assert refused.value.response.status_code == 500


def test_over_tls(app: Sanic) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        await ws.send(request.scheme)
        async for message in ws:
            await ws.send(message)

    async def talk(url: str) -> None:
        # One thread: two at once in one TLS connection, as the blocking client has them, are not safe.
        options: dict[str, Any] = {"proxy": None, "open_timeout": PATIENCE, "close_timeout": PATIENCE}
        async with websockets.connect(url, ssl=trusting, **options) as client:
            assert await client.recv() == "wss"
            await client.send(b"x" * 300_000)
            assert await client.recv() == b"x" * 300_000

    with serving(app, ssl=context) as served:
        asyncio.run(talk(served.server.addresses[0].replace("https", "wss", 1)))
        served.until_empty()


def test_below_a_prefix_of_a_site(app: Sanic, mach9: Mach9) -> None:
    @app.websocket("/feed")
    async def feed(request: Any, ws: Any) -> None:
        await ws.send(f"{request.root_path} {request.path}")

    @mach9.get("/feed", websocket=True)
    async def feed9(request: Any) -> Any:
        return websocket(lambda channel: channel.send("mach9"))

    site = Site()
    site.mount(app, "/sanic")
    site.mount(mach9, "/mach9")
    with serve(site.handle, "asyncio", lifespan=site.lifespan()) as served:
        with open_(served, "/sanic/feed") as client:
            assert client.recv() == "/sanic /feed"
        with open_(served, "/mach9/feed") as client:
            assert client.recv() == "mach9"


def test_the_access_log_has_one_line_with_101_at_the_end(
    app: Sanic, caplog: pytest.LogCaptureFixture
) -> None:
    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        await ws.send("hello")

    with caplog.at_level(logging.INFO, logger="sanic.access"), serving(app) as served:
        with open_(served, compression=None) as client:
            assert client.recv() == "hello"
    (record,) = [one for one in caplog.records if one.name == "sanic.access"]
    assert (record.status, record.byte) == (101, 2 + 5)  # type: ignore[attr-defined]
    assert record.request.startswith("GET ws://")  # type: ignore[attr-defined]


def test_the_test_client_sees_the_handshake(app: Sanic) -> None:
    """As the tests of Sanic's own routes looked at it."""
    agreed: list[str | None] = []

    @app.websocket("/ws", subprotocols=["foo", "bar"])
    async def feed(request: Any, ws: Any) -> None:
        agreed.append(ws.subprotocol)

    fields = {
        "Upgrade": "websocket",
        "Connection": "upgrade",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version": "13",
    }
    for offer in ({}, {"Sec-WebSocket-Protocol": "baz, bar, foo"}):
        request, response = app.test_client.get("/ws", headers={**fields, **offer})
        assert response.status == 101 and request.path == "/ws"
    assert agreed == [None, "bar"]


# ---- settings ----


def test_the_settings_become_the_engines() -> None:
    config = Sanic("app", load_env=False).config
    assert websocket_settings(config) == WebSocketSettings()
    config.update(
        WEBSOCKET_MAX_SIZE="10",
        WEBSOCKET_MAX_QUEUE=None,
        WEBSOCKET_READ_LIMIT=5,
        WEBSOCKET_DEFLATE=False,
        WEBSOCKET_PING_INTERVAL=None,
        WEBSOCKET_PING_TIMEOUT="1.5",
    )
    assert websocket_settings(config) == WebSocketSettings(10, None, 5, False, None, 1.5)


def test_a_message_beyond_the_limit(app: Sanic, driver: str) -> None:
    app.config.WEBSOCKET_MAX_SIZE = 1000
    ended: list[int] = []

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        try:
            await ws.send(str(len(await ws.recv())))
            await ws.recv()
        except ConnectionClosed as closed:
            ended.append(closed.code)

    with serving(app, driver) as served, open_(served) as client:
        client.send("x" * 1000)
        assert client.recv() == "1000"
        client.send("x" * 1001)
        assert code_of(client)[0] == 1009
        served.until_empty()
    assert ended == [1009]


@pytest.mark.parametrize("deflate", [True, False])
def test_compression_is_agreed_to_unless_switched_off(app: Sanic, deflate: bool) -> None:
    app.config.WEBSOCKET_DEFLATE = deflate

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        async for message in ws:
            await ws.send(message)

    with serving(app) as served, open_(served) as client:
        assert bool(client.protocol.extensions) is deflate
        for message in ("x" * 100_000, b"\x00" * 100_000, "short"):
            client.send(message)
            assert client.recv() == message


def test_a_slow_handler_makes_a_fast_client_wait_and_loses_nothing(app: Sanic, driver: str) -> None:
    app.config.WEBSOCKET_MAX_QUEUE = 2
    gate = Gate()

    @app.websocket("/")
    async def feed(request: Any, ws: Any) -> None:
        await gate.wait()
        async for message in ws:
            await ws.send(str(len(message)))

    with serving(app, driver) as served, open_(served, compression=None) as client:
        sender = threading.Thread(target=lambda: [client.send(bytes(100_000)) for _ in range(200)])
        sender.start()
        gate.until_reached()
        (session,) = served.server._service.sessions
        eventually(lambda: session.reading_paused, "reading is paused")
        gate.open()
        assert [client.recv() for _ in range(200)] == ["100000"] * 200
        sender.join(PATIENCE)


# ---- Mach9's words ----


def test_mach9_messages_and_channel(mach9: Mach9, driver: str) -> None:
    seen: list[dict[str, Any]] = []

    @mach9.get("/feed/<name>", websocket=True)
    async def feed(request: Any, name: str) -> Any:
        with pytest.raises(RuntimeError):
            await request.stream.get()

        async def serve_it(channel: Any) -> None:
            await channel.send(name)
            while True:
                message = await request.stream.get()
                seen.append(message)
                if message["channel"] == "websocket.disconnect":
                    break
                await channel.send(message["text"] or message["bytes"])
            seen.append(await request.stream.receive())

        return websocket(serve_it)

    with serving(mach9, driver) as served:
        with open_(served, "/feed/news") as client:
            assert client.recv() == "news"
            for message in ("héllo", b"\x00"):
                client.send(message)
                assert client.recv() == message
            client.close(1001)
        served.until_empty()
    common = {"reply_channel": None, "path": "/feed/news"}
    receive, disconnect = "websocket.receive", "websocket.disconnect"
    assert seen == [
        {"channel": receive, "order": 1, "text": "héllo", "bytes": None, **common},
        {"channel": receive, "order": 2, "text": None, "bytes": b"\x00", **common},
        {"channel": disconnect, "order": 3, "code": 1001, **common},
        {"channel": disconnect, "order": 4, "code": 1001, **common},
    ]


@pytest.mark.parametrize("closes", [False, True])
@pytest.mark.parametrize("content", ["", b"", bytearray(), None])
def test_mach9_an_empty_message_is_a_message(mach9: Mach9, closes: bool, content: Any) -> None:
    """But not where it closes: the original's `send` cannot close without a content."""

    @mach9.get("/", websocket=True)
    async def feed(request: Any) -> Any:
        async def serve_it(channel: Any) -> None:
            await channel.send("first")
            await channel.send(content, close=closes)
            if not closes:
                await channel.send("last")

        return websocket(serve_it)

    expected: list[Any] = [] if content is None or closes else [content if isinstance(content, str) else b""]
    with serving(mach9) as served, open_(served, "/") as client:
        assert list(client) == ["first", *expected, *([] if closes else ["last"])]


@pytest.mark.parametrize("content", [0, False, [], {}])
def test_mach9_what_is_no_message(mach9: Mach9, content: Any) -> None:
    @mach9.get("/", websocket=True)
    async def feed(request: Any) -> Any:
        async def serve_it(channel: Any) -> None:
            with pytest.raises(TypeError, match="a message is str or bytes, not "):
                await channel.send(content)
            await channel.send("refused")

        return websocket(serve_it)

    with serving(mach9) as served, open_(served, "/") as client:
        assert client.recv() == "refused"


def test_mach9_closes_by_the_channel_and_refuses(mach9: Mach9) -> None:
    @mach9.get("/close", websocket=True)
    async def close(request: Any) -> Any:
        async def serve_it(channel: Any) -> None:
            await channel.send("last", close=True)

        return websocket(serve_it)

    @mach9.route("/self", websocket=True)
    async def with_self(self: Any, request: Any) -> Any:
        assert self is mach9
        return websocket(lambda channel: channel.send("self"))

    @mach9.get("/refuse", websocket=True)
    async def refuse(request: Any) -> Any:
        return websocket(lambda channel: None, accept=False)

    @mach9.get("/answer", websocket=True)
    async def answer(request: Any) -> Any:
        return mach9_text("no")

    with serving(mach9) as served:
        for target, last in (("/close", "last"), ("/self", "self")):
            with open_(served, target) as client:
                assert client.recv() == last
                assert code_of(client) == (1000, "")
        for target, status in (("/refuse", 403), ("/answer", 200)):
            with pytest.raises(websockets.InvalidStatus) as refused:
                open_(served, target)
            assert refused.value.response.status_code == status


def test_messages_that_compress_well_do_not_hold_up_other_tasks(app: Sanic, driver: str) -> None:
    turns: list[int] = []

    @app.websocket("/")
    async def handler(request: Any, ws: Any) -> None:
        async def other() -> None:
            while True:
                await anyio.lowlevel.checkpoint()
                turns.append(1)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(other)
            for _ in range(40):
                await ws.send(bytes(65536))
            await ws.send(str(len(turns)))
            tasks.cancel_scope.cancel()

    with serving(app, driver) as served, open_(served) as client:
        *_, last = client
        assert int(last) >= 5
