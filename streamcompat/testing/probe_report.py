"""A probe's report for people and for programs: as text, as JSON, and as a page with pictures.

The rule: the page is one file that loads nothing; bytes that came from a request are escaped wherever they
are shown.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from typing import Any, Final

from streamcompat.testing.counterexample import Counterexample, answer
from streamcompat.testing.outcome import Outcome
from streamcompat.testing.probe import CUTS, DISCONNECT, MEMORY, Report, RouteReport, Verdict
from streamcompat.testing.wire import cut

_MEANS: Final = {
    CUTS: "the answer is the same wherever the network cuts the request",
    MEMORY: "memory does not grow with the body",
    DISCONNECT: "a client may leave at any time",
}
_WORDS: Final = {True: "holds", False: "BROKEN", None: "not checked"}
_SHOWN: Final = 64
"""Bytes of a body that a picture shows."""


# ---- text ----


def as_text(report: Report) -> str:
    """For a terminal."""
    lines: list[str] = []
    for route in report.routes:
        takes = ", ".join(route.takes) or "nothing that was tried"
        lines += [f"{route.route.name}  (takes {takes})"]
        for verdict in route.verdicts:
            why = f": {verdict.why}" if verdict.why else ""
            lines.append(f"  {_WORDS[verdict.holds]:<11}  {_MEANS[verdict.promise]}{why}")
            if verdict.counterexample is not None:
                text = str(verdict.counterexample)
                lines += ["", *(f"      {line}".rstrip() for line in text.splitlines()), ""]
        lines.append("")
    return "\n".join([*lines, _summary(report)]) + "\n"


def _summary(report: Report) -> str:
    if not report.routes:
        return f"{report.target} has no stream routes: name others with --route"
    broken = sum(route.broken for route in report.routes)
    unknown = sum(all(verdict.holds is None for verdict in route.verdicts) for route in report.routes)
    text = f"{broken} of {len(report.routes)} routes broken"
    if unknown:
        text += f", {unknown} not checked"
    return f"{text} ({report.examples} examples each, seed {report.seed})"


# ---- JSON ----


def as_json(report: Report) -> str:
    """For programs; bodies are in hexadecimal."""
    return json.dumps(
        {
            "target": report.target,
            "examples": report.examples,
            "seed": report.seed,
            "broken": report.broken,
            "routes": [_route_value(route) for route in report.routes],
        },
        indent=2,
        ensure_ascii=False,
    )


def _route_value(found: RouteReport) -> dict[str, Any]:
    route = found.route
    return {
        "method": route.method,
        "path": route.uri,
        "host": route.host,
        "takes": found.takes,
        "broken": found.broken,
        "promises": [_verdict_value(verdict) for verdict in found.verdicts],
    }


def _verdict_value(verdict: Verdict) -> dict[str, Any]:
    value: dict[str, Any] = {"promise": verdict.promise, "holds": verdict.holds, "why": verdict.why}
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
        }
    return value


def _outcome_value(outcome: Outcome) -> dict[str, Any]:
    return {
        "status": outcome.status,
        "complete": outcome.complete,
        "body": outcome.body.hex(),
        "read": [piece.hex() for piece in outcome.pieces],
        "error": outcome.error,
        "faults": outcome.faults,
    }


# ---- HTML ----

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70em; margin: 2em auto; padding: 0 1em; }
h2 { margin-top: 2em; border-bottom: 1px solid #ccc; }
code, pre, .bytes { font-family: ui-monospace, monospace; }
pre { background: #f6f6f6; padding: .8em; overflow-x: auto; }
.holds { color: #176f2c; }
.broken { color: #b00020; font-weight: bold; }
.unknown { color: #666; }
.side { margin: 1em 0; }
.side h4 { margin: 0 0 .3em; }
.bytes { display: flex; flex-wrap: wrap; }
.piece { display: flex; margin: 2px 0; border: 2px solid #3b6ea5; border-radius: 4px; }
.byte { width: 2.1em; text-align: center; }
.byte small { display: block; color: #777; min-height: 1.4em; }
.byte.wide { background: #fff0c2; }
.cut { width: 5px; margin: 0 5px; border-left: 3px dashed #b00020; }
.read { display: inline-block; margin: 2px 6px 2px 0; padding: 0 .4em; background: #eef3f9; }
"""


