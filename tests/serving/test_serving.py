from __future__ import annotations

import asyncio
import functools
import gc
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import warnings

import httpx
import pytest

from streamcompat.mach9_api import Mach9, Server
from streamcompat.mach9_api.views import CompositionView
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.exceptions import SanicException
from streamcompat.sanic_api.response import text
from streamcompat.serving import lifespan
from streamcompat.serving.tls import tls_context
from streamcompat_engine.exchange.suspension import Wait
from tests.support.commands import PATIENCE, ROOT, environment, run_python
from tests.support.servers import serve_app

EVENTS = ["before_server_start", "after_server_start", "before_server_stop", "after_server_stop"]


def test_listeners_in_order_and_in_reverse_at_the_end(app, driver):
    calls = []
    for number in (1, 2):
        for event in EVENTS:

            async def coroutine(app, loop, event=event, number=number):
                calls.append((event, number))

            def plain(app, loop, event=event, number=number):
                calls.append((event, number))

            app.listener(event)(coroutine if number == 1 else plain)
    with serve_app(app, driver):
        pass
    assert calls == [
        ("before_server_start", 1),
        ("before_server_start", 2),
        ("after_server_start", 1),
        ("after_server_start", 2),
        ("before_server_stop", 2),
        ("before_server_stop", 1),
        ("after_server_stop", 2),
        ("after_server_stop", 1),
    ]


