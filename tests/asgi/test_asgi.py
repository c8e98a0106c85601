"""`app.asgi`: the same apps behind ASGI servers, with what the engine gives them."""

from __future__ import annotations

import asyncio
import gc

import anyio
import anyio.lowlevel
import pytest

from streamcompat.asgi.app import ASGI
from streamcompat.asgi.slot import ASGISlot
from streamcompat.asgi.tasks import OnAsyncio
from streamcompat.sanic_api.response import stream, text
from streamcompat.site import Site
from tests.asgi.peer import Peer

MEGABYTE = 1024 * 1024


class TestOneRequest:
    async def test_what_the_app_sees(self, flavour):
        app, responses, _ = flavour

        @app.route("/a b/<x>", methods=["GET"])
        async def handler(request, x):
            return responses.json(
                [x, request.path, request.args.get("q"), request.ip, request.scheme, request.url]
            )

        peer = await Peer(path="/a b/ä", query_string=b"q=1", scheme="https").ask(app)
        path = "/a%20b/%C3%A4"
        import json

        seen = json.loads(b"".join(peer.chunks)) if peer.status == 200 else peer.status
        if flavour[0].dialect.unquote_path:
            assert seen == ["ä", path, "1", "192.0.2.1", "https", f"https://test.example{path}?q=1"]
        else:
            assert seen == 404  # as in the original, the route is compared with the path as it was sent

    @pytest.mark.parametrize("scheme", ["http", "HTTPS"])
    @pytest.mark.parametrize(("rest", "found"), [("/x/y", "/x/y"), ("", "/")])
    async def test_a_target_in_absolute_form(self, flavour, scheme, rest, found):
        """RFC 9112 §3.2.2: uvicorn on h11, and hypercorn, give it as the path; its host is what counts."""
        app, responses, _ = flavour
        for path in ("/", "/x/<y>"):
            app.route(path, methods=["GET"])(lambda request, y=None: responses.text(request.path))
        site = Site()
        site.mount(app, host="named.example:81")
        url = f"{scheme}://named.example:81{rest}"
        assert (await Peer(path=url, raw_path=url.encode()).ask(site)).chunks == [found.encode()]

    async def test_a_path_below_the_servers_root(self, flavour):
        app, responses, _ = flavour
        app.get("/x")(lambda request: responses.text(f"{request.root_path} {request.path}"))
        peer = await Peer(path="/below/x", root_path="/below").ask(app)
        assert peer.chunks == [b"/below /x"]
        assert (await Peer(path="/x", root_path="/below").ask(app)).chunks == [b" /x"]

    async def test_several_apps(self, flavour):
        app, responses, _ = flavour
        app.get("/x")(lambda request: responses.text("found"))
        site = Site()
        site.mount(app, "/app")
        assert (await Peer(path="/app/x").ask(site)).chunks == [b"found"]
        assert (await Peer(path="/x").ask(site)).status == 404

    async def test_a_whole_response(self, flavour):
        app, responses, _ = flavour
        app.route("/", methods=["GET", "HEAD"])(
            lambda request: responses.text("body", headers={"X-A": "b", "Set-Cookie": "c"})
        )
        peer = await Peer().ask(app)
        assert (peer.status, peer.chunks, peer.whole, len(peer.sent)) == (200, [b"body"], True, 2)
        assert (peer.headers[b"content-length"], peer.headers[b"x-a"]) == (b"4", b"b")
        peer = await Peer("HEAD").ask(app)
        assert (peer.headers[b"content-length"], peer.chunks, peer.whole) == (b"4", [], True)

    async def test_no_body_where_there_can_be_none(self, flavour):
        app, responses, _ = flavour
        app.get("/<status:int>")(lambda request, status: responses.text("body", status))
        for status in (204, 304):
            peer = await Peer(path=f"/{status}").ask(app)
            assert (peer.status, peer.chunks, peer.whole) == (status, [], True)
            assert b"content-length" not in peer.headers

    async def test_a_body_that_is_buffered(self, flavour):
        app, responses, _ = flavour
        app.post("/")(lambda request: responses.raw(request.body))
        assert (await Peer("POST", body=[b"a", b"", b"b"]).ask(app)).chunks == [b"ab"]
        peer = await Peer("POST", body=[b"ab", b"cd"], http_version="2").ask(app)
        assert peer.chunks == [b"abcd"]

    async def test_a_body_that_is_too_large(self, flavour):
        app, responses, _ = flavour
        app.config.REQUEST_MAX_SIZE = 3
        app.post("/")(lambda request: responses.raw(request.body))
        assert (await Peer("POST", body=[b"abc"]).ask(app)).status == 200
        assert (await Peer("POST", body=[b"ab", b"cd"]).ask(app)).status == 413
        peer = Peer("POST", body=[b"never read"], headers=[(b"content-length", b"10")])
        assert (await peer.ask(app)).status == 413
        assert peer.body == [b"never read"]
        # uvicorn would close at once, before a client that goes on sending has its answer.
        assert b"connection" not in peer.headers

    async def test_a_body_is_asked_for_when_it_is_read(self, app):
        left = []
        peer = Peer("POST", body=[b"a", b"b", b"c"])

        @app.stream("/")
        async def handler(request):
            left.append(len(peer.body))
            while await request.stream.get() is not None:
                left.append(len(peer.body))
            assert await request.stream.get() is None
            return text("")

        await peer.ask(app)
        assert left == [3, 2, 1, 0]

    @pytest.mark.parametrize("policy", ["raise", "cancel"])
    @pytest.mark.parametrize(("turns", "rests"), [(0, 0), (1, 1), (3, 0), (10, 1), (10, 3)])
    async def test_a_reader_goes_on_when_another_task_has_read_its_piece(self, app, policy, turns, rests):
        """While a response is streamed, or its route cancels, one task looks out for the client's leaving."""

        class Slow(Peer):
            async def receive(self):
                for _ in range(turns):
                    await anyio.lowlevel.checkpoint()
                return await super().receive()

        @app.post("/", stream=True, on_disconnect=policy)
        async def handler(request):
            async def copy(response):
                async for piece in request.stream:
                    await response.write(piece)
                    for _ in range(rests):
                        await anyio.lowlevel.checkpoint()

            return stream(copy)

        pieces = [b"%d" % number for number in range(6)]
        peer = await Slow("POST", body=pieces).ask(app)
        assert (b"".join(peer.chunks), peer.whole) == (b"".join(pieces), True)

    async def test_the_access_log(self, app, caplog):
        @app.get("/")
        async def whole(request):
            return text("body")

        async def produce(response):
            await response.write("abc")
            raise ValueError("no")

        app.get("/cut")(lambda request: stream(produce))
        caplog.set_level("INFO", app.access_log.name)
        app.started(None, access_log=True)
        for path in ("/", "/nowhere", "/cut"):
            await Peer(path=path).ask(app)
        records = [record for record in caplog.records if record.name == app.access_log.name]
        assert [(record.status, record.getMessage()) for record in records] == [
            (200, ""),
            (404, ""),
            (200, "cut"),
        ]
        assert [records[0].byte, records[2].byte] == [4, 3]


