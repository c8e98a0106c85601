"""The second half of the page on porting: its commands print what it shows."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from streamcompat.cli.command import main
from tests.support.commands import ROOT

PAGE = (
    (ROOT / "docs" / "porting.md").read_text().partition("\n# Porting an app from old Sanic to today's\n")[2]
)


def test_each_command_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (app,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    (shown,) = re.findall(r"^```shell-session\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    Path("report.py").write_text(app)
    commands = [part.partition("\n") for part in re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]]
    assert len(commands) == 4
    for command, _, output in commands:
        name, *arguments = shlex.split(command)
        if name == "cp":
            shutil.copy(*arguments)
            continue
        assert main(arguments) == 0
        assert "".join(capsys.readouterr()) == output, command
