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
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from streamcompat.cli.command import main
from tests.support.clients import PATIENCE, Client, connect, parse_address

ROOT = Path(__file__).resolve().parent.parent.parent


@dataclass
class Command:
    """A running `streamcompat run`.

    Attributes:
        url: the address, such as `http://127.0.0.1:40123`; empty on a Unix socket.
        said: its standard output up to the line with the address.
        output: the later lines of its standard output; complete once the process has ended.
        errors: the lines of its standard error; complete once the process has ended.
    """

    process: subprocess.Popen[str]
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
    *arguments: str, cwd: Path = ROOT, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS`, which must end by itself.

    Args:
        env: variables in addition to `environment()`.
    """
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**environment(), **(env or {})},
        capture_output=True,
        text=True,
        timeout=PATIENCE * 3,
        check=False,
    )


def run_here(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Run a command line of `streamcompat` that ends before it serves in this process, which starts no other.

    Args:
        cwd: its current folder, outside of this tree; what it imports from there is forgotten again.
    """
    assert not ROOT.is_relative_to(cwd)
    out, errors = io.StringIO(), io.StringIO()
    path, known = list(sys.path), set(sys.modules)
    with contextlib.chdir(cwd), contextlib.redirect_stdout(out), contextlib.redirect_stderr(errors):
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
) -> Iterator[Command]:
    """Run `python -m streamcompat run ARGUMENTS` as a child until the block ends; it must exit with status 0.

    Args:
        arguments: those after `run`; `--port 0` is added unless they contain `--port` or `--uds`.
        cwd: its current folder.
        env: variables in addition to `environment()`.
        verb: the command, in place of `run`.
        most: seconds after which it is killed, since it hangs.

    Raises:
        AssertionError: it ended or hung before it listened, or its exit status was not 0.
    """
    line = [sys.executable, "-m", "streamcompat", verb, *arguments]
    if not {"--port", "--uds"} & set(arguments):
        line += ["--port", "0"]
    process = subprocess.Popen(
        line,
        cwd=cwd,
        env={**environment(), **(env or {})},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
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

    process: subprocess.Popen[str]
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
def serve_program(folder: Path, source: str, *arguments: str) -> Iterator[Program]:
    """Run a program that serves and prints its address as the first line.

    Args:
        folder: the folder for its files.
    """
    path, errors = folder / "program.py", folder / "errors"
    path.write_text(source)
    with (
        errors.open("w") as error_file,
        subprocess.Popen(
            [sys.executable, str(path), *arguments],
            stdout=subprocess.PIPE,
            stderr=error_file,
            text=True,
            env=environment(),
        ) as process,
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
