"""The contributor's guide names files that are there, and few of them for each change."""

from __future__ import annotations

import re

import pytest

from tests.support.commands import ROOT

GUIDE = (ROOT / "CONTRIBUTING.md").read_text()
MOST = 4
"""Files that one change touches at the most, beside its test and its page."""
_FOLDERS = (
    "",
    "engine/streamcompat_engine",
    "engine/streamcompat_engine/http1",
    "streamcompat",
    "streamcompat/mach9_api",
)
"""Where a path may begin that is not whole; a flavour stands for each."""


def _changes() -> dict[str, str]:
    table = GUIDE.partition("## Where a change goes")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (.+?) \| (.+) \|$", table, re.MULTILINE)
    return {change: files for change, files in rows if change != "change"}


def _paths(files: str) -> list[str]:
    """The files and folders that a row names, from the root of the project, but for those with `NAME`, which
    are new. A name without a folder is beside one that the row names before."""
    found: list[str] = []
    for name in re.findall(r"`([^`\s]+(?:\.py|\.md|\.toml|/))`", files):
        if "NAME" in name:
            continue
        path = name.replace("engine/…", "engine/streamcompat_engine")
        beside = [one if one.endswith("/") else one.rpartition("/")[0] for one in reversed(found)]
        places = [place for place in (*beside, *_FOLDERS) if (ROOT / place / path).exists()]
        assert places, f"there is no {name}"
        found.append(f"{places[0].rstrip('/')}/{path}".lstrip("/"))
    return found


@pytest.mark.parametrize("change", _changes())
def test_the_files_of_a_change(change: str) -> None:
    paths = _paths(_changes()[change])
    assert paths
    assert len([path for path in paths if not path.startswith(("tests/", "docs/"))]) <= MOST


def test_the_changes_that_strangers_ask_about_are_there() -> None:
    changes = " ".join(_changes())
    for topic in (
        "limit on heads", "flavour", "driver", "option", "invariant of the probe", "rule of the port",
        "keep-alive", "trailers", "error page", "field of the access log", "response class", "metric",
    ):  # fmt: skip
        assert topic in changes
