"""GET requests over many keep-alive connections: by a small C program if there is a compiler, else by Python.

Both send one request at a time on each connection, and check the status and the length of every response. The
report names the client that was used, because the Python client itself is often the limit.
"""

import hashlib
import json
import os
import select
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.client import wire
from benchmarks.client.streams import quiet
from benchmarks.client.wire import WrongResponse

SOURCE = Path(__file__).with_name("getload.c")
_FIRST = 100_000_000_000
"""The number of the first request, where requests are numbered; all have as many digits."""


@dataclass(frozen=True)
class Load:
    """The figures of one run. Times are seconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    client_cpu: float  # CPU seconds that the client used within ``seconds``
    reconnects: int
    body: int  # bytes of the body of the last response

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def compile_client(folder: Path) -> Path | None:
    """The C client, compiled into ``folder``; None without a working C compiler or without epoll."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if compiler is None:
        return None
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:12]
    program = folder / f"getload-{digest}"
    if not program.exists():
        fresh = program.with_suffix(f".{os.getpid()}")
        command = [compiler, "-O2", "-o", str(fresh), str(SOURCE)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return None
        fresh.replace(program)
    return program


@dataclass(frozen=True)
class LoadClient:
    """Runs the load with ``program``, or in this process if it is None."""

    program: Path | None

    @property
    def name(self) -> str:
        return "C, epoll" if self.program else "Python, epoll"

    def run(
        self,
        port: int,
        request: bytes,
        connections: int,
        seconds: float,
        warmup: float,
        on_begin: Callable[[], None],
        on_end: Callable[[], None],
    ) -> Load:
        """Run the load. ``on_begin`` is called after the warm-up, ``on_end`` when the time is over.

        ``wire.MARK`` in the request is replaced by a counter.
        """
        if self.program:
            return self._run_c(port, request, connections, seconds, warmup, on_begin, on_end)
        return run_python(port, request, connections, seconds, warmup, on_begin, on_end)

    def _run_c(
        self,
        port: int,
        request: bytes,
        connections: int,
        seconds: float,
        warmup: float,
        on_begin: Callable[[], None],
        on_end: Callable[[], None],
    ) -> Load:
        arguments = [
            str(self.program),
            str(port),
            str(connections),
            str(warmup),
            str(seconds),
            request.decode(),
        ]
        with subprocess.Popen(
            arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            try:
                assert process.stdout is not None
                if process.stdout.readline() == "begin\n":
                    on_begin()
                line = process.stdout.readline()
                on_end()
                _, err = process.communicate(timeout=seconds + 60)
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise WrongResponse(err.strip() or f"the C client ended with status {process.returncode}")
        figures = json.loads(line)
        return Load(
            requests=figures["requests"],
            seconds=figures["seconds"],
            p50=figures["p50"],
            p99=figures["p99"],
            client_cpu=figures["user"] + figures["system"],
            reconnects=figures["reconnects"],
            body=figures["body"],
        )


def _connected(port: int, request: bytes, connections: int) -> tuple[dict[int, socket.socket], int]:
    """The connections by their file descriptors, each with one response behind it; and how long that was,
    in bytes of its body."""
    sockets = {}
    body = 0
    for _ in range(connections):
        connection = wire.connect(port)
        connection.sendall(wire.numbered(request, _FIRST))
        response = wire.ResponseReader(connection).response()
        if response.status != 200 or response.chunks is not None:
            raise WrongResponse(f"status {response.status}, no Content-Length")
        body = response.wire
        sockets[connection.fileno()] = connection
    return sockets, body


def _is_whole(data: bytes, body: int) -> bool:
    """Whether a response with a body of so many bytes is there to its end; WrongResponse if it is no 200."""
    head, blank, rest = data.partition(b"\r\n\r\n")
    if not blank or len(rest) < body:
        return False
    if not head.startswith(b"HTTP/1.1 200"):
        raise WrongResponse(f"the answer is {head[:40]!r}")
    return True


def run_python(
    port: int,
    request: bytes,
    connections: int,
    seconds: float,
    warmup: float,
    on_begin: Callable[[], None],
    on_end: Callable[[], None],
) -> Load:
    """The load in Python. A server that closes a connection ends the run."""
    unique = wire.MARK in request
    counter = _FIRST
    sockets, body = _connected(port, request, connections)
    poller = wire.new_epoll()
    sent: dict[int, float] = {}
    partial: dict[int, bytes] = {}
    times: list[float] = []
    clock = time.perf_counter
    try:
        with quiet():
            for number, connection in sockets.items():
                poller.register(number, select.EPOLLIN)
                connection.sendall(wire.numbered(request, counter))
                sent[number] = clock()
            begin = clock() + warmup
            measuring = False
            cpu, end = 0.0, begin
            while True:
                ready = poller.poll(20.0)
                if not ready:
                    raise WrongResponse("no response for 20 seconds")
                now = clock()
                if not measuring and now >= begin:
                    measuring, begin, end = True, now, now + seconds
                    cpu = time.process_time()
                    on_begin()
                if measuring and now >= end:
                    break
                for number, _ in ready:
                    connection = sockets[number]
                    data = connection.recv(16384)
                    if not data:
                        raise WrongResponse("the server closed a connection")
                    if number in partial:
                        data = partial.pop(number) + data
                    if not _is_whole(data, body):
                        partial[number] = data
                        continue
                    if measuring:
                        times.append(clock() - sent[number])
                    counter += 1
                    sent[number] = clock()
                    connection.send(wire.numbered(request, counter) if unique else request)
            cpu = time.process_time() - cpu
            on_end()
    finally:
        poller.close()
        for connection in sockets.values():
            connection.close()
    return _load(times, now - begin, cpu, body)


def _load(times: list[float], seconds: float, cpu: float, body: int) -> Load:
    times.sort()
    return Load(
        requests=len(times),
        seconds=seconds,
        p50=times[len(times) // 2] if times else 0.0,
        p99=times[len(times) * 99 // 100] if times else 0.0,
        client_cpu=cpu,
        reconnects=0,
        body=body,
    )
