"""`streamcompat run --reload`: serve the new code once a file was saved.

The rule: the sockets belong to this process, and a fork of it serves on them. So a connection that comes
while that is replaced waits, and is not refused; and since this process has imported the whole library and
nothing of the app, a fork need only import the app. What does not compile replaces nothing. The folders are
watched by a process of its own, because watchfiles has threads, with which a process cannot safely fork.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import mmap
import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from types import FrameType
from typing import Final, Never

from streamcompat.cli.command_options import CommandOptions
from streamcompat.cli.errors import CommandError, say
from streamcompat_engine import ServerConfig, bound_sockets

_STEP: Final = 20
"""Milliseconds without a further change after which a change counts."""
_DEBOUNCE: Final = 200
"""Milliseconds after which it counts in any case."""
_LOOK: Final = 0.25
"""Seconds between two looks at the process that serves."""
_TICK: Final = 50
"""Milliseconds after which the process that watches says that it does, and looks at its parent again."""
_PATIENCE: Final = (0.3, 3.0)
"""Seconds that it has to end after the first request to stop, and after the second."""
_PAUSE: Final = 0.005
"""Seconds between two looks while it ends."""
_OF_DRIVERS: Final = {
    "asyncio": ("uvloop", "anyio._backends._asyncio"),
    "trio": ("trio", "anyio._backends._trio"),
}
"""What a server imports when it starts, by driver; imported before the fork, where it is installed."""
_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@dataclass(frozen=True, slots=True)
class Rerun:
    """What the process that serves is to do.

    Attributes:
        carry_out: a command line of `streamcompat`; returns the exit status.
        argv: the arguments after `run`.
        of_file: the variables that the file of variables has set; it is read again.
        driver: see `RunOptions`.
    """

    carry_out: Callable[[Sequence[str]], int]
    argv: Sequence[str]
    of_file: Sequence[str]
    driver: str


def checked(command: CommandOptions) -> list[str]:
    """The folders to watch.

    Raises: CommandError: watchfiles is not installed, or a folder does not exist.
    """
    try:
        importlib.import_module("watchfiles")
    except ImportError as error:
        raise CommandError("--reload needs watchfiles: pip install 'streamcompat[reload]'") from error
    folders = list(command.reload_dir) or [".", *([command.app_dir] if command.app_dir else [])]
    for folder in folders:
        if not Path(folder).is_dir():
            raise CommandError(f"--reload-dir {folder}: there is no such folder")
    return folders


def serve(command: CommandOptions, again: Rerun, config: ServerConfig, inherited: bool) -> int:
    """Serves until SIGINT or SIGTERM; returns the exit status.

    Args:
        config: where to listen.
        inherited: the sockets are descriptors of this process that `argv` names already.
    Raises: CommandError: as of `checked`, or the folders cannot be watched. OSError: as of `bound_sockets`.
    """
    folders = checked(command)
    for name in _OF_DRIVERS["trio" if again.driver == "trio" else "asyncio"]:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    stop: list[int] = []
    with contextlib.ExitStack() as stack:
        served = _Served()
        watcher = stack.enter_context(_watching(folders, command, served))
        sockets = stack.enter_context(bound_sockets(config))
        stack.enter_context(_handling(lambda number, frame: stop.append(number)))
        stack.callback(served.stop)
        if not _supervise(served, watcher, stop):
            return 0
        parents = stack.pop_all()  # this is the fork, and what is on the stack is not its to end
    numbers = [] if inherited else [f"--fd={sock.detach()}" for sock in sockets]
    for name in again.of_file:
        os.environ.pop(name, None)
    try:
        # No load balancer has to learn of a restart after a save.
        words = ["--drain=0", *_before_dashes(again.argv, ["--no-reload", *numbers])]
        return again.carry_out(["run", *words])
    finally:
        parents.pop_all()


def _before_dashes(argv: Sequence[str], more: Sequence[str]) -> list[str]:
    """The arguments with more options, which do not stand behind `--`."""
    place = argv.index("--") if "--" in argv else len(argv)
    return [*argv[:place], *more, *argv[place:]]


def _supervise(served: _Served, watcher: int, stop: Sequence[int]) -> bool:
    """Replaces the process that serves when files change, until it ends by itself or a signal comes.

    Returns: whether this is a fork, which is to serve.
    """
    os.read(watcher, 65536)  # so that nothing is saved unseen once the code is imported
    if served.start():
        return True
    waiting = b""
    while not stop:
        if not select.select([watcher], [], [], _LOOK)[0]:
            if (status := served.ended()) is not None:
                if status == 0:
                    return False
                say("waiting for a file to be saved")
            continue
        if not (data := os.read(watcher, 65536)):
            raise CommandError("--reload: the process that watches the files has ended")
        *lines, waiting = (waiting + data).split(b"\n")
        changed = {path for line in lines for path in json.loads(line)}
        if changed and _compile(changed):
            served.stop()
            if served.start():
                return True
    return False


class _Served:
    """The process that serves. Its number is in memory that forks of this process share."""

    def __init__(self) -> None:
        self._shared = mmap.mmap(-1, 8)

    @property
    def _pid(self) -> int | None:
        return int.from_bytes(self._shared[:8], "big") or None

    @_pid.setter
    def _pid(self, pid: int | None) -> None:
        self._shared[:8] = (pid or 0).to_bytes(8, "big")

    def end_orphan(self) -> None:
        """Asks it to stop, from another process than its parent, which is dead."""
        if (pid := self._pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)

    def start(self) -> bool:
        """Forks it; returns whether this is the fork."""
        sys.stdout.flush()
        sys.stderr.flush()
        # Blocked until the fork has handlers of its own: those of its parent only note the signal.
        signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)
        try:
            pid = os.fork()
            if pid == 0:
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                return True
        finally:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _SIGNALS)
        self._pid = pid
        return False

    def ended(self) -> int | None:
        """The exit status, told once; `None` while it serves."""
        if self._pid is None:
            return None
        pid, status = os.waitpid(self._pid, os.WNOHANG)
        if not pid:
            return None
        self._pid = None
        return os.waitstatus_to_exitcode(status)

    def stop(self) -> None:
        """Ends it; requests that run have a moment."""
        for seconds in _PATIENCE:
            if self._pid is None:
                return
            os.kill(self._pid, signal.SIGTERM)
            end = time.monotonic() + seconds
            while self.ended() is None and self._pid is not None and time.monotonic() < end:
                time.sleep(_PAUSE)
        if self._pid is not None:
            os.kill(self._pid, signal.SIGKILL)
            os.waitpid(self._pid, 0)
            self._pid = None


@contextlib.contextmanager
def _watching(folders: Sequence[str], command: CommandOptions, served: _Served) -> Iterator[int]:
    """A process that watches the folders; for each change the descriptor has a line, a JSON list of paths."""
    reads, writes = os.pipe()
    parent = os.getpid()
    pid = os.fork()
    if pid == 0:
        os.close(reads)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: it is our parent that ends us
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        _watch(folders, command, served, writes, parent)
    os.close(writes)
    try:
        yield reads
    finally:
        if os.getpid() == parent:  # its fork ends this generator as well
            os.close(reads)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def _watch(
    folders: Sequence[str], command: CommandOptions, served: _Served, writes: int, parent: int
) -> Never:
    try:
        from watchfiles import DefaultFilter, watch

        usual = DefaultFilter()
        matches = _matcher(command.reload_include or ("*.py",), command.reload_exclude)
        began = False
        for changes in watch(
            *folders,
            watch_filter=lambda change, path: usual(change, path) and matches(path),
            step=_STEP,
            debounce=_DEBOUNCE,
            rust_timeout=_TICK,
            yield_on_timeout=True,
            raise_interrupt=False,
        ):
            if os.getppid() != parent:
                served.end_orphan()
                break
            if changes or not began:
                began = True
                os.write(writes, json.dumps(sorted({path for _, path in changes})).encode() + b"\n")
    except Exception as error:  # such as a limit of the system on what may be watched
        say(f"cannot watch {', '.join(folders)}: {error}")
    finally:
        os._exit(1)


@contextlib.contextmanager
def _handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """SIGINT and SIGTERM are handled within the context."""
    before = {number: signal.signal(number, handler) for number in _SIGNALS}
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
            say(f"{path}{line}: {what}; the previous code goes on serving")
            return False
        except OSError:
            continue  # it was removed
    return True
