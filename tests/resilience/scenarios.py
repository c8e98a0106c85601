"""What is asked of a server under load, and what it must keep to. Each scenario measures and judges."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from tests.resilience.processes import Load, Served, Watch, serve, serve_held, serve_peer, serve_workers
from tests.support.clients import Client
from tests.support.holding import PEERS, bring

MIB = 1024 * 1024
TURN = 10.0
"""Milliseconds that the bytes of one peer may take of one turn of the loop."""


@dataclass(frozen=True)
class Figure:
    """One thing that was measured.

    Attributes:
        most, least: what it may be; `None` where it is only told.
    """

    name: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def holds(self) -> bool:
        return (self.most is None or self.value <= self.most) and (
            self.least is None or self.value >= self.least
        )

    def __str__(self) -> str:
        bound = "".join(
            f" ({word} {limit:,.6g})"
            for word, limit in (("at most", self.most), ("at least", self.least))
            if limit is not None
        )
        return f"{self.name}: {self.value:,.4g} {self.unit}{bound}{'' if self.holds else '  BROKEN'}"


@dataclass(frozen=True)
class Options:
    """How a scenario is run.

    Attributes:
        server: one of `processes.DRIVERS`, or of `processes.PEERS`.
        python: of the environment that a peer is in.
        scale: what the numbers of clients are multiplied by.
        gigabytes: streamed each way, in each flavour.
        seconds: that a phase under load takes.
    """

    server: str = "uvloop"
    python: str = ""
    scale: float = 1.0
    gigabytes: float = 1.0
    seconds: float = 8.0

    @property
    def is_peer(self) -> bool:
        return bool(self.python)

    @property
    def is_fast(self) -> bool:
        """Whether it is the driver that the bounds of memory are for; the portable one has four tasks for
        each connection."""
        return self.server in ("uvloop", "asyncio")

    def clients(self, count: int) -> int:
        return max(int(count * self.scale), 2)

    def serve(self, keep_alive: float = 5.0, send_buffer: int = 0) -> AbstractContextManager[Served]:
        """The server, until the block ends."""
        if self.is_peer:
            return serve_peer(self.server, self.python)
        return serve(self.server, keep_alive, send_buffer)


def slow_heads(options: Options) -> Iterator[Figure]:
    """Clients that never finish their head, while honest ones ask as ever.

    They attack a second server in turns with the first, so that the machine has as much to bear whenever the
    honest clients of the first are watched.
    """
    clients = options.clients(5000)
    with (
        options.serve() as served,
        options.serve() as neighbour,
        Load(served, "honest", clients=8, rate=200) as honest,
    ):

        def phase() -> dict[str, float]:
            honest.says()
            begin = served.computed()
            time.sleep(options.seconds)
            share = (served.computed() - begin) / options.seconds
            honest.go_on()
            return {**honest.says(), "share": share * 100}

        quiet = phase()
        phases: dict[str, list[dict[str, float]]] = {"a neighbour": [], "their server": []}
        for _ in range(3):
            for target, attacked in (("a neighbour", neighbour), ("their server", served)):
                with Load(attacked, "slow_heads", clients=clients) as load:
                    load.says()
                    phases[target].append(phase())
                    load.go_on()
                    said = load.says()
                attacked.sockets_close(200, 30)

        def middle(target: str, name: str) -> float:
            return statistics.median(figures[name] for figures in phases[target])

        yield Figure("slow heads that are open", said["open"])
        yield Figure("honest requests that failed", phases["their server"][-1]["failed"], most=0)
        yield Figure("processor time, nobody attacks", quiet["share"], "%")
        yield Figure("processor time, their server attacked", middle("their server", "share"), "%")
        for name in ("p50", "p99"):
            yield Figure(f"honest {name}, nobody attacks", quiet[name], "ms")
            for target in phases:
                yield Figure(f"honest {name}, {target} attacked", middle(target, name), "ms")
        times = middle("their server", "p99") / middle("a neighbour", "p99")
        yield Figure("honest p99, their server attacked by a neighbour attacked", times, "times", most=2.0)


def slow_bodies(options: Options) -> Iterator[Figure]:
    """Bodies at 20 bytes a second: dropped where the server gathers them, served where a handler reads."""
    clients = options.clients(300)
    with (
        options.serve() as served,
        Load(
            served, "slow_bodies", clients=clients, path="/buffered", length=100_000, seconds=30
        ) as buffered,
        Load(served, "slow_bodies", clients=clients, path="/upload", length=400, seconds=60) as streamed,
    ):
        said = buffered.says()
        dropped = sum(count for status, count in said["statuses"].items() if not status.startswith("2"))
        yield Figure("slow bodies on a buffered route that were dropped", dropped, least=clients)
        yield Figure("the last of them dropped after", said["last"], "s", most=15.0)
        said = streamed.says()
        yield Figure("equally slow streams that were served", said["statuses"].get("200", 0), least=clients)


def non_readers(options: Options) -> Iterator[Figure]:
    """Clients that ask for much and read nothing."""
    clients = options.clients(500)
    with options.serve(send_buffer=64 * 1024) as served:
        served.get("/text/1")
        idle, before = served.descriptors(), served.memory()
        with (
            Load(served, "non_readers", clients=clients, size=100_000_000) as load,
            Watch(served.memory) as watch,
        ):
            load.says()
            served.sockets_open(idle + clients - 2)  # one of before may have closed meanwhile
            seconds = served.sockets_close(idle + 2, 60.0)
        held = (max(watch.values) - before) / clients / 1024
        yield Figure("clients that read nothing were all aborted after", seconds, "s", most=32.0)
        yield Figure("memory for each of them", held, "KiB", most=128 if options.is_fast else None)


def vanishing(options: Options) -> Iterator[Figure]:
    """Clients that vanish in the middle of a download."""
    with options.serve() as served:
        for _ in range(20):
            served.get("/text/1")
        idle, before = served.descriptors(), served.memory()
        with (
            Watch(served.memory, 0.01) as watch,
            Load(served, "vanishing", clients=options.clients(20), size=50_000_000) as load,
        ):
            load.says()
            seconds = served.sockets_close(idle + 2, 30.0)
        growth = (max(watch.values) - before) / 1e6
        yield Figure(
            "memory that vanishing clients cost", growth, "MB", most=5.0 if options.is_fast else None
        )
        yield Figure("the last of their connections is closed after", seconds, "s")


def idle(options: Options) -> Iterator[Figure]:
    """Many connections that wait for their next request."""
    clients = min(options.clients(10_000), 15_000)
    with options.serve(keep_alive=300.0) as served:
        for _ in range(20):
            served.get("/text/1")
        blocks = 0 if options.is_peer else int(served.get("/blocks"))
        before = served.memory()
        with Load(served, "idle", clients=clients) as load:
            load.says()
            held = served.memory() - before
            load.go_on()
            load.says()
            served.sockets_close(100, 30.0)
            left = served.memory() - before
            yield Figure(
                f"memory for each of {clients:,} idle connections",
                held / clients / 1024,
                "KiB",
                most=8 if options.is_fast else None,
            )
            yield Figure("of it that the allocator keeps after they left", left / max(held, 1) * 100, "%")
        if not options.is_peer:
            more = int(served.get("/blocks")) / blocks
            yield Figure("blocks in use after they left, by those before", more, "times", most=1.01)
        with Load(served, "idle", clients=clients) as load:
            load.says()
            again = served.memory() - before
            yield Figure("memory of as many again, by that of the first", again / held, "times", most=1.1)


def pipelined(options: Options) -> Iterator[Figure]:
    """Many requests at once on one connection."""
    count = 200
    with options.serve() as served, Load(served, "pipelined", count=count) as load:
        order = load.says()["order"]
        right = sum(got == number for number, got in enumerate(order))
        yield Figure("pipelined requests that were answered in their order", right, least=count)


def streams(options: Options) -> Iterator[Figure]:
    """A long stream each way, in each flavour, at once."""
    size = int(options.gigabytes * 1e9) // (MIB // 4) * (MIB // 4)
    with options.serve(keep_alive=300.0) as served:
        for name in ("download", "upload"):
            with Load(served, name, size=64 * MIB) as warm:
                warm.says()
        time.sleep(0.5)
        memory, descriptors = served.memory(), served.descriptors()
        tasks = 0 if options.is_peer else served.tasks()
        most_tasks = 0
        with (
            Watch(served.memory, 0.2) as watch,
            Load(served, "download", size=size) as download,
            Load(served, "upload", size=size) as upload,
        ):
            time.sleep(0.5)
            if not options.is_peer:
                most_tasks = served.tasks()
            down, up = download.says(), upload.says()
        time.sleep(0.5)
        yield Figure("streamed down", down["bytes"] / 1e9, "GB")
        yield Figure("at", down["bytes"] / down["seconds"] / 1e6, "MB/s")
        yield Figure("streamed up", up["bytes"] / 1e9, "GB")
        yield Figure("at", up["bytes"] / up["seconds"] / 1e6, "MB/s")
        yield Figure(
            "most memory beyond that of the first 64 MiB", (max(watch.values) - memory) / 1e6, "MB", most=5.0
        )
        yield Figure("descriptors more than before", served.descriptors() - descriptors, most=0)
        if not options.is_peer:
            yield Figure("tasks while both run, beyond an idle server's", most_tasks - tasks, most=8)
            yield Figure("tasks more than before", served.tasks() - tasks, most=0)


def floods(options: Options) -> Iterator[Figure]:
    """Clients that send what costs most on a WebSocket, and honest ones; then the first ones leave."""
    clients = options.clients(26)
    with options.serve() as served, Load(served, "honest", clients=8, rate=200) as honest:

        def phase() -> dict[str, float]:
            honest.says()
            time.sleep(options.seconds)
            honest.go_on()
            return honest.says()

        quiet = phase()
        idle, before = served.descriptors(), served.memory()
        with Load(served, "floods", clients=clients) as load, Watch(served.memory) as watch:
            load.says()
            flooded = phase()
            load.go_on()
            sent = load.says()["sent"]
            left = served.computed()
        seconds = served.sockets_close(idle + 2, 30.0)
        cost = served.computed() - left
        yield Figure("sent by the flooding clients", sent / options.seconds / 1e6, "MB/s")
        yield Figure("honest requests that failed", flooded["failed"], most=0)
        yield Figure("honest p99, nobody floods", quiet["p99"], "ms")
        # It is read in one round of the loop and answered in the next; in each, every client has a turn.
        yield Figure("honest p99, while they flood", flooded["p99"], "ms", most=2 * clients * TURN)
        grown = (max(watch.values) - before) / clients / MIB
        yield Figure("memory for each of them", grown, "MiB", most=4.0 if options.is_fast else None)
        yield Figure("the last of their connections is closed after", seconds, "s", most=5.0)
        yield Figure("processor time from their leaving to then, for each", cost / clients, "s", most=0.1)


def held(options: Options) -> Iterator[Figure]:
    """A stop while peers of every kind do nothing more, or read nothing."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE

    def over_tls(client: Client) -> Client:
        return Client(trusting.wrap_socket(client.socket))

    for what, tls, wrap in (("TCP", (), None), ("TLS", ("tls",), over_tls)):
        with serve_held(options.server, *tls) as served, contextlib.ExitStack() as stack:
            for _ in range(options.clients(20)):
                bring(PEERS, socket.AF_INET, ("127.0.0.1", served.port), stack, wrap)
            begin = time.monotonic()
            served.process.send_signal(signal.SIGTERM)
            served.process.wait()
            yield Figure(f"a stop that peers hold, over {what}", time.monotonic() - begin, "s", most=2.0)


