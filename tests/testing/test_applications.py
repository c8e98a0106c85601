"""Whatever is called an app is tested by the same tools: here, applications of ASGI."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from streamcompat.asgi_api import ASGIApp
from streamcompat.cli.command import main
from streamcompat.testing import (
    Client,
    Request,
    TestClient,
    assert_boundary_invariant,
    assert_bounded_memory,
    assert_isolated,
    assert_same_behaviour,
    assert_survives_disconnect,
)
from streamcompat.testing import advice as advices
from streamcompat.testing.applications import is_app, served
from streamcompat.testing.counterexample import Counterexample
from streamcompat.testing.machine import StreamMachine
from streamcompat.testing.wording import in_words_of
from tests.testing.apps import sanic_app
from tests.testing.framework_apps import FRAMEWORKS, starlette

EVERY = pytest.mark.parametrize("make", FRAMEWORKS.values(), ids=FRAMEWORKS)
ECHO = Request("POST", "/echo", body="naïve\r\n".encode())
UPPER = Request("POST", "/upper", body="é".encode())


class Bare:
    """An application without a framework: echoes, and counts its lives."""

    def __init__(self) -> None:
        self.lives: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            self.lives.append("up")
            await send({"type": "lifespan.startup.complete"})
            await receive()
            self.lives.append("down")
            await send({"type": "lifespan.shutdown.complete"})
            return
        more, begun = True, False
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            if not begun:
                await send({"type": "http.response.start", "status": 200, "headers": []})
                begun = True
            more = message["more_body"]
            await send({"type": "http.response.body", "body": message["body"], "more_body": more})


class Old:
    """The same for ASGI 2: the class is the application."""

    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await Bare()(self.scope, receive, send)


# ---- what is an app ----


def test_what_is_an_app() -> None:
    async def engine_app(exchange: Any) -> None: ...

    for one in (Bare(), Bare().__call__, Old, ASGIApp(Bare()), sanic_app(), sanic_app().asgi, engine_app):
        assert is_app(one), one


def wsgi(environ: Any, start_response: Any) -> Any: ...


@pytest.mark.parametrize("one", [None, "app", Bare, dict, print, wsgi], ids=lambda one: type(one).__name__)
def test_what_is_none(one: Any) -> None:
    with pytest.raises(TypeError, match="not an app"):
        served(one)
    with pytest.raises(TypeError, match="not an app"):
        TestClient(one)
    with pytest.raises(TypeError, match="not an app"):
        assert_boundary_invariant(one, ECHO)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_the_lifespan_is_around_the_requests(backend: str) -> None:
    app = Bare()
    with TestClient(app, backend=backend) as client:
        assert app.lives == ["up"]
        assert client.post("/", content=b"abc").body == b"abc"
    assert app.lives == ["up", "down"]


@pytest.mark.anyio
async def test_a_stream_in_both_directions() -> None:
    async with Client(Bare()) as client, client.stream("POST", "/") as stream:
        await stream.send(b"one")
        assert await stream.receive() == b"one"
        await stream.send(b"two")
        assert await stream.receive() == b"two"
        assert stream.seen.pieces == [b"one", b"two"]
        await stream.finish()
        assert (await stream.response()).complete


# ---- the assertions ----


@EVERY
def test_the_assertions_know_the_sound_from_the_broken(make: Callable[[], Any]) -> None:
    app, name = make(), make.__name__
    assert_boundary_invariant(app, ECHO, ways=20)
    if name != "sanic":  # on ASGI it takes a lost body for a whole one
        assert_survives_disconnect(app, ECHO)
    if name == "django":
        return  # it takes a body whole, before the handler is called
    assert_isolated(app, ECHO)
    with pytest.raises(AssertionError) as caught:
        assert_boundary_invariant(app, UPPER)
    text = str(caught.value)
    assert "UnicodeDecodeError: 'utf-8' codec" in text or name == "litestar"  # which logs none
    assert advices.DECODE.splitlines()[0] in text
    spelled = {"quart": "request.body", "sanic": "request.stream"}.get(name, "request.stream()")
    assert f"text({spelled})" in text


def test_memory_is_bounded() -> None:
    assert_bounded_memory(Bare(), ECHO)


@pytest.mark.long
def test_memory_that_grows() -> None:
    kept: list[bytes] = []

    async def keeps(scope: Any, receive: Any, send: Any) -> None:
        more = scope["type"] == "http"
        while more:
            message = await receive()
            kept.append(message.get("body", b""))
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    with pytest.raises(AssertionError, match="refuse a body that is too long with 413"):
        assert_bounded_memory(keeps, ECHO)


def test_a_body_that_is_cut_and_taken_for_a_whole_one() -> None:
    async def careless(scope: Any, receive: Any, send: Any) -> None:
        more = scope["type"] == "http"
        while more:
            more = (await receive()).get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"thanks"})

    with pytest.raises(AssertionError, match=r"as if it were whole(.|\n)*raise at `http.disconnect`"):
        assert_survives_disconnect(careless, ECHO)


def test_an_old_app_and_its_port_behave_alike() -> None:
    by_the_way = ["content-type", "connection", "keep-alive"]
    assert_same_behaviour(sanic_app(), starlette(), ECHO, ignore_headers=by_the_way)


# ---- the state machine ----


def test_the_state_machine_drives_an_application() -> None:
    class Machine(StreamMachine):
        app = Bare()

    class Made(StreamMachine):
        app = Bare  # a factory: a class without arguments

    few = settings(
        max_examples=3, stateful_step_count=8, deadline=None, database=None, phases=[Phase.generate]
    )
    for machine in (Machine, Made):
        run_state_machine_as_test(machine, settings=few)


# ---- advice ----


@pytest.mark.parametrize("name", [one for one in vars(advices) if one.isupper() and one != "TEXT"])
def test_no_advice_speaks_of_another_interface(name: str) -> None:
    advice = vars(advices)[name]
    if not isinstance(advice, str):
        pytest.skip("not an advice")
    found = Counterexample("", ECHO, (), (), "", advice)
    for app, stream in ((starlette(), "request.stream()"), (Bare(), "pieces")):
        told = in_words_of(app, found).advice
        assert not re.search(r"Sanic|Mach9|request\.parts|\(request\.stream\)|more_content", told), told
        assert ("request.stream" in advice) == (f"({stream})" in told)
    assert in_words_of(sanic_app(), found) is found


# ---- the command ----

BROKEN = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route


async def first(request):
    return PlainTextResponse(await anext(request.stream()))


app = Starlette(routes=[Route("/first", first, methods=["POST"])])


def create_app():
    return app
"""


