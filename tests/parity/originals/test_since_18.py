"""Ours beside Sanic 18.12 to 21.12, with that release deciding: what differs is declared."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.parity.originals import record, since_18
from tests.parity.originals.surface.cases import SINCE_18
from tests.parity.originals.test_side_by_side import DIFFERENCES

RECORDS: dict[str, dict[str, dict[str, Any]]] = {
    release: json.loads((record.RECORDS / f"{release}.json").read_text()) for release in SINCE_18
}
DECLARED: dict[str, dict[str, Any]] = json.loads(since_18.DECLARED.read_text())
SERVED = [(release, name) for release in SINCE_18 for name in RECORDS[release]]
QUICK = {("sanic-21.12.2", "errors"), ("sanic-19.12.5", "handled")}


@pytest.mark.parametrize(
    ("release", "name"),
    [pytest.param(*one, marks=() if one in QUICK else pytest.mark.long, id=" ".join(one)) for one in SERVED],
)
def test_only_what_is_declared_differs(release: str, name: str) -> None:
    recorded = RECORDS[release][name]
    declared = DECLARED.get(f"{release} {name}", {})
    for case, found in since_18.ask_ours(release, name, since_18.cases(name)).items():
        if found == recorded[case]:
            assert case not in declared, case
        else:
            assert case in declared, (case, recorded[case], found)
            assert found == declared[case]["ours"], case


@pytest.mark.parametrize("release", SINCE_18)
def test_a_record_answers_every_case(release: str) -> None:
    assert sum(map(len, RECORDS[release].values())) >= 300
    for name, answers in RECORDS[release].items():
        assert answers.keys() == {case.name for case in since_18.cases(name)}


def test_every_declaration_has_its_reason() -> None:
    subjects = {
        line.split("|")[1].strip() for line in DIFFERENCES.read_text().splitlines() if line.startswith("| ")
    }
    for served, cases in DECLARED.items():
        release, _, name = served.partition(" ")
        assert cases.keys() <= RECORDS[release][name].keys()
        for case, declared in cases.items():
            assert declared["why"], case
            assert set(declared["why"]) <= subjects, (served, case, declared["why"])