def killed(options: Options) -> Iterator[Figure]:
    """Workers that are killed while clients come."""
    with serve_workers(options.server, 2) as served, Load(served, "steady", fresh=8, kept=0) as load:
        load.says()
        time.sleep(2.0)
        kills: list[tuple[float, float]] = []
        for turn in range(4):
            workers = served.pids[1:]
            victim = workers[turn % 2]
            os.kill(victim, signal.SIGKILL)
            at = time.monotonic()
            while len([pid for pid in served.pids[1:] if pid != victim]) < 2:
                time.sleep(0.001)
                if time.monotonic() > at + 10:
                    break
            kills.append((at, time.monotonic()))
            time.sleep(2.0)
        known = set(map(str, served.pids[1:]))
        time.sleep(0.5)
        load.go_on()
        said = load.says()
        serving = [
            min((seen for pid, seen in said["seen"].items() if seen > at and pid), default=float("inf")) - at
            for at, _ in kills
        ]
        fresh = [
            text for begun, text in said["failures"] if not any(at - 0.5 < begun <= at for at, _ in kills)
        ]
        yield Figure("workers killed", len(kills))
        yield Figure(
            "a new one runs after, at the latest", max(end - at for at, end in kills) * 1000, "ms", most=1000
        )
        yield Figure("and answers after, at the latest", max(serving) * 1000, "ms", most=1000)
        yield Figure("requests on fresh connections", said["answered"]["fresh"])
        yield Figure("of those begun after a kill, failed", len(fresh), most=0)
        yield Figure("of those that the killed one had, failed", len(said["failures"]) - len(fresh))
        yield Figure("workers of the end that answered", len(known & said["seen"].keys()), least=2)


