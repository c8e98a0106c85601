"""Measures our own servers in the present tree and at another revision, in turns in one run.

Each row is measured twice: in the present checkout, including uncommitted changes, and at the revision. Both
run on the interpreter that runs the suite, with the packages installed there. A revision serves the benchmark
apps of its own tree, because they import the names of that tree; if the apps differ, the report says so.

The run has many short rounds, not a few long ones: the two are measured directly one after the other, and a
ratio is the median of the rounds' ratios. So a slow minute of the machine affects both. Each round starts new
processes: two processes with the same code differ by up to 20 %, by their hash seeds and memory layouts.
"""

import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median, quantiles

from benchmarks.environments import ROOT
from benchmarks.figures import Cell, Round, ratio
from benchmarks.runner import Results
from benchmarks.servers import Family, ServerSpec
from benchmarks.tables import figure, markdown
from benchmarks.workloads import Workload

SERVERS = "ours-sanic-uvloop,ours-mach9-uvloop,ours-sanic-anyio"
WORKLOADS = "main,latency"
ROUNDS, SECONDS, WARMUP = 15, 0.2, 0.15
BUSY_MACHINE = 0.03  # share of the time that a server waits for its core
SLOWER = 0.98  # rows with a smaller ratio are listed below the tables


class NoRevision(Exception):
    """The other revision is not available; the message says why."""


@dataclass(frozen=True)
class Revision:
    name: str  # as given on the command line, with its commit
    root: Path  # a copy of its tree
    apps_differ: list[str]  # files of benchmarks/apps that differ from the present tree


@contextmanager
def checked_out(name: str) -> Iterator[Revision]:
    """A copy of the tree at this revision in a temporary folder.

    It comes from a git archive, not a git worktree, so that a killed run leaves nothing in the repository.

    Raises: NoRevision: there is no such revision, or no git.
    """
    commit = _git("rev-parse", "--short", "--verify", f"{name}^{{commit}}").decode().strip()
    differ = _git("diff", "--name-only", commit, "--", "benchmarks/apps").decode().split()
    with tempfile.TemporaryDirectory(prefix="against-") as folder:
        with tempfile.TemporaryFile() as archive:
            archive.write(_git("archive", "--format=tar", commit))
            archive.seek(0)
            with tarfile.open(fileobj=archive) as tar:
                tar.extractall(folder, filter="data")
        yield Revision(name if name == commit else f"{name} ({commit})", Path(folder), differ)


def _git(*arguments: str) -> bytes:
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)
    except OSError as error:
        raise NoRevision(f"git cannot be run: {error}") from error
    if done.returncode != 0:
        reason = (done.stderr.decode(errors="replace").strip().splitlines() or ["git failed"])[-1]
        raise NoRevision(reason)
    return done.stdout


def with_twins(specs: list[ServerSpec], revision: Revision) -> list[ServerSpec]:
    """Each row, followed by the same row at the other revision."""
    foreign = [spec.key for spec in specs if not _is_ours(spec)]
    if foreign:
        raise SystemExit(f"--against measures our own servers only, not: {', '.join(foreign)}")
    return [row for spec in specs for row in (spec, _twin(spec, revision))]


def _is_ours(spec: ServerSpec) -> bool:
    return spec.family in (Family.OURS, Family.ABLATION) or spec.key in ("engine", "engine-asyncio")


def _twin(spec: ServerSpec, revision: Revision) -> ServerSpec:
    title = f"{spec.title}, at {revision.name}"
    return replace(spec, key=f"{spec.key}@", title=title, root=revision.root)


def ratios(ours: Cell, theirs: Cell, workload: Workload) -> list[float]:
    """How many times better the present tree is than the other, for each round."""
    return _paired(ours, theirs, workload, lambda one: one.value)


def work_ratios(ours: Cell, theirs: Cell, workload: Workload) -> list[float]:
    """The same for the work done per second of the server's CPU time, which other processes disturb less.

    Empty for workloads that measure times.
    """
    if not workload.higher_is_better:
        return []
    return _paired(ours, theirs, workload, lambda one: one.value / one.server_cpu if one.server_cpu else None)


def _paired(ours: Cell, theirs: Cell, workload: Workload, of: Callable[[Round], float | None]) -> list[float]:
    if ours.error or theirs.error:
        return []
    # A server that did not start has no rounds.
    pairs = zip(ours.rounds, theirs.rounds, strict=False)
    found = [ratio(of(one), of(other), workload.higher_is_better) for one, other in pairs]
    return [value for value in found if value is not None]


def report(specs: list[ServerSpec], results: Results, revision: Revision) -> str:
    """A table for each row, and below them the workloads that are more than 2 % slower."""
    parts = [f"# The present tree beside {revision.name}"]
    if revision.apps_differ:
        parts.append(f"The apps differ, which may affect the figures: {', '.join(revision.apps_differ)}.")
    parts += [f"{key} is left out: {reason}" for key, reason in results.missing.items()]
    waited = [wait for cell in results.cells.values() if (wait := cell.extra("waited")) is not None]
    if waited and max(waited) > BUSY_MACHINE:
        parts.append(
            f"The machine was busy: servers waited for their core up to {max(waited):.0%} of the time. "
            "Small differences mean nothing."
        )
    there = f"ours at {revision.name}"
    header = ["workload", "unit", "ours", there, "ratio", "its quartiles", "ratio per CPU second"]
    slower = []
    for spec in specs:
        rows = []
        for workload in results.workloads:
            ours = results.cell(spec, workload)
            theirs = results.cell(_twin(spec, revision), workload)
            if not (ours.rounds or ours.error):
                continue  # this row is not measured in this workload
            speed, work = ratios(ours, theirs, workload), work_ratios(ours, theirs, workload)
            figures = [_value(ours), _value(theirs), _middle(speed), _quartiles(speed), _middle(work)]
            rows.append([workload.title, workload.unit, *figures])
            if not speed or median(speed) < SLOWER:
                slower.append(f"{spec.key} in {workload.key} ({_middle(speed)})")
        parts += [f"## {spec.title}", markdown(header, rows)]
    parts.append(f"More than 2 % slower, or not measured: {'; '.join(slower) or 'none'}.")
    return "\n\n".join(parts) + "\n"


def _value(cell: Cell) -> str:
    if cell.error:
        return cell.error
    return "–" if cell.value is None else figure(cell.value)


def _middle(found: list[float]) -> str:
    return f"{median(found):.3f}" if found else "–"


def _quartiles(found: list[float]) -> str:
    if len(found) < 2:
        return "–"
    low, _, high = quantiles(found, n=4, method="inclusive")
    return f"{low:.3f} to {high:.3f}"
