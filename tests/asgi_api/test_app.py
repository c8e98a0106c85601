"""An ASGI application beside the flavours: in a site, at the command line, on several workers."""

from __future__ import annotations

import functools
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from streamcompat.asgi_api import ASGIApp, hosted
from streamcompat.sanic_api import Sanic
from streamcompat.serving.site import Site
from streamcompat.serving.targets import TargetError, load_module
from tests.support.asgi_apps import START, body, without_lifespan
from tests.support.clients import get
from tests.support.commands import run_python, serve_command
from tests.support.servers import Gate, every_driver, serve_app
from tests.support.websocket_clients import serving

APP = """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        print("starts", flush=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        print("stops", flush=True)
        await send({"type": "lifespan.shutdown.complete"})
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"{scope['root_path']}|{scope['path']}".encode()})

def make():
    return app

class Old:
    def __init__(self, scope):
        self.scope = scope
    async def __call__(self, receive, send):
        await app(self.scope, receive, send)

def wsgi(environ, start_response):
    start_response("200 OK", [])
    return [(environ["SCRIPT_NAME"] + "|" + environ["PATH_INFO"]).encode()]

async def failing(scope, receive, send):
    await receive()
    await send({"type": "lifespan.startup.failed", "message": "no database"})

number = 5
unclear = lambda s, r, n: app(s, r, n)
nameless = lambda e, s: wsgi(e, s)
"""
SANIC = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
shop = Sanic("s")
shop.add_route(lambda request: text("sanic"), "/")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "api.py").write_text(APP)
    (tmp_path / "shop.py").write_text(SANIC)
    return tmp_path


@pytest.fixture
def at_home(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """In the folder; what is imported there is forgotten."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", sys.path[:])
    known = set(sys.modules)
    yield
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(
    ("target", "interface"),
    [
        ("api.py", "auto"),
        ("api:Old", "auto"),
        ("api:make()", "auto"),
        ("api:unclear", "asgi"),
        ("api:wsgi", "auto"),
        ("api:nameless", "wsgi"),
    ],
)
def test_a_target_is_recognised_by_what_it_is(target: str, interface: str) -> None:
    app = load_module(target, functools.partial(hosted, interface=interface)).app
    assert isinstance(app, ASGIApp)
    with serving(app) as served:
        assert served.get("/x").chunks == [b"|/x"]


@pytest.mark.usefixtures("at_home")
@pytest.mark.parametrize(
    ("target", "line"),
    [
        ("api.py:nameless", "api.py:nameless is a function, not an app"),
        ("api.py:make", "api.py:make is a function, not an app: if it makes one, write api.py:make()"),
        ("api.py:unclear", "api.py:unclear is a function, not an app"),
        ("api.py:app()", "api.py:app() does not make an app: "),
        ("api.py:number()", "api.py:number cannot be called"),
    ],
)
def test_what_cannot_be_served_is_one_line(target: str, line: str) -> None:
    with pytest.raises(TargetError) as refused:
        load_module(target, hosted)
    assert str(refused.value).startswith(line)


def test_it_is_mounted_beside_a_flavour_at_the_command_line(folder: Path) -> None:
    mounts = [f"--mount={one}" for one in ("/api=api.py:app", "/old=api.py:Old", "/wsgi=api.py:nameless")]
    with serve_command("shop.py", *mounts, "--interface", "wsgi", "--driver", "trio", cwd=folder) as command:
        targets = ("/", "/api/x", "/old/y", "/wsgi/z")
        answers = [httpx.get(command.url + target).text for target in targets]
    assert answers == ["sanic", "/api|/api/x", "/old|/old/y", "/wsgi|/z"]
    said = command.said + "".join(command.output)
    assert said.count("starts") == said.count("stops") == 2
    assert "/api/x  200" in said


@pytest.mark.long
def test_each_worker_has_a_lifespan(folder: Path) -> None:
    with serve_command("api.py", "--workers", "2", cwd=folder) as command:
        assert httpx.get(f"{command.url}/x").text == "|/x"
    said = command.said + "".join(command.output)
    assert said.count("starts") == said.count("stops") == 2


def test_a_startup_that_fails_is_one_line(folder: Path) -> None:
    done = run_python("-m", "streamcompat", "run", "api.py:failing", "--port", "0", cwd=folder)
    (said,) = [one for one in done.stderr.splitlines() if one.startswith("streamcompat: ")]
    assert "the app did not start: " in said and said.endswith("LifespanFailed: no database")
    assert done.returncode == 3


def test_a_site_takes_no_raw_callable() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None: ...

    with pytest.raises(TypeError, match="ASGIApp"):
        Site().mount(app)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="callable"):
        ASGIApp("api")  # type: ignore[arg-type]


@every_driver
def test_errors_of_one_are_in_its_own_words(driver: str, caplog: pytest.LogCaptureFixture) -> None:
    async def fails(scope: Any, receive: Any, send: Any) -> None:
        raise ValueError("on purpose")

    sanic = Sanic("beside", load_env=False)
    sanic.add_route(lambda request: 1 / 0, "/sanic")
    site = Site()
    site.mount(sanic)
    site.mount(without_lifespan(fails), "/api")
    with serving(site, driver, logged=("GET /api/x failed", "/sanic")) as served:
        assert served.get("/api/x").chunks == [b"Internal Server Error\n"]
        assert b"Error" in served.get("/sanic").chunks[0]
    names = [record.name for record in caplog.records if record.levelno >= logging.ERROR]
    assert names[0] == "streamcompat.asgi_api" and names[1] != names[0]


def test_the_access_log_has_its_requests() -> None:
    lines: list[tuple[str, int, int, str]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append((record.request, record.status, record.byte, record.msg))  # type: ignore[attr-defined]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        await send(body(b"ok", more=scope["path"] == "/cut"))

    access = logging.getLogger("streamcompat.asgi_api.access")
    access.setLevel(logging.INFO)
    access.addHandler(keep := Keep())
    try:
        with serving(without_lifespan(app), logged=("within its response",)) as served:
            served.get("/a?b=c")
            with served.connect() as client:
                client.send(get("/cut"))
                client.response_or_cut()
    finally:
        access.removeHandler(keep)
    assert lines == [("GET http://test/a?b=c", 200, 2, ""), ("GET http://test/cut", 200, 2, "cut")]


def test_the_time_to_answer_of_a_flavour_holds_for_all_of_the_site() -> None:
    gate = Gate()

    async def hangs(scope: Any, receive: Any, send: Any) -> None:
        await gate.wait()

    sanic = Sanic("beside", load_env=False)
    sanic.config.RESPONSE_TIMEOUT = 0.1
    site = Site()
    site.mount(sanic)
    site.mount(without_lifespan(hangs), "/api")
    config = site.server_config()
    app_alone = without_lifespan(hangs).server_config()
    assert (config.timeouts.response, app_alone.timeouts.response) == (0.1, None)
    with serve_app(site) as url:
        assert httpx.get(f"{url}/api").text == "503: no answer in time\n"
    gate.open()
