"""Realistic apps: each is ported by the command, imported, served in memory and held against its original."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from streamcompat import aliases
from streamcompat.cli.command import main
from streamcompat.verification import compare, load

APPS = Path(__file__).parent / "apps"

# The file with the app; how many handlers are ported, left alone, unknown; what in its files stays Sanic's.
CASES = {
    "events.py": (1, 0, 0),
    "tokens.py": (2, 0, 0),
    "table.py": (2, 1, 0),
    "digest.py": (2, 0, 0),
    "archive.py": (1, 1, 0),
    "echo.py": (4, 0, 0),
    "camera.py": (2, 0, 0),
    "proxy.py": (2, 0, 0),
    "views.py": (5, 0, 0),
    "shop/main.py": (3, 0, 0),
    "factory/app.py": (4, 0, 0),
    "mixed/main.py": (1, 1, 0),
    "server.py": (2, 0, 0),
    "chat.py": (2, 0, 0),
    "formats.py": (4, 0, 0),
    "newer.py": (4, 0, 0),
    "errors.py": (4, 0, 0),
}


@pytest.fixture
def aliased() -> Iterator[None]:
    aliases.install()
    yield
    aliases.uninstall()


def copied(name: str, to: Path) -> Path:
    """A copy of the app's file, or of its folder; the path of the file with the app."""
    folder, _, rest = name.rpartition("/")
    to.mkdir()
    if folder:
        shutil.copytree(APPS / folder, to / folder)
    else:
        shutil.copy(APPS / name, to / name)
    return to / name


# proxy.py answers in chunks of seven bytes: a large body takes seconds on a loaded machine.
@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.long] if name == "proxy.py" else []) for name in CASES],
)
def test_ported_and_alike(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], aliased: None
) -> None:
    before, after = copied(name, tmp_path / "before"), copied(name, tmp_path / "after")
    assert main(["port", str(tmp_path / "after"), "--write", "--report", "json"]) == 0
    counts = json.loads(capsys.readouterr().out)["counts"]
    assert tuple(counts.values()) == CASES[name]
    if counts["left alone"] == 0:
        for path in (tmp_path / "after").rglob("*.py"):
            assert "import sanic" not in path.read_text() and "from sanic" not in path.read_text()
    assert main(["port", str(tmp_path / "after"), "--check"]) == 0, "a second run would change it again"
    ours, theirs = load(str(before)), load(str(after))
    assert type(theirs).__name__ == "Mach9"
    verdict = compare(ours, theirs, requests=8)
    assert verdict.routes
    assert [str(difference) for difference in verdict.differences] == []


def test_every_app_is_listed() -> None:
    files = {path.relative_to(APPS).as_posix() for path in APPS.rglob("*.py")}
    assert CASES.keys() <= files
    folders = {name.partition("/")[0] for name in CASES if "/" in name}
    assert {name.partition("/")[0] for name in files} == folders | {name for name in CASES if "/" not in name}
