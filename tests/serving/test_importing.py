"""An app does not serve while it is imported, nor does what the import has left running."""

from __future__ import annotations

import asyncio
import threading

import pytest

from streamcompat.mach9_api import Mach9
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
from streamcompat.serving.importing import ImportEnds, importing
from streamcompat.site import Site

pytestmark = pytest.mark.parametrize("make", [lambda: Sanic("a"), lambda: Mach9("a"), Site])


def test_a_call_of_run_is_recorded_and_returns(make: type[Site]) -> None:
    app = make()
    with importing() as runs:
        app.run("127.0.0.1", 9)
    (run,) = runs
    assert (run.app, run.method, run.options.port) == (app, "run", 9)
    assert run.place[0] == __file__


def test_a_second_call_ends_a_loop_that_would_never_end(make: type[Site]) -> None:
    app = make()
    with importing() as runs:
        app.run(port=9)
        with pytest.raises(ImportEnds):
            app.run(port=9)
    assert len(runs) == 2


def test_two_apps_are_two_calls(make: type[Site]) -> None:
    with importing() as runs:
        make().run(port=9)
        make().run(port=8)
    assert [run.options.port for run in runs] == [9, 8]


def test_create_server_ends_the_import_because_its_caller_waits(
    make: type[Site], caplog: pytest.LogCaptureFixture
) -> None:
    app = make()
    with importing() as runs:
        loop = asyncio.new_event_loop()
        task = loop.create_task(app.create_server(port=9))
        with pytest.raises(ImportEnds):
            loop.run_forever()
        loop.close()
    del task
    assert [(run.method, run.options.port) for run in runs] == [("create_server", 9)]
    assert not caplog.records  # of a task whose exception nobody has asked for


def test_a_thread_that_the_import_has_started_does_not_serve_later(make: type[Site]) -> None:
    app, go, ended = make(), threading.Event(), threading.Event()

    def serve() -> None:
        go.wait()
        app.run(port=9)  # would block, and fail outside of the main thread only on some systems
        ended.set()

    with importing():
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
    go.set()
    assert ended.wait(10)


def test_afterwards_it_serves(make: type[Site]) -> None:
    app = make()
    with importing():
        pass

    async def serve() -> None:
        async with await app.create_server(port=0) as server:
            assert server.sockets

    if isinstance(app, Site):
        app.mount(Sanic("b"))
    asyncio.run(serve())


def test_the_test_client_serves_also_during_an_import(make: type[Site]) -> None:
    app = make()
    if isinstance(app, Site):
        return
    app.add_route(lambda request: text("answered"), "/")
    with importing() as runs:
        _, response = app.test_client.get("/")
    assert (response.status, runs) == (200, [])
