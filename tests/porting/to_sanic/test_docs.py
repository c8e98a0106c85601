"""The second half of the page on porting: its commands print what it shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.support.commands import ROOT

PAGE = (
    (ROOT / "docs" / "porting.md").read_text().partition("\n# Porting an app from old Sanic to today's\n")[2]
)


def test_each_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    (app,) = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    (shown,) = re.findall(r"^```shell-session\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    (tmp_path / "report.py").write_text(app)
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    commands = [part.partition("\n") for part in re.split(r"^\$ ", shown, flags=re.MULTILINE)[1:]]
    assert len(commands) == 4
    for command, _, output in commands:
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=100,
            check=True,
        )
        assert done.stdout == output, command
