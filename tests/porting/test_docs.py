"""The page on porting, kept: its commands print what it shows, and its tables are true."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from streamcompat.porting import names
from streamcompat.porting.project import port
from tests.support.clients import PATIENCE
from tests.support.commands import ROOT, serve_command
from tests.support.pages import blocks, commands, without_counts

PAGE = (ROOT / "docs" / "porting.md").read_text()
COMMANDS = [line for block in blocks(PAGE, "console") for line in commands(block)]


def test_each_command_prints_what_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(blocks(PAGE, "python")[0])
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    seen = [command for command, _ in COMMANDS]
    assert seen[0] == "streamcompat run shop.py --alias" and len(seen) >= 6
    for command, shown in COMMANDS[1:]:
        done = subprocess.run(
            command,
            shell=True,
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=10 * PATIENCE,
            check=True,
        )
        assert without_counts(done.stdout) == without_counts(shown), command


def test_the_app_of_the_page_is_served(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(blocks(PAGE, "python")[0])
    shown = COMMANDS[0][1]
    with serve_command("shop.py", "--alias", cwd=tmp_path) as command:
        said = command.said.replace(command.url, "http://127.0.0.1:8000")
        assert said.replace(f"pid {command.process.pid}", "pid 4711") == shown


@pytest.mark.parametrize("counterpart", sorted({*names.COUNTERPARTS.values()}))
def test_every_counterpart_is_in_mach9(counterpart: str) -> None:
    from importlib import import_module

    module, _, name = counterpart.partition(".")
    assert hasattr(import_module(f"streamcompat.mach9_api.{module}"), name)


@pytest.mark.parametrize("name", sorted(names.COUNTERPARTS))
def test_what_has_a_counterpart_is_in_sanic(name: str) -> None:
    from importlib import import_module

    module, _, last = name.partition(".")
    # Names that only later releases have.
    if last not in ("ResponseStream",):
        assert hasattr(import_module(f"streamcompat.sanic_api.{module}"), last)


ROWS = [
    ('"text"', 'await channel.send(b"text")'),
    ("str(x)", "await channel.send(str(x).encode())"),
    ("b'bytes'", "await channel.send(b'bytes')"),
    ("12", "await channel.send(str(12).encode())"),
    ("x", "await channel.send(encoded(x))"),
]


@pytest.mark.parametrize(("written", "sent"), ROWS)
def test_the_table_of_writes(written: str, sent: str) -> None:
    source = (
        "from sanic import Sanic\nfrom sanic.response import stream\napp = Sanic('a')\n"
        "@app.get('/<x>')\nasync def handler(request, x):\n    async def streaming(response):\n"
        f"        response.write({written})\n    return stream(streaming)\n"
    )
    assert f"        {sent}\n" in port({"app.py": source.encode()}).files[0].after.decode()
