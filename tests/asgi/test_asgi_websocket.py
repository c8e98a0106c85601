"""WebSockets of both flavours behind ASGI servers."""

from __future__ import annotations

import anyio
import pytest
import websockets.exceptions
from websockets.sync.client import connect

from streamcompat.kernel.request.streams import RequestStream
from streamcompat.sanic_api.websocket import ConnectionClosed
from tests.asgi.peer import Peer
from tests.asgi.test_asgi_servers import server, under_hypercorn, under_uvicorn
from tests.support.commands import PATIENCE

__all__ = ["server", "under_hypercorn", "under_uvicorn"]


class Socket(Peer):
    """The server's side of one WebSocket, in memory: `to_app` holds what it hands to the application."""

    def __init__(self, path="/", *to_app, **scope):
        super().__init__(path=path, type="websocket", scheme="wss", **{"subprotocols": [], **scope})
        del self.scope["method"]
        self.to_app = [{"type": "websocket.connect"}, *map(self.message, to_app)]
        self.asked = 0

    @staticmethod
    def message(content):
        if isinstance(content, dict):
            return content
        kind = "text" if isinstance(content, str) else "bytes"
        return {"type": "websocket.receive", "text": None, "bytes": None, kind: content}

    async def receive(self):
        if self.to_app:
            self.asked += 1
            return self.to_app.pop(0)
        await self.gone.wait()
        return {"type": "websocket.disconnect", "code": 1006}


def left(code, reason=""):
    return {"type": "websocket.disconnect", "code": code, "reason": reason}


