"""A probe's report as a page, with a picture of each counterexample.

The rule: the page is one file that loads nothing else, and every byte from a request is escaped. What is
broken comes first; what is sound is folded.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from datetime import UTC, datetime
from html import escape
from typing import Final

from streamcompat import __version__
from streamcompat.testing.counterexample import Counterexample, answer
from streamcompat.testing.probe_report import compared, summary, taken, told, word
from streamcompat.testing.search import INVARIANTS, Report, RouteReport, Verdict
from streamcompat.testing.wire import cut

_SHOWN: Final = 64
"""Bytes of a body that a picture shows."""

_STYLE: Final = """
:root { color-scheme: light dark; --page: #fff; --text: #1b1f24; --quiet: #57606a; --edge: #b8c0c8;
  --soft: #f3f5f7;
  --bad: #b3121d; --good: #0f6b2f; --piece: #0757ba; --read: #dcebfa; --wide: #fff0c2; }
@media (prefers-color-scheme: dark) { :root { --page: #0d1117; --text: #e6edf3; --quiet: #a0a9b4; --edge:
  #4a525c;
  --soft: #161b22; --bad: #ff8f87; --good: #5bd180; --piece: #6cb0ff; --read: #14304f; --wide: #4a3a00; } }
* { box-sizing: border-box; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 76rem; margin: 0 auto; padding: 1rem;
  background: var(--page); color: var(--text); }
h1 { font-size: 1.4rem; margin: 0 0 .5rem; overflow-wrap: anywhere; }
h2 { display: inline; font-size: 1.1rem; margin: 0; } h3, h4 { font-size: 1rem; margin: 0 0 .5rem; }
code, pre, .bytes { font-family: ui-monospace, monospace; font-size: .93em; overflow-wrap: anywhere; }
pre { background: var(--soft); padding: .8rem; white-space: pre-wrap; border-radius: 6px; margin: .5rem 0
  0; }
.scroll { overflow-x: auto; margin: 1rem 0; } :focus-visible { outline: 3px solid var(--piece);
  outline-offset: 2px; }
table { border-collapse: collapse; }
th[scope=row] { min-width: 11rem; } th { text-align: left; font-weight: 600; }
td, th { padding: .25rem 1.2rem .25rem 0; border-bottom: 1px solid var(--edge); vertical-align: top; }
a { color: inherit; } ul { padding-left: 1.2rem; } li { margin: .2rem 0; }
.holds { color: var(--good); } .broken { color: var(--bad); font-weight: bold; } .unknown { color:
  var(--quiet); }
details { border-top: 1px solid var(--edge); padding: .7rem 0; } summary { cursor: pointer; }
.found { border: 1px solid var(--edge); border-left: 4px solid var(--bad); border-radius: 6px;
  padding: .8rem; margin: 1rem 0; }
.sides { display: flex; flex-wrap: wrap; gap: 1rem 2rem; margin: 1rem 0; }
.side { flex: 1 1 min(24rem, 100%); min-width: 0; }
.bytes { display: flex; flex-wrap: wrap; align-items: center; margin: .3rem 0; }
.piece { display: flex; flex-wrap: wrap; margin: 2px 0; border: 2px solid var(--piece); border-radius:
  5px; }
.byte { width: 2.2em; text-align: center; padding: .1em 0; }
.byte small { display: block; height: 1.5em; }
.byte.wide { background: var(--wide); }
.cut { align-self: stretch; margin: 0 6px; border-left: 3px dashed var(--bad); }
.read { display: inline-block; margin: 2px 6px 2px 0; padding: 0 .4em; border-radius: 4px; background:
  var(--read); }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr); gap: .2rem .8rem; margin: 0; }
dt { color: var(--quiet); } dd { margin: 0; }
"""


def as_html(report: Report) -> str:
    """The report as a self-contained HTML page."""
    title = f"streamcompat probe: {escape(report.target)}"
    routes = sorted(report.routes, key=lambda route: (not route.broken, not route.unchecked))
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en">',
        '<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_STYLE}</style></head>",
        f"<body><main><h1>{title}</h1><p>{escape(summary(report))}</p>",
        _made(report),
        _overview(routes),
        *(_route(report, route, number) for number, route in enumerate(routes)),
    ]
    return "\n".join([*parts, "</main></body></html>"]) + "\n"


def _made(report: Report) -> str:
    """When, with what and by which command the report was made. Options that may have credentials are left
    out of the command."""
    command = (
        f"streamcompat probe {shlex.quote(report.target)} --examples {report.examples} --seed {report.seed}"
    )
    facts = {
        "made": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "by": f"streamcompat {__version__}",
        "command": f"<code>{escape(command)}</code>, and what its routes need",
    }
    return f"<dl>{''.join(f'<dt>{name}</dt><dd>{value}</dd>' for name, value in facts.items())}</dl>"


def _overview(routes: Sequence[RouteReport]) -> str:
    """A table with a row for each route and a column for each invariant."""
    if len(routes) < 2:
        return ""
    columns = "".join(f'<th scope="col">{invariant}</th>' for invariant in INVARIANTS)
    rows = [f'<tr><th scope="col">route</th>{columns}</tr>']
    for number, route in enumerate(routes):
        cells = "".join(f"<td>{_word(verdict)}</td>" for verdict in route.verdicts)
        name = f'<a href="#route{number}"><code>{escape(route.route.name)}</code></a>'
        rows.append(f'<tr><th scope="row">{name}</th>{cells}</tr>')
    # A wide table scrolls by itself, also by keyboard, so that the page never does.
    region = '<div class="scroll" role="region" tabindex="0" aria-label="All routes">'
    return f"{region}<table>{''.join(rows)}</table></div>"


def _route(report: Report, route: RouteReport, number: int) -> str:
    """One route: open if it is broken or was not wholly checked, folded if it is sound."""
    state = " open" if route.broken or route.unchecked else ""
    result = "broken" if route.broken else "unknown" if route.unchecked else "holds"
    says = {"broken": "broken", "unknown": "not wholly checked", "holds": "sound"}[result]
    name = f"<h2><code>{escape(route.route.name)}</code></h2>"
    parts = [
        f'<details id="route{number}"{state}><summary>{name} <span class="{result}">{says}</span></summary>'
    ]
    file, line = route.route.where
    where = f" Its handler: <code>{escape(f'{file}:{line}')}</code>." if file else ""
    parts.append(f"<p>Takes {escape(taken(route))}.{where}</p><ul>")
    parts += [f"<li>{_word(one)}: {escape(told(report, route, one))}</li>" for one in route.verdicts]
    parts.append(f"</ul><p>{escape(compared(route))}.</p>")
    for verdict in route.verdicts:
        if (found := verdict.counterexample) is not None:
            test = found.as_test(f"{route.route.name} {verdict.invariant}", report.imports)
            parts.append(_picture(found, test))
    return "\n".join([*parts, "</details>"])


def _word(verdict: Verdict) -> str:
    kind = {True: "holds", False: "broken", None: "unknown"}[verdict.holds]
    return f'<span class="{kind}">{word(verdict)}</span>'


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
