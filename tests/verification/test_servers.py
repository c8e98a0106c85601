"""An app held against a server at an address, and an old app against its port on the real Sanic of today."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from streamcompat.cli.command import main
from streamcompat.serving.targets import TargetError
from streamcompat.testing import Request
from streamcompat.testing.remote.client import SocketClient, Unreachable
from streamcompat.verification import todays
from streamcompat.verification.answers import Answer
from streamcompat.verification.comparison import ENDLESS, SILENT
from streamcompat.verification.processes import served, served_today
from streamcompat.verification.requests import route_of
from streamcompat.verification.servers import compare_servers, report
from tests.porting.to_sanic.today import SANIC, needs_sanic
from tests.support.commands import ROOT

GOLDEN = ROOT / "tests/porting/to_sanic/golden"
APP = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream, text
import asyncio
app = Sanic("app")
@app.get("/double/<number:int>")
async def double(request, number):
    return text(str(number {0} number))
@app.websocket("/chat")
async def chat(request, ws):
    await ws.send(str(2 {0} 1))
    await ws.send(await ws.recv())
@app.get("/hangs")
async def hangs(request):
    await asyncio.Event().wait()
@app.get("/drips")
async def drips(request):
    async def writes(response):
        while True:
            response.write(".")
            await asyncio.sleep(0.01)
    return stream(writes, content_type=request.args.get("type", "text/event-stream"))
"""
ROUTES = ["--route", "GET /double/<number:int>", "--route", "websocket /chat"]


@pytest.fixture
def apps(tmp_path: Path) -> tuple[str, str]:
    """An app, and one that answers otherwise from 1 on."""
    for name, sign in (("plus", "+"), ("power", "**")):
        (tmp_path / f"{name}.py").write_text(APP.format(sign))
    return str(tmp_path / "plus.py"), str(tmp_path / "power.py")


@pytest.fixture
def python(tmp_path: Path) -> str:
    """A Python with the real Sanic."""
    command = tmp_path / "python"
    command.write_text(f'#!/bin/sh\nPYTHONPATH={SANIC} exec {sys.executable} "$@"\n')
    command.chmod(0o755)
    return str(command)