def rolled(options: Options) -> Iterator[Figure]:
    """Workers that are replaced one by one, under load, with connections that are kept and fresh ones."""
    with serve_workers(options.server, 2) as served, Load(served, "steady", fresh=8, kept=50) as load:
        load.says()
        time.sleep(2.0)
        slowest = 0.0
        for _ in range(3):
            old = set(served.pids[1:])
            served.process.send_signal(signal.SIGHUP)
            at = time.monotonic()
            while old & set(served.pids[1:]) and time.monotonic() < at + 30:
                time.sleep(0.02)
            slowest = max(slowest, time.monotonic() - at)
        time.sleep(1.0)
        load.go_on()
        said = load.says()
        answered = said["answered"]
        yield Figure("rolling restarts", 3)
        yield Figure("the old workers have all ended after, at the latest", slowest, "s")
        yield Figure("processes that answered", len(said["seen"]), least=8)
        yield Figure("requests on kept connections", answered["kept"])
        yield Figure("requests on fresh connections", answered["fresh"])
        yield Figure("requests that failed", len(said["failures"]), most=0)


def refused(options: Options) -> Iterator[Figure]:
    """Clients whose body is refused early, and who go on sending before they read."""
    clients = 100
    paths = {"413": ("/refuse" if options.is_peer else "/buffered", "")}
    if not options.is_peer:
        paths["400"] = ("/upload", "5\r\nhello\r\nzz\r\n")
    with options.serve() as served:
        for status, (path, wire) in paths.items():
            with Load(served, "refused", clients=clients, path=path, wire=wire) as load:
                read = load.says()["read"]
            yield Figure(f"clients of 100 that read their {status}", read.get(status, 0), least=99)


def leaving(options: Options) -> Iterator[Figure]:
    """Clients that leave while a handler waits: it is cancelled, or its read ends."""
    clients = 100
    with options.serve() as served:
        for head, what in (("watch", "is cancelled"), ("read", "is told")):
            with Load(served, "leaving", clients=clients, head=head) as load:
                said = load.says()
            yield Figure(f"clients that left, and whose handler {what}", said["noticed"], least=clients)
            yield Figure("after, p50", said["p50"], "ms")
            yield Figure("after, at the latest", said["max"], "ms", most=100)


SCENARIOS: dict[str, Callable[[Options], Iterator[Figure]]] = {
    "slow-heads": slow_heads,
    "slow-bodies": slow_bodies,
    "non-readers": non_readers,
    "vanishing": vanishing,
    "idle": idle,
    "pipelined": pipelined,
    "streams": streams,
    "floods": floods,
    "held": held,
    "killed": killed,
    "rolled": rolled,
    "refused": refused,
    "leaving": leaving,
}


def median(runs: list[list[Figure]]) -> list[Figure]:
    """Of several runs of a scenario, figure by figure."""
    return [
        replace(figures[0], value=statistics.median(figure.value for figure in figures))
        for figures in zip(*runs, strict=True)
    ]
