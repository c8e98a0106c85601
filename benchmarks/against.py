"""Measures our own servers at another revision beside the present tree, in turns in one run.

Each row stands twice: as the checkout is now, uncommitted changes included, and as REV is. Both run on the
interpreter that runs the suite, with the packages installed there. A revision serves the benchmark apps of
its own tree, since these import the names that its tree has; where the apps differ, the report says so.

Many short rounds, not a few long ones: the two are measured one directly after the other, and a ratio is the
median of the rounds' ratios, so that a slow minute of the machine is in both.
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
ROUNDS, SECONDS, WARMUP = 15, 0.2, 0.05
BUSY_MACHINE = 0.03  # share of the time that a server waits for its core
SLOWER = 0.98  # a ratio below this one is told apart


class NoRevision(Exception):
    """The other revision cannot be had; the message says why."""


@dataclass(frozen=True)
class Revision:
    name: str  # as it was asked for, and the commit that it stands for
    root: Path  # a copy of its tree
    apps_differ: list[str]  # files of benchmarks/apps that are not the same in the present tree


@contextmanager
def checked_out(name: str) -> Iterator[Revision]:
    """A copy of the tree at this revision in a temporary folder.

    An archive and not a worktree of git's: a run that is killed leaves nothing in the repository.

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
    """Each row, and after it the same row at the other revision."""
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
    """How many times better the present tree did than the other, for each round."""
    return _paired(ours, theirs, workload, lambda one: one.value)


def work_ratios(ours: Cell, theirs: Cell, workload: Workload) -> list[float]:
    """The same for the work done in a second of the server's CPU time; none for workloads that measure times.

    Other processes on the machine disturb it less.
    """
    if not workload.higher_is_better:
        return []
    return _paired(ours, theirs, workload, lambda one: one.value / one.server_cpu if one.server_cpu else None)


def _paired(ours: Cell, theirs: Cell, workload: Workload, of: Callable[[Round], float | None]) -> list[float]:
    if ours.error or theirs.error:
        return []
    # A server that could not be started has no rounds.
    pairs = zip(ours.rounds, theirs.rounds, strict=False)
    found = [ratio(of(one), of(other), workload.higher_is_better) for one, other in pairs]
    return [value for value in found if value is not None]


def report(specs: list[ServerSpec], results: Results, revision: Revision) -> str:
    """A table for each row, and below them what is more than 2 % slower."""
    parts = [f"# The present tree beside {revision.name}"]
    if revision.apps_differ:
        parts.append(f"The apps differ, so figures may: {', '.join(revision.apps_differ)}.")
    parts += [f"{key} is left out: {reason}" for key, reason in results.missing.items()]
    waited = [wait for cell in results.cells.values() if (wait := cell.extra("waited")) is not None]
    if waited and max(waited) > BUSY_MACHINE:
        parts.append(
            f"The machine was not quiet: servers waited for their core up to {max(waited):.0%} of the time. "
            "Small differences say nothing."
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
                continue  # a workload that is not for this row
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
