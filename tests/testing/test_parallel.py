"""The probe in several processes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from streamcompat.cli.command import main

APP = """
import multiprocessing
import os
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import text

if multiprocessing.parent_process() is not None:
    print("what an app prints")
app = Sanic("parallel")

@app.stream("/sound")
async def sound(request):
    return text(str(sum([len(piece) async for piece in request.stream])))

@app.stream("/pieces", body_limit=65536)
async def pieces(request):
    return text(str(len([None async for _ in request.stream])))
"""
DIES = """
@app.stream("/dies")
async def dies(request):
    os._exit(3)
"""
HANGS = """
@app.stream("/hangs")
async def hangs(request):
    open(os.environ["REACHED"], "w").close()
    while True:
        pass
"""
SETUP = """
[[request]]
route = "POST /nowhere"
"""


def _probe(path: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "streamcompat", "probe", str(path), "--report", "json", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, **environment},
    )


def test_the_report_is_that_of_one_process_and_a_process_that_dies_costs_one_route(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "parallel_app.py"
    path.write_text(APP + DIES)
    process = _probe(path, "--examples", "1", "-j", "2")
    words = ["probe", str(path), "--examples", "1", "--report", "json"]
    status = main([*words, "--route", "/sound", "--route", "/pieces"])
    alone = json.loads(capsys.readouterr().out)
    together = json.loads(process.communicate()[0])
    assert (status, process.returncode) == (1, 1)
    assert together["routes"][:2] == alone["routes"]
    (died,) = together["routes"][2:]
    assert (died["path"], died["unchecked"]) == ("/dies", True)
    assert {promise["why"] for promise in died["promises"]} == {"the process that probed it has died"}


@pytest.mark.long
def test_an_interrupt_ends_it_though_a_handler_never_does(tmp_path: Path) -> None:
    path, reached = tmp_path / "hanging_app.py", tmp_path / "reached"
    path.write_text(APP + HANGS)
    process = _probe(path, "--examples", "1", "-j", "3", REACHED=str(reached))
    while not reached.exists():
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    report = json.loads(process.communicate(timeout=30)[0])
    assert report["stopped"] == "the probe was stopped"
    assert {promise["why"] for promise in report["routes"][2]["promises"]} == {"the probe was stopped"}


@pytest.mark.long
def test_a_setup_that_fails_is_said_once(tmp_path: Path) -> None:
    path, setup = tmp_path / "setup_app.py", tmp_path / "setup.toml"
    path.write_text(APP)
    setup.write_text(SETUP)
    process = _probe(path, "-j", "2", "--setup", str(setup))
    out, err = process.communicate()
    assert (process.returncode, out) == (3, "")
    assert "streamcompat: POST /nowhere of the setup is answered with 404\n" in err
