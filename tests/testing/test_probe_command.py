"""The command `streamcompat probe`: its options, reports and exit statuses."""

from __future__ import annotations

import io
import json
import re
import threading
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from streamcompat.cli.command import main
from streamcompat.testing.command import Bar
from streamcompat.testing.probe import INVARIANTS

APP = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

app = Sanic("probed")

@app.stream("/sound")
async def sound(request):
    return text(str(sum([len(piece) async for piece in request.stream])))
"""


@pytest.fixture
def app_file(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    path = tmp_path / f"{request.node.name.translate({ord('['): '_', ord(']'): None})}.py"
    path.write_text(APP)
    return path


def test_the_command(app_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    body = tmp_path / "body.bin"
    body.write_bytes(b"a body")
    words = ["probe", str(app_file), "--examples", "3", "--seed", "7", "--body", str(body)]
    assert main([*words, "--report", "json"]) == 0
    out, err = capsys.readouterr()
    value = json.loads(out)
    assert (value["seed"], value["routes"][0]["takes"], err) == (7, ["body.bin"], "")
    assert main([*words, "--report", "html"]) == 0
    assert capsys.readouterr().out.startswith("<!DOCTYPE html>")


NEEDS = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import redirect, text

app = Sanic("needs")

@app.stream("/guarded/<name:[a-z]{3}>")
async def guarded(request, name):
    if request.headers.get("authorization") != "Bearer x" or request.cookies.get("seat") != "1a":
        return text("who?", 401)
    if (name, request.args.get("mode"), request.headers["content-type"]) != ("ada", "b c", "text/x"):
        return text("what?", 422)
    return text(str(sum([len(piece) async for piece in request.stream])))

@app.websocket("/chat")
async def chat(request, connection):
    await connection.recv()

@app.stream("/moved")
async def moved(request):
    return redirect("/login")
"""
ALL_NEEDS = [
    "--header", "Authorization: Bearer x", "--cookie", "seat=1a", "--query", "mode=b%20c",
    "--param", "name=ada", "--content-type", "text/x",
]  # fmt: skip


