"""The page on testing: its files are written and its commands run, and they print what it shows."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from streamcompat import testing
from tests.support.commands import ROOT
from tests.support.pages import without_counts

PAGE = (ROOT / "docs" / "testing.md").read_text()
FILES = dict(re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE))
COMMANDS = re.findall(r"^```console\n\$ (.*?)\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
QUICK = {"python -m pytest -q test_upload.py", "streamcompat probe upload.py"}


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        pytest.param(*one, id=one[0].rpartition(" ")[2], marks=() if one[0] in QUICK else pytest.mark.long)
        for one in COMMANDS
    ],
)
def test_a_command_prints_what_the_page_shows(command: str, shown: str, tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")  # so that the project's own settings do not apply
    words = shlex.split(command)
    program = words[2:] if words[0] == "python" else words
    done = subprocess.run(
        [sys.executable, "-m", *program],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'engine'}"},
        timeout=300,
    )
    printed = iter([line.rstrip() for line in without_counts(done.stdout).splitlines()])
    for line in without_counts(shown).splitlines():
        assert line in printed, (line, done.stdout, done.stderr)


def test_every_command_is_checked() -> None:
    assert QUICK <= {command for command, _ in COMMANDS}
    assert len(COMMANDS) >= 7
    for command, _ in COMMANDS:
        assert command.rpartition(" ")[2] in FILES


def test_every_assertion_is_on_the_page() -> None:
    for name in testing.__all__:
        if name.startswith("assert_"):
            assert f"`{name}(" in PAGE
