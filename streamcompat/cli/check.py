"""`streamcompat check`: whether a project would run, from its source alone."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streamcompat.cli.errors import CommandError

if TYPE_CHECKING:
    from streamcompat.checking.judge import Judged, Kind

DESCRIPTION: Final = """\
Does it run my app? Read a project without running it, and say which names of
Sanic, Mach9 and old Pythons it uses that are here, differ, need an option, or
are missing, and what to type.
"""
EXAMPLES: Final = """\
examples:
  streamcompat check .                     a project
  streamcompat check shop/web.py           a file
  streamcompat check . --report json       for another program

exit status: 0 it can run with what is said to be typed, 1 something is missing or
cannot be parsed, so that it has to be edited, 2 usage, 3 a file cannot be read
"""
_LABELS: Final[Mapping[Kind, str]] = {
    "broken": "cannot be parsed",
    "missing": "missing",
    "option": "needs an option",
    "install": "needs a package",
    "differs": "differs",
    "unknown": "unknown",
}
_TO_EDIT: Final = ("broken", "missing")


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "check",
        help="say whether an old app would run, and what to type",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        type=Path,
        help="files and folders of one project, without files that a .gitignore excludes",
    )
    parser.add_argument("--report", choices=("text", "json"), default="text", help="(default: text)")
    parser.set_defaults(carry_out=_check, traceback=False)


def _check(options: argparse.Namespace) -> int:
    try:
        from streamcompat.porting.files import NOTEBOOK, python_files
    except ModuleNotFoundError as error:
        raise CommandError(f"this needs {error.name}: pip install 'streamcompat[porting]'") from error
    from streamcompat.checking import advice, judge, scan

    paths: list[Path] = options.paths
    try:
        files = [
            scan.scan(str(path), path.read_bytes()) for path in python_files(paths) if path.suffix != NOTEBOOK
        ]
        release = advice.pinned([path if path.is_dir() else path.parent for path in paths])
    except FileNotFoundError as error:
        raise CommandError(f"{error.filename or error} does not exist") from error
    except OSError as error:
        raise CommandError(f"cannot read {error.filename}: {error.strerror}") from error
    if not files:
        raise CommandError(f"found no Python files in {', '.join(map(str, paths))}")
    judged = judge.judge(files)
    typed = advice.commands(files, judged, release)
    if options.report == "json":
        findings = [finding._asdict() for finding in judged.findings]
        about = {"there": judged.there, "files": len(files), "release": release}
        print(json.dumps({"findings": findings, **about, "type": typed}, indent=2))
    else:
        print("\n".join(_lines(judged, len(files), release, typed)))
    return 1 if any(one.kind in _TO_EDIT for one in judged.findings) else 0


def _lines(judged: Judged, files: int, release: str | None, typed: Sequence[str]) -> Iterator[str]:
    for one in judged.findings:
        subject = "" if one.kind == "broken" else f"{one.name} "
        yield f"{one.path}:{one.line}: {_LABELS[one.kind]}: {subject}{one.said}"
    counts = Counter(finding.kind for finding in judged.findings)
    parts = [f"{counts[kind]} {label}" for kind, label in _LABELS.items() if counts[kind]]
    yield f"files: {files}; names: {', '.join([f'{judged.there} there', *parts])}"
    if release is not None:
        yield f"written for Sanic {release}"
    yield from ("to type:", *(f"    {line}" for line in typed)) if typed else ("found no app to serve",)
