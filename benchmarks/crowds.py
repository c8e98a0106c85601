"""The workloads of ``make bench-scale``: many connections, many routes, and a crowd that vanishes at once.

The crowd lives in a process of its own (``benchmarks.client.crowd``), so that its end closes every connection
in one moment. Memory is the server's resident memory, without the kernel's socket buffers.
"""

import select
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from benchmarks.client import wire
from benchmarks.client.wire import ResponseReader, WrongResponse
from benchmarks.environments import ROOT
from benchmarks.figures import Cell, Round
from benchmarks.meter import Meter
from benchmarks.processes import RunningServer
from benchmarks.servers import ServerSpec
from benchmarks.workloads import Get, Plan, Workload

JOIN_LIMIT = 300.0  # seconds for all connections of a crowd to stand
WATCHED = 5.0  # seconds for which streams are watched
WARM = 100
TURNS = 5


class Crowd:
    """The process of ``benchmarks.client.crowd``."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process

    def line(self, limit: float) -> str:
        """The next line that it prints. Raises: WrongResponse: it ended, or ``limit`` seconds passed."""
        assert self.process.stdout is not None
        ready, _, _ = select.select([self.process.stdout], [], [], limit)
        line = self.process.stdout.readline() if ready else ""
        if not line:
            self.process.kill()
            assert self.process.stderr is not None
            words = self.process.stderr.read().strip().splitlines() or [f"no answer in {limit:.0f} s"]
            raise WrongResponse(f"the crowd failed: {words[-1][:120]}")
        return line.strip()

    def turn(self) -> float:
        """A message on each WebSocket and back, in seconds."""
        assert self.process.stdin is not None
        self.process.stdin.write("turn\n")
        self.process.stdin.flush()
        return float(self.line(120.0))

    def vanish(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def crowd(port: int, kind: str, count: int) -> Iterator[Crowd]:
    """A crowd of ``count`` connections, once all of them stand."""
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.client.crowd", str(port), kind, str(count)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        group = Crowd(process)
        if (said := group.line(JOIN_LIMIT)) != "ready":
            raise WrongResponse(f"the crowd says {said!r}")
        yield group
    finally:
        if process.poll() is None:
            process.kill()
        process.communicate()


def lag(port: int) -> float:
    """Milliseconds for which the server's event loop stood still at most since the last question."""
    with wire.connect(port, timeout=60.0) as connection:
        connection.sendall(wire.get("/lag"))
        return float(ResponseReader(connection).response().body)


class InCrowd(Workload):
    """``count`` connections of one kind: the memory of each, and what they cost while they stand."""

    group, fresh, judged = "crowd", True, False
    higher_is_better = False
    unit = "KiB"
    kind = "idle"

    def __init__(self, count: int) -> None:
        self.count = count
        self.key, self.title = f"{self.kind}-{count}", f"{count:,} {self.words}"

    words = "idle connections"

    def verify(self, server: RunningServer) -> dict[str, Any]:
        lag(server.port)  # the watch begins
        with crowd(server.port, self.kind, WARM):
            pass
        return {}

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        time.sleep(1.0)
        base = server.resident()
        with Meter(server) as joining, crowd(server.port, self.kind, self.count) as group:
            time.sleep(1.0)
            after = server.resident()
            lag(server.port)
            extra = self.watch(server, plan, group)
            group.vanish()
            time.sleep(1.0)
            extra["vanish"] = lag(server.port)
        if base is None or after is None:
            raise WrongResponse("the memory of a process cannot be read here")
        extra["count"] = self.count
        return Round(max(0, after - base) / self.count / 1024, joining.seconds, extra=extra)

    def watch(self, server: RunningServer, plan: Plan, group: Crowd) -> dict[str, Any]:
        """What else is measured while all connections stand."""
        meter = Meter(server)
        load = plan.load.run(
            server.port, wire.get("/"), 32, max(1.0, plan.seconds), plan.warmup, meter.start, meter.stop
        )
        return {"rate": load.rate, "lag": lag(server.port)}


class Streams(InCrowd):
    kind, words = "stream", "event streams"

    def watch(self, server: RunningServer, plan: Plan, group: Crowd) -> dict[str, Any]:
        with Meter(server) as meter:
            time.sleep(WATCHED)
        share = meter.server_share
        return {"cpu": None if share is None else share * 100, "lag": lag(server.port)}


class WebSockets(InCrowd):
    kind, words = "websocket", "WebSockets"

    def watch(self, server: RunningServer, plan: Plan, group: Crowd) -> dict[str, Any]:
        group.turn()
        lag(server.port)
        begin = server.cpu_seconds()
        for _ in range(TURNS):
            group.turn()
        end = server.cpu_seconds()
        each = None if begin is None or end is None else (end - begin) / TURNS / self.count * 1e6
        return {"message": each, "lag": lag(server.port)}


class Routes(Get):
    """GET of the last of ``count`` routes, each with a parameter."""

    fresh = True

    def __init__(self, count: int) -> None:
        last = wire.get(f"/r{count - 1}/{wire.MARK.decode()}")
        super().__init__(f"routes-{count}", f"{count:,} routes", 32, request=last, group="routes")
        self.count = count

    def prepared(self, spec: ServerSpec) -> ServerSpec:
        def arguments(port: int) -> list[str]:
            return [word.replace("_0", f"_{self.count}") for word in spec.arguments(port)]

        return replace(spec, arguments=arguments)

    def rounds(self, plan: Plan) -> int:
        return plan.rounds
