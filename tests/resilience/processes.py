"""Servers and loads, each a process of its own, and what the system says about them."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent.parent
PATIENCE = 60.0
DRIVERS = ("uvloop", "asyncio", "anyio", "trio")
PEERS = {
    "uvicorn": ["uvicorn", "tests.resilience.peer:app", "--no-access-log", "--log-level=critical", "--port"],
    "hypercorn": ["hypercorn", "tests.resilience.peer:app", "--log-level=critical", "--bind"],
}


@dataclass
class Served:
    """A running server.

    Attributes:
        prefixes: under which it has the routes, in turns for the clients of a load.
    """

    process: subprocess.Popen[str]
    port: int
    prefixes: list[str]

    @property
    def pids(self) -> list[int]:
        """The server's process and those that it has started."""
        found = [self.process.pid]
        for pid in found:
            with contextlib.suppress(OSError):
                found += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return found

    def memory(self) -> int:
        """Bytes in memory, of all of them."""
        total = 0
        for pid in self.pids:
            with contextlib.suppress(OSError):
                total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
        return total * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self) -> int:
        """Open descriptors, of all of them."""
        total = 0
        for pid in self.pids:
            with contextlib.suppress(OSError):
                total += len(os.listdir(f"/proc/{pid}/fd"))
        return total

    def computed(self) -> float:
        """Seconds of processor time that all of them have taken."""
        total = 0
        for pid in self.pids:
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        return total / os.sysconf("SC_CLK_TCK")

    def get(self, path: str) -> str:
        """The body of one GET on a connection of its own."""
        url = f"http://127.0.0.1:{self.port}{self.prefixes[0]}{path}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(url, timeout=PATIENCE) as response:
            return str(response.read().decode())

    def tasks(self) -> int:
        """Tasks of its event loop, that of the one who asks included."""
        return int(self.get("/tasks"))

    def sockets_open(self, least: int) -> None:
        """Wait until so many descriptors are open. Raises: AssertionError: they are not, in `PATIENCE`."""
        end = time.monotonic() + PATIENCE
        while self.descriptors() < least:
            assert time.monotonic() < end, f"fewer than {least} descriptors are open"
            time.sleep(0.02)

    def sockets_close(self, most: int, seconds: float) -> float:
        """Wait until no more descriptors than this are open.

        Returns: the seconds that it took; infinity where it did not happen.
        """
        begin = time.monotonic()
        while self.descriptors() > most:
            if time.monotonic() > begin + seconds:
                return float("inf")
            time.sleep(0.02)
        return time.monotonic() - begin


@contextlib.contextmanager
def serve(driver: str, keep_alive: float = 5.0, send_buffer: int = 0) -> Iterator[Served]:
    """The site on one of `DRIVERS`, in one process; see `serve`."""
    line = [sys.executable, "-m", "tests.resilience.serve", driver, str(keep_alive), str(send_buffer)]
    with _running(line, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the server did not start"
        yield Served(process, int(url.rpartition(":")[2]), ["/mach9", "/sanic"])


@contextlib.contextmanager
def serve_held(driver: str, *tls: str) -> Iterator[Served]:
    """What peers try to hold when it stops; see `held`."""
    with _running(
        [sys.executable, "-m", "tests.resilience.held", driver, *tls], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert url, "the server did not start"
        yield Served(process, int(url.rpartition(":")[2]), ["/mach9", "/sanic"])


@contextlib.contextmanager
def serve_workers(driver: str, count: int) -> Iterator[Served]:
    """The site by the command line, with several workers; `asyncio` means uvloop as well, where it is."""
    line = [sys.executable, "-m", "streamcompat", "run", "tests/resilience/apps.py:site", "--port", "0"]
    line += ["--workers", str(count), "--no-access-log"]
    line += ["--driver", "asyncio" if driver == "uvloop" else driver]
    with _running(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdout is not None
        for text in process.stdout:
            if found := re.search(r"listening on http://\S+?:(\d+)", text):
                threading.Thread(target=process.stdout.read, daemon=True).start()
                yield Served(process, int(found[1]), ["/mach9", "/sanic"])
                return
        raise AssertionError("the workers did not start")


@contextlib.contextmanager
def serve_peer(name: str, python: str) -> Iterator[Served]:
    """One of `PEERS`, in another environment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    module, *arguments = PEERS[name]
    where = f"127.0.0.1:{port}" if arguments[-1] == "--bind" else str(port)
    with _running([python, "-m", module, *arguments, where], stderr=subprocess.DEVNULL) as process:
        served = Served(process, port, [""])
        end = time.monotonic() + PATIENCE
        while True:
            try:
                served.get("/text/1")
                break
            except OSError:
                assert time.monotonic() < end and process.poll() is None, f"{name} did not start"
                time.sleep(0.1)
        yield served


@contextlib.contextmanager
def _running(line: list[str], **streams: Any) -> Iterator[subprocess.Popen[str]]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "engine")])
    env = {**os.environ, "PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(line, cwd=ROOT, env=env, text=True, **streams) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(5.0)
            except subprocess.TimeoutExpired:
                process.kill()


class Load:
    """A load in a process of its own: a function of `loads`, and what it says as it goes on."""

    def __init__(self, served: Served, name: str, **arguments: Any) -> None:
        given = json.dumps({"port": served.port, "prefixes": served.prefixes, **arguments})
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.resilience.loads", name, given],
            cwd=ROOT,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def __enter__(self) -> Load:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def says(self) -> dict[str, Any]:
        """The next thing that it says.

        Raises: AssertionError: it has ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the load ended with {self._process.wait()}"
        said: dict[str, Any] = json.loads(line)
        return said

    def go_on(self) -> None:
        """Let a load go on that waits for it."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()


@dataclass
class Watch:
    """Samples something in a thread while a block runs."""

    sample: Callable[[], int]
    every: float = 0.05
    values: list[int] = field(default_factory=list)

    def __enter__(self) -> Watch:
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def _run(self) -> None:
        while not self._over.wait(self.every):
            self.values.append(self.sample())

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()
        self.values.append(self.sample())
