"""A process that has imported the package, and forks where a test would start an interpreter.

A new interpreter takes 0.4 s of processor time until it has imported what `streamcompat run` needs; a fork
takes 0.02 s. The rule: a fork is a program like one that was started, with arguments, a folder, variables,
files and a `__main__` of its own. What an interpreter reads as it starts (flags, and variables beginning with
PYTHON) is the same for all; a test of those starts an interpreter.

Run as a script this is the server; it imports nothing of the tests, which a program could see.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Self

IMPORTED = (
    "streamcompat.cli.run",
    "streamcompat.cli.exec",
    "streamcompat.mach9_api",
    "streamcompat_engine.drivers.asyncio",
    "trio",
    "uvloop",
)
"""What programs import; each that is not installed is left out."""


class Forked:
    """A program that was forked: as much of a `subprocess.Popen` with text as the tests use.

    Args:
        arguments: `-m`, a module and its arguments, or the path of a script and its arguments.
        stderr: where its standard error goes; a pipe, if it is not given.
    """

    def __init__(
        self, arguments: Sequence[str], *, cwd: Path, env: Mapping[str, str], stderr: IO[str] | None = None
    ) -> None:
        self.args = list(arguments)
        self.returncode: int | None = None
        out, out_end = os.pipe()
        self.stdout: IO[str] = open(out, encoding="utf-8")
        self.stderr: IO[str] | None = None
        ends = [out_end]
        if stderr is None:
            error, error_end = os.pipe()
            self.stderr = open(error, encoding="utf-8")
            ends.append(error_end)
        self._status, status_end = os.pipe()
        ends.append(status_end)
        files = [out_end, ends[1] if stderr is None else stderr.fileno(), status_end]
        try:
            self.pid = _asked({"arguments": self.args, "cwd": str(cwd), "env": dict(env)}, files)
        finally:
            for end in ends:
                os.close(end)

    def poll(self) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None:
            if not select.select([self._status], [], [], timeout)[0]:
                raise subprocess.TimeoutExpired(self.args, timeout or 0)
            status = os.read(self._status, 16)
            os.close(self._status)
            self.returncode = os.waitstatus_to_exitcode(int(status)) if status else -signal.SIGKILL
            assert status, "the server of forks has ended"
        return self.returncode

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stdout.close()
        if self.stderr is not None:
            self.stderr.close()
        self.wait()


def fits(env: Mapping[str, str], base: Mapping[str, str]) -> bool:
    """Whether a program with these variables can be forked by a server that was started with others."""

    def read_at_start(variables: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in variables.items() if name.startswith("PYTHON")}

    return read_at_start(env) == read_at_start(base)


_server: tuple[subprocess.Popen[bytes], socket.socket] | None = None


def start(env: Mapping[str, str]) -> None:
    """Start the server, unless it runs. It ends when this process does."""
    global _server
    if _server is None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, __file__, str(theirs.fileno())]
        # In a folder of no interest: what it imports is found by PYTHONPATH, as in each of its programs.
        process = subprocess.Popen(command, env=dict(env), pass_fds=[theirs.fileno()], cwd=os.sep)
        theirs.close()
        _server = process, ours


def _asked(request: dict[str, Any], files: Sequence[int]) -> int:
    """The process identifier of a new program."""
    assert _server is not None
    control = _server[1]
    body = json.dumps(request).encode()
    socket.send_fds(control, [len(body).to_bytes(4, "big")], files)
    control.sendall(body)
    answer = control.recv(4, socket.MSG_WAITALL)
    assert len(answer) == 4, "the server of forks has ended"
    return int.from_bytes(answer, "big")


# ---- the server ----


def _serve(control: socket.socket) -> dict[str, Any] | None:
    """Fork for each request until nobody can ask. Returns in each new process, with its request."""
    woken, wakes = os.pipe()
    for end in (woken, wakes):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    statuses: dict[int, int] = {}
    while True:
        readable, _, _ = select.select([control, woken], [], [])
        if woken in readable:
            os.read(woken, 1024)
            _report(statuses)
        if control not in readable:
            continue
        length, files, _, _ = socket.recv_fds(control, 4, 3)
        if len(length) < 4:
            return None
        request: dict[str, Any] = json.loads(_received(control, int.from_bytes(length, "big")))
        pid = os.fork()
        if not pid:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            os.dup2(files[0], 1)
            os.dup2(files[1], 2)
            for file in (control.detach(), woken, wakes, *files, *statuses.values()):
                os.close(file)
            return request
        statuses[pid] = files.pop()
        for file in files:
            os.close(file)
        control.sendall(pid.to_bytes(4, "big"))


def _received(control: socket.socket, size: int) -> bytes:
    """So many bytes, by as many reads as it takes: a signal ends a read of all of them early."""
    data = b""
    while len(data) < size and (piece := control.recv(size - len(data))):
        data += piece
    return data


def _report(statuses: dict[int, int]) -> None:
    """Tell of each program that has ended."""
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            file = statuses.pop(ended[0])
            with contextlib.suppress(BrokenPipeError):
                os.write(file, str(ended[1]).encode())
            os.close(file)


def _carry_out(request: dict[str, Any]) -> None:
    """Be the program."""
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["env"])
    time.tzset()
    what, *arguments = request["arguments"]
    if what == "-m":
        what, *arguments = arguments
        sys.argv[:] = [what, *arguments]
        sys.path[0] = os.getcwd()
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.argv[:] = [what, *arguments]
        sys.path[0] = str(Path(what).parent)
        runpy.run_path(what, run_name="__main__")


if __name__ == "__main__":
    for name in IMPORTED:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.collect()
    gc.freeze()
    control = socket.socket(fileno=int(sys.argv[1]))
    try:
        asked = _serve(control)
    except KeyboardInterrupt:  # Ctrl-C ends the tests, and all that they have started
        asked = None
    if asked is not None:
        _carry_out(asked)
    control.close()
