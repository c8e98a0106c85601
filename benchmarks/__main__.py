"""``python -m benchmarks``: measures streamcompat and other servers, and writes the results."""

import argparse
import datetime
import sys
import time
from dataclasses import replace
from pathlib import Path

from benchmarks import against, environments, heavy, machine, report, servers
from benchmarks.client.load import LoadClient, compile_client
from benchmarks.environments import Environment, NoEnvironment
from benchmarks.processes import terminated_like_interrupted
from benchmarks.runner import Results, Runner, say
from benchmarks.workloads import Plan

RESULTS = Path(__file__).with_name("results")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="short runs and small bodies, to see that everything works"
    )
    parser.add_argument(
        "--servers",
        help="keys or ours, asgi, observed, peers, originals, alone, without, all; separated by commas",
    )
    parser.add_argument(
        "--workloads", help="keys or main, latency, scale, many, big, workers; separated by commas"
    )
    parser.add_argument(
        "--rounds", type=int, help="measurements of each server (default 5; with --against 15)"
    )
    parser.add_argument(
        "--seconds", type=float, help="length of one timed run (default 0.5; with --against 0.2)"
    )
    parser.add_argument("--big", type=float, help="size of the big bodies in GiB (default 4)")
    parser.add_argument("--streams", type=int, help="number of concurrent slow streams (default 1000)")
    parser.add_argument(
        "--against", metavar="REV", help="compare our servers with those of that revision; about five minutes"
    )
    parser.add_argument("--out", type=Path, help="folder for the results (default benchmarks/results)")
    parser.add_argument(
        "--python-client", action="store_true", help="use the Python client even if a C compiler is available"
    )
    parser.add_argument("--list", action="store_true", help="only list the servers and the workloads")
    return parser.parse_args(arguments)


def plan_for(options: argparse.Namespace, load: LoadClient) -> Plan:
    plan = Plan(load=load)
    if options.against:
        plan = replace(
            plan, rounds=against.ROUNDS, seconds=against.SECONDS, warmup=against.WARMUP, restart=True
        )
    if options.quick:
        plan = plan.quick()
    given = {name: getattr(options, name) for name in ("rounds", "seconds", "streams")}
    if options.big is not None:
        given["big"] = int(options.big * 2**30)
    plan = replace(plan, **{name: value for name, value in given.items() if value is not None})
    if plan.rounds < 1 or plan.seconds <= 0 or plan.streams < 1 or plan.big < 1 << 20:
        raise SystemExit("--rounds, --seconds and --streams must be positive; --big must be at least 1 MiB")
    return plan


def output_folder(options: argparse.Namespace) -> Path:
    """The results folder. Figures of a partial run never replace those of a whole run."""
    if options.out:
        out = options.out
        assert isinstance(out, Path)
        return out
    partial = options.quick or options.servers or options.workloads or options.seconds or options.rounds
    return RESULTS / "partial" if partial or options.big or options.streams else RESULTS


def prepare(specs: list[servers.ServerSpec]) -> dict[str, Environment | NoEnvironment]:
    made: dict[str, Environment | NoEnvironment] = {"peers": environments.peers()}
    if any(spec.environment == "originals" for spec in specs):
        try:
            made["originals"] = environments.originals()
        except NoEnvironment as missing:
            made["originals"] = missing
    return made


def main(arguments: list[str] | None = None) -> int:
    options = parse(arguments)
    needs_compiler = not (options.python_client or options.list)
    program = compile_client(environments.FOLDER) if needs_compiler else None
    plan = plan_for(options, LoadClient(program))
    if options.list:
        print("servers:  ", ", ".join(spec.key for spec in servers.ALL))
        print("workloads:", ", ".join(workload.key for workload in heavy.all_workloads(plan)))
        return 0
    with terminated_like_interrupted():
        try:
            if options.against:
                return compare(options, plan)
            return measure(options, plan)
        except (NoEnvironment, against.NoRevision) as missing:
            say(str(missing))
            return 1
        except KeyboardInterrupt:
            say("interrupted; nothing was written")
            return 130


def measure(options: argparse.Namespace, plan: Plan) -> int:
    """Measure our servers beside others; write tables, charts and raw figures."""
    results = Results(servers.chosen(options.servers), heavy.chosen(plan, options.workloads))
    made = prepare(results.servers)
    cores, minutes = run(plan, made, results)
    about = report.About(
        plan=plan,
        cores=cores,
        machine=machine.describe(),
        versions={name: one.versions() for name, one in made.items() if isinstance(one, Environment)},
        date=datetime.date.today().isoformat(),
        minutes=minutes,
    )
    folder = output_folder(options)
    print(report.write(folder, results, about))
    say(f"written to {folder}, in {minutes:.1f} minutes")
    return 0


def compare(options: argparse.Namespace, plan: Plan) -> int:
    """Compare our servers with another revision; print one table for each, and write no file."""
    specs = servers.chosen(options.servers or against.SERVERS)
    with against.checked_out(options.against) as revision:
        results = Results(
            against.with_twins(specs, revision), heavy.chosen(plan, options.workloads or against.WORKLOADS)
        )
        _, minutes = run(plan, {"peers": environments.present()}, results)
        print(against.report(specs, results, revision))
    say(f"in {minutes:.1f} minutes")
    return 0


def run(
    plan: Plan, made: dict[str, Environment | NoEnvironment], results: Results
) -> tuple[machine.Cores, float]:
    """Measure everything that ``results`` names; return the cores used and the minutes taken."""
    cores = machine.choose_cores()
    if not cores.apart:
        say("note: server and client share their cores, so the figures are less precise")
    machine.raise_file_limit()
    machine.run_on(cores.client)
    begin = time.monotonic()
    Runner(plan, cores, made, results).run()
    return cores, (time.monotonic() - begin) / 60


if __name__ == "__main__":
    sys.exit(main())