class TestTheSettingsOfTheApp:
    async def test_its_marks_count(self, app):
        """`ENGINE_LIMIT_...` holds back a writer here as on the engine."""
        app.config.update(ENGINE_LIMIT_OUTBOUND_HIGH=1000, ENGINE_LIMIT_OUTBOUND_LOW=100)
        written = []

        async def produce(response):
            for _ in range(20):
                await response.write(b"x" * 500)
                written.append(500)

        app.get("/")(lambda request: stream(produce))
        peer = Peer()
        peer.takes = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(peer.ask, app)
            await anyio.wait_all_tasks_blocked()
            assert 500 <= sum(written) <= 1500
            peer.takes.set()
        assert peer.whole

    async def test_its_hard_limit_counts(self, app, caplog):
        app.config.ENGINE_LIMIT_OUTBOUND_HIGH = app.config.ENGINE_LIMIT_OUTBOUND_LOW = 1000
        app.config.ENGINE_LIMIT_OUTBOUND_HARD = 5000
        peer = Peer()
        peer.takes = anyio.Event()

        @app.get("/")
        async def handler(request):
            await request.respond()
            try:
                for _ in range(1000):
                    request._exchange.write(b"x" * 500)
            finally:
                peer.takes.set()

        await peer.ask(app)
        assert "5000 bytes wait for a slow client" in caplog.text

    async def test_one_that_is_not_valid_fails_the_start(self, app):
        """And not each request, with an error that only the server's log has."""
        app.config.ENGINE_LIMIT_HEAD_FIELD = 1
        told, sent = [{"type": "lifespan.startup"}], []

        async def receive():
            return told.pop()

        async def send(message):
            sent.append(message)

        await ASGI(app)({"type": "lifespan"}, receive, send)
        message = "ValueError: 'head_field' is not a limit: did you mean 'head_fields'?"
        assert sent == [{"type": "lifespan.startup.failed", "message": message}]


