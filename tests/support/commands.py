"""The ways to start a process: a command that ends, `streamcompat run`, or a program that serves.

Readiness is an event, never a sleep: the test continues once the server has printed its address.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TextIO

from streamcompat.cli.command import main
from tests.support import forks
from tests.support.clients import PATIENCE, Client, connect, parse_address

ROOT = Path(__file__).resolve().parent.parent.parent
Process = subprocess.Popen[str] | forks.Forked


@dataclass
class Command:
    """A running `streamcompat run`.

    Attributes:
        url: the address, such as `http://127.0.0.1:40123`; empty on a Unix socket.
        said: its standard output up to the line with the address.
        output: the later lines of its standard output; complete once the process has ended.
        errors: the lines of its standard error; complete once the process has ended.
    """

    process: Process
    url: str
    said: str
    output: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


def environment() -> dict[str, str]:
    """The environment for a child that imports this tree, writes UTF-8 and does not buffer its output."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "engine")])
    return {
        **os.environ,
        "PYTHONPATH": paths,
        "PYTHONUNBUFFERED": "1",
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": "default",
    }


def run_python(
    *arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None, stderr: IO[str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS`, which must end by itself.

    Args:
        env: variables in addition to `environment()`.
        stderr: where its standard error goes, if it is not kept.
    """
    with start_python(*arguments, cwd=cwd, env=env, stderr=stderr) as process:
        watchdog = threading.Timer(PATIENCE * 3, process.kill)
        watchdog.start()
        try:
            assert process.stdout is not None
            with ThreadPoolExecutor(1) as other:
                errors = other.submit(process.stderr.read if process.stderr is not None else str)
                output = process.stdout.read()
            return subprocess.CompletedProcess(arguments, process.wait(PATIENCE), output, errors.result())
        finally:
            watchdog.cancel()


def start_python(
    *arguments: str,
    cwd: Path,
    env: dict[str, str] | None = None,
    stderr: IO[str] | None = None,
    forked: bool = True,
) -> Process:
    """Start `python ARGUMENTS` with pipes for what it says; by a fork, where that is the same."""
    variables = {**environment(), **(env or {})}
    is_ours = arguments[:2] == ("-m", "streamcompat") or arguments[0].endswith(".py")
    if forked and is_ours and forks.fits(variables, environment()):
        forks.start(environment())
        return forks.Forked(arguments, cwd=cwd, env=variables, stderr=stderr)
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=cwd,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if stderr is None else stderr,
        text=True,
    )


def run_here(*arguments: str, cwd: Path, output: TextIO | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command line of `streamcompat` that ends before it serves in this process, which starts no other.

    Args:
        cwd: its current folder, outside of this tree; what it imports from there is forgotten again.
        output: where its standard output goes, if it is not kept.
    """
    assert not ROOT.is_relative_to(cwd)
    out, errors = io.StringIO(), io.StringIO()
    path, known = list(sys.path), set(sys.modules)
    with contextlib.chdir(cwd), contextlib.redirect_stdout(output or out), contextlib.redirect_stderr(errors):
        try:
            status = main(arguments)
        except SystemExit as ended:
            status = int(ended.code or 0)
        finally:
            sys.path[:] = path
            for name in sys.modules.keys() - known:
                if Path(getattr(sys.modules[name], "__file__", None) or ROOT).is_relative_to(cwd):
                    del sys.modules[name]
    return subprocess.CompletedProcess(arguments, status, out.getvalue(), errors.getvalue())


@contextmanager
def serve_command(
    *arguments: str,
    cwd: Path = ROOT,
    env: dict[str, str] | None = None,
    verb: str = "run",
    most: float = PATIENCE * 3,
    stderr: IO[str] | None = None,
) -> Iterator[Command]:
    """Run `python -m streamcompat run ARGUMENTS` as a child until the block ends; it must exit with status 0.

    Args:
        arguments: those after `run`; `--port 0` is added unless they contain `--port` or `--uds`.
        cwd: its current folder.
        env: variables in addition to `environment()`.
        verb: the command, in place of `run`.
        most: seconds after which it is killed, since it hangs.
        stderr: where its standard error goes, if it is not kept.

    Raises:
        AssertionError: it ended or hung before it listened, or its exit status was not 0.
    """
    line = ["-m", "streamcompat", verb, *arguments]
    if not {"--port", "--uds"} & set(arguments):
        line += ["--port", "0"]
    process = start_python(*line, cwd=cwd, env=env, stderr=stderr)
    errors: list[str] = []
    # Both pipes are read all the time, so that a child with much output never blocks on them.
    error_reader = threading.Thread(target=lambda: errors.extend(process.stderr or ()))
    error_reader.start()
    watchdog = threading.Timer(most, process.kill)
    watchdog.start()
    said = ""
    try:
        assert process.stdout is not None
        for text in process.stdout:
            said += text
            if "listening on" in text:
                break
        else:
            error_reader.join(PATIENCE)
            raise AssertionError(f"it ended with {process.wait(PATIENCE)}: {said}{''.join(errors)}")
        found = re.search(r"listening on (http://\S+:\d+)", said)
        command = Command(process, found[1] if found else "", said, errors=errors)
        rest = threading.Thread(target=lambda: command.output.extend(process.stdout or ()))
        rest.start()
        yield command
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        status = process.wait(PATIENCE)
        rest.join(PATIENCE)
        error_reader.join(PATIENCE)
        assert status == 0, f"ended with {status}: {''.join(errors)}"
    finally:
        watchdog.cancel()
        process.kill()
        process.wait(PATIENCE)
        error_reader.join(PATIENCE)
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


@dataclass
class Program:
    """A server in another process; the first line that it prints is its address."""

    process: Process
    address: tuple[int, Any]
    _error_file: Path

    def line(self) -> str:
        """The next line of its output, without the line break; empty once the process has ended."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def errors(self) -> str:
        """Everything that it has written to its standard error."""
        return self._error_file.read_text()

    def connect(self, receive_buffer: int | None = None) -> Client:
        """A new connection; see `clients.connect`."""
        return connect(*self.address, receive_buffer)


@contextmanager
def serve_program(folder: Path, source: str, *arguments: str, forked: bool = True) -> Iterator[Program]:
    """Run a program that serves and prints its address as the first line.

    Args:
        folder: the folder for its files.
        forked: it may find the package imported; not one that changes what can be imported first.
    """
    path, errors = folder / "program.py", folder / "errors"
    path.write_text(source)
    with (
        errors.open("w") as error_file,
        start_python(str(path), *arguments, cwd=ROOT, stderr=error_file, forked=forked) as process,
    ):
        # A read of its output has no timeout, so a watchdog kills a process that hangs.
        watchdog = threading.Timer(4 * PATIENCE, process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            assert url, errors.read_text()
            yield Program(process, parse_address(url), errors)
        finally:
            watchdog.cancel()
            process.kill()
            process.wait(PATIENCE)
