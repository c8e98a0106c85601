"""The report of `streamcompat port`: as text, as JSON, and as GitHub annotations."""

from __future__ import annotations

import codecs
import difflib
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from rich.console import Console
from rich.text import Text

from streamcompat.porting.project import Ported, Result
from streamcompat.porting.source import decode

LABELS = {"left": "left alone", "unknown": "unknown", "note": "note"}


_COLOURS = {"+": "green", "-": "red", "@": "cyan"}


def diff(file: Ported) -> str:
    """The change of a file in the format of `diff -u`, for `git apply`; empty if there is none."""
    if file.before == file.after:
        return ""
    before, after = (_lines(_text(data)) for data in (file.before, file.after))
    name = _name(file.path)
    lines = []
    for line in difflib.unified_diff(before, after, _quoted(f"a/{name}"), _quoted(f"b/{name}")):
        lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


def _text(data: bytes) -> str:
    """The text with its byte order mark, which belongs to the first line."""
    mark = "\ufeff" if data.startswith(codecs.BOM_UTF8) else ""
    return mark + decode(data)[0]


def _in_bytes(file: Ported) -> bytes:
    """The diff with each line in the bytes of the file, and its name in those of the file system."""
    lines = _lines(diff(file))
    encoding = decode(file.before)[1]
    return b"".join([*(os.fsencode(one) for one in lines[:2]), *(one.encode(encoding) for one in lines[2:])])


def _lines(text: str) -> list[str]:
    """The lines as `patch` takes them: only a line feed ends one."""
    return [one for one in re.split(r"(?<=\n)", text) if one]


def _name(path: str) -> str:
    """The path below the top of its repository, or below the working directory."""
    whole = Path(os.path.abspath(path))
    tops = [one for one in whole.parents if (one / ".git").exists()]
    for top in [*tops[:1], Path.cwd()]:
        if whole.is_relative_to(top):
            return whole.relative_to(top).as_posix()
    return path.removeprefix("/")


def _quoted(name: str) -> str:
    """The name as git writes it: in quotes if it has a sign that ends or hides it."""
    if not any(sign in name for sign in '\\"\n\t\r'):
        return name
    for sign, text in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
        name = name.replace(sign, text)
    return f'"{name}"'


def show_diff(files: Iterable[Ported]) -> None:
    """Write the diffs to standard output; in colours if that is a terminal."""
    console = Console(soft_wrap=True, highlight=False)
    for file in files:
        if not console.is_terminal:
            sys.stdout.flush()
            sys.stdout.buffer.write(_in_bytes(file))
            sys.stdout.buffer.flush()
            continue
        for line in _lines(diff(file)):
            style = "bold" if line.startswith(("+++", "---")) else _COLOURS.get(line[0], "")
            console.print(Text(line, style), end="")


def statistics(result: Result) -> str:
    """How often each reason was given, the most frequent first; code in a reason is left out."""
    counted = Counter(
        (LABELS[one.kind], re.sub(r"`[^`]*`", "`...`", one.reason))
        for file in result.files
        for one in file.findings
    )
    changed = sum(file.before != file.after for file in result.files)
    lines = [f"files: {len(result.files)}, {changed} of them to change"]
    lines += [f"{count:5} {label}: {reason}" for (label, reason), count in counted.most_common()]
    return "\n".join(lines) + "\n"


def counted(result: Result) -> str:
    """The last line: how many handlers were ported and how many were not."""
    counts = result.counts
    parts = [f"{counts[name]} {name}" for name in ("ported", "left alone", "unknown")]
    return f"handlers: {', '.join(parts)}"


def as_text(result: Result) -> str:
    """Two lines for each finding: the reason, and what to do by hand."""
    lines = []
    for file in result.files:
        if file.error is not None:
            line, reason = file.error
            lines.append(f"{file.path}:{line}: cannot be parsed: {reason}")
        for finding in file.findings:
            lines.append(f"{file.path}:{finding.line}: {LABELS[finding.kind]}: {finding.reason}")
            lines.append(f"    by hand: {finding.remedy}")
    return "\n".join([*lines, counted(result)]) + "\n"


def as_json(result: Result, with_diff: bool = False) -> str:
    """One object: `files` with their findings, and `counts`."""
    files = []
    for file in result.files:
        entry: dict[str, object] = {
            "path": file.path,
            "changed": file.before != file.after,
            "error": None if file.error is None else {"line": file.error[0], "reason": file.error[1]},
            "findings": [
                {
                    "line": one.line,
                    "kind": LABELS[one.kind],
                    "reason": one.reason,
                    "by_hand": one.remedy,
                }
                for one in file.findings
            ],
        }
        if with_diff:
            entry["diff"] = diff(file)
        files.append(entry)
    return json.dumps({"files": files, "counts": dict(result.counts)}, indent=2) + "\n"


def as_github(result: Result) -> str:
    """Workflow commands for annotations: code left alone is a warning, a note is a notice, and a file that
    cannot be parsed is an error."""
    return "".join(f"{line}\n" for line in _annotations(result)) + counted(result) + "\n"


def _annotations(result: Result) -> Iterator[str]:
    levels = {"left": "warning", "unknown": "warning", "note": "notice"}
    for file in result.files:
        path = _escaped(file.path, ":,")
        if file.error is not None:
            line, reason = file.error
            yield f"::error file={path},line={line},title=cannot be parsed::{_escaped(reason)}"
        elif file.before != file.after:
            yield f"::notice file={path},title=streamcompat port::would be ported"
        for one in file.findings:
            text = _escaped(f"{one.reason}; by hand: {one.remedy}")
            yield f"::{levels[one.kind]} file={path},line={one.line},title={LABELS[one.kind]}::{text}"


def _escaped(text: str, more: str = "") -> str:
    for sign in "%\r\n" + more:
        text = text.replace(sign, f"%{ord(sign):02X}")
    return text


REPORTS: dict[str, Callable[[Result], str]] = {"text": as_text, "json": as_json, "github": as_github}