def test_an_app_is_held_against_a_server(apps: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    with served(apps[0], alias=False) as url:
        assert main(["verify", apps[0], url, "--requests", "3", *ROUTES]) == 0
        double, chat, count = capsys.readouterr().out.splitlines()
        assert double == "GET /double/<number:int>: 3 requests, answered alike, 3 of them with 2xx"
        assert chat == "GET /chat: 3 conversations, answered alike, 3 of them on an open WebSocket"
        assert count == "2 routes, 0 differences"
        assert main(["verify", url, apps[1], "--requests", "20", *ROUTES]) == 1
        out = capsys.readouterr().out
        assert "GET /double/<number:int>: answered differently" in out
        assert "  request: WEBSOCKET /chat: a Close with 1000\n  messages before: ('3',)" in out


def test_a_comparison_at_addresses_ends(apps: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamcompat.verification.servers.PATIENCE", 0.2)
    monkeypatch.setattr("streamcompat.testing.remote.client.GLANCE", 0.05)
    wanted = [route_of(one) for one in ("GET /hangs", "GET /drips", "GET /drips?type=text/plain")]
    with served(apps[0], alias=False) as url:
        clients = SocketClient(url), SocketClient(url)
        verdict, gone = compare_servers(*clients, wanted, requests=10, today=True)
        hangs, *drips = wanted
        assert verdict.differences == [] and gone == ""
        assert hangs in verdict.unfinished and verdict.sent[hangs] == SILENT
        said = (
            "GET /hangs: not checked to the end: 2 requests were not answered in the time that one may take"
        )
        assert any(line.startswith(said) for line in report(verdict, gone))
        for route in drips:  # on a slow machine, they may not have begun in time
            assert verdict.endless[route] == ENDLESS or route in verdict.unfinished
            assert verdict.sent[route] < ENDLESS + SILENT


def test_an_app_that_does_not_start_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gone = tmp_path / "gone.py"
    with pytest.raises(TargetError, match=r"cannot serve .*gone.py: .*does not exist"):
        with served(str(gone), alias=False) as url, SocketClient(url) as client:
            client.send(Request("GET", "/"))
    with pytest.raises(TargetError, match=r"cannot start /nowhere/python: No such file"):
        with served_today(str(gone), "/nowhere/python"):
            pass
    assert main(["verify", str(gone), "http://127.0.0.1:1"]) == 3
    assert "gone.py does not exist" in capsys.readouterr().err


def test_a_server_that_goes_on_is_not_blamed(apps: tuple[str, str]) -> None:
    with served(apps[0], alias=False) as url, SocketClient(url) as client:
        assert client.send(Request("GET", "/double/2")).body == b"4"
    with pytest.raises(Unreachable):
        client.send(Request("GET", "/double/2"))


@needs_sanic
def test_an_old_app_is_held_against_its_port_on_the_real_sanic(
    python: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = GOLDEN / "statuses.before.py", GOLDEN / "statuses.after.py"
    command = ["port", "--to", "sanic", "--python", python, "--requests", "3", "--verify", str(before)]
    assert main([*command, str(after)]) == 0
    out = capsys.readouterr().out.splitlines()
    own = "GET /literal: 3 requests, answered alike, 0 of them with 2xx, 3 with Sanic's own error page"
    assert any(line.startswith(own) for line in out)
    assert out[-1] == "6 routes, 0 differences"


@pytest.mark.long
@needs_sanic
@pytest.mark.parametrize("name", sorted(one.name.partition(".")[0] for one in GOLDEN.glob("*.requests.txt")))
def test_every_golden_case_is_proved_by_the_command(
    name: str, python: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(GOLDEN / f"{name}.{which}.py") for which in ("before", "after")]
    status = main(["port", "--to", "sanic", "--python", python, "--verify", *files])
    different = [line for line in capsys.readouterr().out.splitlines() if "answered differently" in line]
    # It turns each chunk around, so that its answer shows where a server cuts a body.
    expected = ["POST /each: answered differently"] if name == "body_loops" else []
    assert (different, status) == (expected, len(expected))


@needs_sanic
@pytest.mark.long
def test_a_fault_of_the_port_is_found(
    python: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before, after = GOLDEN / "path_parameters.before.py", tmp_path / "after.py"
    ported = (GOLDEN / "path_parameters.after.py").read_text()
    after.write_text(ported.replace("    rest = unquote(rest)\n", ""))
    command = ["port", "--to", "sanic", "--python", python, "--verify", str(before), str(after)]
    assert main(command) == 1
    assert "GET /other/<rest:path>: answered differently" in capsys.readouterr().out


def answer(status: int, body: bytes, *headers: tuple[str, str]) -> Answer:
    return Answer(status, headers, (body,), complete=True)


@pytest.mark.parametrize(
    "page", ["⚠️ 404 — Not Found\n", '{"description":"Not Found"}', "<!DOCTYPE html><meta content=Sanic>"]
)
def test_the_pages_of_todays_sanic(page: str) -> None:
    old, new = answer(404, b"Error: not found"), answer(404, page.encode())
    assert todays.is_own_page(old, new)
    assert not todays.is_own_page(old, answer(404, b"the app's own"))
    assert not todays.is_own_page(answer(403, b""), new)
    assert not todays.is_own_page(answer(200, b""), answer(200, page.encode()))


def test_a_cut_that_todays_sanic_hides() -> None:
    cut, whole = Answer(200, (), (b"a",), complete=False), answer(200, b"a")
    assert todays.hides_cut(cut, whole)
    assert not todays.hides_cut(whole, cut) and not todays.hides_cut(whole, whole)
    assert not todays.hides_cut(cut, answer(200, b"ab"))
    failed, closed = (Answer(101, messages=("a",), closed=code) for code in (1011, 1000))
    assert todays.hides_cut(failed, closed)
    assert not todays.hides_cut(closed, failed)
    assert not todays.hides_cut(failed, Answer(101, messages=("b",), closed=1000))
    assert not todays.hides_cut(failed, Answer(101, messages=("a",), closed=4000))


def test_what_is_left_of_an_answer() -> None:
    json = ("content-type", "application/json")
    assert todays.comparable(answer(200, b'{"a": "\\/"}', json)).chunks == (b'{"a": "/"}',)
    assert todays.comparable(answer(200, b"{", json)).chunks == (b"{",)
    cookies = [
        ("set-cookie", 'a=""; Path=/; Max-Age=0; expires=Thu, 01 Jan 1970 00:00:00 GMT'),
        ("set-cookie", "a=; max-age=0; path=/"),
    ]
    first, second = (todays.comparable(answer(200, b"", one)) for one in cookies)
    assert first == second
    assert todays.comparable(answer(200, b"", ("set-cookie", "a=1"))) != first
    assert todays.comparable(answer(204, b"", ("content-type", "text/plain"))).headers == ()
