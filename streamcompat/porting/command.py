"""The command `streamcompat port`: reads files, ports them together, and shows, checks or writes the result.

The rule: a file is written completely or not at all: a new file beside the old one replaces it by a rename.
"""

from __future__ import annotations

import contextlib
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
from streamcompat.porting.files import python_files
from streamcompat.porting.model import FileFacts
from streamcompat.porting.project import Analysis, Ported, Result, analyse_one, port

CHANGES = 1
FAILED = 3
STDIN = "-"
_MANY = 40
"""Number of files from which the command uses several processes and shows a progress bar."""


def run(paths: Sequence[str], *, origin: str, mode: str, form: str) -> int:
    """Run the command.

    Args:
        paths: files and folders, or `-` alone for standard input.
        origin: `auto` for files that import Sanic, `sanic` for every file with a `request`.
        mode: `diff`, `check` or `write`.
        form: the format of the report: `text`, `json` or `github`.

    Returns:
        0; 1 if `check` finds something to port; 3 if a file cannot be read or parsed.
    """
    if list(paths) == [STDIN]:
        sources = {"<stdin>": sys.stdin.buffer.read()}
        failed: list[str] = []
    else:
        sources, failed = _read(paths)
        if not sources and not failed:
            where = ", ".join(paths)
            sys.stderr.write(
                f"streamcompat: found no Python files in {where}, apart from what .gitignore excludes\n"
            )
    with _runner(len(sources)) as runner:
        result = port(sources, runner, sanic=origin == "sanic")
    changed = [file for file in result.files if file.before != file.after]
    if list(paths) == [STDIN] and mode == "write":
        sys.stdout.buffer.write(result.files[0].after)
        sys.stdout.buffer.flush()
    elif mode == "write":
        failed += [fault for file in changed if (fault := _write(file)) is not None]
    _show(result, mode, form, is_filter=list(paths) == [STDIN] and mode == "write")
    for fault in failed:
        sys.stderr.write(f"streamcompat: {fault}\n")
    if failed or any(file.error is not None for file in result.files):
        return FAILED
    return CHANGES if mode == "check" and changed else 0


def _show(result: Result, mode: str, form: str, is_filter: bool) -> None:
    changed = [file for file in result.files if file.before != file.after]
    if form == "json":
        text = report.as_json(result, with_diff=mode == "diff")
    else:
        text = report.REPORTS[form](result)
        if mode == "diff":
            sys.stdout.write("".join(map(report.diff, changed)))
        else:
            said = "would be ported" if mode == "check" else "ported"
            text = "".join(f"{said}: {file.path}\n" for file in changed) + text
    # Standard output carries only the diff, so that `patch` can read it.
    sys.stdout.flush()
    (sys.stderr if is_filter or (form == "text" and mode == "diff") else sys.stdout).write(text)


def _read(paths: Sequence[str]) -> tuple[dict[str, bytes], list[str]]:
    sources: dict[str, bytes] = {}
    failed: list[str] = []
    for given in paths:
        try:
            for path in python_files([Path(given)]):
                sources[str(path)] = path.read_bytes()
        except FileNotFoundError as error:
            failed.append(f"{error.filename or given} does not exist")
        except OSError as error:
            failed.append(f"cannot read {error.filename or given}: {error.strerror}")
    return sources, failed


def _write(file: Ported) -> str | None:
    path = Path(file.path)
    place = None
    try:
        mode = path.stat().st_mode
        target = path.resolve()
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{path.name}.", delete=False) as new:
            place = new.name
            new.write(file.after)
        os.chmod(place, mode)
        os.replace(place, target)
    except OSError as error:
        if place is not None:
            with contextlib.suppress(OSError):
                os.unlink(place)
        return f"cannot write {file.path}: {error.strerror}"
    return None


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
