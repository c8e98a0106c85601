"""A lifespan that delegates; listeners themselves are tested in `test_serving`."""

from __future__ import annotations

from streamcompat.serving.lifespan import DelegatingLifespan
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
    await outer.after_stop(1)
    assert heard == [["x"]]
    assert inner.calls == [
        ("before_start", 1),
        ("after_start", 1),
        "needs_recycling",
        ("before_stop", 1),
        ("after_stop", 1),
    ]


def test_the_owner_may_be_told_that_a_worker_needs_recycling():
    inner, heard = Noted(), []
    DelegatingLifespan(inner, heard.append, lambda: heard.append("recycle")).needs_recycling()
    assert (inner.calls, heard) == ([], ["recycle"])
