"""Back-pressure in both directions, in a server of its own process whose memory is watched.

Each case asks for far more than may be held; the long run asks for a gibibyte on the fast driver, and for a
quarter of it on the others. While the slow side stands still, so does the other side; the memory stays flat;
other requests are served; and when the slow side goes on, everything arrives.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.support.clients import Client, get, request
from tests.support.commands import Program, serve_program
from tests.support.servers import DRIVERS, PATIENCE

MIB = 1024 * 1024
ROOM = 16 * MIB
"""What the process may grow by: the engine's marks are well below one of it."""
IN_FLIGHT = 64 * MIB
"""More than the kernel and both marks hold on the way."""
SIZE = 3 * IN_FLIGHT
CHUNK = {"awaited": 64 * 1024, "loop": 64 * 1024, "rows": 16 * 1024, "tiny": 10}
"""The size of each write."""

APP = """
import csv, json, sys
import anyio
from streamcompat_engine import Lifespan, Limits, Server, ServerConfig, Timeouts

CHUNK, ROW = bytes(64 * 1024), "x" * 1021
counts = {}
gates = {}

async def awaited(exchange, size):
    exchange.start(200, ())
    while counts["awaited"] < size:
        await exchange.write(CHUNK)
        counts["awaited"] += len(CHUNK)

async def loop(exchange, size):
    async def stream():
        while counts["loop"] < size:
            exchange.write(CHUNK)
            counts["loop"] += len(CHUNK)
    exchange.start(200, ())
    await exchange.run(stream())

async def tiny(exchange, size):
    async def stream():
        while counts["tiny"] < size:
            exchange.write(b"ten bytes!")
            counts["tiny"] += 10
    exchange.start(200, ())
    await exchange.run(stream())

async def rows(exchange, size):
    class File:
        def write(self, text):
            data = text.encode() * 16  # csv itself is slow
            exchange.write(data)
            counts["rows"] += len(data)
    async def stream():
        writer = csv.writer(File())
        while counts["rows"] < size:
            writer.writerow([ROW, ""])
    exchange.start(200, ())
    await exchange.run(stream())

async def echo(exchange, size):
    exchange.start(200, [(b"Content-Length", b"%d" % size)])
    while True:
        await exchange.drain()
        if (piece := await exchange.receive()) is None:
            break
        exchange.write(piece)
        counts["echo"] += len(piece)

async def sink(exchange, size):
    gates["sink"] = anyio.Event()
    counts["sink"] += len(await exchange.receive())
    await gates["sink"].wait()
    while piece := await exchange.receive():
        counts["sink"] += len(piece)
    exchange.start(200, ())

async def gathered(exchange, size):
    gates["gathered"] = anyio.Event()
    await gates["gathered"].wait()
    counts["gathered"] = len(await exchange.read_body())
    exchange.start(200, ())

async def app(exchange):
    name, query = exchange.head.raw_path[1:].decode(), exchange.head.query.decode()
    if name == "go":
        gates[query].set()
    elif name != "counts":
        counts[name] = 0
        await globals()[name](exchange, int(query))
        exchange.finish()
        return
    exchange.respond(200, (), json.dumps(counts).encode())

class Says(Lifespan):
    def listening(self, addresses):
        print(addresses[0], flush=True)

name = sys.argv[1]
driver = "asyncio" if name == "uvloop" else name
timeouts = Timeouts(keep_alive=None)
limits = Limits() if "spill" in sys.argv else Limits(spill_size=0)
config = ServerConfig(port=0, driver=driver, uvloop=name == "uvloop", timeouts=timeouts, limits=limits)
Server(app, config, lifespan=Says()).run()
"""


class Watched:
    """The server's process, with one connection for questions.

    Attributes:
        size: the bytes that a case asks for.
    """

    def __init__(self, script: Program) -> None:
        self.script = script
        self.size = SIZE
        self._process = psutil.Process(script.process.pid)
        self._asking = script.connect()

    def close(self) -> None:
        self._asking.close()

    def memory(self) -> int:
        """Bytes that the process has resident."""
        return int(self._process.memory_info().rss)

    def ask(self, target: str) -> dict[str, int]:
        """The server's counters; it answers while the other requests stand."""
        self._asking.send(get(target))
        answer: dict[str, int] = json.loads(self._asking.response().body)
        return answer

    def until_it_stands(self, name: str, extra: list[int] | None = None) -> int:
        """Wait until a counter of the server's, and one of the test's, do not move from turn to turn."""
        same, before = 0, None
        while same < 50:
            now = (self.ask("/counts").get(name, 0), *(extra or ()))
            same = same + 1 if now == before else 0
            before = now
        assert before is not None
        return before[0]


