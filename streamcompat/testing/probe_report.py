"""A probe's report for people and for programs: as text, as JSON, and as an HTML page with pictures.

The rule: the page is one file that loads nothing else, and every byte from a request is escaped.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from textwrap import indent
from typing import Any, Final

from streamcompat.testing.counterexample import Counterexample, answer
from streamcompat.testing.outcome import Outcome
from streamcompat.testing.probe import (
    CUTS,
    DISCONNECT,
    ENDS,
    INVARIANTS,
    LEFTOVERS,
    MEMORY,
    TOGETHER,
    TRUNCATION,
    Report,
    RouteReport,
    Verdict,
)
from streamcompat.testing.samples import SAMPLES
from streamcompat.testing.wire import cut

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
_SHOWN: Final = 64
"""Bytes of a body that a picture shows."""


# ---- text ----


def as_text(report: Report) -> str:
    """The report as text for a terminal."""
    lines: list[str] = []
    for route in report.routes:
        lines += [f"{route.route.name}  (takes {_taken(route)})"]
        for verdict in route.verdicts:
            lines.append(f"  {word(verdict):<11}  {told(report, route, verdict)}")
            if verdict.counterexample is not None:
                text = shown(report, route, verdict, verdict.counterexample)
                lines += ["", *(f"      {line}".rstrip() for line in text.splitlines()), ""]
        lines += [f"  {_compared(route)}"] if route.answers else []
        lines.append("")
    return "\n".join([*lines, _summary(report)]) + "\n"


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


def _compared(route: RouteReport) -> str:
    refused = ", ".join(f"{kind} ({status or 'no answer'})" for kind, status in route.refuses.items())
    text = f"{route.answers} answers compared, {route.successes} of them 2xx"
    return text + (f"; refused: {refused}" if refused else "")


def _taken(route: RouteReport) -> str:
    """The kinds of bodies that the route accepts, as text."""
    if route.takes == [sample.kind for sample in SAMPLES]:
        return "anything"
    return ", ".join(route.takes) or "no sample body"


def _summary(report: Report) -> str:
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


# ---- HTML ----

_STYLE: Final = """
:root { color-scheme: light dark; --edge: #8884; --soft: #8881; --bad: #c62828; --good: #2e7d32; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 76em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.5em; } h2 { font-size: 1.2em; margin: 2.5em 0 .5em; border-bottom: 1px solid var(--edge); }
h3 { font-size: 1em; margin: 0 0 .6em; } h4 { font-size: 1em; margin: 0 0 .4em; }
code, pre, .bytes { font-family: ui-monospace, monospace; font-size: .93em; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .8em; white-space: pre-wrap; border-radius: 6px; margin: .5em 0 0; }
table { border-collapse: collapse; } th { text-align: left; font-weight: normal; }
td, th { padding: .25em 1.2em .25em 0; border-bottom: 1px solid var(--edge); vertical-align: top; }
a { color: inherit; } ul { padding-left: 1.2em; } li { margin: .2em 0; }
.holds { color: var(--good); } .broken { color: var(--bad); font-weight: bold; } .unknown { opacity: .7; }
.found { border: 1px solid var(--edge); border-left: 4px solid var(--bad); border-radius: 6px;
  padding: 1em 1.2em; margin: 1em 0; }
.sides { display: flex; flex-wrap: wrap; gap: 1em 2em; margin: 1em 0; }
.side { flex: 1 1 24em; min-width: 0; }
.bytes { display: flex; flex-wrap: wrap; align-items: center; margin: .3em 0; }
.piece { display: flex; flex-wrap: wrap; margin: 2px 0; border: 2px solid #3b78b5; border-radius: 5px; }
.byte { width: 2.2em; text-align: center; padding: .1em 0; }
.byte small { display: block; opacity: .75; height: 1.5em; }
.byte.wide { background: #ffc10740; }
.cut { align-self: stretch; margin: 0 6px; border-left: 3px dashed var(--bad); }
.read { display: inline-block; margin: 2px 6px 2px 0; padding: 0 .4em; border-radius: 4px;
  background: #3b78b52b; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .2em .8em; margin: 0; }
dt { opacity: .7; } dd { margin: 0; }
"""


def as_html(report: Report) -> str:
    """The report as a self-contained HTML page."""
    title = f"streamcompat probe: {escape(report.target)}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>{title}</title><style>{_STYLE}</style></head>",
        f"<body><h1>{title}</h1><p>{escape(_summary(report))}</p>",
        _overview(report),
    ]
    for number, route in enumerate(report.routes):
        name, takes = escape(route.route.name), escape(_taken(route))
        parts.append(f'<h2 id="route{number}"><code>{name}</code></h2><p>Takes {takes}.</p><ul>')
        for verdict in route.verdicts:
            parts.append(f"<li>{_word(verdict)}: {escape(told(report, route, verdict))}</li>")
        parts.append(f"</ul><p>{escape(_compared(route))}.</p>")
        parts += [
            _picture(
                verdict.counterexample,
                verdict.counterexample.as_test(f"{route.route.name} {verdict.invariant}", report.imports),
            )
            for verdict in route.verdicts
            if verdict.counterexample is not None
        ]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _word(verdict: Verdict) -> str:
    kind = {True: "holds", False: "broken", None: "unknown"}[verdict.holds]
    return f'<span class="{kind}">{word(verdict)}</span>'


def _overview(report: Report) -> str:
    """A table with a row for each route and a column for each invariant."""
    if len(report.routes) < 2:
        return ""
    rows = [f"<tr><th></th>{''.join(f'<th>{invariant}</th>' for invariant in INVARIANTS)}</tr>"]
    for number, route in enumerate(report.routes):
        cells = "".join(f"<td>{_word(verdict)}</td>" for verdict in route.verdicts)
        name = escape(route.route.name)
        rows.append(f'<tr><td><a href="#route{number}"><code>{name}</code></a></td>{cells}</tr>')
    return f"<table>{''.join(rows)}</table>"


def _picture(found: Counterexample, test: str) -> str:
    parts = [f'<div class="found"><h3>{escape(found.what)}</h3><code>{escape(repr(found.request))}</code>']
    parts.append('<div class="sides">')
    for name, cuts, outcome in found.sides:
        parts.append(f'<div class="side"><h4>{escape(name)}</h4>')
        if cuts is not None:
            parts.append(_row(found.request.framed(), cuts))
        read = "".join(f'<span class="read"><code>{_text(p)}</code></span>' for p in outcome.pieces[:20])
        more = f" and {len(outcome.pieces) - 20} more" if len(outcome.pieces) > 20 else ""
        kind = "broken" if outcome.failed or outcome.violations else "holds"
        seen = f"<dt>the handler read</dt><dd>{read or 'nothing'}{more}</dd>" if outcome.observed else ""
        said = f'<dt>the response</dt><dd class="{kind}"><code>{escape(answer(outcome))}</code></dd>'
        parts.append(f"<dl>{seen}{said}</dl></div>")
    parts.append("</div>")
    if found.differences:
        items = "".join(f"<li>{escape(line)}</li>" for line in found.differences)
        parts.append(f"<div>What differs:</div><ul>{items}</ul>")
    if found.advice:
        parts.append(f"<p>{_with_code(found.advice)}</p>")
    parts.append(f"<div>To reproduce, as a file for pytest:</div><pre>{escape(test)}</pre></div>")
    return "\n".join(parts)


def _with_code(advice: str) -> str:
    """The advice as HTML, with the parts between backticks as code."""
    parts = escape(advice).split("`")
    return "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))


def _row(body: bytes, cuts: Sequence[int]) -> str:
    """The bytes in a row, with a frame around each piece and a mark at each cut."""
    start = max(min(cuts, default=0) - _SHOWN // 2, 0)
    end = min(start + _SHOWN, len(body))
    parts = ['<div class="bytes">']
    if start:
        parts.append(f"<span>{start} bytes ... </span>")
    position = start
    marks = [offset - start for offset in cuts]
    labels = _labels(body)
    if 0 in cuts:
        parts.append('<div class="cut" title="cut at 0"></div>')
    for piece in cut(body[start:end], marks):
        if position != start:
            parts.append(f'<div class="cut" title="cut at {position}"></div>')
        ends = position + len(piece)
        cells = "".join(_cell(offset, body[offset], labels[offset]) for offset in range(position, ends))
        parts.append(f'<div class="piece">{cells}</div>')
        position = ends
    if end < len(body):
        parts.append(f"<span> ... {len(body) - end} bytes</span>")
    elif end and end in cuts:
        parts.append(f'<div class="cut" title="cut at {end}"></div>')
    return "".join([*parts, "</div>"])


def _cell(offset: int, byte: int, label: str) -> str:
    wide = " wide" if byte >= 0x80 else ""
    return f'<span class="byte{wide}" title="byte {offset}">{byte:02x}<small>{escape(label)}</small></span>'


def _labels(body: bytes) -> list[str]:
    """The label below each byte: its character, for the first byte of each character, else nothing."""
    named = {0x0A: "LF", 0x0D: "CR", 0x20: "SP", 0x09: "TAB"}
    labels: list[str] = []
    for character in body.decode("utf-8", "surrogateescape"):
        shown = named.get(ord(character), character if character.isprintable() else "")
        labels += [shown, *[""] * (len(character.encode("utf-8", "surrogateescape")) - 1)]
    return labels


def _text(data: bytes) -> str:
    try:
        return escape(repr(data.decode()))
    except UnicodeDecodeError:
        return escape(repr(data))
