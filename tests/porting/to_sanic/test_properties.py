"""Generated programs: each is ported as a whole or stays, and the real Sanic answers as our engine did."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import anyio
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from streamcompat import aliases
from streamcompat.porting.project import port
from tests.porting.programs import programs
from tests.porting.to_sanic.today import Said, alike, before, needs_sanic, today

SLOW = settings(deadline=None, database=None, suppress_health_check=list(HealthCheck))
_ROUTE = re.compile(r"@\w+\.(\w+)\(\s*'([^']+)'(?:, methods=\['(\w+)')?")


@pytest.fixture
def aliased() -> Iterator[None]:
    aliases.install()
    yield
    aliases.uninstall()


@given(programs())
@settings(SLOW, max_examples=5)
def test_a_program_is_ported_as_a_whole_or_stays(program: tuple[str, list[str]]) -> None:
    source, _ = program
    result = port({"program.py": source.encode()}, to="sanic")
    ported = result.files[0]
    kept = [one for one in ported.findings if one.kind != "note"]
    assert bool(kept) == ("csv.writer(" in source), kept
    if kept:
        assert ported.after == ported.before
    ast.parse(ported.after)
    again = port({"program.py": ported.after}, to="sanic").files[0]
    assert again.after == ported.after


def said_to(source: str) -> list[Said]:
    """A request to each handler."""
    found = []
    for kind, path, method in _ROUTE.findall(source):
        verb = method or {"stream": "POST"}.get(kind, kind.upper())
        found.append(Said(verb, path.replace("<name>", "a%20n"), (), ("abc",) if kind == "stream" else ()))
    return found


@pytest.mark.long
@needs_sanic
def test_the_real_sanic_answers_as_before(tmp_path: Path, aliased: None) -> None:
    sources: list[str] = []

    @given(programs(with_left=False))
    @settings(SLOW, max_examples=min(500, settings.default.max_examples), phases=[Phase.generate])
    def collect(program: tuple[str, list[str]]) -> None:
        sources.append(program[0])

    collect()
    served = []
    for number, source in enumerate(dict.fromkeys(sources)):
        old, new = tmp_path / f"before{number}.py", tmp_path / f"after{number}.py"
        old.write_text(source)
        new.write_bytes(port({"program.py": source.encode()}, to="sanic").files[0].after)
        served.append((old, new, said_to(source)))
    answers = today([(new, said) for _, new, said in served])
    whole = 0
    for (old, _, said), new_answers in zip(served, answers, strict=True):
        first = anyio.run(before, old, said)
        alike(old, said, first, new_answers)
        whole += sum(one["status"] == 200 for one in first)
    assert whole > len(served) / 2
