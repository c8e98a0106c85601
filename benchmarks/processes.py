"""Starts a server, waits until it answers, measures it, and ends it and its workers only."""

import contextlib
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from benchmarks import machine
from benchmarks.client import wire
from benchmarks.environments import ROOT, Environment
from benchmarks.servers import ServerSpec

START_LIMIT = 25.0  # seconds until a server must answer
STOP_LIMIT = 4.0  # seconds for a server to end by itself


class ServerFailed(Exception):
    """A server did not start, or exited; the message goes into the report."""


def free_port() -> int:
    """A port chosen by the system, on which nothing listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        assert isinstance(port, int)
        return port


class RunningServer:
    """A running server. As a context manager it starts the process, and ends it on exit."""

    def __init__(self, spec: ServerSpec, environment: Environment, cores: machine.Cores) -> None:
        self.spec = spec
        self.environment = environment
        self.cores = cores
        self.port = 0
        self.pids: list[int] = []

    def __enter__(self) -> "RunningServer":
        for attempt in range(3):
            try:
                self._start()
                return self
            except ServerFailed as failure:
                self.stop()
                # Another process may have taken the port after it was chosen.
                if attempt == 2 or "in use" not in str(failure).lower():
                    raise
            except BaseException:
                self.stop()
                raise
        raise AssertionError("unreachable")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        self.port = free_port()
        self.log = tempfile.TemporaryFile()
        root = self.spec.root or ROOT
        # The server inherits these cores.
        machine.run_on(self.cores.every if self.spec.everywhere else self.cores.server)
        try:
            self.process = subprocess.Popen(
                [str(self.environment.python), *self.spec.arguments(self.port)],
                cwd=root,
                env=self.environment.variables(root),
                stdin=subprocess.DEVNULL,
                stdout=self.log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        finally:
            machine.run_on(self.cores.client)
        self._wait_until_it_answers()
        self.pids = machine.session_members(self.process.pid)

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_LIMIT
        while True:
            if self.process.poll() is not None:
                raise ServerFailed(f"exited at the start: {self.last_log_line()}")
            try:
                with wire.connect(self.port, timeout=5.0, tls=self.spec.tls) as connection:
                    connection.sendall(wire.get("/"))
                    status = wire.ResponseReader(connection).response().status
                    if status == 200:
                        return
                    raise ServerFailed(f"the answer to GET / is {status}")
            except (OSError, wire.WrongResponse) as error:
                if time.monotonic() > deadline:
                    raise ServerFailed(f"no answer after {START_LIMIT:.0f} s: {error}") from error
                time.sleep(0.05)

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def last_log_line(self) -> str:
        """The last line of the server's log, without the folders of this machine."""
        self.log.seek(0)
        lines = [line for line in self.log.read().decode(errors="replace").splitlines() if line.strip()]
        line = lines[-1].strip() if lines else "the log is empty"
        for folder in (ROOT, Path.home(), Path(tempfile.gettempdir())):
            line = line.replace(f"{folder}/", "")
        return line[:160]

    def cpu_seconds(self) -> float | None:
        return machine.cpu_seconds(self.pids)

    def waiting_seconds(self) -> float | None:
        return machine.waiting_seconds(self.pids)

    def resident(self) -> int | None:
        return machine.resident(self.pids)

    def stop(self) -> None:
        """Send SIGTERM, then SIGKILL to the remaining processes of the server's session."""
        process = getattr(self, "process", None)
        if process is None:
            return
        members = [pid for pid in machine.session_members(process.pid) if pid != process.pid]
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_LIMIT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        machine.kill_members(process.pid, members)
        self.log.close()
        del self.process


@contextlib.contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """Make SIGTERM and SIGHUP unwind the stack as Ctrl-C does, so that every server is ended."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    names = [signal.SIGTERM, signal.SIGHUP]
    before = [signal.signal(name, interrupt) for name in names]
    try:
        yield
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)
