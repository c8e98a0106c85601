"""The command `streamcompat port`: reads files, ports them together, and shows, checks or writes the result.

The rule: files are written completely or not at all, and all of them or none.
"""

from __future__ import annotations

import contextlib
import errno
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import Progress

from streamcompat.porting import report
from streamcompat.porting.files import NOTEBOOK, python_files
from streamcompat.porting.model import FileFacts
from streamcompat.porting.project import Analysis, Ported, Result, analyse_one, port
from streamcompat.porting.settings import SettingsError, settings_of

CHANGES = 1
USAGE = 2
FAILED = 3
UNKNOWN = 4
STDIN = "-"
_MANY = 40
"""Number of files from which the command uses several processes and shows a progress bar."""


def run(
    paths: Sequence[str], *, origin: str, mode: str, form: str, statistics: bool = False, to: str = "mach9"
) -> int:
    """Run the command.

    Args:
        paths: files and folders, or `-` alone for standard input.
        origin: `auto` for files that import Sanic, `sanic` for every file with a `request`.
        mode: `diff`, `check` or `write`.
        form: the format of the report: `text`, `json` or `github`.
        statistics: also count the findings by their reason.
        to: `mach9`, or `sanic` for today's Sanic.

    Returns:
        0; 1 if `check` finds something to port; 2 for wrong settings; 3 if a file cannot be read, parsed or
        written; 4 if `check` or `write` changes something and something is unknown.
    """
    is_filter = list(paths) == [STDIN]
    if is_filter:
        sources = {"<stdin>": sys.stdin.buffer.read()}
        failed: list[str] = []
    else:
        try:
            sources, failed = _read(paths)
        except SettingsError as error:
            sys.stderr.write(f"streamcompat: {error}\n")
            return USAGE
        if not sources and not failed:
            where = ", ".join(paths)
            sys.stderr.write(
                f"streamcompat: found no Python files in {where}, apart from what .gitignore excludes\n"
            )
    with _runner(len(sources)) as runner:
        result = port(sources, runner, sanic=origin == "sanic", to=to)
    changed = [file for file in result.files if file.before != file.after]
    if is_filter and mode == "write":
        sys.stdout.buffer.write(result.files[0].after)
        sys.stdout.buffer.flush()
    elif mode == "write":
        refused = write(changed)
        failed += refused
        changed = [] if refused else changed
    for fault in failed:
        sys.stderr.write(f"streamcompat: {fault}\n")
    _show(result, changed, mode, form, is_filter and mode == "write", statistics)
    if failed or any(file.error is not None and file.concerned for file in result.files):
        return FAILED
    if not changed or mode == "diff":
        return 0
    if any(one.kind == "unknown" for file in result.files for one in file.findings):
        return UNKNOWN
    return CHANGES if mode == "check" else 0


def _show(
    result: Result, changed: Sequence[Ported], mode: str, form: str, is_filter: bool, statistics: bool
) -> None:
    if form == "json":
        text = report.as_json(result, with_diff=mode == "diff")
    else:
        text = report.REPORTS[form](result)
        if mode == "diff":
            report.show_diff(changed)
        else:
            said = "would be ported" if mode == "check" else "ported"
            text = "".join(f"{said}: {file.path}\n" for file in changed) + text
        if statistics:
            text += report.statistics(result)
    # Standard output carries only the diff, so that `patch` can read it.
    sys.stdout.flush()
    (sys.stderr if is_filter or (form == "text" and mode == "diff") else sys.stdout).write(text)


def _read(paths: Sequence[str]) -> tuple[dict[str, bytes], list[str]]:
    sources: dict[str, bytes] = {}
    failed: list[str] = []
    for given in paths:
        settings = settings_of(Path(given) if Path(given).is_dir() else Path(given).parent)
        try:
            for path in python_files([Path(given)]):
                if settings is not None and settings.excludes(path):
                    continue
                if path.suffix == NOTEBOOK:
                    sys.stderr.write(f"streamcompat: {path} is a notebook, and notebooks are not ported\n")
                else:
                    sources[str(path)] = path.read_bytes()
        except FileNotFoundError as error:
            failed.append(f"{error.filename or given} does not exist")
        except OSError as error:
            failed.append(f"cannot read {error.filename or given}: {error.strerror}")
    return sources, failed


def write(files: Sequence[Ported]) -> list[str]:
    """Write the files, all or none: each new one is made beside the old one first, and then replaces it.

    Returns: why nothing was written.
    """
    made: list[tuple[Ported, Path, str]] = []
    replaced: list[tuple[Ported, Path]] = []
    for file in files:
        try:
            target = Path(file.path).resolve()
            if not os.access(target, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            made.append((file, target, _beside(target, file.after)))
        except OSError as error:
            _drop(place for _, _, place in made)
            return [f"cannot write {file.path}: {error.strerror}", *_nothing(files)]
    for file, target, place in made:
        try:
            os.replace(place, target)
        except OSError as error:
            _drop(place for _, _, place in made)
            for earlier, path in replaced:
                os.replace(_beside(path, earlier.before), path)
            return [f"cannot write {file.path}: {error.strerror}", *_nothing(files)]
        replaced.append((file, target))
    return []


def _nothing(files: Sequence[Ported]) -> list[str]:
    return ["nothing was written, so that no app is ported in half"] if len(files) > 1 else []


def _beside(target: Path, data: bytes) -> str:
    """A file with the new content and the old one's mode, in the same folder."""
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as new:
        new.write(data)
    os.chmod(new.name, target.stat().st_mode)
    return new.name


def _drop(places: Iterable[str]) -> None:
    for place in places:
        with contextlib.suppress(OSError):
            os.unlink(place)


@contextlib.contextmanager
def _runner(count: int) -> Iterator[Callable[[Iterable[Analysis]], Iterable[FileFacts]]]:
    """A `map` for the analysis: in this process for a few files, in a pool with a progress bar for many."""
    if count < _MANY:
        yield lambda work: map(analyse_one, work)
        return
    console = Console(stderr=True)
    with (
        ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):

        def mapped(work: Iterable[Analysis]) -> Iterator[FileFacts]:
            items = list(work)
            return iter(
                progress.track(pool.map(analyse_one, items, chunksize=8), len(items), description="reading")
            )

        yield mapped
