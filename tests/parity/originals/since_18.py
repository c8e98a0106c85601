"""Asks Sanic 18.12 to 21.12 the cases of 0.8.3, and declares what ours answers otherwise.

    python -m tests.parity.originals.since_18 record     writes `records/`
    python -m tests.parity.originals.since_18 declare    writes `declared_since_18.json`

The applications of `surface` are written in the words of 0.8. A release that dropped such a word answers 500
or does not serve the application; ours goes on knowing it. What each difference is goes by a rule, whose
subject is a row of `docs/differences.md`.
"""

from __future__ import annotations

import json
import re
import sys
from typing import Any, Final

from tests.parity.originals import ours, record
from tests.parity.originals.surface.cases import SINCE_18, Case
from tests.parity.originals.surface.catalogue import APPS

DECLARED = record.HERE / "declared_since_18.json"
EARLIER = record.HERE / "declared.json"

TYPES = "content types since 19.12"
NOT_FOUND = "middleware around a 404 since 21.3"
WORDS = "the words of an error page"
RULES: Final = (
    ("requests (args|long query).*", "`request.raw_args` (gone in 20.3)"),
    ("requests items|parts .*|streaming stream .*", "`request['x']` (gone in 20.3)"),
    (
        "streaming (body|echo|transform|PUT|PATCH|fails after reading|blueprint|view POST|composed POST).*",
        "`request.stream.get()` (gone in 20.12)",
    ),
    ("errors (abort.*|own status)", "`abort` (gone in 21.12)"),
    (
        "values body_.*|responses (text_number|bare_bytes)|streaming chunk of .*",
        "a body or a chunk that is neither text nor bytes (refused since 20.12)",
    ),
    ("values cookie with (max-age|expires) .*", "a `max-age` or `expires` of another type (since 19.12)"),
    ("static (folder above|folder dots within).*", "a static path that leaves its folder (since 20.12)"),
    ("static folder .*", "a static folder itself, or a NUL (since 20.12)"),
    ("static (slashed|pattern that does not fit)", "a slash behind a static file, a pattern (21.x)"),
    ("static url_for .*", "names of `url_for` behind that of the app (21.x)"),
    ("requests where.*", "`request.uri_template` (21.x)"),
    ("responses (output|get_headers).*", "`output()` and `get_headers()` of a response (20.12)"),
    ("routes url_for wrong.*", "a value that does not fit `url_for` (since 19.12)"),
    ("requests stream none", "`request.stream` where nothing streams (21.x)"),
)
"""By application and case: what differs, for what neither the status nor the page tells."""
CLOSED = "a chunk extension, a trailer, a long query, an empty line before a request (21.x)"


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
                    why = known[case]["why"] if case in known else [subject(name, case, theirs, mine[case])]
                    entry = {"ours": mine[case], "why": why}
                    declared.setdefault(f"{release} {name}", {})[case] = entry
    record.write(DECLARED, declared)


def subject(name: str, case: str, theirs: list[Any], mine: list[Any]) -> str:
    """The row that a difference belongs to. Raises: LookupError: it is a new one, which needs a row."""
    if not theirs or case == "empty line first":
        return CLOSED
    status, text = theirs[0].get("status", 0), str(theirs[0].get("body"))
    failed = status >= 500 or "500 Internal Server Error" in text
    if failed and mine[0]["status"] >= 500:
        return WORDS
    if [without_type(one) for one in theirs] == [without_type(one) for one in mine]:
        return TYPES
    if not failed and any(field.startswith("x-trace") for field in theirs[0]["headers"]):
        return NOT_FOUND
    for pattern, row in RULES:
        if re.fullmatch(pattern, f"{name} {case}"):
            return row
    if status == mine[0]["status"] >= 400:
        return WORDS
    raise LookupError(f"{name} {case}: {theirs} is answered here by {mine}")


def without_type(answer: dict[str, Any]) -> dict[str, Any]:
    fields = [field for field in answer.get("headers", ()) if not field.startswith("content-type: ")]
    return answer | {"headers": fields}


if __name__ == "__main__":
    record_all() if sys.argv[1:] == ["record"] else declare_all()