class TestInMemory:
    async def test_messages_both_ways_and_an_orderly_end(self, app):
        @app.websocket("/<name>")
        async def handler(request, ws, name):
            await ws.send(f"{name} {request.scheme} {ws.subprotocol} {ws.remote_address[0]}")
            await ws.send((await ws.recv()).upper())
            await ws.send(bytearray(await ws.recv()))

        socket = await Socket("/x", "text", b"bytes").ask(app)
        assert socket.sent == [
            {"type": "websocket.accept", "subprotocol": None, "headers": []},
            {"type": "websocket.send", "text": "x wss None 192.0.2.1"},
            {"type": "websocket.send", "text": "TEXT"},
            {"type": "websocket.send", "bytes": b"bytes"},
            {"type": "websocket.close", "code": 1000, "reason": ""},
        ]
        assert not app.websocket_tasks

    async def test_mach9s_channels(self, mach9):
        from streamcompat.mach9_api.response import websocket

        @mach9.get("/", websocket=True)
        async def handler(request):
            assert isinstance(request.stream, RequestStream)

            async def serve(channel):
                message = await request.stream.get()
                await channel.send(message["text"].upper())

            return websocket(serve)

        socket = await Socket("/", "text").ask(mach9)
        assert [message["type"] for message in socket.sent] == [
            "websocket.accept",
            "websocket.send",
            "websocket.close",
        ]
        assert socket.sent[1]["text"] == "TEXT"

    async def test_a_subprotocol(self, app):
        @app.websocket("/", subprotocols=["b", "c"])
        async def handler(request, ws):
            pass

        socket = await Socket(subprotocols=["a", "c", "b"]).ask(app)
        assert socket.sent[0]["subprotocol"] == "c"

    @pytest.mark.parametrize(("code", "raises"), [(1000, False), (1001, False), (1006, True), (4000, True)])
    async def test_a_client_that_leaves(self, app, code, raises):
        seen = []

        @app.websocket("/")
        async def handler(request, ws):
            try:
                async for message in ws:
                    seen.append(message)
            except ConnectionClosed as error:
                seen.append((error.code, error.reason))
            assert ws.closed
            with pytest.raises(ConnectionClosed):
                await ws.send("late")

        socket = await Socket("/", "a", left(code, "why")).ask(app)
        assert seen == ["a", (code, "why")] if raises else ["a"]
        assert len(socket.sent) == 1

    async def test_the_handlers_own_close(self, app):
        @app.websocket("/")
        async def handler(request, ws):
            with pytest.raises(ValueError):
                await ws.close(1006)
            await ws.close(4001, "enough")
            assert (ws.closed, ws.close_code, ws.close_reason) == (True, 4001, "enough")
            await ws.close()

        assert (await Socket().ask(app)).sent[1:] == [
            {"type": "websocket.close", "code": 4001, "reason": "enough"}
        ]

    async def test_a_handler_that_fails(self, app, caplog):
        @app.websocket("/")
        async def handler(request, ws):
            raise ValueError("no")

        assert (await Socket().ask(app)).sent[-1]["code"] == 1011
        assert "ValueError: no" in caplog.text

    async def test_pings_pass_for_answered(self, app):
        answered = []

        @app.websocket("/")
        async def handler(request, ws):
            await (await ws.ping("x"))
            await ws.pong()
            answered.append(True)

        assert len((await Socket().ask(app)).sent) == 2
        assert answered == [True]

    @pytest.mark.parametrize("extension", [True, False])
    async def test_a_handshake_that_is_refused(self, app, extension):
        socket = Socket("/nowhere", extensions={"websocket.http.response": {}} if extension else {})
        await socket.ask(app)
        if extension:
            start, body = socket.sent
            assert (start["type"], start["status"]) == ("websocket.http.response.start", 404)
            assert body["type"] == "websocket.http.response.body"
            assert body["body"] == b"Error: Requested URL /nowhere not found"
        else:
            assert socket.sent == [{"type": "websocket.close", "code": 1000}]

    async def test_a_message_that_is_too_long(self, app):
        app.config.WEBSOCKET_MAX_SIZE = 3
        seen = []

        @app.websocket("/")
        async def handler(request, ws):
            async for message in ws:
                seen.append(message)

        socket = await Socket("/", "abc", "abcd").ask(app)
        reason = "a message that is too big"
        assert socket.sent[-1] == {"type": "websocket.close", "code": 1009, "reason": reason}
        assert seen == ["abc"]

    async def test_no_more_is_asked_for_than_may_wait(self, app):
        app.config.WEBSOCKET_MAX_QUEUE = 4
        asked = []
        socket = Socket("/", *"abcdefghij")

        @app.websocket("/")
        async def handler(request, ws):
            await anyio.wait_all_tasks_blocked()
            asked.append(socket.asked)
            assert "".join([await ws.recv() for _ in range(10)]) == "abcdefghij"

        await socket.ask(app)
        assert asked == [1 + 4]

    async def test_a_slow_client_makes_the_sender_wait(self, app):
        sent = []
        socket = Socket()

        @app.websocket("/")
        async def handler(request, ws):
            for _ in range(100):
                await ws.send("x" * 4096)
                sent.append(4096)

        socket.takes = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(socket.ask, app)
            await anyio.wait_all_tasks_blocked()
            assert 56 * 1024 <= sum(sent) <= 72 * 1024
            socket.takes.set()
        assert len(sent) == 100

    @pytest.mark.parametrize("end", ["returns", "closes", "raises", "client", "broken"])
    async def test_the_access_log_has_it_as_whole(self, app, caplog, end):
        """However it ends, as on the engine: the answer to its request was the handshake."""

        @app.websocket("/")
        async def handler(request, ws):
            await ws.send("hello")
            if end == "closes":
                await ws.close(4000)
            elif end == "raises":
                raise ValueError("no")
            elif end != "returns":
                async for _ in ws:
                    pass

        caplog.set_level("INFO", app.access_log.name)
        app.started(None, access_log=True)
        codes = {"client": 1000, "broken": 1006}
        await Socket("/", *([left(codes[end])] if end in codes else [])).ask(app)
        records = [record for record in caplog.records if record.name == app.access_log.name]
        assert [(record.status, record.getMessage()) for record in records] == [(101, "")]

    @pytest.mark.parametrize("fails_at", ["websocket.send", "websocket.close"])
    async def test_a_client_that_is_gone_before_the_server_tells(self, app, caplog, fails_at):
        """It has left if it did so before the WebSocket was closed."""

        @app.websocket("/")
        async def handler(request, ws):
            await ws.send("hello")
            await ws.wait_closed() if fails_at == "websocket.send" else await ws.close()

        class Gone(Socket):
            async def send(self, message):
                if message["type"] == fails_at:
                    raise OSError("the client is gone")
                await super().send(message)

        caplog.set_level("INFO", app.access_log.name)
        app.started(None, access_log=True)
        await Gone().ask(app)
        (record,) = [record for record in caplog.records if record.name == app.access_log.name]
        assert record.getMessage() == ("left" if fails_at == "websocket.send" else "")


class TestUnderAServer:
    def test_messages_both_ways(self, app, server):
        ended = []

        @app.websocket("/", subprotocols=["chat"])
        async def handler(request, ws):
            try:
                async for message in ws:
                    await ws.send(message)
            finally:
                ended.append(ws.close_code)

        with server(app) as url:
            address = url.replace("http", "ws", 1)
            with connect(address, subprotocols=["chat"], open_timeout=PATIENCE) as client:
                assert client.subprotocol == "chat"
                for message in ("text", b"bytes", "x" * 100_000):
                    client.send(message)
                    assert client.recv(PATIENCE) == message
                client.ping().wait(PATIENCE)
            with pytest.raises(websockets.exceptions.InvalidStatus) as refused:
                connect(f"{address}/nowhere", open_timeout=PATIENCE)
            assert refused.value.response.status_code in (403, 404)
        assert ended in ([1000], [1006])  # hypercorn tells of any end as of a broken one

    def test_a_close_code_of_the_handlers(self, app, server):
        @app.websocket("/")
        async def handler(request, ws):
            await ws.close(4001, "enough")

        with server(app) as url, connect(url.replace("http", "ws", 1), open_timeout=PATIENCE) as client:
            with pytest.raises(websockets.exceptions.ConnectionClosed):
                client.recv(PATIENCE)
            assert (client.close_code, client.close_reason) == (4001, "enough")
