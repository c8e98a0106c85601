"""Each rule of the road to today's Sanic: a file before, the file after, the report, and requests to both.

`golden/NAME.before.py` is ported alone. What changes on purpose is looked at and copied over the old file.
The requests of `NAME.requests.txt` are sent to the file before, on our engine, and to the one after, on the
real Sanic.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest

from streamcompat import aliases
from streamcompat.porting import report
from streamcompat.porting.project import port
from tests.porting.to_sanic.today import alike, before, needs_sanic, read, today

GOLDEN = Path(__file__).parent / "golden"
NAMES = sorted(path.name.removesuffix(".before.py") for path in GOLDEN.glob("*.before.py"))
SERVED = sorted(path.name.removesuffix(".requests.txt") for path in GOLDEN.glob("*.requests.txt"))


@pytest.fixture
def aliased() -> Iterator[None]:
    aliases.install()
    yield
    aliases.uninstall()


@pytest.mark.parametrize("name", NAMES)
def test_golden(name: str) -> None:
    source = (GOLDEN / f"{name}.before.py").read_bytes()
    result = port({f"{name}.py": source}, to="sanic")
    ported = result.files[0]
    assert ported.after.decode() == (GOLDEN / f"{name}.after.py").read_text()
    assert report.as_text(result) == (GOLDEN / f"{name}.report.txt").read_text()
    ast.parse(ported.after)
    again = port({f"{name}.py": ported.after}, to="sanic").files[0]
    assert again.after == ported.after, "a second run changes it again"
    if name.startswith("left"):
        assert ported.after == source
    else:
        assert {one.kind for one in again.findings} <= {"note"}


def test_each_case_that_is_ported_is_served() -> None:
    assert [name for name in NAMES if not name.startswith("left")] == SERVED


@needs_sanic
def test_the_real_sanic_answers_as_before(aliased: None) -> None:
    said = {name: read((GOLDEN / f"{name}.requests.txt").read_text()) for name in SERVED}
    new = today([(GOLDEN / f"{name}.after.py", said[name]) for name in SERVED])
    for name, answers in zip(SERVED, new, strict=True):
        path = GOLDEN / f"{name}.before.py"
        alike(path, said[name], anyio.run(before, path, said[name]), answers)
