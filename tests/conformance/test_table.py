"""docs/conformance.md says what is so: its tests exist, and it has a row for each case of the corpora."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tests.conformance import smuggling
from tests.conformance.malformed_bodies import BODIES
from tests.conformance.malformed_heads import HEADS
from tests.conformance.valid import SOUND
from tests.support.commands import ROOT

PAGE = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
SECTION = r"(?:9110|9112|9113|6585|6455|7692) §\d+(?:\.\d+)*"


class Row(NamedTuple):
    """One rule of the table."""

    key: str
    rule: str
    section: str
    happens: str
    shown: str

    @property
    def corpora(self) -> set[str]:
        return set(re.findall(r"\b[MSAW]\b", re.sub(r"`[^`]*`", "", self.shown)))


def _rows() -> Iterator[Row]:
    for table in re.findall(r"^\| key \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", PAGE, re.MULTILINE):
        for line in table.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split("|")]
            assert len(cells) == 5, line
            yield Row(*cells)


ROWS = list(_rows())
KEYS = {row.key: row for row in ROWS}
REFUSED = [*HEADS, *BODIES]


def test_each_rule_has_one_row() -> None:
    assert len(KEYS) == len(ROWS) > 40


def test_every_row_is_complete() -> None:
    for row in ROWS:
        assert row.rule and row.happens, row.key
        assert row.key == "limit-log" or re.match(SECTION, row.section), row.key
        assert row.corpora or "::" in row.shown, f"no test shows {row.key}"


def test_each_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`([\w/]+)::(\w+)`", PAGE))
    assert named
    for path, name in named:
        text = (ROOT / "tests" / f"{path}.py").read_text(encoding="utf-8")
        assert f"def {name}(" in text, f"{path}::{name}"


def test_each_case_has_a_row_that_names_its_corpus() -> None:
    for case in REFUSED:
        assert "M" in KEYS[case.rule].corpora, case.id
    for sound in SOUND:
        assert "S" in KEYS[sound.rule].corpora, sound.id
    for case in smuggling.ATTACKS:
        assert "A" in KEYS[case.rule].corpora
    malformed, unusual = {case.rule for case in REFUSED}, {case.rule for case in SOUND}
    for row in ROWS:
        assert ("M" in row.corpora) <= (row.key in malformed), f"no malformed case of {row.key}"
        assert ("S" in row.corpora) <= (row.key in unusual), f"no sound case of {row.key}"


def test_each_status_of_a_case_is_in_its_row() -> None:
    for case in REFUSED:
        assert str(case.status) in KEYS[case.rule].happens, case.id


def test_each_case_names_a_section() -> None:
    for case in (*REFUSED, *smuggling.ATTACKS, *SOUND):
        assert re.fullmatch(SECTION, case.section), case.id
