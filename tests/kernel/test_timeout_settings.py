"""The settings of times, of an app and of a site: what reaches the engine."""

from __future__ import annotations

import anyio
import anyio.lowlevel

from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.exceptions import (
    SanicException,
)
from streamcompat.sanic_api.response import text
from streamcompat.site import Site
from tests.kernel.test_timeouts import client


class TestSettings:
    def test_reach_the_engine(self, app):
        app.config.update(
            REQUEST_TIMEOUT="3", RESPONSE_TIMEOUT=4, KEEP_ALIVE_TIMEOUT=7, GRACEFUL_SHUTDOWN_TIMEOUT=8
        )
        config = app.server_config()
        times = config.timeouts
        assert (times.head, times.body_grace, times.request) == (3, 3, 3)
        assert (times.response, times.keep_alive, config.grace) == (4, 7, 8)

    def test_by_default(self, flavour):
        times = flavour[0].server_config().timeouts
        assert (times.head, times.body_grace, times.request) == (10, 10, 60)
        assert (times.response, times.keep_alive) == (60, 5)

    def test_without_limits(self, app):
        app.config.update(REQUEST_TIMEOUT=None, RESPONSE_TIMEOUT=None, KEEP_ALIVE_TIMEOUT=None)
        times = app.server_config().timeouts
        assert (times.head, times.body_grace, times.request) == (10, 10, None)
        assert (times.response, times.keep_alive) == (None, None)

    def test_a_site_has_the_longest_of_its_apps(self):
        one, other = Sanic("one", load_env=False), Mach9("other", load_env=False)
        one.config.update(REQUEST_TIMEOUT=2, RESPONSE_TIMEOUT=None, GRACEFUL_SHUTDOWN_TIMEOUT=20)
        other.config.update(KEEP_ALIVE_TIMEOUT=1)
        site = Site()
        site.mount(one, "/one")
        site.mount(other, "/other")
        config = site.server_config(port=0)
        assert (config.timeouts.request, config.timeouts.response) == (60, None)
        assert (config.timeouts.keep_alive, config.timeouts.head, config.grace) == (5, 10, 20)
        assert Site().server_config().timeouts.response is None

    async def test_a_site_answers_in_the_words_of_the_app(self, app):
        @app.exception(SanicException)
        def page(request, error):
            return text(f"{request.root_path} {error}", error.status_code)

        @app.route("/")
        async def hang(request):
            await anyio.sleep_forever()

        site = Site()
        site.mount(app, "/shop")
        async with client(site) as ask, ask.stream("GET", "/shop/") as stream:
            await ask.advance(60)
            response = await stream.response()
            assert (response.status, response.body) == (503, b"/shop Response Timeout")
