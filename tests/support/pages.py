"""Reads the pages of the documentation, and carries out their commands as a reader would.

The rule: a page is the only source. A `python` block that begins with `# NAME.py` is a file; a `console`
block has commands behind `$ ` and below each what it prints, where a line `...` stands for any lines.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.support.commands import PATIENCE, ROOT, Command, environment, serve_command

DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted(DOCS.glob("*.md"))]
ADDRESS = "http://127.0.0.1:8000"
"""Where the pages say that a server listens."""


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a language; the empty one for those that name none."""
    fenced = re.findall(r"^```([\w-]*)\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    return [text for name, text in fenced if name == language]


def commands(block: str) -> list[tuple[str, str]]:
    """Each command of a console block, with the output that is shown for it."""
    parts = re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]
    return [(command, output) for command, _, output in (part.partition("\n") for part in parts)]


def files(page: str) -> dict[str, str]:
    """The Python blocks that begin with the name of their file, by that name."""
    named = [re.match(r"# (\w+\.py)\n", block) for block in blocks(page, "python")]
    return {found[1]: found.string for found in named if found is not None}


def fits(shown: str, printed: str) -> bool:
    """Whether a command prints what the page shows."""
    lines = [".*" if line == "..." else re.escape(line.rstrip()) for line in shown.splitlines()]
    said = "\n".join(line.rstrip() for line in printed.splitlines())
    return re.fullmatch("\n".join(lines), said, flags=re.DOTALL) is not None


def fetch(command: str, folder: Path = ROOT) -> str:
    """What a curl line prints; without curl on this machine, the same request by httpx."""
    words = shlex.split(command)
    assert words[0] == "curl", command
    if shutil.which("curl"):
        done = subprocess.run(
            ["curl", "--silent", "--show-error", *words[1:]],
            cwd=folder,
            capture_output=True,
            timeout=PATIENCE,
            check=True,
        )
        return done.stdout.decode()
    url, content, headers = "", None, {}
    rest = iter(words[1:])
    for word in rest:
        if word in {"--data", "--data-binary"}:
            value = next(rest)
            content = (folder / value[1:]).read_bytes() if value.startswith("@") else value.encode()
        elif word == "-H":
            name, _, value = next(rest).partition(": ")
            headers[name] = value
        else:
            assert not word.startswith("-"), f"no translation of {word}"
            url = word
    chunked = headers.pop("Transfer-Encoding", None) == "chunked"
    body = iter([content]) if chunked and content is not None else content
    return httpx.request("GET" if body is None else "POST", url, content=body, headers=headers).text


@dataclass
class Terminal:
    """Carries out commands one after another in a folder; a server runs until the next one, or the end.

    Attributes:
        folder: has the files of the page.
        server: the last server that was started.
    """

    folder: Path
    server: Command | None = None
    _stack: contextlib.ExitStack = field(default_factory=contextlib.ExitStack)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def run(self, command: str) -> str:
        """What the command prints, with the address and the process that the pages show."""
        words = shlex.split(command)
        if words[:2] == ["streamcompat", "run"]:
            self._stack.close()
            self.server = self._stack.enter_context(serve_command(*words[2:], cwd=self.folder))
            said = self.server.said.replace(self.server.url, ADDRESS)
            return said.replace(f"pid {self.server.process.pid}", "pid 4711")
        if words[0] == "curl":
            assert self.server is not None, "no server has been started"
            return fetch(command.replace(ADDRESS, self.server.url), self.folder)
        program = words[1:] if words[0] == "python" else ["-m", *words]
        done = subprocess.run(
            [sys.executable, *program],
            cwd=self.folder,
            env={**os.environ, **environment(), "COLUMNS": "100"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE * 3,
            check=False,
        )
        return done.stdout


def without_counts(text: str) -> str:
    """Hypothesis draws from the constants of the package's own modules, so any change moves these counts."""
    return re.sub(r"\d+ (?=of them|answers compared)|(?<=; in )\d+ ", "N ", text)