def test_a_listener_that_fails_ends_the_server(app, driver):
    app.listener("before_server_start")(lambda app, loop: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        app.run(port=0, driver=driver)
    assert not app.is_running


def test_what_listeners_get(app):
    seen = []
    app.listener("after_server_start")(lambda *given: seen.append(given))
    with serve_app(app):
        assert isinstance(seen[0][1], asyncio.AbstractEventLoop)
        assert seen[0][0] is app


@pytest.mark.parametrize("driver", ["asyncio", "anyio"])
@pytest.mark.parametrize("uvloop", [True, False])
def test_a_plain_listener_may_run_the_loop_until_something_is_complete(app, driver, uvloop):
    """As it could in the originals, whose loop did not run yet; connections to databases were made so."""
    calls = []

    async def connect(event):
        await asyncio.sleep(0)
        calls.append(f"connected at {event}")
        return event

    async def fail():
        await asyncio.sleep(0)
        raise LookupError

    def listener(app, loop, event):
        assert loop.run_until_complete(connect(event)) == event
        assert loop.run_until_complete(asyncio.ensure_future(connect("once more"))) == "once more"
        with pytest.raises(LookupError):
            asyncio.get_event_loop().run_until_complete(fail())
        calls.append(event)

    for event in EVENTS:
        app.listener(event)(functools.partial(listener, event=event))

    @app.listener("after_server_start")
    async def running(app, loop):
        with pytest.raises(RuntimeError, match="already running"):
            loop.run_until_complete(loop.create_future())
        app.stop()

    app.run(port=0, driver=driver, uvloop=uvloop if driver == "asyncio" else None)
    expected = [[f"connected at {event}", "connected at once more", event] for event in EVENTS]
    assert calls == sum(expected, [])


def test_a_plain_listener_without_a_stack_of_its_own(app, monkeypatch):
    """Where greenlet is missing: the error that asyncio has for it."""
    monkeypatch.setattr(lifespan, "wait", Wait)

    def listener(app, loop):
        loop.run_until_complete(loop.create_future())

    app.listener("before_server_start")(listener)
    with pytest.raises(RuntimeError, match="already running"):
        app.run(port=0)


class TestTasks:
    def test_of_every_kind_before_it_runs(self, app):
        ran = []
        done = threading.Event()

        async def coroutine():
            ran.append("coroutine")

        async def with_app(app):
            ran.append(app.name)

        async def without():
            ran.append("without")
            done.set()

        app.add_task(coroutine())
        app.add_task(with_app)
        app.add_task(without)
        with serve_app(app):
            assert done.wait(PATIENCE)
        assert ran == ["coroutine", "app", "without"]

    def test_a_function_is_called_for_each_run_and_a_coroutine_once(self, app):
        ran = []

        async def task(app):
            ran.append("function")

        async def once():
            ran.append("coroutine")

        app.add_task(task)
        app.add_task(once())
        for _ in range(2):
            with serve_app(app):
                pass
        assert sorted(ran) == ["coroutine", "function", "function"]

    def test_while_it_runs(self, app):
        done = threading.Event()

        async def task(app):
            done.set()

        @app.listener("after_server_start")
        def start(app, loop):
            app.add_task(task)

        with serve_app(app):
            assert done.wait(PATIENCE)

    async def test_not_on_trio(self, app):
        async def task():
            pass

        app.add_task(task)
        with pytest.raises(RuntimeError, match="add_task needs asyncio"):
            app.started(None, None)


def test_the_loop_is_there_while_it_runs(app, mach9):
    with pytest.raises(SanicException, match="started running"):
        app.loop  # noqa: B018
    with pytest.raises(RuntimeError, match="only while it is served"):
        mach9.loop  # noqa: B018
    loops = []
    app.listener("before_server_start")(lambda app, loop: loops.append(app.loop is loop))
    with serve_app(app):
        assert loops == [True]


class TestRun:
    @pytest.mark.parametrize("kind", [Sanic, Mach9])
    @pytest.mark.parametrize("driver", ["asyncio", "trio"])
    def test_until_it_is_stopped(self, kind, driver):
        app = kind("app", load_env=False)
        ready = threading.Event()
        app.get("/")(lambda request: text("x"))
        app.listener("after_server_start")(lambda app, loop: ready.set())
        with socket.create_server(("127.0.0.1", 0)) as sock:
            port = sock.getsockname()[1]
            thread = threading.Thread(target=lambda: app.run(sock=sock, driver=driver, access_log=False))
            thread.start()
            assert ready.wait(PATIENCE)
            assert httpx.get(f"http://127.0.0.1:{port}/").text == "x"
            app.stop()
            thread.join(PATIENCE)
            assert not thread.is_alive()
        app.stop()

    def test_arguments_of_old_versions(self, app):
        app.listener("after_server_start")(lambda app, loop: app.stop())
        app.run("127.0.0.1", 0, False, None, None, 1, None, 100, None, True, False, loop=None)
        assert not app.is_running

    def test_mach9s_order_of_arguments(self, mach9):
        mach9.listener("after_server_start")(lambda app, loop: app.stop())
        mach9.run("127.0.0.1", 0, None, True)
        assert mach9.debug

    def test_a_port_in_use(self, app):
        with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
            app.run(port=taken.getsockname()[1])

    def test_a_unix_socket(self, app, tmp_path):
        path = str(tmp_path / "socket")
        answers = []

        async def ask():
            async with httpx.AsyncClient(transport=httpx.AsyncHTTPTransport(uds=path)) as client:
                answers.append((await client.get("http://local/")).text)
            app.stop()

        app.get("/")(lambda request: text(f"{request.ip} {request.port}"))
        app.listener("after_server_start")(lambda app, loop: app.add_task(ask()))
        app.run(uds=path)
        assert answers == ["None None"]


def test_settings_of_the_server(app):
    app.config.KEEP_ALIVE_TIMEOUT = 7
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 3
    config = app.server_config(port=1)
    assert (config.timeouts.keep_alive, config.grace, config.port) == (7.0, 3.0, 1)


def test_tls_from_a_dict_needs_both_files():
    with pytest.raises(ValueError, match="certificate and key required"):
        tls_context({"cert": "x"})
    context = ssl.create_default_context()
    assert tls_context(context) is context


def test_connections_are_not_kept_where_the_setting_says_so(flavour):
    app, response, _ = flavour
    app.config.KEEP_ALIVE = False
    app.get("/")(lambda request: response.text("x"))
    with serve_app(app) as url:
        for path in ("/", "/none"):
            assert httpx.get(url + path).headers["connection"] == "close"


WORKING = """
import os, sys
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

app = Sanic("working")
app.get("/")(lambda request: text(str(os.getpid())))

@app.listener("after_server_stop")
def stopped(app, loop):
    os.write(1, b"stopped\\n")  # in one call, as two processes write here

app.run(port=0, workers=2, access_log=False)
"""


def test_several_processes():
    process = subprocess.Popen(
        [sys.executable, "-c", WORKING],
        cwd=ROOT,
        env={**environment(), "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = re.search(r"http://\S+", process.stderr.readline())[0]
        pids = {httpx.get(url).text for _ in range(32)}
        assert len(pids) == 2
        assert str(process.pid) not in pids
        process.terminate()
        out, _ = process.communicate(timeout=PATIENCE)
        assert (out, process.returncode) == ("stopped\nstopped\n", 0)
    finally:
        process.kill()
        process.communicate()


class TestCreateServer:
    """Within a loop that somebody else runs."""

    def test_it_serves_until_it_is_closed(self, app):
        app.get("/")(lambda request: text("here"))
        calls = []
        for event in EVENTS:
            app.listener(event)(lambda app, loop, event=event: calls.append((event, loop)))

        async def main():
            loop = asyncio.get_running_loop()
            server = await app.create_server(port=0, loop=loop, protocol=None, access_log=False)
            assert server.is_serving()
            assert app.is_running
            assert app.loop is server.get_loop() is loop
            port = server.sockets[0].getsockname()[1]
            async with httpx.AsyncClient() as client:
                assert (await client.get(f"http://127.0.0.1:{port}/")).text == "here"
            server.close()
            await server.wait_closed()
            assert not server.is_serving()
            assert server.sockets == ()
            assert calls == [(event, loop) for event in EVENTS]

        asyncio.run(main())
        assert not app.is_running

    def test_stop_ends_it_and_a_context_closes_it(self, mach9):
        async def main():
            server = await mach9.create_server("127.0.0.1", 0)
            mach9.stop()
            await server.wait_closed()
            async with await mach9.create_server("127.0.0.1", 0) as server:
                assert server.is_serving()
            assert not server.is_serving()

        asyncio.run(main())

    @pytest.mark.parametrize("awaits", [False, True], ids=["as in 19.6 to 20.12", "as in 21"])
    def test_its_owner_manages_its_life_step_by_step(self, app, awaits):
        """The originals' example of a loop of one's own; each listener runs once all the same."""
        calls = []
        for event in EVENTS:
            app.listener(event)(lambda app, loop, event=event: calls.append(event))
        loop = asyncio.new_event_loop()
        step = loop.run_until_complete if awaits else lambda result: None
        server = loop.run_until_complete(
            app.create_server(port=0, return_asyncio_server=True, asyncio_server_kwargs=None)
        )
        step(server.startup())
        step(server.before_start())
        step(server.after_start())
        step(server.start_serving())
        assert (server.loop, server.server.is_serving()) == (loop, True)
        loop.call_soon(loop.stop)
        loop.run_forever()
        step(server.before_stop())
        closed = server.close()
        loop.run_until_complete(closed)
        assert [connection.close_if_idle() for connection in server.connections] == []
        step(server.after_stop())
        loop.close()
        assert calls == list(EVENTS)

    def test_serving_for_ever_ends_with_the_server_or_its_task(self, app):
        async def main():
            server = await app.create_server(port=0, return_asyncio_server=True)
            await server.startup()
            asyncio.get_running_loop().call_soon(app.stop)
            await server.serve_forever()
            assert not server.is_serving()
            server = await app.create_server(port=0)
            task = asyncio.ensure_future(server.serve_forever())
            await asyncio.sleep(0)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert not server.is_serving()

        asyncio.run(main())

    def test_it_raises_what_keeps_it_from_listening(self, app):
        app.listener("before_server_start")(lambda app, loop: 1 / 0)

        async def main():
            with pytest.raises(ZeroDivisionError):
                await app.create_server(port=0)
            with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError):
                await Mach9("other").create_server(*taken.getsockname())

        asyncio.run(main())

    def test_signals_are_left_to_the_loops_owner(self, app):
        async def main():
            caught = asyncio.Event()
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, caught.set)
            async with await app.create_server(port=0) as server:
                os.kill(os.getpid(), signal.SIGTERM)
                await caught.wait()
                assert server.is_serving()

        asyncio.run(main())

    def test_cancelling_it_while_it_starts(self, app):
        async def main():
            waiting = asyncio.Event()

            @app.listener("before_server_start")
            async def wait(app, loop):
                waiting.set()
                await asyncio.Event().wait()

            task = asyncio.ensure_future(app.create_server(port=0))
            await waiting.wait()
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        assert not app.is_running


def test_run_leaves_signals_alone_where_it_is_told_to(app):
    before = signal.getsignal(signal.SIGTERM)
    during = []

    @app.listener("after_server_start")
    def look(app, loop):
        during.append(signal.getsignal(signal.SIGTERM))
        app.stop()

    app.go_fast(port=0, register_sys_signals=False, protocol=None, stop_event=None, auto_reload=False)
    assert during == [before]
    assert app() is app


class TestMach9sServer:
    def test_it_runs_the_app(self, mach9):
        mach9.listener("after_server_start")(lambda app, loop: app.server.stop())
        server = Server(mach9)
        server.run("127.0.0.1", 0, protocol=None)
        assert mach9.server is server
        mach9.run(port=0, debug=True)
        assert mach9.server is not server
        assert mach9.debug is True

    def test_settings_are_attributes(self, mach9):
        assert mach9.request_timeout == mach9.config.REQUEST_TIMEOUT == 60
        mach9.request_timeout = 3
        assert mach9.server_config().timeouts.request == 3
        assert mach9.request_max_size == mach9.config.REQUEST_MAX_SIZE
        assert mach9.keep_alive is True

    def test_the_view_that_its_router_makes(self):
        class View(CompositionView):
            pass

        app = Mach9("app", composition_view=View)
        app.get("/")(lambda request: text("a"))
        app.post("/")(lambda request: text("b"))
        assert app.composition_view_class is View
        assert type(app.router.routes_all["/"].handler) is View


@pytest.mark.parametrize("flavour", ["sanic", "mach9"])
def test_the_logging_configuration_of_old(flavour, tmp_path):
    """In a process of its own, as it changes the loggers of a whole one."""
    kind = flavour.capitalize()
    code = (
        f"from streamcompat.{flavour}_api import {kind}\n"
        f"from streamcompat.{flavour}_api.config import LOGGING\n"
        f"from streamcompat.{flavour}_api.log import log, netlog\n"
        "LOGGING['loggers']['network']['handlers'] = ['accessTimedRotatingFile', 'errorTimedRotatingFile']\n"
        f"{kind}(__name__, log_config=LOGGING)\n"
        "log.info('to the terminal')\n"
        "netlog.info('', extra={'host': 'h', 'request': 'GET /', 'status': 200, 'byte': 3})\n"
    )
    ran = run_python("-c", code, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert f"({flavour})[INFO]: to the terminal" in ran.stderr
    assert (tmp_path / "access.log").read_text().endswith("(network)[INFO][h]: GET /  200 3\n")
    assert not (tmp_path / "error.log").exists()


@pytest.mark.parametrize("turns", range(16))
def test_a_program_that_leaves_while_its_server_stops_is_not_warned(app, turns):
    """Whatever step of the stop it cuts off: a task that has not begun by then is no coroutine yet."""

    async def leave():
        (await app.create_server(host="127.0.0.1", port=0, access_log=False)).close()
        for _ in range(turns):
            await asyncio.sleep(0)

    gc.collect()  # what other tests have left
    with warnings.catch_warnings(record=True, action="always") as warned:
        asyncio.run(leave())
        gc.collect()
    assert [str(one.message) for one in warned if one.category is RuntimeWarning] == []
