"""`streamcompat run --reload`: serve the new code once a file was saved.

The rule: the sockets belong to this process, and another one serves on them. So a connection that comes while
that is replaced waits, and is not refused. What does not compile replaces nothing.
"""

from __future__ import annotations

import contextlib
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path
from types import FrameType
from typing import Final

from streamcompat.cli.command_options import CommandOptions
from streamcompat.cli.errors import CommandError
from streamcompat_engine import ServerConfig, bound_sockets

_STEP: Final = 20
"""Milliseconds without a further change after which a change counts."""
_DEBOUNCE: Final = 200
"""Milliseconds after which it counts in any case."""
_LOOK: Final = 250
"""Milliseconds between two looks at the process that serves."""
_PATIENCE: Final = (0.3, 3.0)
"""Seconds that it has to end after the first request to stop, and after the second."""


def serve(command: CommandOptions, argv: Sequence[str], config: ServerConfig, inherited: bool) -> int:
    """Serves until SIGINT or SIGTERM; returns the exit status.

    Args:
        argv: the arguments after `run`.
        config: where to listen.
        inherited: the sockets are descriptors of this process that `argv` names already.
    Raises: CommandError: watchfiles is not installed, or a folder does not exist. OSError: as of
        `bound_sockets`.
    """
    try:
        from watchfiles import DefaultFilter, watch
    except ImportError as error:
        raise CommandError("--reload needs watchfiles: pip install 'streamcompat[reload]'") from error
    folders = list(command.reload_dir) or [".", *([command.app_dir] if command.app_dir else [])]
    for folder in folders:
        if not Path(folder).is_dir():
            raise CommandError(f"--reload-dir {folder}: there is no such folder")
    usual = DefaultFilter()
    matches = _matcher(command.reload_include or ("*.py",), command.reload_exclude)
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    with bound_sockets(config) as sockets, _handling(on_signal):
        served = _Served([*argv, "--no-reload"], sockets, not inherited)
        served.start()
        try:
            for changes in watch(
                *folders,
                watch_filter=lambda change, path: usual(change, path) and matches(path),
                step=_STEP,
                debounce=_DEBOUNCE,
                rust_timeout=_LOOK,
                yield_on_timeout=True,
                stop_event=stop,
                raise_interrupt=False,
            ):
                if changes and _compile({path for _, path in changes}):
                    served.stop()
                    served.start()
                elif (status := served.ended()) is not None:
                    if status == 0:
                        return 0
                    _say("waiting for a file to be saved")
        finally:
            served.stop()
    return 0


class _Served:
    """The process that serves."""

    def __init__(self, argv: Sequence[str], sockets: Sequence[socket.socket], named: bool) -> None:
        self._numbers = [sock.fileno() for sock in sockets]
        given = [f"--fd={number}" for number in self._numbers] if named else []
        self._command = [sys.executable, "-m", "streamcompat", "run", *argv, *given]
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(self._command, pass_fds=self._numbers)

    def ended(self) -> int | None:
        """The exit status, told once; `None` while it serves."""
        status = None if self._process is None else self._process.poll()
        if status is not None:
            self._process = None
        return status

    def stop(self) -> None:
        """Ends it; requests that run have a moment."""
        process, self._process = self._process, None
        if process is None:
            return
        for seconds in _PATIENCE:
            process.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(seconds)
                return
        process.kill()
        process.wait()


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """SIGINT and SIGTERM are handled within the context."""
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


def _matcher(include: Sequence[str], exclude: Sequence[str]) -> Callable[[str], bool]:
    """Whether a path, or the name of its file, has one of the patterns."""

    def one_of(path: Path, patterns: Sequence[str]) -> bool:
        return any(fnmatch(path.name, one) or path.match(one) or fnmatch(str(path), one) for one in patterns)

    return lambda text: one_of(Path(text), include) and not one_of(Path(text), exclude)


def _compile(paths: set[str]) -> bool:
    """Whether the changed files compile; says of one that does not where its error is."""
    for path in sorted(paths):
        if not path.endswith(".py"):
            continue
        try:
            compile(Path(path).read_bytes(), path, "exec")
        except (SyntaxError, ValueError) as error:
            line = f":{error.lineno}" if isinstance(error, SyntaxError) else ""
            what = error.msg if isinstance(error, SyntaxError) else str(error)
            _say(f"{path}{line}: {what}; the previous code goes on serving")
            return False
        except OSError:
            continue  # it was removed
    return True


def _say(line: str) -> None:
    print(f"streamcompat: {line}", file=sys.stderr, flush=True)
