"""The workloads: the requests to a server, their verification, and the measured figure.

Sizes are bytes, MB is a million bytes, times are seconds unless a name says otherwise. Workloads with
``fresh`` get a new process for each measurement; the others share one process per server.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Any

from benchmarks.apps.payload import HELLO, SMALL, piece
from benchmarks.client import streams, wire
from benchmarks.client.load import LoadClient
from benchmarks.client.wire import LAST_CHUNK, ResponseReader, WrongResponse
from benchmarks.figures import Cell, Round, chunk_fate, percentile, pieces_for
from benchmarks.meter import Meter
from benchmarks.processes import RunningServer
from benchmarks.servers import ServerSpec

KIB64 = 65536


@dataclass(frozen=True)
class Plan:
    """The durations and sizes of a run."""

    rounds: int = 5
    seconds: float = 0.5  # of one timed run
    warmup: float = 0.15
    big: int = 4 << 30  # bytes of the big bodies
    streams: int = 1000
    stream_seconds: float = 3.0
    idle: int = 1000
    scale: tuple[int, ...] = (1, 10, 100, 1000)
    restart: bool = False  # new processes for each measurement
    load: LoadClient = LoadClient(None)

    def quick(self) -> "Plan":
        return replace(
            self,
            rounds=1,
            seconds=0.2,
            warmup=0.05,
            big=256 << 20,
            streams=200,
            stream_seconds=1.0,
            idle=300,
            scale=(1, 100, 1000),
        )


class Workload(ABC):
    key: str
    title: str
    unit: str
    higher_is_better = True
    fresh = False
    group = "main"  # which table of the report
    judged = True  # mark the figure if the client was the limit
    rounds_share = 1.0  # of the plan's rounds

    def takes(self, spec: ServerSpec) -> bool:
        """Whether this row is measured in this workload."""
        return True

    def prepared(self, spec: ServerSpec) -> ServerSpec:
        """The row as it is started, for workloads with ``fresh``."""
        return spec

    def rounds(self, plan: Plan) -> int:
        return 1 if self.fresh else max(1, int(plan.rounds * self.rounds_share))

    @abstractmethod
    def verify(self, server: RunningServer) -> dict[str, Any]:
        """Send one request and check its response. Returns facts for the report. Raises WrongResponse."""

    @abstractmethod
    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round: ...


class Get(Workload):
    """GET with a small body over keep-alive connections, one request at a time on each."""

    unit = "req/s"

    def __init__(
        self, key: str, title: str, connections: int, *, request: bytes | None = None, group: str = "main"
    ):
        self.key, self.title, self.connections, self.group = key, title, connections, group
        self.request = request or wire.get("/")
        self.unique = wire.MARK in self.request
        if group == "scale":
            self.rounds_share = 0.4

    def verify(self, server: RunningServer) -> dict[str, Any]:
        with wire.connect(server.port) as connection:
            reader = ResponseReader(connection)
            for number in (7, 8):  # the second one on the same connection
                connection.sendall(wire.numbered(self.request, number))
                response = reader.response()
                expected = b"%012d" % number if self.unique else HELLO
                if response.status != 200 or response.body != expected or response.chunks is not None:
                    raise WrongResponse(f"status {response.status}, body {response.body[:40]!r}")
        return {"fields": len(response.fields)}

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        meter = Meter(server)
        load = plan.load.run(
            server.port,
            self.request,
            self.connections,
            plan.seconds,
            plan.warmup,
            meter.start,
            meter.stop,
        )
        extra = {"p50": load.p50, "p99": load.p99, "reconnects": load.reconnects, "waited": meter.waited}
        return Round(load.rate, load.seconds, load.client_cpu / load.seconds, meter.server_share, extra)


class Stream(Workload):
    """One connection, one exchange after another, each a stream of ``size``-byte pieces."""

    def __init__(self, key: str, title: str, size: int) -> None:
        self.key, self.title, self.size = key, title, size
        self.small = size <= 1000
        self.unit = "chunks/s" if self.small else "MB/s"
        self.least = 5000 if self.small else max(32, (4 << 20) // size)  # pieces of the shortest exchange
        self.most = 5_000_000 if self.small else (2 << 30) // size

    @abstractmethod
    def exchange(self, connection: Any, pieces: int, work: Any, cell: Cell) -> None: ...

    def prepare(self, pieces: int) -> Any:
        """Prepare an exchange before the time is measured."""

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        with wire.connect(server.port) as connection, streams.quiet():
            work = self.prepare(self.least)
            with Meter(server) as warm:
                self.exchange(connection, self.least, work, cell)
            if not cell.pieces:
                cell.pieces = pieces_for(self.least / warm.seconds, plan.seconds / 3, self.least, self.most)
            work = self.prepare(cell.pieces)
            done = 0
            with Meter(server) as meter:
                while meter.elapsed < plan.seconds:
                    self.exchange(connection, cell.pieces, work, cell)
                    done += cell.pieces
        value = done / meter.seconds if self.small else done * self.size / meter.seconds / 1e6
        extra = {"pieces": done, "waited": meter.waited}
        return Round(value, meter.seconds, meter.client_share, meter.server_share, extra)

    def checked(self) -> int:
        """The number of pieces of the verification request."""
        return 1000 if self.small else 24


class Down(Stream):
    def exchange(self, connection: Any, pieces: int, work: Any, cell: Cell) -> None:
        received = streams.download(connection, wire.get(f"/down/{self.size}/{pieces}"), pieces * self.size)
        exact = pieces * wire.framed_size(self.size) + len(LAST_CHUNK)
        if cell.verified and cell.verified["chunks"] == "kept" and received != exact:
            raise WrongResponse(f"{received} bytes on the wire instead of {exact}")

    def verify(self, server: RunningServer) -> dict[str, Any]:
        count = self.checked()
        with wire.connect(server.port) as connection:
            connection.sendall(wire.get(f"/down/{self.size}/{count}"))
            response = ResponseReader(connection).response()
        return _check_stream(response, piece(self.size), count)


class Up(Stream):
    def __init__(self, key: str, title: str, size: int, *, chunked: bool) -> None:
        super().__init__(key, title, size)
        self.chunked = chunked

    def prepare(self, pieces: int) -> streams.Upload:
        return streams.upload("/up", piece(self.size), pieces, chunked=self.chunked)

    def exchange(self, connection: Any, pieces: int, work: Any, cell: Cell) -> None:
        streams.send_upload(connection, work)

    def verify(self, server: RunningServer) -> dict[str, Any]:
        work = self.prepare(self.checked())
        with wire.connect(server.port) as connection:
            connection.sendall(work.head + work.block * work.repeats + work.rest)
            response = ResponseReader(connection).response()
        counted, handed = map(int, response.body.split())
        # The transport without HTTP counts framing too, and reports 0 pieces.
        if response.status != 200 or counted != (work.body if handed else work.wire):
            raise WrongResponse(f"status {response.status}, {counted} bytes counted of {work.body}")
        return {"sent": work.pieces, "handed": handed}


class Echo(Stream):
    def prepare(self, pieces: int) -> streams.Upload:
        return streams.upload("/echo", piece(self.size), pieces, chunked=True)

    def exchange(self, connection: Any, pieces: int, work: Any, cell: Cell) -> None:
        streams.echo(connection, work)

    def verify(self, server: RunningServer) -> dict[str, Any]:
        work = self.prepare(self.checked())
        with wire.connect(server.port) as connection:
            connection.sendall(work.head + work.block * work.repeats + work.rest)
            response = ResponseReader(connection).response()
        return _check_stream(response, piece(self.size), self.checked())


def _check_stream(response: wire.Response, data: bytes, count: int) -> dict[str, Any]:
    if response.status != 200 or response.chunks is None:
        raise WrongResponse(f"status {response.status}, or not chunked")
    if response.body != data * count:
        raise WrongResponse(f"{len(response.body)} bytes of body, not the {len(data) * count} expected")
    fate = chunk_fate([len(data)] * count, response.chunks)
    return {"chunks": fate, "written": count, "on_wire": len(response.chunks)}


class FirstByte(Workload):
    """Time to the first byte of the body, for a stream that pauses 1 ms after each of its two chunks.

    The time to the end shows whether a later chunk is held back, for example by Nagle's algorithm.
    """

    key, title, unit, group = "first-byte", "time to first byte", "µs", "latency"
    higher_is_better = False
    judged = False

    def verify(self, server: RunningServer) -> dict[str, Any]:
        with wire.connect(server.port) as connection:
            connection.sendall(wire.get("/first/1"))
            response = ResponseReader(connection).response()
        return _check_stream(response, piece(SMALL), 2)

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        with Meter(server) as meter:
            times, whole = streams.first_bytes(server.port, wire.get("/first/1"), plan.seconds, 2000)
        return _latency(times, meter, {"whole": (percentile(whole, 0.5) or 0.0) * 1e6})


class EchoTurn(Workload):
    """Time of a turn on one open exchange: one chunk is sent, and the same chunk comes back."""

    key, title, unit, group = "echo-turn", "echo, one chunk at a time", "µs", "latency"
    higher_is_better = False
    judged = False

    def verify(self, server: RunningServer) -> dict[str, Any]:
        streams.turns(server.port, 0.0, 3, SMALL)
        return {}

    def measure(self, server: RunningServer, plan: Plan, cell: Cell) -> Round:
        with Meter(server) as meter:
            times = streams.turns(server.port, plan.seconds, 100_000, SMALL)
        return _latency(times, meter, {})


def _latency(times: list[float], meter: Meter, more: dict[str, Any]) -> Round:
    middle, slow = percentile(times, 0.5), percentile(times, 0.99)
    if middle is None or slow is None:
        raise WrongResponse("no request was completed")
    extra = {"p99": slow * 1e6, "count": len(times)} | more
    return Round(middle * 1e6, meter.seconds, meter.client_share, meter.server_share, extra)


COLUMNS: list[Workload] = [
    Get("get", "GET c32", 32),
    Down("down-64k", "down 64 KiB", KIB64),
    Down("down-100", "down 100 B", SMALL),
    Up("up-length", "up length", KIB64, chunked=False),
    Up("up-64k", "up chunked 64 KiB", KIB64, chunked=True),
    Up("up-100", "up chunked 100 B", SMALL, chunked=True),
    Echo("echo-16k", "echo 16 KiB", 16384),
    Echo("echo-100", "echo 100 B", SMALL),
    Get("get-paths", "GET c32, no two paths alike", 32, request=wire.get(f"/item/{wire.MARK.decode()}")),
    Get("get-unique", "GET c32, no two heads alike", 32, request=wire.unique_get()),
]
