"""The originals' times, over the engine in memory: the clock moves only when a test moves it."""

from __future__ import annotations

import logging
from collections import defaultdict
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import exceptions as mach9_exceptions
from streamcompat.mach9_api.config import Config as Mach9Config
from streamcompat.sanic_api import Sanic, compat
from streamcompat.sanic_api import exceptions as sanic_exceptions
from streamcompat.sanic_api import response as sanic_response
from streamcompat.sanic_api.exceptions import (
    RequestTimeout,
    ServiceUnavailable,
)
from streamcompat.sanic_api.response import text
from streamcompat.site import Site
from streamcompat.testing import Client
from tests.support.commands import PATIENCE
from tests.support.servers import serve_app

MINUTE = 60.0
HEAD = b"POST /%b HTTP/1.1\r\nHost: h\r\n"


def client(app: Any) -> Client:
    """A client whose patience is that of a loaded machine."""
    return Client(app, patience=PATIENCE)


def set_request_timeout(app: Any, seconds: float | None) -> None:
    """Sets REQUEST_TIMEOUT where the flavour takes it from."""
    app.config.REQUEST_TIMEOUT = seconds
    if isinstance(app, Mach9):
        app.request_timeout = seconds


def late(app: Any) -> tuple[int, bytes]:
    """The answer for a handler that is late."""
    if isinstance(app, Mach9):
        return 408, b"Error: Request Timeout"
    return 503, b"Error: Response Timeout"


def with_routes(flavour: tuple[Any, Any, Any]) -> Any:
    """An app with a route that gathers, one that streams its request and one that never answers."""
    app, response, _ = flavour
    app.cancelled = 0

    async def gather(request: Any) -> Any:
        return response.text(str(len(request.body)))

    async def stream(request: Any) -> Any:
        size = 0
        async for piece in request.stream:
            size += len(piece)
        return response.text(str(size))

    async def hang(request: Any) -> Any:
        try:
            await anyio.sleep_forever()
        finally:
            app.cancelled += 1

    async def hang_after_body(request: Any) -> Any:
        async for _ in request.stream:
            pass
        await hang(request)

    app.add_route(gather, "/gather", methods=["POST"])
    app.add_route(stream, "/stream", methods=["POST"], stream=True)
    app.add_route(hang, "/hang", methods=["GET"])
    app.add_route(hang_after_body, "/hang_after_body", methods=["POST"], stream=True)
    return app


