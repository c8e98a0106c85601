"""The README's promises, kept: its commands exist, and its curl lines print what it says they print."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.commands import PATIENCE, ROOT, serve_command
from tests.support.pages import ADDRESS, blocks, commands, fetch, files

README = (ROOT / "README.md").read_text()
SITE = "examples/side_by_side.py"


def console_lines() -> list[tuple[str, str]]:
    """Each command of the console blocks, with the output that the README shows for it."""
    return [line for block in blocks(README, "console") for line in commands(block)]


def test_every_curl_line_prints_what_the_readme_shows() -> None:
    lines = console_lines()
    assert len(lines) >= 8
    with serve_command(SITE) as command:
        for line, shown in lines:
            assert ADDRESS in line
            printed = fetch(line.replace(ADDRESS, command.url)).replace("\r\n", "\n")
            # A document shows an answer without a line end as a line of its own.
            assert printed.removesuffix("\n") == shown.removesuffix("\n"), line


def test_the_index_page_lists_the_curl_lines_of_the_readme() -> None:
    with serve_command(SITE) as command:
        listed = httpx.get(f"{command.url}/").text.replace(command.url, ADDRESS).splitlines()
    assert listed == [f"curl {ADDRESS}/", *(line for line, _ in console_lines())]


def test_make_run_serves_that_site_at_that_address() -> None:
    planned = subprocess.run(
        ["make", "--dry-run", "run"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
    ).stdout
    assert f"streamcompat run {SITE} --host 127.0.0.1 --port 8000" in planned


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\bmake ([a-z-]+)", README))))
def test_every_make_target_of_the_readme_exists(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, timeout=PATIENCE, check=True)


@pytest.fixture
def apps(tmp_path: Path) -> Path:
    """The README's Python blocks, in files of the names that they give."""
    named = files(README)
    assert len(named) == len(blocks(README, "python"))
    for name, text in named.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def test_the_old_app_is_served_by_the_command_that_follows_it(apps: Path) -> None:
    assert "streamcompat run app.py --alias\n" in "".join(blocks(README, ""))
    with serve_command("app.py", "--alias", cwd=apps) as command:
        assert httpx.get(f"{command.url}/").text == "hello, old friend\n"


@pytest.mark.parametrize("options", [(), ("--driver", "trio")])
def test_the_new_app_is_served_by_the_commands_that_follow_it(apps: Path, options: tuple[str, ...]) -> None:
    assert " ".join(("streamcompat run new_app.py", *options)) in "".join(blocks(README, ""))
    with serve_command("new_app.py", *options, cwd=apps) as command:
        response = httpx.post(f"{command.url}/echo", content=iter([b"one ", b"two"]))
    assert response.text == "one two"


def test_both_are_served_by_the_command_with_a_mount(apps: Path) -> None:
    assert "streamcompat run new_app.py --mount /old=old_app.py --alias " in "".join(blocks(README, ""))
    shutil.copy(apps / "app.py", apps / "old_app.py")
    with serve_command("new_app.py", "--mount", "/old=old_app.py", "--alias", cwd=apps) as command:
        assert httpx.post(f"{command.url}/echo", content=b"one").text == "one"
        assert httpx.get(f"{command.url}/old/").text == "hello, old friend\n"


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)", README))))
def test_every_link_leads_to_a_file(link: str) -> None:
    assert (ROOT / link).is_file()
