"""Apps behind ASGI servers: a client that sends before it reads, and one that leaves."""

from __future__ import annotations

import anyio
import anyio.lowlevel
import pytest

from streamcompat.asgi.app import ASGI
from streamcompat.sanic_api.response import stream, text
from streamcompat_engine import ClientDisconnected
from tests.asgi.peer import Peer, on_a_clock_that_jumps
from tests.support.commands import PATIENCE


class SendsFirst(Peer):
    """A client, or a server, that takes nothing of the response before it has sent the whole request."""

    def __init__(self, pieces=40):
        super().__init__("POST", body=[bytes([number]) * 65536 for number in range(pieces)])
        self.all = b"".join(self.body)
        self.takes = anyio.Event()

    async def receive(self):
        message = await super().receive()
        if not self.body:
            self.takes.set()
        return message


class TestADeadlock:
    @pytest.fixture(params=["asyncio", "trio"])
    def anyio_backend(self, request, monkeypatch):
        return on_a_clock_that_jumps(request.param, monkeypatch)

    @pytest.fixture(params=["awaited", "dropped"])
    def echo(self, request, flavour):
        app, responses, _ = flavour

        @app.post("/", stream=True)
        async def handler(asked):
            async def copy(out):
                write = getattr(out, "write", None) or out.send
                async for piece in asked.stream:
                    waits = write(piece)
                    if request.param == "awaited" or write.__name__ == "send":
                        await waits

            return responses.stream(copy)

        return app

    async def test_an_echo_ends(self, echo, caplog):
        caplog.set_level("INFO")
        served, peer = ASGI(echo), SendsFirst()
        room = served._service.spill_room.left
        with anyio.fail_after(PATIENCE):
            await served(peer.scope, peer.receive, peer.send)
        assert peer.whole
        assert b"".join(peer.chunks) == peer.all
        assert served._service.spill_room.left == room
        lines = [record.getMessage() for record in caplog.records if "in a file" in record.getMessage()]
        assert lines == [
            "the response to POST /: the client sends its whole request before it reads, "
            "so it waits in a file"
        ]

    @pytest.mark.parametrize("setting", ["SPILL_SIZE", "SPILL_TOTAL"])
    @pytest.mark.parametrize("size", [0, 200_000])
    async def test_without_room_it_is_cut(self, app, setting, size, monkeypatch, caplog):
        """After as long as the engine bears a client that takes nothing; with an error in the log."""
        monkeypatch.setattr("streamcompat.asgi.outgoing._STALL", 1.5)
        app.config[f"ENGINE_LIMIT_{setting}"] = size

        @app.post("/", stream=True)
        async def handler(request):
            async def copy(response):
                async for piece in request.stream:
                    await response.write(piece)

            return stream(copy)

        peer = await SendsFirst().ask(app)
        assert not peer.whole
        errors = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
        assert any("have waited for each other for too long, and it is cut" in line for line in errors)
        assert any(f"{setting.lower()} is reached" in line for line in errors) == bool(size)

    async def test_a_client_that_leaves_frees_the_room(self, app):
        peer, ended = SendsFirst(100), []

        @app.post("/", stream=True, on_disconnect="cancel")
        async def handler(request):
            async def copy(response):
                try:
                    taken = 0
                    async for piece in request.stream:
                        await response.write(piece)
                        taken += 1
                        if taken == 50:
                            peer.gone.set()
                            peer.takes.set()
                            await anyio.sleep_forever()
                except BaseException as error:
                    ended.append(type(error))
                    raise

            return stream(copy)

        peer.body.append(b"never")
        served = ASGI(app)
        room = served._service.spill_room.left
        with anyio.fail_after(PATIENCE):
            await served(peer.scope, peer.receive, peer.send)
        assert len(ended) == 1
        assert not peer.whole
        assert served._service.spill_room.left == room

    async def test_a_client_that_has_sent_all_is_waited_for(self, app, caplog):
        """It only has to read, so nothing is written to disk for it."""
        caplog.set_level("INFO")
        peer = Peer("POST", body=[b"all"])
        peer.takes = anyio.Event()

        @app.post("/", stream=True)
        async def handler(request):
            async def produce(response):
                for _ in range(100):
                    await response.write(bytes(4096))

            return stream(produce)

        async with anyio.create_task_group() as group:
            group.start_soon(peer.ask, app)
            await anyio.sleep(2.5)
            assert "in a file" not in caplog.text
            peer.takes.set()
        assert sum(map(len, peer.chunks)) == 100 * 4096


class TestAClientThatLeaves:
    @pytest.fixture(params=["raise", "cancel", "ignore"])
    def policy(self, request):
        return request.param

    async def test_while_a_response_is_streamed(self, app, policy, caplog):
        peer = Peer()
        ended = []

        @app.get("/", on_disconnect=policy)
        async def handler(request):
            async def produce(response):
                try:
                    for number in range(100):
                        await response.write("x")
                        if number == 3:
                            peer.gone.set()
                        await anyio.lowlevel.checkpoint()
                        await anyio.lowlevel.checkpoint()
                    ended.append("returned")
                except ClientDisconnected:
                    ended.append("raise")
                    raise
                except BaseException:
                    ended.append("cancel")
                    raise

            return stream(produce)

        await peer.ask(app)
        assert ended == [{"ignore": "returned"}.get(policy, policy)]
        assert not peer.whole
        assert caplog.records == []

    @pytest.mark.parametrize("body", [[], [b"unread"], [b"a", b""]])
    async def test_while_a_response_is_streamed_and_nobody_reads_the_request(self, app, body):
        peer = Peer("POST", body=body)

        @app.stream("/")
        async def handler(request):
            async def produce(response):
                await response.write("x")
                if len(body) > 1:
                    assert await request.stream.get() == b"a"
                peer.gone.set()
                while True:
                    await response.write("x")
                    await anyio.lowlevel.checkpoint()

            return stream(produce)

        await peer.ask(app)
        assert not peer.whole

    async def test_what_was_read_ahead_is_not_lost(self, app):
        peer = Peer("POST", body=[b"a", b"b", b"", b"c"])
        left = []

        @app.stream("/", on_disconnect="cancel")
        async def handler(request):
            await anyio.wait_all_tasks_blocked()
            left.append(len(peer.body))
            pieces = []
            async for piece in request.stream:
                pieces.append(piece)
                await anyio.wait_all_tasks_blocked()
            await anyio.wait_all_tasks_blocked()
            return text(b" ".join(pieces).decode())

        assert (await peer.ask(app)).chunks == [b"a b c"]
        assert left == [3]

    async def test_while_the_handler_reads(self, flavour):
        app, _, _ = flavour
        peer = Peer("POST", body=[b"a", b"b"])
        told = []

        @app.post("/", stream=True)
        async def handler(request):
            read = getattr(request.stream, "get", None) or request.stream.receive
            first = await read()
            peer.body.clear()
            peer.gone.set()
            try:
                second = await read()
            except ClientDisconnected:
                told.append((first, "raised"))
                raise
            told.append((first["content"], second["closed"]))
            raise ClientDisconnected

        await peer.ask(app)
        assert told in ([(b"a", "raised")], [(b"a", True)])
        assert peer.sent == []

    async def test_while_the_handler_waits_for_something_else(self, app):
        peer = Peer()
        ended = []

        @app.get("/", on_disconnect="cancel")
        async def handler(request):
            peer.gone.set()
            try:
                await anyio.sleep_forever()
            finally:
                ended.append("cancelled")

        await peer.ask(app)
        assert ended == ["cancelled"]
        assert peer.sent == []