class TestResponseTimeout:
    async def test_a_handler_that_does_not_answer_is_cancelled_and_answered_for(self, flavour):
        app = with_routes(flavour)
        async with client(app) as ask, ask.stream("GET", "/hang") as stream:
            await ask.advance(59.9)
            assert (stream.received.status, app.cancelled) == (0, 0)
            await ask.advance(0.2)
            response = await stream.response()
            assert (response.status, response.body) == late(app)
            assert app.cancelled == 1

    async def test_the_connection_is_kept_after_a_503(self, app):
        app.get("/hang")(lambda request: anyio.sleep_forever())
        async with client(app) as ask, ask.connect() as connection:
            for _ in range(2):
                await connection.send(b"GET /hang HTTP/1.1\r\nHost: h\r\n\r\n")
                await ask.advance(60)
                assert (await connection.response()).status == 503
            assert connection.open

    async def test_the_apps_own_page_and_the_request_that_the_handler_had(self, app):
        @app.middleware("request")
        def user(request):
            request["user"] = "somebody"

        @app.exception(ServiceUnavailable)
        async def page(request, error):
            await anyio.lowlevel.checkpoint()
            return text(f"{request['user']} {request.path} {error}", 503, {"Retry-After": "1"})

        @app.route("/")
        async def hang(request):
            await anyio.sleep_forever()

        app.config.RESPONSE_TIMEOUT = 3
        async with client(app) as ask, ask.stream("GET", "/") as stream:
            await ask.advance(3)
            response = await stream.response()
            assert response.body == b"somebody / Response Timeout"
            assert dict(response.headers)["retry-after"] == "1"

    async def test_it_is_logged_once_with_the_route(self, app, caplog):
        @app.route("/slow")
        async def slow(request):
            await anyio.sleep_forever()

        async with client(app) as ask, ask.stream("GET", "/slow") as stream:
            await ask.advance(60)
            await stream.response()
        errors = [record for record in caplog.records if record.levelno >= logging.ERROR]
        assert [record.getMessage().splitlines()[0] for record in errors] == [
            "GET /slow on route /slow (TestResponseTimeout.test_it_is_logged_once_with_the_route"
            ".<locals>.slow) failed"
        ]

    async def test_an_upload_that_moves_is_never_cut(self, flavour):
        """The originals end it after a minute from its head."""
        app = with_routes(flavour)
        async with client(app) as ask, ask.stream("POST", "/stream") as stream:
            for _ in range(30):
                await ask.advance(59)
                await stream.send(b"x" * 10)
            await stream.finish()
            assert (await stream.response()).body == b"300"

    async def test_it_begins_anew_when_the_body_is_read(self, flavour):
        """A quarter more at the most, as it is looked four times."""
        app = with_routes(flavour)
        async with client(app) as ask, ask.stream("POST", "/hang_after_body") as stream:
            await ask.advance(50)
            await stream.send(b"x")
            await ask.advance(50)
            await stream.finish()
            await ask.advance(59)
            assert (stream.received.status, app.cancelled) == (0, 0)
            await ask.advance(16)
            assert (await stream.response()).status == late(app)[0]
            assert app.cancelled == 1

    async def test_a_handler_that_leaves_the_body_is_late(self, app):
        @app.route("/", methods=["POST"], stream=True)
        async def hang(request):
            await request.stream.get()
            await anyio.sleep_forever()

        async with client(app) as ask, ask.stream("POST", "/") as stream:
            for _ in range(5):
                await stream.send(b"x")
                await ask.advance(16)
            assert (await stream.response()).status == 503

    async def test_a_response_that_has_begun_is_never_cut(self, app):
        """Not even one that has not written yet: what it waits for may come late."""

        @app.route("/")
        async def events(request):
            async def write(response):
                await go_on.wait()
                response.write("event")

            return sanic_response.stream(write)

        go_on = anyio.Event()
        async with client(app) as ask, ask.stream("GET", "/") as stream:
            await ask.advance(60 * MINUTE)
            go_on.set()
            assert (await stream.response()).body == b"event"

    async def test_a_client_that_pipelines_and_reads_slowly_does_not_make_a_handler_late(self, app):
        """Its next handler is called when the last answer has left, and has all of its time then."""

        @app.route("/large")
        async def large(request):
            return text("x" * 1_000_000)

        @app.route("/slow")
        async def slow(request):
            await go_on.wait()
            return text("in time")

        go_on = anyio.Event()
        async with client(app) as ask, ask.connect() as connection:
            await connection.send(
                b"GET /large HTTP/1.1\r\nHost: h\r\n\r\nGET /slow HTTP/1.1\r\nHost: h\r\n\r\n"
            )
            received = 0
            while connection.outbound_held:
                await ask.advance(25)
                received += len(await connection.receive(50_000))
                await ask.settle()
            await ask.advance(55)
            go_on.set()
            while connection.unread or not received:
                last = await connection.receive()
                await ask.settle()
            assert last.endswith(b"in time")

    async def test_a_handler_that_answers_when_it_is_cancelled_has_answered(self, app):
        @app.route("/")
        async def stubborn(request):
            try:
                await anyio.sleep_forever()
            except BaseException:
                return text("late, but here")

        async with client(app) as ask, ask.stream("GET", "/") as stream:
            await ask.advance(60)
            assert (await stream.response()).body == b"late, but here"

    async def test_a_client_that_leaves_meanwhile(self, flavour):
        app = with_routes(flavour)
        async with client(app) as ask, ask.stream("GET", "/hang") as stream:
            await ask.advance(30)
            stream.disconnect()
            await ask.advance(60)
            assert (app.cancelled, stream.received.status) == (0, 0)

    async def test_an_error_page_that_fails(self, app, caplog):
        @app.exception(ServiceUnavailable)
        def page(request, error):
            raise ValueError

        @app.route("/")
        async def hang(request):
            await anyio.sleep_forever()

        async with client(app) as ask, ask.stream("GET", "/") as stream:
            await ask.advance(60)
            assert (await stream.response()).status == 500

    async def test_without_a_limit(self, flavour):
        app = with_routes(flavour)
        app.config.RESPONSE_TIMEOUT = None
        async with client(app) as ask, ask.stream("GET", "/hang") as stream:
            await ask.advance(1000 * MINUTE)
            assert (stream.received.status, app.cancelled) == (0, 0)

    def test_on_real_sockets(self, app, driver):
        app.config.RESPONSE_TIMEOUT = 1  # time enough for the quick one

        @app.route("/hang")
        async def hang(request):
            await anyio.sleep_forever()

        @app.route("/quick")
        async def quick(request):
            return text("quick")

        with serve_app(app, driver) as url, httpx.Client(base_url=url, timeout=PATIENCE) as http:
            assert [http.get(path).status_code for path in ("/hang", "/quick", "/hang")] == [503, 200, 503]


