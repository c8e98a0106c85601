"""Serves an app in a process of its own, at an address on this machine.

The rule: the process gets a socket that listens already, so that its address is known at once, nothing that
it prints matters, and a request waits until it serves. It ends with the block.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Final

from streamcompat.serving.targets import TargetError
from streamcompat.testing.remote.client import NoResponse, Unreachable

STOP: Final = 10.0
"""Seconds that a process has to end once it was told to; then it is killed."""
_TODAYS: Final = Path(__file__).with_name("todays_server.py")


@contextlib.contextmanager
def served(target: str, alias: bool) -> Iterator[str]:
    """The URL at which `streamcompat run` serves an app.

    Args:
        alias: `import sanic` and `import mach9` find the facades, also where the real ones are installed.
    Raises: TargetError: it ends without an answer.
    """
    command = [sys.executable, "-m", "streamcompat", "run", target, "--workers", "1"]
    with _process([*command, *(["--force-alias"] if alias else []), "--fd"], target) as url:
        yield url


@contextlib.contextmanager
def served_today(target: str, python: str) -> Iterator[str]:
    """The URL at which the real Sanic serves an app, by its own server.

    Args:
        python: the Python in whose environment Sanic is installed.
    Raises: TargetError: there is no such Python, or the app ends without an answer.
    """
    # As a text, so that nothing of streamcompat's is beside it.
    with _process([python, "-c", _TODAYS.read_text(), target], target) as url:
        yield url


@contextlib.contextmanager
def _process(command: Sequence[str], target: str) -> Iterator[str]:
    with tempfile.TemporaryFile() as said, contextlib.ExitStack() as stack:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            number = listener.fileno()
            try:
                process = subprocess.Popen(
                    [*command, str(number)],
                    pass_fds=[number],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                )
            except OSError as error:
                raise TargetError(f"cannot start {command[0]}: {error.strerror}") from error
            stack.callback(_stop, process)
            port = listener.getsockname()[1]
        try:
            yield f"http://127.0.0.1:{port}"
        except (NoResponse, Unreachable) as error:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP)
                raise TargetError(f"cannot serve {target}: {_last_line(said)}") from error
            raise


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _last_line(said: IO[bytes]) -> str:
    said.seek(0)
    lines = said.read().decode(errors="replace").strip().splitlines()
    return lines[-1].removeprefix("streamcompat: ") if lines else "it ended without a word"
