"""Draws the charts from results.json: ``python -m benchmarks.chart results.json FOLDER``.

It runs in the environment of the peers, which has matplotlib. It prints the names of the files that it
writes.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

COLOURS = {"streamcompat": "#d1495b", "peer": "#30638e", "original": "#8d99ae", "limit": "#c9c9c9"}


def short(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def headline(data: dict[str, Any]) -> Any:
    """The most important rows only."""
    return columns(data, [one for one in data["servers"] if one["headline"]])


def everything(data: dict[str, Any]) -> Any:
    return columns(data, data["servers"])


def columns(data: dict[str, Any], servers: list[dict[str, Any]]) -> Any:
    """One panel for each column of the main table; a bar for each server."""
    workloads = [one for one in data["workloads"] if one["group"] == "main"]
    servers = [one for one in servers if not one["missing"]]
    if not workloads or not servers:
        return None
    across = min(3, len(workloads))
    down = -(-len(workloads) // across)
    height = 0.22 * len(servers) + 0.9
    picture, panels = plt.subplots(
        down, across, figsize=(4.2 * across + 2.4, height * down), sharey=True, squeeze=False
    )
    names = [one["title"].removeprefix("streamcompat, ") for one in servers]
    places = range(len(servers))
    for panel, workload in zip(panels.flat, workloads, strict=False):
        values = [(one["results"].get(workload["key"]) or {}).get("median") or 0.0 for one in servers]
        panel.barh(places, values, color=[COLOURS[one["family"]] for one in servers], height=0.75)
        # A limit may be far greater: its bar is cut, and its figure is at the edge.
        largest = max(values)
        rivals = [v for v, one in zip(values, servers, strict=True) if one["family"] != "limit"]
        edge = min(largest, 1.3 * max(rivals)) if any(rivals) else largest
        edge = edge or 1.0
        for place, value in zip(places, values, strict=True):
            if value:
                words = short(value) + (" →" if value > edge else "")
                panel.text(min(value, edge) + edge * 0.01, place, words, va="center", fontsize=7)
        panel.set_xlim(0, edge * 1.16)
        panel.set_title(f"{workload['title']}, {workload['unit']}", fontsize=9)
        panel.set_yticks(list(places), names, fontsize=7)
        panel.xaxis.set_major_formatter(lambda value, _: short(value))
        panel.tick_params(axis="x", labelsize=7)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0][0].invert_yaxis()
    for panel in list(panels.flat)[len(workloads) :]:
        panel.set_visible(False)
    handles = [plt.Rectangle((0, 0), 1, 1, color=colour) for colour in COLOURS.values()]
    picture.legend(handles, list(COLOURS), loc="lower center", ncols=4, fontsize=8, frameon=False)
    picture.suptitle("One server process on one core, the client on another; longer is better", fontsize=10)
    picture.tight_layout(rect=(0, 0.03, 1, 0.99))
    return picture


def growth(data: dict[str, Any]) -> Any:
    """Request rate against the number of connections, a line for each server."""
    workloads = [one for one in data["workloads"] if one["group"] == "scale"]
    if len(workloads) < 2:
        return None
    picture, panel = plt.subplots(figsize=(7.5, 4.8))
    styles = ["-", "--", ":", "-."]
    seen: dict[str, int] = {}
    for server in data["servers"]:
        if server["key"].startswith("raw-transport"):  # far above all others
            continue
        points = [
            (int(one["key"].removeprefix("get-c")), server["results"][one["key"]]["median"])
            for one in workloads
            if server["results"].get(one["key"], {}).get("median")
        ]
        if not points:
            continue
        number = seen[server["family"]] = seen.get(server["family"], -1) + 1
        panel.plot(
            *zip(*points, strict=True),
            color=COLOURS[server["family"]],
            linestyle=styles[number % len(styles)],
            marker="os^Dv<>P*X"[number % 10],
            markersize=4,
            linewidth=1.2,
            label=server["title"].removeprefix("streamcompat, "),
        )
    panel.set_xscale("log")
    panel.set_ylim(bottom=0)
    panel.set_xlabel("keep-alive connections", fontsize=8)
    panel.set_ylabel("GET requests per second", fontsize=8)
    panel.yaxis.set_major_formatter(lambda value, _: short(value))
    panel.tick_params(labelsize=7)
    panel.spines[["top", "right"]].set_visible(False)
    panel.legend(fontsize=6, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    picture.tight_layout()
    return picture


def main() -> None:
    data = json.loads(Path(sys.argv[1]).read_text())
    # The rows without an optimisation are only in the tables.
    data["servers"] = [one for one in data["servers"] if one["family"] in COLOURS]
    folder = Path(sys.argv[2])
    matplotlib.rcParams["svg.hashsalt"] = "streamcompat"  # the same figures give the same file
    for name, draw in (("chart", headline), ("all", everything), ("growth", growth)):
        picture = draw(data)
        if picture is None:
            continue
        picture.savefig(folder / f"{name}.svg", metadata={"Date": None}, bbox_inches="tight")
        picture.savefig(folder / f"{name}.png", dpi=110, bbox_inches="tight")
        plt.close(picture)
        print(f"{name}.svg", f"{name}.png")


if __name__ == "__main__":
    main()