OLD = ["0.5", "0.6", "mach9"]


class TestRequestTimeoutForTheHandler:
    """Mach9 and Sanic before 0.7 have one time, for the client and for the handler."""

    def old(self, release, **settings):
        """An app of that time; its handler takes as many seconds as its path says."""
        flavour = Mach9 if release == "mach9" else Sanic
        app = flavour("old", load_env=False)
        app.config.update(settings)
        if "REQUEST_TIMEOUT" in settings:
            set_request_timeout(app, settings["REQUEST_TIMEOUT"])
        if flavour is Sanic:
            compat(release, app)

        @app.get("/<seconds:int>")
        async def handler(request, seconds):
            await anyio.sleep_forever() if seconds > 999 else await app.due[seconds].wait()
            return text("done")

        app.due = defaultdict(anyio.Event)
        return app

    async def asked(self, app, seconds):
        """The response to a handler of so many seconds, and whether its connection is kept."""
        async with client(app) as ask, ask.connect() as connection:
            await connection.send(b"GET /%d HTTP/1.1\r\nHost: h\r\n\r\n" % seconds)
            for _ in range(min(seconds, 1000)):
                await ask.advance(1)
                if connection.unread:
                    break
            app.due[seconds].set()
            response = await connection.response()
            await ask.settle()
            return response.status, response.body, connection.open

    @pytest.mark.parametrize("release", OLD)
    async def test_it_is_the_handlers_time(self, release):
        too_late = (408, b"Error: Request Timeout", False)
        done = (200, b"done", True)
        assert await self.asked(self.old(release), 59) == done
        assert await self.asked(self.old(release), 61) == too_late
        assert await self.asked(self.old(release, REQUEST_TIMEOUT=90), 65) == done
        assert await self.asked(self.old(release, REQUEST_TIMEOUT=90), 91) == too_late
        assert await self.asked(self.old(release, REQUEST_TIMEOUT=1), 2) == too_late
        assert await self.asked(self.old(release, REQUEST_TIMEOUT=None), 999) == done

    @pytest.mark.parametrize("release", OLD)
    async def test_a_response_timeout_that_is_set_counts(self, release):
        assert (await self.asked(self.old(release, RESPONSE_TIMEOUT=3), 4))[0] == 408
        assert (await self.asked(self.old(release, REQUEST_TIMEOUT=1, RESPONSE_TIMEOUT=None), 99))[0] == 200

    @pytest.mark.parametrize("release", ["0.7", "0.8"])
    async def test_later_releases_have_two_times(self, release):
        assert (await self.asked(self.old(release, REQUEST_TIMEOUT=90), 65))[0] == 503
        assert (await self.asked(self.old(release, REQUEST_TIMEOUT=1), 2))[0] == 200

    @pytest.mark.parametrize("release", OLD)
    async def test_the_apps_own_page_closes_too(self, release):
        app = self.old(release)
        errors = mach9_exceptions if release == "mach9" else sanic_exceptions

        @app.exception(errors.RequestTimeout)
        def page(request, exception):
            return text("slow", 408, {"X-Own": "1"})

        assert await self.asked(app, 61) == (408, b"slow", False)

    @pytest.mark.parametrize("release", OLD)
    async def test_a_stream_that_moves_is_not_cut(self, release):
        app = self.old(release, REQUEST_TIMEOUT=3)

        @app.post("/", stream=True)
        async def handler(request):
            return text(str(sum([len(piece) async for piece in request.stream])))

        async with client(app) as ask, ask.stream("POST", "/") as stream:
            for _ in range(10):
                await stream.send(b"x")
                await ask.advance(2)
            await stream.finish()
            assert (await stream.response()).body == b"10"

    def test_mach9_reads_it_once(self, monkeypatch, caplog):
        monkeypatch.setenv("MACH9_REQUEST_TIMEOUT", "4")
        assert Mach9("app").server_config().timeouts.response == 4
        monkeypatch.setattr(Mach9Config, "REQUEST_TIMEOUT", 5, raising=False)
        assert Mach9("app").server_config().timeouts.response == 5
        monkeypatch.undo()
        app = Mach9("app", load_env=False)
        app.config.REQUEST_TIMEOUT = 1
        assert app.server_config().timeouts.response == 60
        assert "set app.request_timeout instead" in caplog.text
        caplog.clear()
        app.request_timeout = 2
        app.config.REQUEST_TIMEOUT = 2
        assert app.server_config().timeouts.response == 2
        app.config.REQUEST_TIMEOUT = 60
        assert app.server_config().timeouts.response == 2
        assert caplog.text == ""

    def test_a_site_has_the_longest(self):
        site = Site()
        for place, seconds in enumerate((90, 1)):
            site.mount(self.old("mach9", REQUEST_TIMEOUT=seconds), f"/{place}")
        assert site.server_config().timeouts.response == 90
        site.mount(Sanic("new", load_env=False))
        assert site.server_config().timeouts.response == 90