class TestAStream:
    async def test_a_chunk_is_a_message(self, app):
        async def produce(response):
            response.write("a")
            await response.write("b")
            response.write("")

        app.get("/")(lambda request: stream(produce))
        peer = await Peer().ask(app)
        assert (peer.chunks, peer.whole) == ([b"a", b"b"], True)
        assert b"content-length" not in peer.headers

    async def test_it_leaves_while_the_handler_goes_on(self, app):
        peer = Peer()

        async def produce(response):
            response.write("a")
            await peer.began.wait()
            response.write("b")

        app.get("/")(lambda request: stream(produce))
        assert (await peer.ask(app)).chunks == [b"a", b"b"]

    async def test_a_length_that_is_declared(self, app, caplog):
        async def produce(response):
            await response.write("abc")

        app.get("/<n>")(lambda request, n: stream(produce, headers={"Content-Length": n}))
        peer = await Peer(path="/3").ask(app)
        assert (peer.chunks, peer.whole, peer.headers[b"content-length"]) == ([b"abc"], True, b"3")
        for length in ("2", "4"):
            peer = await Peer(path=f"/{length}").ask(app)
            assert not peer.sent or peer.status == 500 or not peer.whole
        assert "BodyLengthError" in caplog.text

    async def test_an_error_before_and_after_the_first_chunk(self, flavour, caplog):
        app, responses, _ = flavour

        @app.get("/<chunks:int>")
        async def handler(request, chunks):
            async def produce(out):
                for _ in range(chunks):
                    await getattr(out, "write", getattr(out, "send", None))(b"x")
                raise ValueError("no")

            return responses.stream(produce)

        assert (await Peer(path="/0").ask(app)).status == 500
        peer = await Peer(path="/2").ask(app)
        assert (peer.status, peer.chunks, peer.whole) == (200, [b"x", b"x"], False)
        assert "failed after 2 bytes of its response, which is cut" in caplog.text

    async def test_a_header_that_would_split_the_response(self, app, caplog):
        app.get("/")(lambda request: text("", headers={"X-A": "b\r\nX-C: d"}))
        peer = await Peer().ask(app)
        assert peer.status == 500
        assert b"x-a" not in peer.headers

    @pytest.mark.parametrize("awaited", [True, False])
    async def test_a_slow_client_makes_the_writer_wait(self, app, awaited):
        written = []

        async def produce(response):
            for _ in range(200):
                result = response.write(b"x" * 4096)
                written.append(4096)
                if awaited:
                    await result

        app.get("/")(lambda request: stream(produce))
        peer = Peer()
        peer.takes = anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(peer.ask, app)
            await anyio.wait_all_tasks_blocked()
            assert 56 * 1024 <= sum(written) <= 72 * 1024
            peer.takes.set()
        assert sum(map(len, peer.chunks)) == 200 * 4096

    async def test_without_a_stack_of_its_own_a_flood_is_cut(self, app, caplog):
        """Written by a handler that sends its response by itself, and so cannot be suspended."""
        peer = Peer()
        peer.takes = anyio.Event()

        @app.get("/")
        async def handler(request):
            await request.respond()
            try:
                while True:
                    request._exchange.write(b"x" * 4096)
            finally:
                peer.takes.set()

        await peer.ask(app)
        assert not peer.whole
        assert "WriteBufferFull" in caplog.text


