"""The lifespan of an ASGI application: its order, its task, and what becomes of each fault."""

from __future__ import annotations

import threading
from typing import Any

import anyio
import pytest

from streamcompat.asgi_api import ASGIApp, LifespanFailed
from streamcompat.asgi_api.lifespan import TASK
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.serving.site import Site
from streamcompat_engine import Server
from tests.support.asgi_apps import START, body
from tests.support.servers import every_driver, settings
from tests.support.websocket_clients import serving


def application(told: list[Any], name: str = "", **faults: Any) -> Any:
    """One that tells what it was told, within a scope and a group as frameworks have them."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            told.append((name, scope["state"]))
            scope["state"]["own"] = 1
            await send(START)
            await send(body(name.encode(), more=False))
            return
        assert scope["asgi"] == {"version": "3.0", "spec_version": "2.0"}
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anyio.sleep_forever, name=TASK)
            assert await receive() == {"type": "lifespan.startup"}
            told.append(name + "up")
            scope["state"]["name"] = name
            if "startup" in faults:
                await faults["startup"](send)
            await send({"type": "lifespan.startup.complete"})
            assert await receive() == {"type": "lifespan.shutdown"}
            told.append(name + "down")
            if "shutdown" in faults:
                await faults["shutdown"](send)
            await send({"type": "lifespan.shutdown.complete"})
            tasks.cancel_scope.cancel()

    return call


@every_driver
def test_it_spans_the_requests_and_its_state_is_theirs(driver: str) -> None:
    told: list[Any] = []
    with serving(ASGIApp(application(told)), driver) as served:
        assert told == ["up"]
        served.get()
        served.get()
    assert told == ["up", ("", {"name": "", "own": 1}), ("", {"name": "", "own": 1}), "down"]


@every_driver
def test_each_application_of_a_site_has_its_own(driver: str) -> None:
    told: list[Any] = []
    sanic = Sanic("beside", load_env=False)
    sanic.add_route(lambda request: text("sanic"), "/")
    sanic.listener("before_server_start")(lambda app, loop: told.append("sanic up"))
    sanic.listener("after_server_stop")(lambda app, loop: told.append("sanic down"))
    site = Site()
    site.mount(ASGIApp(application(told, "a")), "/a")
    site.mount(ASGIApp(application(told, "b")), "/b")
    site.mount(sanic)
    with serving(site, driver) as served:
        answers = [b"".join(served.get(target).chunks) for target in ("/", "/a/x", "/b")]
    assert answers == [b"sanic", b"a", b"b"]
    assert [item for item in told if isinstance(item, str)] == [
        "sanic up", "aup", "bup", "bdown", "adown", "sanic down",
    ]  # fmt: skip
    assert [item[1]["name"] for item in told if not isinstance(item, str)] == ["a", "b"]


async def fail_startup(send: Any) -> None:
    await send({"type": "lifespan.startup.failed", "message": "no database"})
    raise RuntimeError("no database")


async def fail_shutdown(send: Any) -> None:
    await send({"type": "lifespan.shutdown.failed", "message": "no goodbye"})


async def wrong_order(send: Any) -> None:
    await send({"type": "lifespan.shutdown.complete"})


@every_driver
def test_a_startup_that_fails_ends_the_server(driver: str) -> None:
    told: list[Any] = []
    site = Site()
    site.mount(ASGIApp(application(told, "a")), "/a")
    site.mount(ASGIApp(application(told, "b", startup=fail_startup)), "/b")
    with pytest.raises(LifespanFailed, match="no database"), serving(site, driver):
        pass
    assert told == ["aup", "bup", "adown"]


@every_driver
def test_a_shutdown_that_fails_is_told_to_the_caller(driver: str) -> None:
    told: list[Any] = []
    site = Site()
    site.mount(ASGIApp(application(told, "a", shutdown=fail_shutdown)), "/a")
    site.mount(ASGIApp(application(told, "b")), "/b")
    with pytest.raises(LifespanFailed, match="no goodbye"), serving(site, driver):
        pass
    assert told == ["aup", "bup", "bdown", "adown"]


@every_driver
def test_one_that_raises_has_no_lifespan_and_is_served(driver: str) -> None:
    told: list[Any] = []
    app = ASGIApp(application(told, startup=wrong_order))
    logged = ("the application has no lifespan: ExceptionGroup",)
    with serving(app, driver, logged=logged) as served:
        assert served.get().status == 200
    assert told[0] == "up" and "down" not in told


@pytest.mark.parametrize("returns", ["at once", "after its start"])
def test_one_that_returns_is_served(returns: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await send(START)
            await send(body(b"", more=False))
        elif returns != "at once":
            await receive()
            await send({"type": "lifespan.startup.complete"})

    with serving(ASGIApp(app)) as served:
        assert served.get().status == 200


@every_driver
def test_a_stop_ends_a_startup_that_takes_too_long(driver: str) -> None:
    reached, ended = threading.Event(), threading.Event()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        reached.set()
        try:
            await anyio.sleep_forever()
        finally:
            ended.set()

    hosted = ASGIApp(app)
    server = Server(hosted.handle, settings(driver), lifespan=hosted.lifespan())
    thread = threading.Thread(target=server.run)
    thread.start()
    assert reached.wait(10)
    server.stop()
    thread.join(10)
    assert ended.is_set() and not thread.is_alive()


@every_driver
def test_two_runs_have_a_lifespan_each(driver: str) -> None:
    told: list[Any] = []
    app = ASGIApp(application(told))
    for _ in range(2):
        with serving(app, driver):
            pass
    assert told == ["up", "down", "up", "down"]


@pytest.mark.parametrize("in_a_site", [False, True])
def test_a_stop_says_what_it_waits_for_and_cuts(caplog: pytest.LogCaptureFixture, in_a_site: bool) -> None:
    caplog.set_level("INFO", "streamcompat.asgi_api")
    app = ASGIApp(application([]))
    site = Site()
    site.mount(app)
    lifespan = (site if in_a_site else app).lifespan()
    lifespan.waiting(0, None)
    lifespan.waiting(2, 15)
    lifespan.cut(["GET /a"])
    assert caplog.messages == [
        "waiting for 2 requests, a second signal ends them",
        "ended GET /a, which had not finished",
    ]