@pytest.fixture(scope="module", params=DRIVERS)
def small(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    """A server that has already done all this once in small, so that what it keeps for good is there."""
    folder: Path = tmp_path_factory.mktemp("server")
    with serve_program(folder, APP, request.param) as script:
        watched = Watched(script)
        try:
            for name in CHUNK:
                with script.connect() as client:
                    client.send(get(f"/{name}?{8 * MIB}", "Connection: close"))
                    read_all(client, None)
            with script.connect() as client:
                sender = Sender(client, "echo", 8 * MIB)
                assert read_all(client, None) > 8 * MIB
                sender.join()
            yield watched
        finally:
            watched.close()
            script.process.terminate()
        assert script.process.wait(PATIENCE) == 0
        assert script.errors() == ""


@pytest.fixture(params=[False, pytest.param(True, marks=pytest.mark.long)], ids=["", "far more"])
def server(small: Watched, request: pytest.FixtureRequest) -> Watched:
    small.size = (1024 if "asyncio" in request.node.name else 256) * MIB if request.param else SIZE
    return small


class Sender:
    """Sends a large body from a thread of its own."""

    def __init__(self, client: Client, name: str, size: int) -> None:
        self.sent = [0]
        self._client, self._size = client, size
        client.send(request("POST", f"/{name}?{size}", f"Content-Length: {size}", "Connection: close"))
        self._thread = threading.Thread(target=self._send, daemon=True)
        self._thread.start()

    def _send(self) -> None:
        piece = bytes(256 * 1024)
        while self.sent[0] < self._size:
            self._client.send(piece)
            self.sent[0] += len(piece)

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert self.sent[0] == self._size


def read_all(client: Client, watched: Watched | None, tail: bytes | None = None) -> int:
    """Read to the end, fast; bytes in all, while the server's memory stays within its room."""
    buffer = bytearray(MIB)
    total, look = 0, 0
    limit = watched.memory() + ROOM if watched is not None else 0
    last = b""
    while count := client.socket.recv_into(buffer):
        total += count
        last = (last + bytes(buffer[max(0, count - 16) : count]))[-16:]
        if watched is not None and total > look:
            look = total + 16 * MIB
            assert watched.memory() < limit
    if tail is not None:
        assert last.endswith(tail)
    return total


@pytest.mark.parametrize("name", ["awaited", "loop", "rows", "tiny"])
def test_a_client_that_stops_reading(server: Watched, name: str) -> None:
    before = server.memory()
    size = (
        server.size if name != "tiny" else 16 * MIB
    )  # more than is held, as framing it costs ten times that
    with server.script.connect(64 * 1024) as client:
        client.send(get(f"/{name}?{size}", "Connection: close"))
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.socket.recv(1)
        written = server.until_it_stands(name)
        assert 0 < written < IN_FLIGHT
        assert server.memory() - before < ROOM
        total = read_all(client, server, b"\r\n0\r\n\r\n")
    counted = server.ask("/counts")[name]
    assert counted >= size
    # What came is that, in chunks of one size with their framing.
    chunks, rest = divmod(counted, CHUNK[name])
    assert rest == 0
    assert total == counted + chunks * len(b"%x\r\n\r\n" % CHUNK[name]) + len(b"0\r\n\r\n")
    assert server.memory() - before < ROOM


def test_an_echo_to_a_client_that_stops_reading(server: Watched) -> None:
    before = server.memory()
    with server.script.connect(64 * 1024) as client:
        sender = Sender(client, "echo", server.size)
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            head += client.socket.recv(1)
        written = server.until_it_stands("echo", sender.sent)
        assert 0 < written < IN_FLIGHT
        assert sender.sent[0] < 2 * IN_FLIGHT
        assert server.memory() - before < ROOM
        assert read_all(client, server) == server.size
        sender.join()
    assert server.ask("/counts")["echo"] == server.size
    assert server.memory() - before < ROOM


def test_a_handler_that_stops_reading(server: Watched) -> None:
    before = server.memory()
    with server.script.connect() as client:
        sender = Sender(client, "sink", server.size)
        read = server.until_it_stands("sink", sender.sent)
        assert 0 < read < MIB
        assert 0 < sender.sent[0] < IN_FLIGHT
        assert server.memory() - before < ROOM
        server.ask("/go?sink")
        limit = before + ROOM
        while sender.sent[0] < server.size:
            assert server.ask("/counts")["sink"] <= server.size
            assert server.memory() < limit
        assert client.response().status == 200
        sender.join()
    assert server.ask("/counts")["sink"] == server.size


def test_a_handler_that_gathers_late(server: Watched) -> None:
    """A whole body in memory is the application's choice, and waits for it."""
    before = server.memory()
    size = 32 * MIB
    with server.script.connect() as client:
        sender = Sender(client, "gathered", size)
        server.until_it_stands("gathered", sender.sent)
        assert server.memory() - before < ROOM
        server.ask("/go?gathered")
        assert client.response().status == 200
        sender.join()
    assert server.ask("/counts")["gathered"] == size


def test_many_clients_that_do_not_read(server: Watched) -> None:
    """A hundred of them hold no more than a hundred times the marks."""
    before = server.memory()
    clients = [server.script.connect(4096) for _ in range(100)]
    try:
        for client in clients:
            client.send(get(f"/loop?{server.size}"))
        server.until_it_stands("loop")
        assert server.memory() - before < 100 * (64 + 64 + 128) * 1024 + ROOM
    finally:
        for client in clients:
            client.close()
    server.ask("/counts")