class TestRequestTimeout:
    async def test_a_head_that_does_not_arrive(self, flavour):
        app = with_routes(flavour)
        set_request_timeout(app, 3)
        async with client(app) as ask, ask.connect() as connection:
            await connection.send(HEAD % b"gather")
            await ask.advance(2.9)
            assert not connection.unread
            await ask.advance(0.2)
            assert (await connection.response("POST")).status == 408

    async def test_no_longer_than_ten_seconds_for_a_head(self, flavour):
        app = with_routes(flavour)
        set_request_timeout(app, 100)
        async with client(app) as ask, ask.connect() as connection:
            await connection.send(HEAD % b"gather")
            await ask.advance(10)
            assert (await connection.response("POST")).status == 408

    @pytest.mark.parametrize(("seconds", "each"), [(60, 5_000), (3, 1), (3, 5_000)])
    async def test_a_gathered_body_has_the_whole_of_it(self, flavour, seconds, each):
        """From the first byte of the request, however fast it comes."""
        app = with_routes(flavour)
        set_request_timeout(app, seconds)
        async with client(app) as ask, ask.connect() as connection:
            await connection.send(HEAD % b"gather")
            await ask.advance(1)
            await connection.send(b"Content-Length: 1000000\r\n\r\n")
            for _ in range(seconds - 2):
                await connection.send(b"x" * each)
                await ask.advance(1)
            assert not connection.unread
            await ask.advance(1)
            response = await connection.response("POST")
            assert (response.status, response.body) == (408, b"Error: Request Timeout")

    async def test_the_apps_own_page(self, app):
        @app.exception(RequestTimeout)
        def page(request, error):
            return text(f"{request.path} too slow", 408)

        @app.post("/")
        async def gather(request):
            return text("")

        async with client(app) as ask, ask.stream("POST", "/") as stream:
            await ask.advance(10)
            assert (await stream.response()).body == b"/ too slow"

    async def test_at_the_least_rate_it_is_not_late(self, flavour):
        app = with_routes(flavour)
        async with client(app) as ask, ask.stream("POST", "/gather") as stream:
            for _ in range(50):
                await stream.send(b"x" * 500)
                await ask.advance(1)
            await stream.finish()
            assert (await stream.response()).body == b"25000"

    async def test_a_streamed_body_is_late_only_when_nothing_comes(self, flavour):
        app = with_routes(flavour)
        async with client(app) as ask, ask.stream("POST", "/stream") as stream:
            for _ in range(100):
                await stream.send(b"x")
                await ask.advance(59)
            await ask.advance(2)
            assert (await stream.response()).status == 408
