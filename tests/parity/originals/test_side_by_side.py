"""Ours beside the originals: the same application, the same bytes sent, and what came back.

`records/` has what each original answered (`record.py` asks them). `declared.json` has, case by case, what
ours answers instead, for which releases, and why: the subjects of rows of `docs/differences.md`. A
difference that is not declared fails, and so does a declaration that is no longer one.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.parity.originals import ours
from tests.parity.originals.surface.cases import RELEASES, Case, Conversation
from tests.parity.originals.surface.catalogue import APPS

HERE = Path(__file__).parent
DIFFERENCES = HERE.parents[2] / "docs" / "differences.md"

RECORDS: dict[str, Any] = {
    release: json.loads((HERE / "records" / f"{release}.json").read_text()) for release in RELEASES
}
DECLARED: dict[str, dict[str, Any]] = json.loads((HERE / "declared.json").read_text())
SERVED = [(flavour, name) for flavour in ("sanic", "mach9") for name in APPS]


@pytest.fixture(scope="module", params=SERVED, ids="-".join)
def served(request: pytest.FixtureRequest) -> Iterator[tuple[str, str, tuple[str, int]]]:
    flavour, name = request.param
    with ours.served(flavour, name) as address:
        yield flavour, name, address


def test_only_what_is_declared_differs(served: tuple[str, str, tuple[str, int]]) -> None:
    flavour, name, address = served
    asked = [case for case in APPS[name][1] if any(one.startswith(flavour) for one in case.releases)]
    wrong = []
    for case, found in ask_all(address, asked):
        releases = [release for release in case.releases if release.startswith(flavour)]
        wrong += judge(flavour, name, case, releases, found)
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("release", ["sanic-0.5.4", "sanic-0.6.0", "sanic-0.7.0"])
@pytest.mark.parametrize("name", APPS)
def test_a_release_that_decides_brings_ours_nearer_to_it(name: str, release: str) -> None:
    with ours.served("sanic", name, release.removeprefix("sanic-")) as address:
        asked = [case for case in APPS[name][1] if release in case.releases]
        found = {case.name: answer for case, answer in ask_all(address, asked)}
    declared = DECLARED.get(f"sanic {name}", {})
    for case, answer in found.items():
        if answer != RECORDS[release][name][case]:
            assert release in declared.get(case, {"releases": []})["releases"], (case, answer)
            assert answer == declared[case]["ours"], case


def ask_all(
    address: tuple[str, int], cases: list[Case | Conversation]
) -> list[tuple[Case | Conversation, Any]]:
    """Each case with what ours answers. Conversations wait for timeouts, so they are held side by side."""
    if not any(isinstance(case, Conversation) for case in cases):
        return [(case, ours.ask(address, case)) for case in cases]
    with ThreadPoolExecutor(8) as pool:
        return list(zip(cases, pool.map(lambda case: ours.ask(address, case), cases), strict=True))


def judge(
    flavour: str, name: str, case: Case | Conversation, releases: list[str], found: list[Any]
) -> Iterator[str]:
    """What is wrong with an answer of ours."""
    declared = DECLARED.get(f"{flavour} {name}", {}).get(case.name, {"releases": []})
    differing = [release for release in releases if RECORDS[release][name][case.name] != found]
    if set(differing) != set(declared["releases"]):
        record = json.dumps({"why": [], "releases": differing, "ours": found}, sort_keys=True)
        was = {release: RECORDS[release][name][case.name] for release in releases}
        yield f"{flavour} {name}: {case.name!r} differs from {differing}; ours:\n{record}\noriginals:\n{was}"
    elif differing and declared["ours"] != found:
        yield f"{flavour} {name}: {case.name!r} is declared as\n{declared['ours']}\nbut is\n{found}"


def test_every_declaration_has_its_reason() -> None:
    subjects = {
        line.split("|")[1].strip() for line in DIFFERENCES.read_text().splitlines() if line.startswith("| ")
    }
    for served, cases in DECLARED.items():
        for case, declared in cases.items():
            assert declared["why"], f"{served}: {case}"
            assert set(declared["why"]) <= subjects, f"{served}: {case}: {declared['why']}"


def test_declarations_are_of_cases() -> None:
    asked = {(flavour, name, case.name) for flavour, name in SERVED for case in APPS[name][1]}
    declared = {(*served.split(), case) for served, cases in DECLARED.items() for case in cases}
    assert declared <= asked


@pytest.mark.parametrize("release", RELEASES)
def test_a_record_answers_every_case_once(release: str) -> None:
    for name, (_, cases, _) in APPS.items():
        asked = Counter(case.name for case in cases if release in case.releases)
        assert asked == Counter(list(RECORDS[release][name])), name
