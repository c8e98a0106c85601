"""Writes the results: raw figures as JSON, tables as Markdown, a chart as SVG."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import machine
from benchmarks.chart import chart
from benchmarks.figures import Cell, best, percentile, ratio
from benchmarks.runner import Results
from benchmarks.servers import Family, ServerSpec
from benchmarks.tables import figure, markdown, times
from benchmarks.workloads import Plan, Workload


@dataclass(frozen=True)
class About:
    """Where, when and how the figures were measured."""

    plan: Plan
    cores: machine.Cores
    machine: dict[str, str]
    versions: dict[str, dict[str, str]]  # of each environment
    date: str
    minutes: float


def write(folder: Path, results: Results, about: About) -> str:
    """Write results.json, results.md and chart.svg into ``folder``; return the Markdown text."""
    folder.mkdir(parents=True, exist_ok=True)
    raw = as_json(results, about)
    (folder / "results.json").write_text(json.dumps(raw, indent=1) + "\n")
    picture = chart(raw)
    if picture is not None:
        (folder / "chart.svg").write_text(picture)
    text = Report(results, about).text(picture is not None)
    (folder / "results.md").write_text(text)
    return text


def as_json(results: Results, about: About) -> dict[str, Any]:
    plan = asdict(about.plan) | {"load": about.plan.load.name}
    return {
        "date": about.date,
        "minutes": round(about.minutes, 1),
        "machine": about.machine,
        "cores": asdict(about.cores),
        "plan": plan,
        "versions": about.versions,
        "workloads": [
            {
                "key": one.key,
                "title": one.title,
                "unit": one.unit,
                "group": one.group,
                "higher_is_better": one.higher_is_better,
            }
            for one in results.workloads
        ],
        "servers": [
            {
                "key": spec.key,
                "title": title(spec, about),
                "family": spec.family.value,
                "back_pressure": spec.back_pressure,
                "headline": spec.headline,
                "missing": results.missing.get(spec.key),
                "results": {
                    one.key: results.cells[spec.key, one.key].as_json()
                    for one in results.workloads
                    if (spec.key, one.key) in results.cells
                },
            }
            for spec in results.servers
        ],
    }


def title(spec: ServerSpec, about: About) -> str:
    """The title of a row, with the version that was measured."""
    version = about.versions.get(spec.environment, {}).get(spec.package or "", "")
    return spec.title.replace("{version}", version or "of unknown version")


def _measured(rows: list[list[str]]) -> list[list[str]]:
    """The rows with at least one figure."""
    return [row for row in rows if any(cell.strip("– /") for cell in row[1:])]


class Report:
    def __init__(self, results: Results, about: About) -> None:
        self.results = results
        self.about = about
        self.notes: list[str] = []  # reasons of failures, numbered from 1

    def text(self, has_chart: bool) -> str:
        parts = [self._head()]
        if has_chart:
            parts.append("![Requests and streams, streamcompat beside other servers](chart.svg)")
        parts += [
            self._columns(),
            self._ratios(),
            self._shared_apps(),
            self._latency(),
            self._scale(),
            self._many(),
            self._big(),
        ]
        parts.append(self._workers())
        parts += [self._chunks(), self._busy(), self._spread()]
        parts.append(self._failures())  # last, because the tables number the reasons
        return "\n\n".join(part for part in parts if part) + "\n"

    # ---- the parts of the report ----

    def _head(self) -> str:
        about, plan = self.about, self.about.plan
        box = about.machine
        if about.cores.apart:
            cores = f"servers on core {about.cores.server}, the client on core {about.cores.client}"
        else:
            cores = "server and client share their cores, so the figures are less precise"
        most = max((one.rounds(plan) for one in self.results.workloads if not one.fresh), default=1)
        return (
            "# Benchmark results\n\n"
            f"Measured on {about.date} in {about.minutes:.0f} minutes: {box['processor']}, "
            f"{box['cores']} cores, {box['memory']}, {box['system']}, {box['python']}; {cores}. "
            f"One server process each, loopback. Up to {most} rounds in turns of {plan.seconds:g} s each; "
            "every figure is the median of its rounds. MB is a million bytes. "
            f"GET client: {plan.load.name}. {self._waiting()}\n\n"
            "Marks: **bold** is the best of the column among streamcompat and its peers; "
            "† the client was the limit (it was busy and the server was not); "
            "‡ the server did not send each write as its own chunk; "
            "§ no back-pressure: it buffers without bound when the client is slow; "
            "– not measured; (n) failed, reason below."
        )

    def _waiting(self) -> str:
        """How long servers waited for their core, which shows whether other processes ran on it."""
        waits = [
            one.extra["waited"]
            for cell in self.results.cells.values()
            for one in cell.rounds
            if one.extra.get("waited") is not None
        ]
        if not waits:
            return "It is not known whether the machine was idle otherwise."
        middle, high = median(waits) * 100, (percentile(waits, 0.9) or 0.0) * 100
        return (
            f"A server that had work waited for its core {middle:.1f} % of the time (median of all runs; "
            f"{high:.1f} % in the worst tenth): more than a few per cent mean that the machine was busy."
        )

    def _group(self, name: str) -> list[Workload]:
        return [one for one in self.results.workloads if one.group == name]

    def _rows(self) -> list[ServerSpec]:
        return [spec for spec in self.results.servers if spec.key not in self.results.missing]

    def _cell(self, spec: ServerSpec, workload: Workload) -> Cell | None:
        return self.results.cells.get((spec.key, workload.key))

    def _name(self, spec: ServerSpec) -> str:
        return title(spec, self.about) + ("" if spec.back_pressure else " §")

    def _note(self, reason: str) -> str:
        if reason not in self.notes:
            self.notes.append(reason)
        return f"({self.notes.index(reason) + 1})"

    def _shown(self, spec: ServerSpec, workload: Workload) -> str:
        cell = self._cell(spec, workload)
        if cell is None:
            return "–"
        if cell.error:
            return self._note(cell.error)
        value = cell.value
        if value is None:
            return "–"
        words = figure(value)
        rivals = (Family.OURS, Family.PEER)
        if spec.family in rivals and value == self._best(workload, rivals):
            words = f"**{words}**"
        if cell.client_bound and workload.judged:
            words += "†"
        if workload.key.startswith("down") and cell.verified and cell.verified["chunks"] != "kept":
            words += "‡"
        return words

    def _best(self, workload: Workload, families: Sequence[Family]) -> float | None:
        values = [
            cell.value
            for spec in self.results.servers
            if spec.family in families and (cell := self._cell(spec, workload)) and not cell.error
        ]
        return best(values, workload.higher_is_better)

    def _table(
        self,
        heading: str,
        workloads: Sequence[Workload],
        shown: Callable[[ServerSpec, Workload], str],
        words: str = "",
    ) -> str:
        if not workloads:
            return ""
        header = ["server", *(f"{one.title}, {one.unit}" for one in workloads)]
        rows = [[self._name(spec), *(shown(spec, one) for one in workloads)] for spec in self._rows()]
        table = markdown(header, _measured(rows))
        return "\n\n".join(part for part in (f"## {heading}", words, table) if part)

    def _columns(self) -> str:
        return self._table("Requests and streams", self._group("main"), self._shown)

    def _ratios(self) -> str:
        """Each of our rows against the best peer, then our headline rows against each other row."""
        workloads = self._group("main") + self._group("latency")
        ours = [spec for spec in self._rows() if spec.family is Family.OURS]
        others = [spec for spec in self._rows() if spec.family is not Family.OURS]
        peers = [spec for spec in others if spec.family is Family.PEER]
        if not ours or not others or not workloads:
            return ""
        header = ["times better than the best peer", *(one.title for one in workloads)]
        parts = ["## Ratios", "Above 1 is better for streamcompat, also if less is better."]
        if peers:
            rows = []
            for spec in ours:
                shown = [
                    times(
                        ratio(self._value(spec, one), self._best(one, (Family.PEER,)), one.higher_is_better)
                    )
                    for one in workloads
                ]
                rows.append([self._name(spec), *shown])
            parts.append(markdown(header, _measured(rows)))
        for spec in ours:
            if not (spec.headline or len(ours) == 1):
                continue
            header = [f"{spec.title}, against", *(one.title for one in workloads)]
            rows = []
            for other in others:
                pairs = ((self._value(spec, one), self._value(other, one), one) for one in workloads)
                rows.append(
                    [self._name(other), *(times(ratio(a, b, one.higher_is_better)) for a, b, one in pairs)]
                )
            parts.append(markdown(header, _measured(rows)))
        return "\n\n".join(parts)

    def _shared_apps(self) -> str:
        """The rows of each application that several servers serve, and ours against each of them."""
        workloads = self._group("main") + self._group("latency")
        parts = []
        for app, words in (("asgi", "A bare ASGI application"), ("starlette", "A Starlette application")):
            rows = [spec for spec in self._rows() if spec.shared == app]
            ours = next((spec for spec in rows if spec.family is Family.OURS), None)
            if ours is None or len(rows) < 2 or not workloads:
                continue
            header = ["server", *(f"{one.title}, {one.unit}" for one in workloads)]
            figures = [[self._name(spec), *(self._shown(spec, one) for one in workloads)] for spec in rows]
            against = [
                [
                    f"times {self._name(spec)}",
                    *(
                        times(ratio(self._value(ours, one), self._value(spec, one), one.higher_is_better))
                        for one in workloads
                    ),
                ]
                for spec in rows
                if spec is not ours
            ]
            parts.append(f"### {words}\n\n" + markdown(header, _measured(figures + against)))
        if not parts:
            return ""
        words = "Our server hosts the application that the others host. Above 1 is better for streamcompat."
        return "\n\n".join(["## The same application on each server", words, *parts])

    def _value(self, spec: ServerSpec, workload: Workload) -> float | None:
        cell = self._cell(spec, workload)
        return cell.value if cell and not cell.error else None

    def _latency(self) -> str:
        header: list[str] = []
        columns: list[Callable[[ServerSpec], str]] = []
        for one in self._group("latency"):
            header += [f"{one.title}, median, {one.unit}", f"p99, {one.unit}"]
            columns += [partial(self._shown, workload=one), partial(self._extra, workload=one, name="p99")]
            if one.key == "first-byte":
                header.append("to the end of that stream, median, ms")
                columns.append(partial(self._extra, workload=one, name="whole", scale=1 / 1000))
        words = "The stream of the first columns pauses for a millisecond after each of its two chunks."
        return self._columns_by_hand("Latency", words, header, columns)

    def _scale(self) -> str:
        return self._table(
            "Request rate as connections grow",
            self._group("scale"),
            self._shown,
            "One GET at a time on each.",
        )

    def _extra(self, spec: ServerSpec, workload: Workload, name: str, scale: float = 1.0) -> str:
        cell = self._cell(spec, workload)
        value = cell.extra(name) if cell and not cell.error else None
        return "–" if value is None else figure(value * scale)

    def _columns_by_hand(
        self,
        heading: str,
        words: str,
        header: Sequence[str],
        columns: Sequence[Callable[[ServerSpec], str]],
    ) -> str:
        if not columns:
            return ""
        rows = [[self._name(spec), *(column(spec) for column in columns)] for spec in self._rows()]
        return f"## {heading}\n\n{words}\n\n" + markdown(["server", *header], _measured(rows))

    def _many(self) -> str:
        header: list[str] = []
        columns: list[Callable[[ServerSpec], str]] = []
        for one in self._group("many"):
            if one.key == "idle":
                header.append("memory of an idle connection, KiB")
                columns.append(partial(self._shown, workload=one))
            else:
                header += ["memory of a streaming connection, KiB", "server CPU, % of a core"]
                header += ["gap between chunks, median, ms", "p99, ms"]
                columns += [
                    partial(self._extra, workload=one, name="each", scale=1 / 1024),
                    partial(self._shown, workload=one),
                    partial(self._extra, workload=one, name="gap_p50", scale=1000),
                    partial(self._extra, workload=one, name="gap_p99", scale=1000),
                ]
        plan = self.about.plan
        words = (
            f"Memory over {plan.idle} idle keep-alive connections; {plan.streams} streams at once, "
            "each with a chunk of 100 bytes every 100 ms."
        )
        return self._columns_by_hand("Many connections", words, header, columns)

    def _big(self) -> str:
        header: list[str] = []
        columns: list[Callable[[ServerSpec], str]] = []
        for one in self._group("big"):
            header += [f"{one.title}, MB/s", "memory growth, MiB"]
            columns += [
                partial(self._shown, workload=one),
                partial(self._extra, workload=one, name="growth", scale=1 / 2**20),
            ]
        size = f"{self.about.plan.big / 2**30:g} GiB"
        words = f"One body of {size}; growth is the peak of resident memory minus its value before."
        return self._columns_by_hand("Big bodies in constant memory", words, header, columns)

    def _workers(self) -> str:
        """The request rate with several worker processes, compared with one."""
        one = self._group("workers")
        found = [(w, cell) for w in one for spec in self._rows() if (cell := self._cell(spec, w))]
        if not found:
            return ""
        first = found[0][1].value
        rows = []
        for workload, cell in found:
            value, busy = cell.value, cell.share("server_cpu")
            rows.append(
                [
                    workload.title,
                    "–" if value is None else figure(value),
                    times(value / first if value and first else None),
                    "–" if busy is None else figure(busy * 100),
                ]
            )
        words = (
            "Each request takes a third of a millisecond of Python; 64 connections, on every core. "
            "The client uses a part of one core too."
        )
        return f"## Workers\n\n{words}\n\n" + markdown(
            ["workers", "req/s", "times one worker", "CPU of all, % of a core"], rows
        )

    def _chunks(self) -> str:
        def shown(spec: ServerSpec, workload: Workload) -> str:
            cell = self._cell(spec, workload)
            seen = cell.verified if cell else None
            if not seen:
                return "–"
            if "chunks" in seen:
                return f"{seen['chunks']}: {seen['written']} → {seen['on_wire']}"
            return f"{seen['sent']} → {seen['handed']}" if "sent" in seen else "–"

        streams = [one for one in self._group("main") if not one.key.startswith("get")]
        if not streams:
            return ""
        words = (
            "From the verification request. Down: writes of the handler → chunks on the wire. "
            "Up: pieces that the client sent at once → pieces that the handler received. "
            "Echo: chunks sent → chunks on the wire."
        )
        header = ["server", *(one.title for one in streams)]
        rows = [[self._name(spec), *(shown(spec, one) for one in streams)] for spec in self._rows()]
        return f"## Chunks on the wire\n\n{words}\n\n" + markdown(header, _measured(rows))

    def _busy(self) -> str:
        def shown(spec: ServerSpec, workload: Workload) -> str:
            cell = self._cell(spec, workload)
            shares = [cell.share("client_cpu"), cell.share("server_cpu")] if cell else [None, None]
            return " / ".join("–" if share is None else f"{share * 100:.0f}" for share in shares)

        workloads = self._group("main") + self._group("latency")
        words = "CPU of the client / of the server, in per cent of one core, during the measurement."
        if not workloads:
            return ""
        header = ["server", *(one.title for one in workloads)]
        rows = [[self._name(spec), *(shown(spec, one) for one in workloads)] for spec in self._rows()]
        return f"## CPU use\n\n{words}\n\n" + markdown(header, _measured(rows))

    def _spread(self) -> str:
        def shown(spec: ServerSpec, workload: Workload) -> str:
            cell = self._cell(spec, workload)
            spread = cell.spread if cell else None
            return "–" if spread is None else f"{spread * 100:.0f} %"

        workloads = self._group("main") + self._group("latency") + self._group("scale")
        if not workloads or self.about.plan.rounds < 2:
            return ""
        header = ["server", *(one.title for one in workloads)]
        rows = [[self._name(spec), *(shown(spec, one) for one in workloads)] for spec in self._rows()]
        words = "(Largest − smallest round) / median."
        return f"## Spread of the rounds\n\n{words}\n\n" + markdown(header, _measured(rows))

    def _failures(self) -> str:
        lines = [
            f"- {spec.title}: {self.results.missing[spec.key]}"
            for spec in self.results.servers
            if spec.key in self.results.missing
        ]
        lines += [f"- ({number}) {reason}" for number, reason in enumerate(self.notes, 1)]
        if not lines:
            return ""
        return "## Not measured\n\n" + "\n".join(lines)
