"""Workloads that need a fresh process: big bodies, many slow streams, idle connections, workers.

Memory is the resident memory of the server process and its workers, read from /proc, without the kernel's
socket buffers.
"""

import threading
import time
from abc import abstractmethod
from types import TracebackType
from typing import Any

from benchmarks import machine
from benchmarks.apps.payload import SMALL, piece
from benchmarks.client import many, streams, wire
from benchmarks.client.wire import ResponseReader, WrongResponse
from benchmarks.figures import Cell, Round, percentile
from benchmarks.meter import Meter
from benchmarks.processes import RunningServer
from benchmarks.servers import ServerSpec
from benchmarks.workloads import COLUMNS, KIB64, EchoTurn, FirstByte, Get, Plan, Workload

WARM_CONNECTIONS = 100
PAUSE = 0.1  # seconds between two chunks of a slow stream
MOST_MEMORY = 6 << 30  # bytes


class MemoryGuard:
    """Ends a server that grows without bound before memory runs out; also measures the peak."""

    def __init__(self, server: RunningServer) -> None:
        available = machine.available_memory() or MOST_MEMORY
        self.server = server
        self.limit = min(MOST_MEMORY, available // 2)
        self.passed = False
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._over.wait(0.1):
            if (self.server.resident() or 0) > self.limit:
                self.passed = True
                machine.kill_members(self.server.process.pid, self.server.pids)
                return

    def __enter__(self) -> "MemoryGuard":
        self.base = self.server.resident()
        machine.reset_peak(self.server.pids)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.peak = machine.peak_resident(self.server.pids)
        self._over.set()
        self._thread.join()
        if self.passed:
            raise WrongResponse(f"ended when its memory passed {self.limit / 2**30:.1f} GiB") from error

    @property
    def growth(self) -> int | None:
        """Bytes of the peak above the resident memory before."""
        if self.peak is None or self.base is None:
            return None
        return max(0, self.peak - self.base)


class Big(Workload):
    """One body of ``plan.big`` bytes: its speed, and the largest growth of the server's memory."""

    unit, group, fresh = "MB/s", "big", True

    def verify(self, server: RunningServer) -> dict[str, Any]:
        """Send and receive 16 MiB, so that memory allocated on first use does not count as growth."""
        with wire.connect(server.port) as connection, streams.quiet():
            streams.send_upload(connection, streams.upload("/up", piece(KIB64), 256, chunked=False))
            streams.download(connection, wire.get(f"/down/{KIB64}/256"), 256 * KIB64)
        return {}

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        with wire.connect(server.port) as connection, streams.quiet():
            with MemoryGuard(server) as guard, Meter(server) as meter:
                self.exchange(connection, plan.big // KIB64)
        value = plan.big / meter.seconds / 1e6
        extra = {"growth": guard.growth, "base": guard.base, "bytes": plan.big}
        return Round(value, meter.seconds, meter.client_share, meter.server_share, extra)

    @abstractmethod
    def exchange(self, connection: Any, pieces: int) -> None: ...


class BigUp(Big):
    key, title = "big-up", "one big upload"

    def exchange(self, connection: Any, pieces: int) -> None:
        streams.send_upload(connection, streams.upload("/up", piece(KIB64), pieces, chunked=False))


class BigDown(Big):
    key, title = "big-down", "one big download"

    def exchange(self, connection: Any, pieces: int) -> None:
        streams.download(connection, wire.get(f"/down/{KIB64}/{pieces}"), pieces * KIB64)


class SlowStreams(Workload):
    """``plan.streams`` streams at once, each with a 100-byte chunk every 100 ms."""

    key, title, unit, group = "slow-streams", "slow streams at once", "% of a core", "many"
    higher_is_better = False
    fresh = True
    judged = False

    def verify(self, server: RunningServer) -> dict[str, Any]:
        with wire.connect(server.port) as connection:
            connection.sendall(wire.get("/slow/3/20"))
            response = ResponseReader(connection).response()
        if response.status != 200 or response.body != piece(SMALL) * 3:
            raise WrongResponse(f"status {response.status}, {len(response.body)} bytes")
        return {}

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        warm = wire.get("/slow/2/50")
        many.slow_streams(server.port, warm, WARM_CONNECTIONS, 2 * SMALL, 30.0, lambda: None)
        base = server.resident()
        meter = Meter(server)
        running: list[int | None] = []

        def halfway() -> None:
            running.append(server.resident())
            meter.start()

        # Starting all streams takes a while; they last long enough to run at the same time.
        count = int((plan.stream_seconds + plan.streams / 500) / PAUSE)
        request = wire.get(f"/slow/{count}/{int(PAUSE * 1000)}")
        limit = count * PAUSE * 3 + 10
        done = many.slow_streams(server.port, request, plan.streams, count * SMALL, limit, halfway)
        meter.stop()
        if done.complete != plan.streams:
            raise WrongResponse(f"only {done.complete} of {plan.streams} streams were complete")
        extra: dict[str, Any] = {"streams": plan.streams, "pause": PAUSE}
        middle, slow = percentile(done.gaps, 0.5), percentile(done.gaps, 0.99)
        if middle is not None and slow is not None:
            extra |= {"gap_p50": middle, "gap_p99": slow}
        if base is not None and running[0] is not None:
            extra["each"] = (running[0] - base) / plan.streams
        share = meter.server_share
        if share is None:
            raise WrongResponse("the CPU time of a process cannot be read here")
        return Round(share * 100, meter.seconds, meter.client_share, share, extra)


class Workers(Workload):
    """One of our rows with ``count`` worker processes: each request keeps a core busy for a while."""

    unit, group = "req/s", "workers"
    fresh = True
    judged = False
    rows = ("ours-sanic-uvloop", "scale-sanic")
    numbers = 20_000  # numbers that the handler adds up: about a third of a millisecond
    connections = 64

    def __init__(self, count: int) -> None:
        self.count = count
        self.key, self.title = f"workers-{count}", f"--workers {count}"

    def takes(self, spec: ServerSpec) -> bool:
        return spec.key in self.rows

    def prepared(self, spec: ServerSpec) -> ServerSpec:
        return spec.with_workers(self.count)

    def rounds(self, plan: Plan) -> int:
        return min(plan.rounds, 3)

    def verify(self, server: RunningServer) -> dict[str, Any]:
        with wire.connect(server.port) as connection:
            connection.sendall(wire.get(f"/sum/{self.numbers}"))
            response = ResponseReader(connection).response()
        if response.body != b"%d" % sum(range(self.numbers)):
            raise WrongResponse(f"status {response.status}, body {response.body[:40]!r}")
        return {}

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        time.sleep(0.5)  # until all workers listen
        server.pids = machine.session_members(server.process.pid)
        meter = Meter(server)
        request = wire.get(f"/sum/{self.numbers}")
        seconds = max(plan.seconds, 1.0)
        load = plan.load.run(
            server.port, request, self.connections, seconds, plan.warmup, meter.start, meter.stop
        )
        extra = {"p50": load.p50, "p99": load.p99, "waited": None}
        return Round(load.rate, load.seconds, load.client_cpu / load.seconds, meter.server_share, extra)


class IdleConnections(Workload):
    """Memory of a keep-alive connection that has received one answer and is idle."""

    key, title, unit, group = "idle", "idle connection", "KiB", "many"
    higher_is_better = False
    fresh = True
    judged = False

    def verify(self, server: RunningServer) -> dict[str, Any]:
        for connection in many.idle_connections(server.port, wire.get("/"), WARM_CONNECTIONS):
            connection.close()
        return {}

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        connections = many.idle_connections(server.port, wire.get("/"), WARM_CONNECTIONS)
        try:
            time.sleep(0.2)
            base = server.resident()
            with Meter(server) as meter:
                connections += many.idle_connections(server.port, wire.get("/"), plan.idle)
                time.sleep(0.3)
            after = server.resident()
        finally:
            for connection in connections:
                connection.close()
        if base is None or after is None:
            raise WrongResponse("the memory of a process cannot be read here")
        each = max(0, after - base) / plan.idle
        return Round(each / 1024, meter.seconds, extra={"connections": plan.idle})


def worker_counts() -> list[int]:
    """1, 2, 4 and so on, up to the number of cores that this process may use."""
    cores = len(machine.choose_cores().every) or 1
    return [count for count in (1, 2, 4, 8, 16, 32, 64) if count <= cores]


def all_workloads(plan: Plan) -> list[Workload]:
    """All workloads, in the order of the run and of the report."""
    growing: list[Workload] = [
        Get(f"get-c{count}", f"GET c{count}", count, group="scale") for count in plan.scale
    ]
    own: list[Workload] = [IdleConnections(), SlowStreams(), BigUp(), BigDown()]
    workers = [Workers(count) for count in worker_counts()]
    return [*COLUMNS, FirstByte(), EchoTurn(), *growing, *own, *workers]


def chosen(plan: Plan, names: str | None) -> list[Workload]:
    """The workloads for ``--workloads``: keys, or groups (main, latency, scale, many, big, workers)."""
    every = all_workloads(plan)
    if names is None:
        return every
    wanted = {name.strip() for name in names.split(",") if name.strip()}
    keys, groups = {one.key for one in every}, {one.group for one in every}
    if unknown := wanted - keys - groups:
        known = ", ".join(one.key for one in every)
        raise SystemExit(f"unknown workload: {', '.join(sorted(unknown))}; known are: {known}")
    return [one for one in every if one.key in wanted or one.group in wanted]