def test_what_routes_need_is_given(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "needs.py"
    path.write_text(NEEDS)
    words = ["probe", str(path), "--examples", "1", "--route", "/guarded/<name:[a-z]{3}>"]
    assert main(words) == 4
    assert "the route answers 401: give what it needs with --header or --cookie" in capsys.readouterr().out
    assert main([*words, *ALL_NEEDS]) == 0
    out = capsys.readouterr().out
    assert re.search(r"(\d+) answers compared, \1 of them 2xx", out)
    assert main(["probe", str(path), "--route", "WEBSOCKET /chat"]) == 0
    out = capsys.readouterr().out
    assert "WEBSOCKET /chat  (takes text, json, binary)" in out
    assert "no matter    two requests at once do not mix: what one client says may be for others" in out
    # Redirects say nothing of what is behind the login.
    assert main(["probe", str(path), "--route", "/moved", "--examples", "1"]) == 4
    assert ", 0 of them 2xx" in capsys.readouterr().out


def test_nothing_to_check_is_not_a_success(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "nothing.py"
    path.write_text("from streamcompat.sanic_api import Sanic\n\napp = Sanic('nothing')\n")
    assert main(["probe", str(path)]) == 4
    assert "has no stream routes" in capsys.readouterr().out
    assert main(["probe", str(path), "--allow-unchecked"]) == 0


def test_a_body_is_never_ignored(app_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app_file.write_text(
        APP + "\n\n@app.route('/echo')\nasync def echo(request):\n    return text('x', 201)\n"
    )
    body = tmp_path / "body.bin"
    body.write_bytes(b"a body")
    assert main(["probe", str(app_file), "--route", "GET /echo", "--body", str(body), "--examples", "1"]) == 0
    assert "GET /echo  (takes body.bin)" in capsys.readouterr().out
    other = tmp_path / "refusing.py"
    other.write_text(APP.replace("return text(", "return text('no', 415) if request else text("))
    assert main(["probe", str(other), "--body", str(body), "--examples", "1"]) == 4
    assert "accepts none of the sample bodies (it answers 415)" in capsys.readouterr().out


BROKEN = """
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

app = Sanic("broken")

@app.stream("/pieces", body_limit=65536)
async def pieces(request):
    return text(str(len([None async for _ in request.stream])))
"""


def test_a_body_for_a_method_without_one_is_spoken_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    body, path = tmp_path / "body.bin", tmp_path / "tracing.py"
    body.write_bytes(b"a body")
    path.write_text(
        APP + "\n\nasync def trace(request):\n    return text('x')\n\napp.add_route(trace, '/t', ['TRACE'])\n"
    )
    main(["probe", str(path), "--route", "/t", "--body", str(body), "--examples", "1"])
    assert "a TRACE has no body (RFC 9110 §9.3): --body is not sent" in capsys.readouterr().out


def test_reports_for_continuous_integration(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "ci_app.py"
    path.write_text(BROKEN)
    words = ["probe", str(path), "--examples", "1"]
    assert main([*words, "--report", "junit"]) == 1
    suite = ElementTree.fromstring(capsys.readouterr().out)[0]
    assert (suite.attrib["tests"], suite.attrib["failures"]) == (str(len(INVARIANTS)), "1")
    (failure,) = suite.iter("failure")
    assert failure.text is not None and "def test_post_pieces_cuts():" in failure.text
    assert main([*words, "--report", "github"]) == 1
    first = capsys.readouterr().out.splitlines()[0]
    assert first.startswith("::error file=") and "ci_app.py,line=7,title=POST /pieces" in first
    assert "%0A" in first
    assert main([*words, "--report", "json"]) == 1
    baseline = tmp_path / "baseline.json"
    baseline.write_text(capsys.readouterr().out)
    assert main([*words, "--baseline", str(baseline)]) == 0
    assert "(known before)" in capsys.readouterr().out
    baseline.write_text("[]")
    assert main([*words, "--baseline", str(baseline)]) == 3
    assert "is not a report of" in capsys.readouterr().err


def test_a_finding_comes_as_a_file_for_pytest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "pasted_app.py"
    path.write_text(BROKEN)
    main(["probe", str(path), "--examples", "1", "--report", "json"])
    (route,) = json.loads(capsys.readouterr().out)["routes"]
    (test,) = [promise["counterexample"]["test"] for promise in route["promises"] if not promise["holds"]]
    monkeypatch.syspath_prepend(tmp_path)
    scope: dict[str, Any] = {}
    exec(test, scope)
    with pytest.raises(AssertionError):
        scope["test_post_pieces_cuts"]()


@pytest.mark.parametrize(
    "words",
    [
        ["--header", "no colon"],
        ["--cookie", "x"],
        ["--param", "=x"],
        ["--patience", "0"],
        ["--budget", "nan"],
    ],
)
def test_options_that_are_not_valid(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["probe", "app.py", *words])
    assert stopped.value.code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--route", "/nowhere"], "there is no route '/nowhere': the app has POST /sound\n"),
        (["--body", "/nowhere/body"], "cannot read /nowhere/body: No such file or directory\n"),
    ],
    ids=["route", "body"],
)
def test_what_the_user_got_wrong(
    app_file: Path, words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["probe", str(app_file), *words]) == 3
    assert capsys.readouterr().err == f"streamcompat: {said}"


def test_without_hypothesis_it_says_what_to_install(
    app_file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert main(["probe", str(app_file)]) == 3
    assert "this needs hypothesis: pip install 'streamcompat[testing]'" in capsys.readouterr().err


def test_the_progress_bar_is_for_somebody_who_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    terminal, file = Terminal(), io.StringIO()
    before = threading.enumerate()
    for out in (terminal, file):
        with Bar(out) as bar:
            bar.show(1, 4, "POST /x: cuts")
            assert threading.enumerate() == before
    assert file.getvalue() == ""
    assert "1/4 POST /x: cuts" in terminal.getvalue()
    colours = {code for code in re.findall(r"\x1b\[([\d;]*)m", terminal.getvalue()) if code not in ("", "0")}
    assert not colours
    assert terminal.getvalue().endswith("\x1b[2K")  # the line is removed
