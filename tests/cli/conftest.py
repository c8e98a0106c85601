"""What every test of the command line may use."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.projects import MACH9, OLD, SANIC, WAITING


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project of a user's: two app files, and a package with an app."""
    (tmp_path / "one.py").write_text(MACH9)
    (tmp_path / "two.py").write_text(SANIC)
    (tmp_path / "old.py").write_text(OLD)
    (tmp_path / "waiting.py").write_text(WAITING)
    (tmp_path / "notes.txt").write_text("notes\n")
    package = tmp_path / "web"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "names.py").write_text("APP = 'p'\n")
    (package / "main.py").write_text(
        SANIC.replace("shop = Sanic", "from web.names import APP\nfrom . import names\nshop = Sanic")
    )
    return tmp_path