def probed(tmp_path: Path, content: str, *options: str) -> int:
    file = tmp_path / "served_by_asgi.py"
    file.write_text(content)
    return main(["probe", f"{file}{options[0]}", "--examples", "1", *options[1:]])


@pytest.mark.parametrize(
    ("named", "imported"),
    [
        ("", "from served_by_asgi import app\n"),
        (":create_app()", "from served_by_asgi import create_app\n\n          app = create_app()\n"),
    ],
)
def test_the_command_probes_an_application(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], named: str, imported: str
) -> None:
    body = tmp_path / "body"
    body.write_text("é")
    assert probed(tmp_path, BROKEN, named, "--body", str(body)) == 1
    told = capsys.readouterr().out
    assert "POST /first" in told
    assert "BROKEN       the answer is the same wherever the network cuts the request" in told
    assert "Read until the end: no more from the stream, or `more_body: False`." in told
    assert imported in told


def test_the_command_says_that_routes_cannot_be_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = "from tests.testing.test_applications import Bare\n\napp = Bare()\n"
    body = tmp_path / "body"
    body.write_text("é")
    assert probed(tmp_path, content, "") == 4
    assert "its routes cannot be listed: give them with --route 'METHOD /...'" in capsys.readouterr().out
    assert probed(tmp_path, content, "", "--route", "POST /anything", "--body", str(body)) == 0
    assert "0 of 1 routes broken" in capsys.readouterr().out


def test_the_command_refuses_a_wsgi_application(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert probed(tmp_path, "def app(environ, start_response): ...\n", "") == 3
    assert "WSGI" in capsys.readouterr().err
