"""REQUEST_TIMEOUT, RESPONSE_TIMEOUT and the times of bodies behind ASGI servers, as the engine keeps them."""

from __future__ import annotations

import math

import anyio
import anyio.lowlevel
import pytest

from streamcompat.asgi.app import ASGI
from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api.response import stream, text
from streamcompat.site import Site
from tests.asgi import test_asgi_websocket
from tests.asgi.peer import Peer, on_a_clock_that_jumps
from tests.asgi.test_asgi_websocket import Socket

SHORT = 20.0
"""Seconds of the time that a test waits for, on a clock that jumps: less than the defaults of the apps, and
so many that the pauses of a loaded machine do not count."""


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request, monkeypatch):
    monkeypatch.setattr(test_asgi_websocket, "PATIENCE", 100 * SHORT)
    return on_a_clock_that_jumps(request.param, monkeypatch)


class Slow(Peer):
    """A client that sends a piece of its body after `pauses` seconds each, and then nothing more."""

    def __init__(self, *pauses, ends=False, **scope):
        super().__init__("POST", body=[b"x"] * (len(pauses) + 1), **scope)
        self.pauses = [*pauses, 0.0 if ends else math.inf]

    async def receive(self):
        if self.body:
            await anyio.sleep(self.pauses.pop(0))
        return await super().receive()


def with_routes(flavour, **settings):
    """An app with routes that gather, stream, hang, and hang once they have read."""
    app, responses, _ = flavour
    app.config.update(settings)
    if isinstance(app, Mach9) and "REQUEST_TIMEOUT" in settings:
        app.request_timeout = settings["REQUEST_TIMEOUT"]
    app.cancelled = 0

    async def gather(request):
        return responses.text(str(len(request.body)))

    async def read(request):
        async for _ in request.stream:
            pass
        return responses.text("read")

    async def hang(request):
        try:
            await anyio.sleep_forever()
        finally:
            app.cancelled += 1

    async def read_and_hang(request):
        await read(request)
        await hang(request)

    async def begin_and_go_on(request):
        async def produce(out):
            write = getattr(out, "write", None) or out.send
            for _ in range(4):
                await write(b"x")
                await anyio.sleep(SHORT / 2)

        return responses.stream(produce)

    app.add_route(gather, "/gather", methods=["POST"])
    app.add_route(read, "/read", methods=["POST"], stream=True)
    app.add_route(hang, "/hang", methods=["GET", "POST"])
    app.add_route(read_and_hang, "/read_and_hang", methods=["POST"], stream=True)
    app.add_route(begin_and_go_on, "/begin_and_go_on", methods=["GET"])
    return app


def late(app):
    """The answer for a handler that is late."""
    if isinstance(app, Mach9):
        return 408, b"Error: Request Timeout"
    return 503, b"Error: Response Timeout"


def answer(peer):
    return peer.status, b"".join(peer.chunks)


