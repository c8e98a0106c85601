"""The command: what it prints, and its exit status."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streamcompat.cli.command import main

BEFORE = """
from sanic import Sanic
from sanic.response import stream
import words
app = Sanic(__name__)
@app.get("/words/<name:[a-z]{1,3}>")
async def get(request, name):
    async def streaming(response):
        for word in words.ALL:
            response.write(word + name + request.args.get("loud", ""))
    return stream(streaming)
"""


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("before", "after", "wrong"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "app.py").write_text(BEFORE.replace("sanic", "streamcompat.sanic_api"))
        (tmp_path / name / "words.py").write_text(f"ALL = ['a', {'b' if name == 'wrong' else 'B'!r}]")
    (tmp_path / "after" / "words.py").write_text("ALL = ['a', 'B']")
    assert main(["port", str(tmp_path / "after"), "--write"]) == 0
    before, after, wrong = (str(tmp_path / name / "app.py") for name in ("before", "after", "wrong"))
    capsys.readouterr()
    assert main(["port", "--verify", before, after, "--requests", "20"]) == 0
    said = re.fullmatch(
        r"GET /words/<name:\[a-z\]\{1,3\}>: 20 requests, answered alike, (\d+) of them with 2xx; "
        r"in (\d+) the client left\n1 route, 0 differences\n",
        capsys.readouterr().out,
    )
    assert said is not None and int(said[1]) + int(said[2]) == 20
    assert main(["port", "--verify", before, f"{wrong}:app"]) == 1
    out = capsys.readouterr().out
    assert re.search(r"request: Request\('GET', '/words/[a-z]'\)\n", out)
    assert out.endswith("1 route, 1 difference\n")
    assert main(["port", "--verify", before, str(tmp_path / "gone.py")]) == 3
    assert capsys.readouterr().err == f"streamcompat: {tmp_path / 'gone.py'} does not exist\n"


def test_paths_or_apps(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["x.py", "--verify", "a", "b"], ["--verify", "a", "b", "--requests", "0"]):
        with pytest.raises(SystemExit) as stopped:
            main(["port", *arguments])
        assert stopped.value.code == 2


NOISY = """
import os, sys
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text
print("at the import")
app = Sanic("noisy")
@app.get("/fails/<number:int>")
async def fails(request, number):
    print("out"), print("err", file=sys.stderr), os.write(1, b"raw"), os.system("echo from a child")
    return text({}[number])
@app.websocket("/chat")
async def chat(request, ws):
    pass
"""


def test_the_report_says_what_was_not_checked(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "noisy.py"
    file.write_text(NOISY)
    assert main(["port", "--verify", str(file), str(file), "--requests", "2"]) == 0
    out, err = capfd.readouterr()
    fails, chat, count = out.splitlines()
    assert fails.startswith("GET /fails/<number:int>: 2 requests, answered alike, 0 of them with 2xx; ")
    assert "; warning: none was answered with a 2xx" in fails
    assert re.search(r"; an exception before and after: KeyError: \d+$", fails)
    assert chat.endswith("2 conversations, answered alike, 2 of them on an open WebSocket")
    assert (count, err) == ("2 routes, 0 differences", "")


def test_an_app_that_does_not_start_is_one_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "late.py"
    file.write_text(
        "from streamcompat.sanic_api import Sanic\napp = Sanic('late')\n"
        "@app.listener('before_server_start')\nasync def connect(app, loop):\n"
        "    raise OSError('no database')\n"
    )
    assert main(["port", "--verify", str(file), str(file)]) == 3
    out, err = capfd.readouterr()
    assert out == "" and err.count("\n") == 1
    assert err.startswith("streamcompat: cannot compare ") and err.endswith(
        "late.py:5: OSError: no database\n"
    )


def test_ported_lines_that_no_request_reached_are_named(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before, after = tmp_path / "old.py", tmp_path / "new.py"
    source = (
        "from streamcompat.sanic_api import Sanic\nfrom streamcompat.sanic_api.response import stream\n"
        "app = Sanic('app')\n"
        "@app.get('/')\nasync def handler(request):\n    async def writes(response):\n"
        "        response.write('a')\n        if request.headers.get('x-rare'):\n"
        "            response.write('b')\n            response.write('c')\n"
        "    return stream(writes)\n"
    )
    before.write_text(source)
    after.write_text(source)
    assert main(["port", str(after), "--write"]) == 0
    capfd.readouterr()
    assert main(["port", "--verify", str(before), str(after), "--requests", "5"]) == 0
    rare = after.read_text().splitlines().index("            await channel.send(b'b')") + 1
    assert f"{after}:{rare}-{rare + 1}: ported, and no request reached it\n" in capfd.readouterr().out
    arguments = ["port", "--verify", str(before), str(after), "--requests", "5", "--header", "x-rare: 1"]
    assert main(arguments) == 0
    assert "no request reached" not in capfd.readouterr().out


@pytest.mark.long
@pytest.mark.parametrize("holds", ["while True: pass", "import time; time.sleep(1000)"])
def test_the_command_ends_though_a_handler_holds_up_the_loop(tmp_path: Path, holds: str) -> None:
    (tmp_path / "app.py").write_text(NOISY.replace("    return text({}[number])", f"    {holds}"))
    ended = subprocess.run(
        [sys.executable, "-m", "streamcompat", "port", "--verify", "app.py", "app.py"],
        cwd=tmp_path,
        env={**os.environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 4, ended.stderr
    assert "not checked to the end: a handler holds up the event loop" in ended.stdout
