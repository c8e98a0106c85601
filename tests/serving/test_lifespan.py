"""A lifespan that delegates; listeners themselves are tested in `test_serving`."""

from __future__ import annotations

import signal

import pytest

from streamcompat.serving.lifespan import DelegatingLifespan
from streamcompat.serving.site import Site
from streamcompat_engine import Lifespan


class Noted(Lifespan):
    def __init__(self):
        self.calls = []

    async def before_start(self, loop):
        self.calls.append(("before_start", loop))

    async def after_start(self, loop):
        self.calls.append(("after_start", loop))

    async def before_stop(self, loop):
        self.calls.append(("before_stop", loop))

    async def after_stop(self, loop):
        self.calls.append(("after_stop", loop))

    def listening(self, addresses):
        self.calls.append(("listening", addresses))

    def waiting(self, requests, number):
        self.calls.append(("waiting", requests, number))

    def cut(self, requests):
        self.calls.append(("cut", requests))

    def needs_recycling(self):
        self.calls.append("needs_recycling")


async def test_the_life_is_passed_on_and_the_address_goes_to_the_owner():
    inner, heard = Noted(), []
    outer = DelegatingLifespan(inner, heard.append)
    assert (outer.begun, outer.started) == (False, False)
    await outer.before_start(1)
    assert (outer.begun, outer.started) == (True, False)
    outer.listening(["x"])
    await outer.after_start(1)
    assert (outer.begun, outer.started) == (True, True)
    outer.needs_recycling()
    await outer.before_stop(1)
    outer.waiting(2, None)
    outer.cut(["GET /"])
    await outer.after_stop(1)
    assert heard == [["x"]]
    assert inner.calls == [
        ("before_start", 1),
        ("after_start", 1),
        "needs_recycling",
        ("before_stop", 1),
        ("waiting", 2, None),
        ("cut", ["GET /"]),
        ("after_stop", 1),
    ]


def test_the_owner_may_be_told_that_a_worker_needs_recycling():
    inner, heard = Noted(), []
    DelegatingLifespan(inner, heard.append, lambda: heard.append("recycle")).needs_recycling()
    assert (inner.calls, heard) == ([], ["recycle"])


@pytest.mark.parametrize(
    ("requests", "number", "line"),
    [
        (1, signal.SIGINT, "waiting for 1 request, Ctrl-C again to end it"),
        (3, signal.SIGINT, "waiting for 3 requests, Ctrl-C again to end them"),
        (1, signal.SIGTERM, "waiting for 1 request, a second signal ends it"),
        (2, None, "waiting for 2 requests"),
        (0, signal.SIGINT, "waiting for the listeners of before_server_stop, Ctrl-C again to end them"),
    ],
)
def test_the_log_says_what_a_stop_waits_for(flavour, caplog, requests, number, line):
    app, _, _ = flavour
    with caplog.at_level("INFO", app.log.name):
        app.lifespan().waiting(requests, number)
    assert caplog.messages == [line]


def test_the_log_says_in_one_line_what_was_cut(flavour, caplog):
    app, _, _ = flavour
    app.lifespan().cut(["GET /a", "POST /b"])
    app.lifespan().cut([f"GET /{number}" for number in range(7)])
    assert caplog.messages == [
        "ended GET /a, POST /b, which had not finished",
        "ended GET /0, GET /1, GET /2, GET /3, GET /4 and 2 more, which had not finished",
    ]


async def test_a_site_without_an_app_has_no_log_to_write_to():
    lifespan = Site().lifespan()
    lifespan.listening(["http://127.0.0.1:1"])
    lifespan.waiting(1, None)
    lifespan.cut(["GET /"])