def as_html(report: Report) -> str:
    """A page by itself."""
    title = f"streamcompat probe: {escape(report.target)}"
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        f'<head><meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style></head>',
        f"<body><h1>{title}</h1><p>{escape(_summary(report))}</p>",
    ]
    for route in report.routes:
        takes = escape(", ".join(route.takes) or "nothing that was tried")
        parts.append(f"<h2><code>{escape(route.route.name)}</code></h2><p>Takes {takes}.</p><ul>")
        for verdict in route.verdicts:
            kind = {True: "holds", False: "broken", None: "unknown"}[verdict.holds]
            why = f": {escape(verdict.why)}" if verdict.why else ""
            parts.append(
                f'<li><span class="{kind}">{_WORDS[verdict.holds]}</span>: '
                f"{_MEANS[verdict.promise]}{why}</li>"
            )
        parts.append("</ul>")
        parts += [
            _picture(verdict.counterexample)
            for verdict in route.verdicts
            if verdict.counterexample is not None
        ]
    return "\n".join([*parts, "</body></html>"]) + "\n"


def _picture(found: Counterexample) -> str:
    parts = [f"<h3>{escape(found.what)}</h3><p><code>{escape(repr(found.request))}</code></p>"]
    body = found.request.framed()
    for name, cuts, outcome in found.sides:
        parts.append(f'<div class="side"><h4>{escape(name)}</h4>')
        if cuts is not None:
            parts.append(_row(body, cuts))
        if outcome.pieces or cuts is not None:
            read = "".join(f'<span class="read"><code>{_text(p)}</code></span>' for p in outcome.pieces[:20])
            more = f" and {len(outcome.pieces) - 20} more" if len(outcome.pieces) > 20 else ""
            parts.append(f"<div>the handler saw {read or 'nothing'}{more}</div>")
        parts.append(f"<div>and answered <code>{escape(answer(outcome))}</code></div></div>")
    if found.differences:
        items = "".join(f"<li>{escape(line)}</li>" for line in found.differences)
        parts.append(f"<p>What differs:</p><ul>{items}</ul>")
    if found.advice:
        parts.append(f"<p>{escape(found.advice)}</p>")
    parts.append(f"<p>To see it again:</p><pre>{escape(found.reproduce)}</pre>")
    return "\n".join(parts)


def _row(body: bytes, cuts: Sequence[int]) -> str:
    """The bytes in a row, a frame around each piece and a mark at each cut."""
    start = max(min(cuts, default=0) - _SHOWN // 2, 0)
    end = min(start + _SHOWN, len(body))
    parts = ['<div class="bytes">']
    if start:
        parts.append(f"<span>{start} bytes ... </span>")
    position = start
    marks = [offset - start for offset in cuts]
    if 0 in cuts:
        parts.append('<div class="cut" title="cut at 0"></div>')
    for piece in cut(body[start:end], marks):
        if position != start:
            parts.append(f'<div class="cut" title="cut at {position}"></div>')
        cells = "".join(_cell(byte) for byte in piece)
        parts.append(f'<div class="piece">{cells}</div>')
        position += len(piece)
    if end < len(body):
        parts.append(f"<span> ... {len(body) - end} bytes</span>")
    return "".join([*parts, "</div>"])


def _cell(byte: int) -> str:
    wide = " wide" if byte >= 0x80 else ""
    shown = escape(chr(byte)) if 0x20 < byte < 0x7F else {10: "LF", 13: "CR", 32: "SP"}.get(byte, "")
    return f'<span class="byte{wide}">{byte:02x}<small>{shown}</small></span>'


def _text(data: bytes) -> str:
    try:
        return escape(repr(data.decode()))
    except UnicodeDecodeError:
        return escape(repr(data))


FORMS: Final = {"text": as_text, "json": as_json, "html": as_html}
