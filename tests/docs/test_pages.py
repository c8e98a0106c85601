"""The pages of the documentation: their commands print what they show, and all that they name is there."""

from __future__ import annotations

import contextlib
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from streamcompat.cli.command import _parsed
from tests.support.commands import PATIENCE, ROOT, run_python
from tests.support.pages import DOCS, PAGES, Terminal, blocks, commands, files, fits

SHOWN = ("start.md", "does-it-run.md")
"""The pages whose console blocks are carried out here; others have tests of their own."""
LONG = {"streamcompat probe app.py --alias"}
"""What costs seconds."""
SESSIONS = [
    pytest.param(
        name, block, id=f"{name}-{number}", marks=[pytest.mark.long] * (commands(block)[0][0] in LONG)
    )
    for name in SHOWN
    for number, block in enumerate(blocks((DOCS / name).read_text(), "console"))
]


@pytest.mark.parametrize(("name", "block"), SESSIONS)
def test_a_command_prints_what_the_page_shows(name: str, block: str, tmp_path: Path) -> None:
    for file, text in files((DOCS / name).read_text()).items():
        (tmp_path / file).write_text(text)
    with Terminal(tmp_path) as terminal:
        for command, shown in commands(block):
            printed = terminal.run(command)
            assert fits(shown, printed), f"{command}\n{printed}"


def command_lines() -> set[str]:
    """Each line of the pages' shell blocks that calls our command, without its comment."""
    lines = set()
    for page in PAGES:
        text = page.read_text()
        shell = [
            line
            for language in ("", "console", "sh")
            for one in blocks(text, language)
            for line in one.splitlines()
        ]
        told = [line.removeprefix("$ ").partition("  #")[0].strip() for line in shell]
        lines |= {line for line in told if line.startswith("streamcompat ")}
    return lines


@pytest.mark.parametrize("line", sorted(command_lines()))
def test_every_command_line_is_valid(line: str) -> None:
    with contextlib.ExitStack() as stack:
        if {"--help", "--version"} & set(line.split()):
            stack.enter_context(pytest.raises(SystemExit, match="0"))
        _parsed(shlex.split(line.partition(" > ")[0])[1:])


OLD = """
try:
    from sanic import Sanic
    from sanic.response import text
except ImportError:  # without --alias
    from streamcompat.sanic_api import Sanic
    from streamcompat.sanic_api.response import text
app = Sanic("old")
app.route("/")(lambda request: text("old"))
def create_app():
    return app
"""
ASGI = """
async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"new"})
def create_app():
    return app
"""
WSGI = """
def application(environ, start_response):
    start_response("200 OK", [])
    return [b"shop"]
"""
PROJECT = {
    **dict.fromkeys(("app.py", "new_app.py", "old.py", "old_app.py", "shop.py", "shop/web.py"), OLD),
    **dict.fromkeys(("api.py", "api/main.py"), ASGI),
    **dict.fromkeys(("api/__init__.py", "shop/__init__.py"), ""),
    "shop/wsgi.py": WSGI,
}
"""The apps that the pages name."""
SERVED = sorted(
    line
    for line in command_lines()
    if line.startswith(("streamcompat run ", "streamcompat inspect "))
    and not {"--help", "--cert"} & set(line.split())
)


@pytest.mark.parametrize("line", SERVED)
def test_every_line_that_serves_would_serve(line: str, tmp_path: Path) -> None:
    """As far as `--check` goes: the app is imported, and the address can be listened on."""
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    words = [*shlex.split(line)[1:], "--check", "--host", "127.0.0.1", "--port", "0"]
    done = run_python("-m", "streamcompat", *words, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "") and "can be served" in done.stdout


def test_a_command_is_in_a_block_of_its_own() -> None:
    """One that is indented would not be found here."""
    for page in PAGES:
        text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
        assert not re.findall(r"^ {4,}(?:streamcompat|make|pip|python) .*", text, flags=re.MULTILINE), (
            page.name
        )


def test_every_make_target_of_the_pages_exists() -> None:
    known = set(re.findall(r"^([a-z][a-z -]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    targets = {target for line in known for target in line.split()}
    named = {
        target
        for page in PAGES
        for target in re.findall(r"(?:`|^)make ([a-z-]+)", page.read_text(), re.MULTILINE)
    }
    assert named <= targets


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    headings = re.findall(r"^#+ (.*)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for path, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", text):
        there = page.parent / path if path else page
        assert there.exists(), path
        assert not anchor or anchor in anchors(there), f"{path}#{anchor}"


def test_the_site_lists_every_page() -> None:
    index = (DOCS / "index.md").read_text()
    listed = {
        line.rstrip("?") for line in "".join(blocks(index.replace("{toctree}", "toctree"), "toctree")).split()
    }
    assert {page.stem for page in DOCS.glob("*.md")} - {"index"} <= listed


def test_the_pictures_are_there() -> None:
    for page in PAGES:
        for picture in re.findall(r"!\[[^\]]*\]\(([^)]*)\)", page.read_text()):
            assert (page.parent / picture).is_file(), picture


def test_a_makefile_has_what_its_help_says() -> None:
    done = subprocess.run(
        ["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert {"docs", "release-check"} <= set(re.findall(r"^make ([a-z-]+)", done.stdout, flags=re.MULTILINE))
