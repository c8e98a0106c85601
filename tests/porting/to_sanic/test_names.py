"""The tables of names, held against Sanic 0.8.3 and against the real Sanic of today; the page shows them.

`python -m tests.porting.to_sanic.test_names` prints the table for `docs/porting.md`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import defaultdict

from streamcompat.porting.to_sanic.names import (
    APP,
    APP_GONE,
    CONFIG_GONE,
    GONE,
    RELEASE,
    REQUEST,
    REQUEST_GONE,
)
from tests.porting.to_sanic.today import SANIC, needs_sanic
from tests.support.commands import ROOT

OLD = json.loads((ROOT / "tests/parity/originals/names/sanic-0.8.3.json").read_text())
PAGE = (ROOT / "docs" / "porting.md").read_text()
ASK = """
import importlib, json, sys
import sanic
from sanic.request import Request
found = {"release": sanic.__version__}
for name in json.load(sys.stdin):
    try:
        found[name] = dir(importlib.import_module(name))
    except ImportError:
        found[name] = []
app = sanic.Sanic("names")
found["app"] = sorted({*dir(app), *dir(sanic.Blueprint("names"))})
found["request"] = dir(Request)
found["config"] = dir(app.config)
print(json.dumps(found))
"""
_NOT_FOR_APPS = {
    "sanic.reloader_helpers",
    "sanic.worker",
    "sanic.__main__",
    "sanic.websocket",
    "sanic.static",
}
"""Modules of 0.8.3 that no app imports, or of which the table has what is known to be imported."""


def table() -> str:
    """The names that are gone, by what becomes of them."""
    rows: dict[tuple[str, bool], list[str]] = defaultdict(list)
    for prefix, names in (
        ("sanic.", GONE),
        ("app.", APP_GONE),
        ("request.", REQUEST_GONE),
        ("app.config.", CONFIG_GONE),
    ):
        for name, becomes in names.items():
            rows[becomes].append(f"`{prefix}{name}`")
    lines = ["| name | what becomes of it | how |", "|---|---|---|"]
    for (text, edited), names in rows.items():
        lines.append(f"| {', '.join(names)} | {text} | {'edited' if edited else 'by hand'} |")
    return "\n".join(lines)


def test_the_page_has_the_table() -> None:
    assert table() in PAGE


def today() -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        input=json.dumps(sorted(OLD)),
        env={**os.environ, "PYTHONPATH": str(SANIC)},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


@needs_sanic
def test_the_tables_are_those_of_both_releases() -> None:
    new = today()
    assert str(new["release"]).startswith(RELEASE)
    gone = {
        f"{module}.{name}".removeprefix("sanic.")
        for module, names in OLD.items()
        if module not in _NOT_FOR_APPS
        for name, what in names.items()
        if name not in new[module] and what["kind"] in ("class", "function") and not name.startswith("_")
    }
    assert gone <= GONE.keys(), gone - GONE.keys()
    assert not [
        name for name in GONE if name.rpartition(".")[2] in new.get(f"sanic.{name.rpartition('.')[0]}", [])
    ]
    assert set(new["app"]) >= APP and not APP_GONE.keys() & set(new["app"])
    assert set(new["request"]) >= REQUEST and not REQUEST_GONE.keys() & set(new["request"])
    assert not CONFIG_GONE.keys() & set(new["config"])
    members = {
        "sanic.app": ("Sanic", APP | APP_GONE.keys()),
        "sanic.request": ("Request", REQUEST | REQUEST_GONE.keys()),
    }
    for module, (name, known) in members.items():
        old = {one for one in OLD[module][name]["members"] if not one.startswith("_")}
        assert old <= known, old - known


if __name__ == "__main__":
    sys.stdout.write(f"{table()}\n")
