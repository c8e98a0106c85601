"""What connections, streams, WebSockets and routes cost as they grow in number.

``python -m benchmarks.scale``: our Sanic API and a Starlette app on our server, beside the same Starlette app
on uvicorn, each in turn. It writes ``results/scale.md`` and ``scale.json``, unless it was asked for a part.
"""

import argparse
import datetime
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks import environments, machine
from benchmarks.client.load import LoadClient, compile_client
from benchmarks.crowds import InCrowd, Routes, Streams, WebSockets
from benchmarks.heavy import Workers, worker_counts
from benchmarks.processes import terminated_like_interrupted
from benchmarks.runner import Results, Runner, say
from benchmarks.servers import SCALE, ServerSpec
from benchmarks.tables import figure, markdown
from benchmarks.workloads import Plan, Workload

FOLDER = Path(__file__).with_name("results")
SPARE = 200  # descriptors that a server needs beside those of its connections

COUNTS = (100, 1_000, 10_000, 20_000)
STREAMS = (1_000, 10_000)


def workloads(most: int, plan: Plan) -> list[Workload]:
    """All workloads with at most ``most`` connections; a count beyond is lowered to it."""
    idle = sorted({min(count, most) for count in COUNTS})
    many = sorted({min(count, most) for count in STREAMS})
    crowds: list[Workload] = [InCrowd(count) for count in idle]
    crowds += [Streams(count) for count in many]
    crowds += [WebSockets(count) for count in many]
    return [*crowds, Routes(500), Routes(4000), *(Workers(count) for count in worker_counts())]


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="at most 300 connections; no file is written")
    parser.add_argument("--most", type=int, help="connections at most (default: what the system allows)")
    parser.add_argument("--servers", help="keys, separated by commas: " + ", ".join(one.key for one in SCALE))
    parser.add_argument("--workloads", help="beginnings of keys, separated by commas: idle, websocket-1000")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    allowed = machine.raise_file_limit() - SPARE
    plan = Plan(rounds=3, load=LoadClient(compile_client(environments.FOLDER)))
    most = min(allowed, options.most or allowed, 300 if options.quick else allowed)
    chosen = workloads(most, plan)
    if options.workloads:
        chosen = [one for one in chosen if one.key.startswith(tuple(options.workloads.split(",")))]
    specs = [one for one in SCALE if not options.servers or one.key in options.servers.split(",")]
    cores = machine.choose_cores()
    machine.run_on(cores.client)
    begin = time.monotonic()
    with terminated_like_interrupted():
        environment = environments.peers()
        results = Results(specs, chosen)
        Runner(plan, cores, {"peers": environment}, results).run()
    minutes = (time.monotonic() - begin) / 60
    text = report(results, environment.versions(), minutes, most, cores.apart)
    print(text)
    if not (options.quick or options.most or options.servers or options.workloads):
        (FOLDER / "scale.md").write_text(text + "\n")
        (FOLDER / "scale.json").write_text(json.dumps(raw(results), indent=1) + "\n")
        say(f"written to {FOLDER}, in {minutes:.1f} minutes")
    return 0


def raw(results: Results) -> dict[str, dict[str, object]]:
    return {
        spec.key: {
            one.key: results.cells[spec.key, one.key].as_json()
            for one in results.workloads
            if (spec.key, one.key) in results.cells
        }
        for spec in results.servers
    }


COLUMNS = (
    ("KiB each", None),
    ("GET beside them, req/s", "rate"),
    ("CPU at an event a second each, %", "cpu"),
    ("CPU a message and back, µs", "message"),
    ("longest lag, ms", "lag"),
    ("longest lag when all vanish, ms", "vanish"),
)


def report(results: Results, versions: dict[str, str], minutes: float, most: int, apart: bool) -> str:
    """The tables as Markdown."""
    box = machine.describe()
    place = "server and client on a core each" if apart else "server and client share their cores"
    parts = [
        "# What numbers cost",
        f"Measured on {datetime.date.today().isoformat()} in {minutes:.0f} minutes: {box['processor']}, "
        f"{box['cores']} cores, {box['memory']}, {box['system']}, {box['python']}; {place}, one server "
        f"process, uvloop, loopback; {most:,} connections at most, by the limit of open files. Memory is the "
        "resident memory of the server, without the kernel's buffers. The lag is how long the event loop "
        "stood still, measured in the server; a crowd vanishes when its process is killed.",
    ]
    for heading, kind in (
        ("Idle connections", InCrowd),
        ("Event streams", Streams),
        ("WebSockets", WebSockets),
    ):
        found = [one for one in results.workloads if type(one) is kind]
        parts += _crowds(results, heading, found, versions)
    parts += _rates(results, "Routes", "routes", versions)
    parts += _workers(results)
    failed = [f"- {key}: {reason}" for key, reason in results.missing.items()]
    failed += [f"- {key}, {name}: {cell.error}" for (key, name), cell in results.cells.items() if cell.error]
    return "\n\n".join(parts + (["## Not measured", "\n".join(failed)] if failed else []))


def _named(spec: ServerSpec, versions: dict[str, str]) -> str:
    return spec.title.replace("{version}", versions.get(spec.package or "", "of unknown version"))


def _crowds(results: Results, heading: str, found: Sequence[Workload], versions: dict[str, str]) -> list[str]:
    if not found:
        return []
    rows = []
    for one in found:
        for spec in results.servers:
            cell = results.cell(spec, one)
            values = [cell.value if name is None else cell.extra(name) for _, name in COLUMNS]
            shown = ["–" if value is None else figure(value) for value in values]
            rows.append([f"{one.title}, {_named(spec, versions)}", *shown])
    used = [place for place in range(len(COLUMNS)) if any(row[place + 1] != "–" for row in rows)]
    header = ["", *(COLUMNS[place][0] for place in used)]
    return [
        f"## {heading}",
        markdown(header, [[row[0], *(row[place + 1] for place in used)] for row in rows]),
    ]


def _rates(results: Results, heading: str, group: str, versions: dict[str, str]) -> list[str]:
    found = [one for one in results.workloads if one.group == group]
    if not found:
        return []
    header = ["GET of the last route, req/s", *(one.title for one in found)]
    rows = []
    for spec in results.servers:
        values = [results.cell(spec, one).value for one in found]
        shown = ["–" if value is None else figure(value) for value in values]
        rows.append([_named(spec, versions), *shown])
    return [f"## {heading}", markdown(header, rows)]


def _workers(results: Results) -> list[str]:
    found = [(one, results.cell(spec, one).value) for one in results.workloads for spec in results.servers]
    rows = [[one.title, figure(value)] for one, value in found if isinstance(one, Workers) and value]
    if not rows:
        return []
    words = "A request takes a third of a millisecond of Python; 64 connections, every core."
    return ["## Workers", words, markdown(["", "req/s"], rows)]


if __name__ == "__main__":
    sys.exit(main())
