"""Runs the workloads in turns (A B C, C B A, ...), so that a slow minute of the machine affects all servers.

In each round of a workload every server is measured once, one after the other. All servers stay up during the
whole run, and are idle when it is not their turn; workloads with ``fresh``, and plans with ``restart``, start
a new process for each measurement. A server that fails is reported, and the run continues.
"""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

from benchmarks import machine
from benchmarks.client.wire import WrongResponse
from benchmarks.environments import Environment, NoEnvironment
from benchmarks.figures import Cell
from benchmarks.processes import RunningServer, ServerFailed
from benchmarks.servers import ServerSpec
from benchmarks.workloads import Plan, Workload

FAILURES = (WrongResponse, ServerFailed, OSError, ValueError, EOFError)


@dataclass
class Results:
    """One cell for each server and workload, and the reasons why servers are missing."""

    servers: list[ServerSpec]
    workloads: list[Workload]
    cells: dict[tuple[str, str], Cell] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)  # server key: reason

    def cell(self, spec: ServerSpec, workload: Workload) -> Cell:
        return self.cells.setdefault((spec.key, workload.key), Cell())


@dataclass
class Runner:
    plan: Plan
    cores: machine.Cores
    environments: dict[str, Environment | NoEnvironment]
    results: Results
    running: dict[str, RunningServer] = field(default_factory=dict)

    def run(self) -> Results:
        with ExitStack() as stack:
            self._start_all(stack)
            for workload in self.results.workloads:
                begin = time.monotonic()
                measure = self._measure_fresh if workload.fresh else self._measure_running
                for number in range(workload.rounds(self.plan)):
                    # Every second round is reversed, so that no server always follows the same one.
                    for spec in self._servers_of(workload)[:: -1 if number % 2 else 1]:
                        self._guarded(measure, stack, spec, workload, first=number == 0)
                self._tell(workload, time.monotonic() - begin)
        return self.results

    def _servers_of(self, workload: Workload) -> list[ServerSpec]:
        return [
            spec
            for spec in self.results.servers
            if spec.key not in self.results.missing
            and (spec.only is None or workload.key in spec.only)
            and workload.takes(spec)
        ]

    def _server(self, spec: ServerSpec) -> RunningServer:
        environment = self.environments[spec.environment]
        if isinstance(environment, NoEnvironment):
            raise ServerFailed(str(environment))
        return RunningServer(spec, environment, self.cores)

    def _start_all(self, stack: ExitStack) -> None:
        """Start every server once, to see that it can; keep it running if a workload shares it."""
        shared = any(not workload.fresh for workload in self.results.workloads)
        for spec in self.results.servers:
            try:
                with ExitStack() as trial:
                    server = trial.enter_context(self._server(spec))
                    if shared:
                        self.running[spec.key] = server
                        stack.enter_context(trial.pop_all())
            except FAILURES as error:
                self.results.missing[spec.key] = str(error)
                say(f"{spec.key} is left out: {error}")
        say(f"{len(self.results.servers) - len(self.results.missing)} servers answer")

    def _guarded(
        self,
        measure: Callable[[ExitStack, ServerSpec, Workload, Cell, bool], None],
        stack: ExitStack,
        spec: ServerSpec,
        workload: Workload,
        *,
        first: bool,
    ) -> None:
        cell = self.results.cell(spec, workload)
        if cell.error:
            return
        try:
            measure(stack, spec, workload, cell, first)
        except FAILURES as error:
            cell.error = str(error) or type(error).__name__
            say(f"{spec.key}, {workload.title}: {cell.error}")
            self._drop(spec)

    def _drop(self, spec: ServerSpec) -> None:
        """Stop a server, so that the next measurement gets a new process."""
        if server := self.running.pop(spec.key, None):
            server.stop()

    def _measure_running(
        self, stack: ExitStack, spec: ServerSpec, workload: Workload, cell: Cell, first: bool
    ) -> None:
        server = self.running.get(spec.key)
        if server is None or not server.alive:
            server = self.running[spec.key] = stack.enter_context(self._server(spec))
        if first:
            cell.verified = workload.verify(server)
        cell.rounds.append(workload.measure(server, self.plan, cell))
        if self.plan.restart:
            self._drop(spec)

    def _measure_fresh(
        self, stack: ExitStack, spec: ServerSpec, workload: Workload, cell: Cell, first: bool
    ) -> None:
        with self._server(workload.prepared(spec)) as server:
            cell.verified = workload.verify(server)
            cell.rounds.append(workload.measure(server, self.plan, cell))

    def _tell(self, workload: Workload, seconds: float) -> None:
        words = []
        for spec in self._servers_of(workload):
            value = self.results.cell(spec, workload).value
            words.append(f"{spec.key} {value:,.0f}" if value is not None else f"{spec.key} failed")
        say(f"[{seconds:5.1f} s] {workload.title}, {workload.unit}: " + "; ".join(words))


def say(words: str) -> None:
    print(words, file=sys.stderr, flush=True)
