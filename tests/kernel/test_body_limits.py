"""What a route and an application ask of a request's body: its pace and its size; the clock is a test's."""

from __future__ import annotations

import math

import anyio
import anyio.lowlevel
import pytest

from streamcompat.sanic_api.exceptions import PayloadTooLarge
from streamcompat.sanic_api.response import text
from tests.kernel.test_timeouts import HEAD, MINUTE, client


class TestRoutes:
    async def test_a_rate_of_its_own(self, flavour):
        app, response, _ = flavour

        async def stream(request):
            async for _ in request.stream:
                pass
            return response.text("whole")

        app.add_route(stream, "/", methods=["POST"], stream=True, body_rate=100)
        async with client(app) as ask:
            async with ask.stream("POST", "/") as fast, ask.stream("POST", "/") as slow:
                for _ in range(30):
                    await fast.send(b"x" * 100)
                    if not slow.connection.unread:
                        await slow.send(b"x" * 50)
                    await ask.advance(1)
                await fast.finish()
                assert (await fast.response()).body == b"whole"
                assert (await slow.response()).status == 408
                assert 950 <= slow.seen.read <= 1100

    async def test_a_rate_does_not_count_while_the_handler_is_the_slow_one(self, app):
        @app.stream("/", body_rate=1000)
        async def slow(request):
            size = 0
            while piece := await request.stream.get():
                size += len(piece)
                if size == len(piece):
                    await go_on.wait()
            return text(str(size))

        app.config.RESPONSE_TIMEOUT = None
        go_on = anyio.Event()
        async with client(app) as ask, ask.stream("POST", "/") as stream:
            for _ in range(3):
                await stream.send(b"x" * 70_000)
            assert stream.connection.reading_paused
            await ask.advance(1000)
            go_on.set()
            await ask.settle()
            assert not stream.connection.reading_paused
            await ask.advance(9)
            await stream.send(b"x" * 70_000)
            await stream.finish()
            assert (await stream.response()).body == b"280000"

    async def test_an_idle_time_of_its_own(self, app):
        @app.stream("/", body_idle=5)
        async def upload(request):
            while await request.stream.get():
                pass
            return text("whole")

        async with client(app) as ask, ask.stream("POST", "/") as stream:
            for _ in range(5):
                await ask.advance(4.9)
                await stream.send(b"x")
            await ask.advance(5.1)
            assert (await stream.response()).status == 408

    async def test_no_limit(self, flavour):
        """A day between two arrivals is no reason to end a stream that asked for none, nor a late answer."""
        app, response, _ = flavour

        async def stream(request):
            return response.text(str([len(piece) async for piece in request.stream]))

        app.add_route(stream, "/", methods=["POST"], stream=True, body_idle=math.inf)
        async with client(app) as ask, ask.stream("POST", "/") as stream:
            for _ in range(3):
                await stream.send(b"x")
                await ask.advance(24 * 60 * MINUTE)
            await stream.finish()
            assert (await stream.response()).body == b"[1, 1, 1]"

    @pytest.mark.parametrize(("rate", "status"), [(0, 200), (10, 200), (100, 408)])
    async def test_a_rate_for_a_gathered_body(self, app, rate, status):
        """Before request middleware too, which has the body."""

        @app.middleware("request")
        def look(request):
            pass

        @app.post("/", body_rate=rate)
        async def gather(request):
            return text("whole")

        async with client(app) as ask, ask.stream("POST", "/") as stream:
            for _ in range(50):
                if not stream.connection.unread:
                    await stream.send(b"x" * 10)
                await ask.advance(1)
            if status == 200:
                await stream.finish()
            assert (await stream.response()).status == status

    async def test_what_one_route_asks_for_ends_with_its_request(self, app):
        @app.stream("/", body_idle=math.inf, body_rate=1_000_000)
        async def stream(request):
            while await request.stream.get():
                pass
            return text("whole")

        @app.stream("/other")
        async def other(request):
            while await request.stream.get():
                pass
            return text("whole")

        async with client(app) as ask, ask.connect() as connection:
            await connection.send(HEAD % b"" + b"Content-Length: 1\r\n\r\nx")
            assert (await connection.response("POST")).status == 200
            await connection.send(HEAD % b"other" + b"Content-Length: 1\r\n\r\n")
            await ask.advance(59)
            assert not connection.unread
            await ask.advance(1)
            assert (await connection.response("POST")).status == 408


class TestSizes:
    @pytest.mark.parametrize("framing", ["length", "chunked"])
    async def test_of_streams_by_app_and_by_route(self, flavour, framing):
        app, response, _ = flavour
        app.config.STREAM_MAX_SIZE = "10"

        async def stream(request):
            return response.text(str(sum([len(piece) async for piece in request.stream])))

        app.add_route(stream, "/app", methods=["POST"], stream=True)
        app.add_route(stream, "/route", methods=["POST"], stream=True, body_limit=20)
        content = (lambda size: b"x" * size) if framing == "length" else (lambda size: [b"x" * size])
        async with client(app) as ask:
            for path, limit in (("/app", 10), ("/route", 20)):
                assert (await ask.post(path, content=content(limit))).body == b"%d" % limit
                assert (await ask.post(path, content=content(limit + 1))).status == 413

    async def test_the_apps_own_page(self, app):
        app.config.REQUEST_MAX_SIZE = 3

        @app.exception(PayloadTooLarge)
        def page(request, error):
            return text(f"{error}", 413)

        @app.post("/")
        async def gather(request):
            return text("")

        async with client(app) as ask:
            assert (await ask.post("/", content=b"1234")).body == b"Payload Too Large"
