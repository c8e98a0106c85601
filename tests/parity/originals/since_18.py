"""Asks Sanic 18.12 to 21.12 the cases of 0.8.3, and declares what ours answers otherwise.

    python -m tests.parity.originals.since_18 record     writes `records/`
    python -m tests.parity.originals.since_18 declare    writes `declared_since_18.json`

The applications of `surface` are written in the words of 0.8. A release that dropped such a word answers 500
or does not serve the application; ours goes on knowing it. What each difference is goes by a rule, whose
subject is a row of `docs/differences.md`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from tests.parity.originals import ours, record
from tests.parity.originals.surface.cases import SINCE_18, Case
from tests.parity.originals.surface.catalogue import APPS

DECLARED = record.HERE / "declared_since_18.json"
EARLIER = record.HERE / "declared.json"

DROPPED = "what a later release dropped or refuses"
TYPES = "content types since 19.12"
NOT_FOUND = "middleware around a 404 since 19.12"
WORDS = "the words of an error page"
NOT_YET = "what later releases answer otherwise"


def cases(name: str) -> list[Case]:
    """The cases of an application that 0.8.3 was asked, without conversations."""
    return [one for one in APPS[name][1] if isinstance(one, Case) and "sanic-0.8.3" in one.releases]


def ask_ours(release: str, name: str, asked: list[Case]) -> dict[str, Any]:
    """What ours answers where this release decides."""
    with ours.served("sanic", name, ".".join(release.partition("-")[2].split(".")[:2])) as address:
        return {one.name: ours.ask(address, one) for one in asked}


def record_all() -> None:
    for release in SINCE_18:
        answers = {}
        for name in APPS:
            try:
                with record.original(release, name) as address:
                    found = record.ask_all(address, cases(name))
            except (RuntimeError, OSError):
                continue  # it does not serve this application
            answers[name] = dict(zip((one.name for one in cases(name)), found, strict=True))
        record.write(record.RECORDS / f"{release}.json", answers)
        print(release, sum(map(len, answers.values())))  # noqa: T201


def declare_all() -> None:
    declared: dict[str, dict[str, Any]] = {}
    earlier = json.loads(EARLIER.read_text())
    for release in SINCE_18:
        recorded = json.loads((record.RECORDS / f"{release}.json").read_text())
        for name, answers in recorded.items():
            known = earlier.get(f"sanic {name}", {})
            mine = ask_ours(release, name, cases(name))
            for case, theirs in answers.items():
                if theirs != mine[case]:
                    why = known[case]["why"] if case in known else [subject(theirs, mine[case])]
                    entry = {"ours": mine[case], "why": why}
                    declared.setdefault(f"{release} {name}", {})[case] = entry
    record.write(DECLARED, declared)


def subject(theirs: list[Any], mine: list[Any]) -> str:
    """The row that a difference belongs to."""
    if not theirs or not mine or "status" not in theirs[0]:
        return NOT_YET
    status, text = theirs[0]["status"], str(theirs[0].get("body"))
    if status >= 500 or "500 Internal Server Error" in text:
        return WORDS if mine[0]["status"] >= 500 else DROPPED
    if [without_type(one) for one in theirs] == [without_type(one) for one in mine]:
        return TYPES
    if any(field.startswith("x-trace") for field in theirs[0]["headers"]):
        return NOT_FOUND
    if status == mine[0]["status"] >= 400:
        return WORDS
    return NOT_YET


def without_type(answer: dict[str, Any]) -> dict[str, Any]:
    fields = [field for field in answer.get("headers", ()) if not field.startswith("content-type: ")]
    return answer | {"headers": fields}


if __name__ == "__main__":
    record_all() if sys.argv[1:] == ["record"] else declare_all()
