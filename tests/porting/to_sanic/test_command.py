"""`streamcompat port --to sanic` as a command: its exit status, and what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from streamcompat.cli.command import main

PORTED = "from sanic import Sanic\n\napp = Sanic('free')\napp.n = 1\n"
UNKNOWN = (
    "from sanic import Sanic\n\napp = Sanic('kept')\n\n\ndef user(thing):\n    return thing.stream.get()\n"
)


@pytest.mark.parametrize(
    ("files", "status"),
    [({"free.py": PORTED}, 1), ({"kept.py": UNKNOWN}, 0), ({"free.py": PORTED, "kept.py": UNKNOWN}, 4)],
)
def test_the_exit_status(
    files: dict[str, str], status: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in files.items():
        Path(name).write_text(text)
    assert main(["port", ".", "--to", "sanic", "--check"]) == status
    assert main(["port", ".", "--to", "sanic", "--write"]) == (status if status == 4 else 0)
    for name, text in files.items():
        assert (Path(name).read_text() == text) == (name == "kept.py")
    assert main(["port", ".", "--to", "sanic", "--check"]) == 0
