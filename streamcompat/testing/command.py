"""Runs `streamcompat probe` for an imported app."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self, TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from streamcompat.testing.applications import AnyApp
from streamcompat.testing.ci_report import FORMS
from streamcompat.testing.parallel import in_processes
from streamcompat.testing.preparation import Step, steps_of
from streamcompat.testing.probe import Report, probe
from streamcompat.testing.routes import Needs, chosen

_WIDTH = 24
BROKEN, UNCHECKED = 1, 4
"""Exit statuses."""


class NoBaseline(Exception):
    """The baseline cannot be read, or is no report."""


def run(app: AnyApp, options: argparse.Namespace, samples: Sequence[tuple[str, bytes]]) -> int:
    """Probe the app, print the report and return the exit status: 1 if any invariant is broken, 4 if any was
    not checked.

    Args:
        options: those of the command line.
        samples: (name, body) of the bodies that the user gave.
    Raises: NoSuchRoute; NoBaseline; SetupError.
    """
    known = known_before(options.baseline) if options.baseline else frozenset()
    setup = steps_of(options.setup) if options.setup else []
    routes = chosen(app, options.route) if options.jobs > 1 else []
    with Bar(sys.stderr) as bar:
        if len(routes) > 1:
            report = in_processes(part, options, samples, routes, bar.show)
        else:
            report = _probed(app, options, samples, setup, options.budget, progress=bar.show)
    report.imports = _imports(options.target, options.alias)
    if setup:
        report.imports += f"\n\n# {options.setup} comes first: the request has values of its answers."
    return told(report, options, known)


def told(report: Report, options: argparse.Namespace, known: frozenset[tuple[str, str, str]]) -> int:
    """Print the report and return the exit status.

    Args:
        known: the failures of the baseline.
    """
    report.known = known
    sys.stdout.write(FORMS[options.report](report))
    if report.broken:
        return BROKEN
    return UNCHECKED if report.unchecked and not options.allow_unchecked else 0


def part(
    app: AnyApp,
    options: argparse.Namespace,
    samples: Sequence[tuple[str, bytes]],
    number: int,
    budget: float | None,
) -> Report:
    """The report of one route, in a process of its own. Raises: SetupError."""
    setup = steps_of(options.setup) if options.setup else []
    return _probed(app, options, samples, setup, budget, only=number)


def _probed(
    app: AnyApp,
    options: argparse.Namespace,
    samples: Sequence[tuple[str, bytes]],
    setup: Sequence[Step],
    budget: float | None,
    **others: Any,
) -> Report:
    return probe(
        app,
        name=options.target,
        routes=options.route,
        samples=samples,
        needs=needs_of(options),
        examples=options.examples,
        seed=options.seed,
        patience=options.patience,
        budget=budget,
        setup=setup,
        **others,
    )


def needs_of(options: argparse.Namespace) -> Needs:
    """What each request carries, by the command line."""
    headers = list(options.header)
    if options.content_type:
        headers.append(("Content-Type", options.content_type))
    if options.cookie:
        headers.append(("Cookie", "; ".join(f"{name}={value}" for name, value in options.cookie)))
    return Needs(tuple(headers), "&".join(options.query), dict(options.param))


def _imports(target: str, alias: bool) -> str:
    """The lines that bring the app into a test next to it."""
    module, _, name = target.partition(":")
    if module.endswith(".py"):
        module = Path(module).stem
    name = name or "app"
    if name.isidentifier():
        line = f"from {module} import {name}" + (" as app" if name != "app" else "")
    else:  # a call, or an attribute of an attribute
        first = re.split(r"\W", name)[0]
        line = f"from {module} import {first}\n\napp = {name}"
    return f"from streamcompat import aliases\n\naliases.install()\n{line}" if alias else line


def known_before(baseline: Path) -> frozenset[tuple[str, str, str]]:
    """The failures of a report in JSON."""
    try:
        return frozenset(
            (route["method"], route["path"], promise["promise"])
            for route in json.loads(baseline.read_text(encoding="utf-8"))["routes"]
            for promise in route["promises"]
            if promise["holds"] is False
        )
    except (KeyError, TypeError, ValueError) as error:
        raise NoBaseline(f"{baseline} is not a report of `streamcompat probe --report json`") from error
    except OSError as error:
        raise NoBaseline(f"cannot read {baseline}: {error.strerror}") from error


class Bar:
    """A progress bar, shown only on a terminal; a context manager, which removes it.

    Nothing draws it but `show`: a thread of its own would be one that handlers are accused of.
    """

    def __init__(self, out: TextIO) -> None:
        console = Console(file=out)
        columns = (BarColumn(_WIDTH), MofNCompleteColumn(), TextColumn("{task.description}", markup=False))
        self._progress = Progress(
            *columns,
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("")

    def show(self, done: int, total: int, what: str) -> None:
        """Show that `done` of `total` steps are done and that `what` comes next."""
        self._progress.update(self._task, completed=done, total=total, description=what)
        self._progress.start()
        self._progress.refresh()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._progress.disable:  # rich 14 would print an empty line
            self._progress.stop()
