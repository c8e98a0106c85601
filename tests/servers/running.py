"""The servers of the matrix, each as a process of its own."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.resilience.processes import ROOT
from tests.resilience.processes import Served as Process
from tests.servers.links import H1, H2, PATIENCE, Link, answer

UVICORN = ["uvicorn", "--no-access-log", "--log-level=critical", "--port={port}", "--lifespan=on"]
GRANIAN = ["granian", "--interface=asgi", "--no-log", "--port={port}"]
GUNICORN = ["gunicorn", "--log-level=critical", "--bind=127.0.0.1:{port}"]
OURS = ["streamcompat", "run", "--port={port}", "--no-access-log"]


@dataclass(frozen=True)
class Kind:
    """A server of the matrix.

    Attributes:
        name: its name in the table.
        command: a module that Python runs, and its arguments before the app.
        needs: what must be installed.
        http2: the checks speak HTTP/2.
    """

    name: str
    command: list[str]
    needs: tuple[str, ...]
    http2: bool = False

    @property
    def missing(self) -> list[str]:
        """What is not installed of what it needs."""
        needed = [*self.needs, *(["h2"] if self.http2 else [])]
        return [one for one in needed if importlib.util.find_spec(one) is None]


KINDS = [
    Kind("streamcompat", OURS, ()),
    Kind("uvicorn (h11)", [*UVICORN, "--http=h11"], ("uvicorn", "websockets")),
    Kind("uvicorn (httptools)", [*UVICORN, "--http=httptools"], ("uvicorn", "httptools", "websockets")),
    Kind("hypercorn", ["hypercorn", "--bind=127.0.0.1:{port}"], ("hypercorn",)),
    Kind("hypercorn (trio)", ["hypercorn", "--bind=127.0.0.1:{port}", "-k=trio"], ("hypercorn", "trio")),
    Kind("hypercorn (HTTP/2)", ["hypercorn", "--bind=127.0.0.1:{port}"], ("hypercorn",), http2=True),
    Kind("granian", [*GRANIAN, "--http=1"], ("granian",)),
    Kind("granian (HTTP/2)", [*GRANIAN, "--http=2"], ("granian",), http2=True),
    Kind(
        "gunicorn (uvicorn-worker)",
        [*GUNICORN, "-k=uvicorn_worker.UvicornWorker"],
        ("gunicorn", "uvicorn_worker"),
    ),
    Kind("gunicorn (asgi)", [*GUNICORN, "-k=asgi"], ("gunicorn",)),
]


@dataclass
class Running:
    """A server that runs.

    Attributes:
        flavour: `"sanic"` or `"mach9"`.
    """

    kind: Kind
    flavour: str
    port: int
    process: Process

    def link(self, receive_buffer: int | None = None) -> Link:
        """A new connection."""
        return (H2 if self.kind.http2 else H1)(self.port, receive_buffer)

    def h1(self) -> H1:
        return H1(self.port)

    def get(self, target: str) -> bytes:
        link = self.link()
        with contextlib.closing(link.sock):
            link.ask("GET", target)
            return answer(link).body

    def done(self, name: str) -> int:
        """How often the handlers have counted this."""
        told: dict[str, int] = json.loads(self.get("/state"))
        return told.get(name, 0)

    def release(self, key: str) -> None:
        self.get(f"/release?key={key}")

    def until(self, condition: Callable[[], bool]) -> bool:
        """Whether something comes true in time."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > end:
                return False
            time.sleep(0.02)
        return True

    def settled(self, name: str) -> int:
        """A count, once it has not changed for half a second, or in the end."""
        before, since = self.done(name), time.monotonic()
        end = since + PATIENCE
        while time.monotonic() - since < 0.5 and time.monotonic() < end:
            time.sleep(0.05)
            if (now := self.done(name)) != before:
                before, since = now, time.monotonic()
        return before


@contextlib.contextmanager
def run(kind: Kind, flavour: str) -> Iterator[Running]:
    """A server with the app of a flavour, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [one.format(port=port) for one in kind.command]
    app = f"tests.servers.apps:{flavour}"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    log = tempfile.TemporaryFile()
    process: Any = subprocess.Popen(
        [sys.executable, "-m", *command, app], cwd=ROOT, env=environment, stdout=subprocess.DEVNULL,
        stderr=log, start_new_session=True,
    )  # fmt: skip
    running = Running(kind, flavour, port, Process(process, port, [""]))
    try:
        _until_it_answers(running)
        yield running
    finally:
        pids = running.process.pids
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(3)
        except subprocess.TimeoutExpired:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()
        log.close()


def _until_it_answers(running: Running) -> None:
    end = time.monotonic() + 60
    while True:
        process: Any = running.process.process
        assert process.poll() is None, f"{running.kind.name} has ended"
        assert time.monotonic() < end, f"{running.kind.name} does not answer"
        with contextlib.suppress(OSError, AssertionError):
            assert running.get("/") == b"hello"
            return
        time.sleep(0.1)


def descriptors(pids: list[int]) -> int:
    return sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid in pids)
