"""Probes the routes of an app in several processes, each of which has an app of its own.

The rule: the report is the one of a single process, in the same order. A process that dies costs the route
that it probed, and no other; one whose parent is gone ends.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing import connection
from typing import Any, Final

from streamcompat import aliases
from streamcompat.testing.applications import load
from streamcompat.testing.preparation import SetupError
from streamcompat.testing.routes import Target
from streamcompat.testing.search import INVARIANTS, Progress, Report, RouteReport, Verdict

Part = Callable[[Any, argparse.Namespace, Sequence[tuple[str, bytes]], int, float | None], Report]
"""Probes the route with this number, in this many seconds."""

_DIED: Final = "the process that probed it has died"
_STOPPED: Final = "the probe was stopped"
_GRACE: Final = 5.0
"""Seconds in which a process that was interrupted may still report."""
_SPAWN: Final = multiprocessing.get_context("spawn")


def in_processes(
    part: Part,
    options: argparse.Namespace,
    samples: Sequence[tuple[str, bytes]],
    routes: Sequence[Target],
    progress: Progress,
) -> Report:
    """Probe each of the routes in one of `options.jobs` processes.

    Raises: SetupError.
    """
    report = Report(options.target, options.examples, options.seed)
    end = None if options.budget is None else time.monotonic() + options.budget
    pool = _Pool(part, options, samples, routes, end)
    try:
        while pool.busy or pool.waiting:
            progress(len(pool.found), len(routes), f"{len(pool.busy)} routes at once")
            try:
                if not pool.step():
                    break
            except KeyboardInterrupt:
                if pool.stopped:
                    break
                pool.stop()
    finally:
        pool.close()
    for number, route in enumerate(routes):
        report.routes.append(pool.found.get(number) or _unchecked(route, pool.stopped or _DIED))
    report.stopped = pool.stopped
    return report


def _unchecked(route: Target, why: str) -> RouteReport:
    return RouteReport(route, verdicts=[Verdict(invariant, None, why) for invariant in INVARIANTS])


class _Pool:
    """The processes.

    Attributes:
        waiting: the numbers of the routes that no process has taken yet.
        busy: the number of the route that a process probes, by the pipe to it.
        found: the reports of the routes that are done.
        stopped: why no other route is begun; empty if that is not so.
    """

    def __init__(
        self,
        part: Part,
        options: argparse.Namespace,
        samples: Sequence[tuple[str, bytes]],
        routes: Sequence[Target],
        end: float | None,
    ) -> None:
        # The parser itself, which the command line keeps there, cannot go to another process.
        plain = {name: value for name, value in vars(options).items() if name not in ("parser", "carry_out")}
        self._given = (part, argparse.Namespace(**plain), samples, end)
        self._most = min(options.jobs, len(routes))
        self._routes = routes
        self._processes: dict[Any, Any] = {}
        self.waiting = list(range(len(routes)))
        self.busy: dict[Any, int] = {}
        self.found: dict[int, RouteReport] = {}
        self.stopped = ""

    def step(self) -> bool:
        """Give every process a route, and wait for the next result. Returns whether there was one."""
        while self.waiting and len(self.busy) < self._most:
            pipe = next((one for one in self._processes if one not in self.busy), None) or self._started()
            number = self.busy[pipe] = self.waiting.pop(0)
            pipe.send(number)
        # A handler that never returns to its loop holds up its process, which then cannot report.
        ready = connection.wait(list(self.busy), _GRACE if self.stopped else None)
        for pipe in ready:
            self._done(pipe)
        return bool(ready)

    def _started(self) -> Any:
        ours, theirs = _SPAWN.Pipe()
        process = _SPAWN.Process(target=_work, args=(theirs, *self._given), daemon=True)
        process.start()
        theirs.close()
        self._processes[ours] = process
        return ours

    def _done(self, pipe: Any) -> None:
        number = self.busy.pop(pipe)
        try:
            result = pipe.recv()
        except (EOFError, OSError):
            self._processes.pop(pipe)
            self.found[number] = _unchecked(self._routes[number], self.stopped or _DIED)
            return
        if isinstance(result, SetupError):
            raise result
        self.found[number] = result.routes[0]
        self.stopped = self.stopped or result.stopped
        if self.stopped:
            self.waiting.clear()

    def stop(self) -> None:
        """Begin nothing more, and let each process report what it has."""
        self.stopped = _STOPPED
        self.waiting.clear()
        for pipe in self.busy:
            os.kill(self._processes[pipe].pid, signal.SIGINT)

    def close(self) -> None:
        """End the processes."""
        for process in self._processes.values():
            process.kill()
            process.join()


def _work(
    pipe: Any,
    part: Part,
    options: argparse.Namespace,
    samples: Sequence[tuple[str, bytes]],
    end: float | None,
) -> None:
    """Probe the routes whose numbers come, in a process of its own."""
    if sys.platform != "win32":
        os.setsid()  # an interrupt in the terminal is for the parent, which passes it on once
    threading.Thread(target=_end_with_parent, daemon=True).start()
    os.dup2(2, 1)  # what the app prints does not belong to the report
    if options.alias:
        aliases.install()
    app = load(options.target)
    while True:
        number = pipe.recv()
        left = None if end is None else max(end - time.monotonic(), 1e-9)
        try:
            pipe.send(part(app, options, samples, number, left))
        except SetupError as error:
            pipe.send(error)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
