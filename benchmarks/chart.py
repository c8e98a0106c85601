"""Draws the chart of six workloads from results.json, as one SVG that fits a page 830 px wide.

The text is text, and the colours follow the reader's light or dark scheme. The rows of a panel are sorted,
the best first; a bar is as long as the figure, but where less is better the panel says so.
"""

from collections.abc import Sequence
from html import escape
from typing import Any

PANELS = (
    ("get", "GET, 32 connections"),
    ("get-unique", "GET, no two heads alike"),
    ("down-100", "Download in chunks of 100 bytes"),
    ("down-64k", "Download in pieces of 64 KiB"),
    ("up-64k", "Upload in chunks of 64 KiB"),
    ("echo-turn", "Echo, one chunk at a time"),
)
ROWS = {
    "ours-sanic-uvloop": "streamcompat, Sanic API",
    "ours-starlette-uvloop": "streamcompat, Starlette",
    "starlette": "uvicorn, Starlette",
    "uvicorn-httptools": "uvicorn, httptools",
    "uvicorn-h11": "uvicorn, h11",
    "hypercorn": "hypercorn",
    "granian": "granian (Rust)",
    "aiohttp": "aiohttp",
    "sanic": "Sanic 25",
    "bare-h11": "h11 alone",
}
WIDTH, ACROSS, MARGIN, GAP = 830, 2, 12, 22
LABEL, VALUE, ROW, HEAD = 182, 52, 19, 34  # px: names, figures, one row, the title of a panel
STYLE = """
svg { font: 12px system-ui, sans-serif; fill: #1f2328 }
.title { font-weight: 600; font-size: 13px } .unit { fill: #59636e }
.ours { fill: #b3304a } .peer { fill: #54749b } .alone { fill: #8d959f } .best { font-weight: 600 }
@media (prefers-color-scheme: dark) {
svg { fill: #e6edf3 } .unit { fill: #9198a1 }
.ours { fill: #f0718a } .peer { fill: #7a9cc6 } .alone { fill: #7d8590 }
}
"""


def short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def kind(key: str) -> str:
    if key.startswith("ours"):
        return "ours"
    return "alone" if key == "bare-h11" else "peer"


def measured(data: dict[str, Any], workload: dict[str, Any]) -> list[tuple[str, float]]:
    """The rows of a panel and their figures, the best first."""
    found = [
        (server["key"], float(median))
        for server in data["servers"]
        if server["key"] in ROWS
        and (median := (server["results"].get(workload["key"]) or {}).get("median")) is not None
    ]
    return sorted(found, key=lambda row: row[1], reverse=workload["higher_is_better"])


def chart(data: dict[str, Any]) -> str | None:
    """The SVG; None if none of its workloads was measured."""
    workloads = {one["key"]: one for one in data["workloads"]}
    panels = [
        (title, workloads[key], rows)
        for key, title in PANELS
        if key in workloads and (rows := measured(data, workloads[key]))
    ]
    if not panels:
        return None
    width = (WIDTH - 2 * MARGIN - (ACROSS - 1) * GAP) // ACROSS
    parts: list[str] = []
    top = MARGIN
    for first in range(0, len(panels), ACROSS):
        line = panels[first : first + ACROSS]
        for place, (title, workload, rows) in enumerate(line):
            parts += panel(MARGIN + place * (width + GAP), top, width, title, workload, rows)
        top += HEAD + ROW * max(len(rows) for _, _, rows in line) + GAP
    words = "Requests and streams: streamcompat beside other servers, one process on one core each"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top}" width="{WIDTH}" height="{top}" '
        f'role="img" aria-label="{words}">\n<title>{words}</title>\n<style>{STYLE}</style>\n'
        + "\n".join(parts)
        + "\n</svg>\n"
    )


def panel(
    left: int,
    top: int,
    width: int,
    title: str,
    workload: dict[str, Any],
    rows: Sequence[tuple[str, float]],
) -> list[str]:
    unit = workload["unit"] + ("" if workload["higher_is_better"] else ", less is better")
    parts = [
        f'<text x="{left}" y="{top + 14}"><tspan class="title">{escape(title)}</tspan>'
        f'<tspan class="unit" dx="6">{escape(unit)}</tspan></text>'
    ]
    longest = max(value for _, value in rows)
    for number, (key, value) in enumerate(rows):
        y = top + HEAD + number * ROW
        length = max(1.0, (width - LABEL - VALUE) * value / longest)
        weight = ' class="best"' if kind(key) == "ours" else ""
        parts.append(
            f'<text x="{left}" y="{y}"{weight}>{ROWS[key]}</text>'
            f'<rect class="{kind(key)}" x="{left + LABEL}" y="{y - 10}" width="{length:.1f}" height="12"/>'
            f'<text x="{left + LABEL + length + 5:.1f}" y="{y}"{weight}>{short(value)}</text>'
        )
    return parts
