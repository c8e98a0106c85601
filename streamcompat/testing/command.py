"""Runs `streamcompat probe` for an imported app."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TextIO

from streamcompat.serving.servable import Servable
from streamcompat.testing.probe import probe
from streamcompat.testing.probe_report import FORMS

_WIDTH = 24


def run(
    app: Servable,
    target: str,
    *,
    routes: Sequence[str],
    samples: Sequence[tuple[str, bytes]],
    examples: int,
    seed: int,
    form: str,
) -> int:
    """Probe the app, print the report and return the exit status: 1 if any invariant is broken.

    Raises: NoSuchRoute.
    """
    bar = Bar(sys.stderr)
    report = probe(
        app,
        name=target,
        routes=routes,
        samples=samples,
        examples=examples,
        seed=seed,
        progress=bar.show,
    )
    bar.clear()
    sys.stdout.write(FORMS[form](report))
    return int(report.broken)


class Bar:
    """A progress bar, shown only on a terminal."""

    def __init__(self, out: TextIO) -> None:
        self._out = out if out.isatty() else None
        self._shown = 0

    def show(self, done: int, total: int, what: str) -> None:
        """Show that `done` of `total` steps are done and that `what` comes next."""
        if self._out is not None:
            filled = _WIDTH * done // max(total, 1)
            line = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total} {what}"[:79]
            self._out.write("\r" + line.ljust(self._shown))
            self._out.flush()
            self._shown = len(line)

    def clear(self) -> None:
        """Remove the bar from the terminal."""
        if self._out is not None:
            self._out.write("\r" + " " * self._shown + "\r")
            self._out.flush()