class TestResponseTimeout:
    async def test_a_handler_that_does_not_answer_is_cancelled_and_answered_for(self, flavour):
        app = with_routes(flavour, RESPONSE_TIMEOUT=SHORT)
        peer = await Peer(path="/hang").ask(app)
        assert answer(peer) == late(app)
        assert app.cancelled == 1

    async def test_so_is_one_of_several_apps(self, flavour):
        site = Site()
        app = with_routes(flavour, RESPONSE_TIMEOUT=SHORT)
        site.mount(app, "/below")
        assert answer(await Peer(path="/below/hang").ask(site)) == late(app)

    async def test_it_runs_anew_while_the_handler_reads(self, flavour):
        app = with_routes(flavour, RESPONSE_TIMEOUT=SHORT)
        peer = await Slow(*[SHORT / 3] * 8, ends=True, path="/read").ask(app)
        assert answer(peer) == (200, b"read")
        assert answer(await Slow(0.0, ends=True, path="/read_and_hang").ask(app)) == late(app)

    async def test_a_body_that_nobody_reads_does_not_hold_it_up(self, flavour):
        app = with_routes(flavour, RESPONSE_TIMEOUT=SHORT)
        peer = Peer("POST", path="/read_and_hang", body=[b"x"])
        assert answer(await peer.ask(app)) == late(app)

    async def test_a_response_that_has_begun_is_never_cut(self, flavour):
        app = with_routes(flavour, RESPONSE_TIMEOUT=SHORT)
        peer = await Peer(path="/begin_and_go_on").ask(app)
        assert answer(peer) == (200, b"xxxx")
        assert peer.whole

    async def test_nor_is_a_websocket(self, app):
        app.config.RESPONSE_TIMEOUT = SHORT

        @app.websocket("/")
        async def handler(request, ws):
            await anyio.sleep(3 * SHORT)
            await ws.send("late")

        assert (await Socket().ask(app)).sent[1]["text"] == "late"

    async def test_a_handshake_that_hangs_is_refused(self, app):
        app.config.RESPONSE_TIMEOUT = SHORT

        @app.middleware("request")
        async def hang(request):
            await anyio.sleep_forever()

        app.websocket("/")(lambda request, ws: None)
        socket = await Socket(extensions={"websocket.http.response": {}}).ask(app)
        assert socket.sent[0]["status"] == 503
        assert (await Socket().ask(app)).sent == [{"type": "websocket.close", "code": 1000}]

    async def test_the_apps_own_page_and_the_request_that_the_handler_had(self, app):
        app.config.RESPONSE_TIMEOUT = SHORT

        @app.middleware("request")
        def user(request):
            request["user"] = "somebody"

        @app.exception(Exception)
        async def page(request, error):
            await anyio.lowlevel.checkpoint()
            return text(f"{request['user']} {request.path} {error}", 503)

        @app.get("/")
        async def hang(request):
            await anyio.sleep_forever()

        assert answer(await Peer().ask(app)) == (503, b"somebody / Response Timeout")

    async def test_a_handler_that_answers_when_it_is_cancelled(self, app):
        app.config.RESPONSE_TIMEOUT = SHORT

        @app.get("/")
        async def handler(request):
            try:
                await anyio.sleep_forever()
            except anyio.get_cancelled_exc_class():
                pass
            return text("in spite of it")

        assert answer(await Peer().ask(app)) == (200, b"in spite of it")

    async def test_a_client_that_has_left_gets_nothing(self, app):
        app.config.RESPONSE_TIMEOUT = SHORT
        peer = Peer()

        @app.get("/", on_disconnect="cancel")
        async def handler(request):
            peer.gone.set()
            await anyio.sleep_forever()

        await peer.ask(app)
        assert peer.sent == []

    async def test_none_is_no_limit(self, app):
        app.config.RESPONSE_TIMEOUT = None

        @app.get("/")
        async def handler(request):
            await anyio.sleep(2 * SHORT)
            return text("late")

        assert answer(await Peer().ask(app)) == (200, b"late")


class TestRequestTimeout:
    async def test_a_body_that_does_not_come_in_time(self, flavour):
        app = with_routes(flavour, REQUEST_TIMEOUT=SHORT, RESPONSE_TIMEOUT=100 * SHORT)
        for pauses in ((), (0.0,), [SHORT / 4] * 20):
            peer = await Slow(*pauses, path="/gather").ask(app)
            assert answer(peer) == (408, b"Error: Request Timeout")
            assert peer.headers[b"connection"] == b"close"

    async def test_one_that_comes_in_time(self, flavour):
        app = with_routes(flavour, REQUEST_TIMEOUT=SHORT, RESPONSE_TIMEOUT=100 * SHORT)
        assert answer(await Slow(0.01, 0.01, ends=True, path="/gather").ask(app)) == (200, b"3")

    async def test_a_stream_that_moves_is_not_cut(self, flavour):
        app = with_routes(flavour, REQUEST_TIMEOUT=SHORT, RESPONSE_TIMEOUT=100 * SHORT)
        peer = await Slow(*[SHORT / 3] * 6, ends=True, path="/read").ask(app)
        assert answer(peer) == (200, b"read")

    @pytest.mark.parametrize("policy", ["raise", "cancel"])
    async def test_a_routes_own_time_between_two_pieces(self, app, policy):
        """Also where another task reads, to look out for the client's leaving."""

        @app.post("/", stream=True, body_idle=SHORT, on_disconnect=policy)
        async def handler(request):
            async def copy(response):
                async for piece in request.stream:
                    await response.write(piece)
                    await anyio.sleep(SHORT / 8)

            return stream(copy)

        peer = await Slow(0.0).ask(app)
        assert answer(peer) == (200, b"x")
        assert not peer.whole

    async def test_it_does_not_run_while_the_handler_does_something_else(self, app):
        @app.post("/", stream=True, body_idle=SHORT)
        async def handler(request):
            first = await request.stream.get()
            await anyio.sleep(2 * SHORT)
            return text((first + await request.stream.get()).decode())

        assert answer(await Slow(0.0, ends=True).ask(app)) == (200, b"xx")

    async def test_a_cancellation_from_outside_while_the_body_is_waited_for(self, flavour):
        app = with_routes(flavour)
        peer = Slow(path="/gather")
        with anyio.move_on_after(SHORT / 10) as scope:
            await ASGI(app)(peer.scope, peer.receive, peer.send)
        assert scope.cancelled_caught
        assert peer.sent == []