class TestTheTasksOfARequest:
    async def test_a_whole_response_needs_none(self, app, monkeypatch):
        """On asyncio, where they are what such a request would cost."""
        if anyio.get_cancelled_exc_class() is not asyncio.CancelledError:
            return
        app.get("/")(lambda request: text("whole"))
        for name in ("spawn", "event", "interruptible"):
            monkeypatch.setattr(OnAsyncio, name, None)
        assert (await Peer().ask(app)).chunks == [b"whole"]

    @pytest.mark.parametrize("streams", [False, True])
    async def test_a_server_that_fails_has_its_own_error(self, app, streams):
        class Broken(Peer):
            async def send(self, message):
                await anyio.lowlevel.checkpoint()
                raise LookupError("of the server")

        async def produce(response):
            await response.write("x")
            await anyio.sleep_forever()

        app.get("/")(lambda request: stream(produce) if streams else text("x"))
        with pytest.raises((LookupError, ExceptionGroup)) as caught:
            await Broken().ask(app)
        assert "of the server" in repr(caught.value)
        await anyio.lowlevel.checkpoint()  # and no cancellation is left over

    async def test_a_cancellation_from_outside_stays_one(self, app):
        """A server may cancel its task while the application is being cancelled by us."""
        peer, ended = Peer(), []

        @app.get("/", on_disconnect="cancel")
        async def handler(request):
            peer.gone.set()
            try:
                await anyio.sleep_forever()
            finally:
                ended.append(True)
                scope.cancel()

        with anyio.CancelScope() as scope:
            await ASGI(app)(peer.scope, peer.receive, peer.send)
            await anyio.lowlevel.checkpoint()
        assert ended == [True]
        assert scope.cancelled_caught

    async def test_a_handler_that_swallows_its_cancellation(self, app):
        peer = Peer()

        @app.get("/", on_disconnect="cancel")
        async def handler(request):
            peer.gone.set()
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                pass
            return text("late")

        await peer.ask(app)
        await anyio.lowlevel.checkpoint()
        assert peer.sent == []

    @pytest.mark.parametrize("streams", [False, True])
    async def test_nothing_is_left_for_the_garbage_collector(self, app, streams):
        if anyio.get_cancelled_exc_class() is not asyncio.CancelledError:
            return  # trio's own nurseries are cycles

        async def produce(response):
            await response.write("x")

        app.get("/")(lambda request: stream(produce) if streams else text("x"))
        await Peer().ask(app)
        gc.collect()
        gc.disable()
        try:
            peer = Peer()
            await ASGI(app)(peer.scope, peer.receive, peer.send)
            left = [one for one in gc.get_objects() if isinstance(one, ASGISlot)]
        finally:
            gc.enable()
        assert left == []

    async def test_nothing_runs_on(self, app):
        async def produce(response):
            response.write("x")

        app.get("/", on_disconnect="cancel")(lambda request: stream(produce))
        before = {task.id for task in anyio.get_running_tasks()}
        await Peer().ask(app)
        assert {task.id for task in anyio.get_running_tasks()} == before


class TestTheLife:
    async def live(self, app, *, stops=True):
        asked = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
        sent = []

        async def receive():
            return asked.pop(0)

        async def send(message):
            sent.append(message)

        await app.asgi({"type": "lifespan"}, receive, send)
        return sent

    async def test_the_listeners_run(self, flavour):
        app, _, _ = flavour
        calls = []
        for event in ("before_server_start", "after_server_start", "before_server_stop", "after_server_stop"):
            app.listener(event)(lambda app, loop, event=event: calls.append(event))
        assert [message["type"] for message in await self.live(app)] == [
            "lifespan.startup.complete",
            "lifespan.shutdown.complete",
        ]
        assert len(calls) == 4
        assert not app.is_running
        assert app.asgi is app.asgi

    @pytest.mark.parametrize(
        ("event", "kind"),
        [
            ("before_server_start", "startup"),
            ("after_server_start", "startup"),
            ("before_server_stop", "shutdown"),
            ("after_server_stop", "shutdown"),
        ],
    )
    async def test_one_that_fails(self, app, event, kind, caplog):
        app.listener(event)(lambda app, loop: 1 / 0)
        last = (await self.live(app))[-1]
        assert last == {"type": f"lifespan.{kind}.failed", "message": "ZeroDivisionError: division by zero"}
        assert "a listener failed" in caplog.text
        if event != "after_server_stop":
            assert not app.is_running

    async def test_what_is_no_part_of_it(self, app):
        with pytest.raises(RuntimeError, match="there is no 'ftp' in ASGI 3"):
            await app.asgi({"type": "ftp"}, None, None)
