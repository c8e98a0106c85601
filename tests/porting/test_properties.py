"""Properties over programs that are generated: a second run changes nothing, what comes out compiles, what no
rule touches stays the same bytes, and a client sees no difference."""

from __future__ import annotations

import ast
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from streamcompat import aliases
from streamcompat.porting.project import Result, port
from streamcompat.verification import compare
from tests.porting.programs import programs

SLOW = settings(deadline=None, suppress_health_check=list(HealthCheck))


def ported(source: str) -> Result:
    return port({"program.py": source.encode()})


@given(programs())
@settings(SLOW, max_examples=30)
def test_it_compiles_and_a_second_run_changes_nothing(program: tuple[str, list[str]]) -> None:
    source, untouched = program
    result = ported(source)
    after = result.files[0].after.decode()
    ast.parse(after)
    again = ported(after)
    assert again.files[0].after.decode() == after
    assert result.counts["unknown"] == 0
    assert result.counts["ported"] + result.counts["left alone"] == source.count("async def handler")
    assert result.counts["left alone"] == source.count("csv.writer(")
    lines = after.splitlines(keepends=True)
    for line in untouched:
        assert lines.count(line) >= source.splitlines(keepends=True).count(line)
    # Nothing of the old words is left in a program that is ported as a whole.
    if not result.counts["left alone"]:
        code = "\n".join(ast.unparse(node) for node in ast.parse(after).body if not _is_text(node))
        for word in ("sanic", ".write(", "stream.get(", "stream.read(", "app.stream("):
            assert word not in code


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)


@given(programs())
@settings(SLOW, max_examples=12)
def test_line_ends_and_marks_stay(program: tuple[str, list[str]]) -> None:
    source, _ = program
    after = ported(source).files[0].after
    for ending in (b"\r\n",):
        data = b"\xef\xbb\xbf" + source.encode().replace(b"\n", ending)
        expected = b"\xef\xbb\xbf" + after.replace(b"\n", ending)
        assert port({"program.py": data}).files[0].after == expected


def load(source: str) -> Any:
    module = ModuleType("program")
    exec(compile(source, "program.py", "exec"), vars(module))
    return module.app


def check_alike(source: str) -> None:
    aliases.install()
    try:
        before, after = load(source), load(ported(source).files[0].after.decode())
    finally:
        aliases.uninstall()
    assert type(after).__name__ == "Mach9"
    assert [str(one) for one in compare(before, after, requests=6).differences] == []


@given(programs())
@settings(SLOW, max_examples=8)
def test_a_client_sees_no_difference(program: tuple[str, list[str]]) -> None:
    check_alike(program[0])


@pytest.mark.long
@given(programs())
@settings(SLOW, max_examples=200)
def test_a_client_sees_no_difference_at_length(program: tuple[str, list[str]]) -> None:
    check_alike(program[0])
