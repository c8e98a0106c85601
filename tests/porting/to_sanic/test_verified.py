"""`port --to sanic --verify OLD NEW` with the real Sanic, for each realistic app that is ported."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

import pytest

from streamcompat.cli.command import main
from tests.apps_of_old.conversations import APPS_FOLDER
from tests.porting.to_sanic.test_apps import CASES, OLD, OURS, ported
from tests.porting.to_sanic.today import SANIC, needs_sanic

pytestmark = [pytest.mark.long, needs_sanic]
SHOW_CHUNKS = {
    "chat.py": {"POST /say/<who:alpha>", "GET /listen"},
    "echo.py": {"POST /replace", "POST /each"},
    "factory/app.py": {"POST /reverse"},
    "newer.py": {"POST /sum", "GET /lines/<word>"},
    "tokens.py": {"POST /generate"},
}
"""Routes whose answers show where the chunks of a request's body begin: the two servers cut it elsewhere.
Today's Sanic also sends `Content-Type: None` where `respond()` is given none, as in `/lines`."""


FILES = {
    "static_site.py": {
        "GET /index.html", "GET /robots.txt", "HEAD /robots.txt", "GET /old/<page>",
        "GET /static<file_uri:/?.+>", "HEAD /static<file_uri:/?.+>",
    }
}  # fmt: skip
"""Routes that differ as `docs/porting.md` says: fields of files, `+` in `redirect`, the path of a folder."""
WAIT = {"chat.py": {"GET /rooms/<room>/follow"}}
"""Routes of the apps of old that wait for another client, and are not checked to the end."""


def differing(
    before: Path,
    after: Path,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    waiting: frozenset[str] | set[str] = frozenset(),
) -> set[str]:
    """The routes that the command says to differ, of an app whose routes `waiting` give no answer."""
    python = folder / "python"
    path, own = shlex.quote(str(SANIC)), shlex.quote(sys.executable)
    python.write_text(f'#!/bin/sh\nPYTHONPATH={path} exec {own} "$@"\n')
    python.chmod(0o755)
    command = ["port", "--to", "sanic", "--verify", str(before), str(after), "--alias"]
    status = main([*command, "--python", str(python), "--requests", "10"])
    out = capsys.readouterr().out
    found = {line.partition(": answered")[0] for line in out.splitlines() if ": answered differently" in line}
    silent = {line.partition(": not checked")[0] for line in out.splitlines() if ": not checked to" in line}
    assert silent == waiting, out
    assert status == (1 if found else 4 if silent else 0), out
    return found


@pytest.mark.parametrize("name", CASES)
def test_one_of_our_apps(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after, _ = ported(OURS, name, tmp_path)
    assert differing(OURS / name, after, tmp_path, capsys) <= SHOW_CHUNKS.get(name, set())


@pytest.mark.parametrize("name", sorted(OLD))
def test_an_app_of_old(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    after, _ = ported(APPS_FOLDER, name, tmp_path)
    (tmp_path / "static_site_files").symlink_to(APPS_FOLDER / "static_site_files")
    waiting = WAIT.get(name, set())
    assert differing(APPS_FOLDER / name, after, tmp_path, capsys, waiting) == FILES.get(name, set())
