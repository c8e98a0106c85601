"""A probe's report as text for people, and as JSON for programs; `report_page` makes the page."""

from __future__ import annotations

import json
from textwrap import indent
from typing import Any, Final

from streamcompat.testing.counterexample import Counterexample
from streamcompat.testing.outcome import Outcome
from streamcompat.testing.samples import SAMPLES
from streamcompat.testing.search import (
    CUTS,
    DISCONNECT,
    ENDS,
    LEFTOVERS,
    MEMORY,
    TOGETHER,
    TRUNCATION,
    Report,
    RouteReport,
    Verdict,
)

_MEANS: Final = {
    ENDS: "the handler ends with its response, and leaves nothing behind",
    CUTS: "the answer is the same wherever the network cuts the request",
    TRUNCATION: "a body that is cut is not answered as a whole one",
    MEMORY: "memory does not grow with the body",
    DISCONNECT: "a client may leave at any time",
    TOGETHER: "two requests at once do not mix",
    LEFTOVERS: "requests leave nothing in the process",
}
_WORDS: Final = {True: "holds", False: "BROKEN", None: "not checked"}


# ---- text ----


def as_text(report: Report) -> str:
    """The report as text for a terminal."""
    lines: list[str] = []
    for route in report.routes:
        lines += [f"{route.route.name}  (takes {taken(route)})"]
        for verdict in route.verdicts:
            lines.append(f"  {word(verdict):<11}  {told(report, route, verdict)}")
            if verdict.counterexample is not None:
                text = shown(report, route, verdict, verdict.counterexample)
                lines += ["", *(f"      {line}".rstrip() for line in text.splitlines()), ""]
        lines += [f"  {compared(route)}"] if route.answers else []
        lines.append("")
    return "\n".join([*lines, summary(report)]) + "\n"


def word(verdict: Verdict) -> str:
    """The result in a word or two."""
    return _WORDS[verdict.holds] if verdict.applies else "no matter"


def told(report: Report, route: RouteReport, verdict: Verdict) -> str:
    """The invariant, and what else there is to say of the verdict."""
    known = " (known before)" if verdict.holds is False and report.knows(route, verdict) else ""
    why = f": {verdict.why}" if verdict.why else ""
    return f"{_MEANS[verdict.invariant]}{known}{why}"


def shown(report: Report, route: RouteReport, verdict: Verdict, found: Counterexample) -> str:
    """A counterexample, with a file for pytest."""
    test = found.as_test(f"{route.route.name} {verdict.invariant}", report.imports)
    return found.text("To reproduce, as a file for pytest:", indent(test, "    "))


def compared(route: RouteReport) -> str:
    """How many answers were compared, and which bodies were refused."""
    refused = ", ".join(f"{kind} ({status or 'no answer'})" for kind, status in route.refuses.items())
    text = f"{route.answers} answers compared, {route.successes} of them 2xx"
    if route.route.is_websocket:
        text = f"{route.answers} conversations compared, {route.successes} of them without an error"
    return text + (f"; refused: {refused}" if refused else "")


def taken(route: RouteReport) -> str:
    """The kinds of bodies that the route accepts, as text."""
    if route.takes == [sample.kind for sample in SAMPLES]:
        return "anything"
    return ", ".join(route.takes) or "no sample body"


def summary(report: Report) -> str:
    """How many routes are broken or not checked, in a line."""
    if not report.routes:
        return f"{report.target} has no stream routes: select other routes with --route"
    broken = sum(route.broken for route in report.routes)
    unknown = sum(all(verdict.holds is None for verdict in route.verdicts) for route in report.routes)
    text = f"{broken} of {len(report.routes)} routes broken"
    if unknown:
        text += f", {unknown} not checked"
    if partly := sum(route.unchecked for route in report.routes) - unknown:
        text += f", {partly} not wholly checked"
    if report.stopped:
        text += f"; {report.stopped}"
    return f"{text} ({report.examples} examples each, seed {report.seed})"


# ---- JSON ----


def as_json(report: Report) -> str:
    """The report as JSON for programs; bodies are in hexadecimal."""
    return (
        json.dumps(
            {
                "target": report.target,
                "examples": report.examples,
                "seed": report.seed,
                "broken": report.broken,
                "unchecked": report.unchecked,
                "stopped": report.stopped,
                "routes": [_route_value(report, route) for route in report.routes],
            },
            indent=2,
            ensure_ascii=False,
        )
        + "\n"
    )


def _route_value(report: Report, found: RouteReport) -> dict[str, Any]:
    route = found.route
    return {
        "method": route.method,
        "path": route.uri,
        "host": route.host,
        "takes": found.takes,
        "refuses": found.refuses,
        "answers": found.answers,
        "successes": found.successes,
        "broken": found.broken,
        "unchecked": found.unchecked,
        "promises": [_verdict_value(report, found, verdict) for verdict in found.verdicts],
    }


def _verdict_value(report: Report, route: RouteReport, verdict: Verdict) -> dict[str, Any]:
    value: dict[str, Any] = {
        "promise": verdict.invariant,
        "holds": verdict.holds,
        "applies": verdict.applies,
        "why": verdict.why,
    }
    found = verdict.counterexample
    if found is not None:
        request = found.request
        value["counterexample"] = {
            "what": found.what,
            "request": {
                "method": request.method,
                "target": request.target,
                "headers": [list(field) for field in request.headers],
                "body": request.body.hex(),
                "chunks": request.chunks,
            },
            "sides": [
                {"name": name, "cuts": cuts, **_outcome_value(outcome)} for name, cuts, outcome in found.sides
            ],
            "differences": found.differences,
            "advice": found.advice,
            "reproduce": found.reproduce,
            "test": found.as_test(f"{route.route.name} {verdict.invariant}", report.imports),
        }
    return value


def _outcome_value(outcome: Outcome) -> dict[str, Any]:
    return {
        "status": outcome.status,
        "complete": outcome.complete,
        "body": outcome.body.hex(),
        "read": [piece.hex() for piece in outcome.pieces],
        "error": outcome.error,
        "faults": outcome.violations,
    }
