"""docs/asgi.md says what is so: each test that it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.commands import ROOT


def test_each_test_that_the_page_names_exists() -> None:
    page = (ROOT / "docs" / "asgi.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    there = {
        name
        for path in Path(__file__).parent.glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(named) > 45
    assert named - there == set()


def test_each_test_of_the_protocols_is_on_the_page() -> None:
    page = (ROOT / "docs" / "asgi.md").read_text(encoding="utf-8")
    for file in (
        "test_http.py",
        "test_ends.py",
        "test_websocket.py",
        "test_lifespan.py",
        "test_scope.py",
        "test_extensions.py",
    ):
        source = (Path(__file__).parent / file).read_text(encoding="utf-8")
        for name in re.findall(r"^(?:async )?def (test_\w+)", source, re.MULTILINE):
            assert f"`{name}`" in page, f"{file}: {name}"
