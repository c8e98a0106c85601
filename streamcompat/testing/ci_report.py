"""A probe's report for continuous integration: as JUnit's XML, and as commands of GitHub's workflows.

The rule: a failure that was known before is not a failure here; what was not checked is a skipped test.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape, quoteattr

from streamcompat.testing.probe_report import as_json, as_text, shown, told
from streamcompat.testing.report_page import as_html
from streamcompat.testing.search import Report, RouteReport, Verdict


def _all(report: Report) -> Iterator[tuple[RouteReport, Verdict, bool]]:
    """Each route and verdict, and whether it is a failure."""
    for route in report.routes:
        for verdict in route.verdicts:
            yield route, verdict, verdict.holds is False and not report.knows(route, verdict)


def as_junit(report: Report) -> str:
    """A test case for each invariant of each route."""
    cases: list[str] = []
    failures = skipped = 0
    for route, verdict, fails in _all(report):
        case = f"<testcase classname={quoteattr(route.route.name)} name={quoteattr(verdict.invariant)}"
        if fails and verdict.counterexample is not None:
            failures += 1
            text = shown(report, route, verdict, verdict.counterexample)
            message = quoteattr(verdict.counterexample.what)
            case += f"><failure message={message}>{escape(_printable(text))}</failure></testcase>"
        elif verdict.holds is None:
            skipped += 1
            case += f"><skipped message={quoteattr(verdict.why)}/></testcase>"
        else:
            case += "/>"
        cases.append(f"  {case}")
    counts = f'tests="{len(cases)}" failures="{failures}" errors="0" skipped="{skipped}"'
    return "\n".join(
        [
            '<?xml version="1.0" encoding="utf-8"?>',
            f"<testsuites><testsuite name={quoteattr(f'streamcompat probe {report.target}')} {counts}>",
            *cases,
            "</testsuite></testsuites>",
            "",
        ]
    )


def _printable(text: str) -> str:
    """The text without characters that XML 1.0 cannot hold."""
    return "".join(one if one.isprintable() or one in "\n\t" else "?" for one in text)


def as_github(report: Report) -> str:
    """An annotation for each failure and for what was not checked, and the report as text."""
    lines: list[str] = []
    for route, verdict, fails in _all(report):
        if not fails and not verdict.unchecked:
            continue
        file, line = route.route.where
        place = f"file={_property(_relative(file))},line={line}," if file else ""
        title = _property(f"{route.route.name}: {told(report, route, verdict)}")
        found = verdict.counterexample
        text = shown(report, route, verdict, found) if found is not None else verdict.why
        lines.append(f"::{'error' if fails else 'warning'} {place}title={title}::{_data(text)}")
    return "\n".join([*lines, as_text(report)])


def _relative(file: str) -> str:
    path = Path(file)
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else file


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


FORMS: Final = {
    "text": as_text,
    "json": as_json,
    "html": as_html,
    "junit": as_junit,
    "github": as_github,
}
