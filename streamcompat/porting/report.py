"""The report of `streamcompat port`: as text, as JSON, and as GitHub annotations."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Iterator

from streamcompat.porting.project import Ported, Result
from streamcompat.porting.source import decode

LABELS = {"left": "left alone", "unknown": "unknown", "note": "note"}


def diff(file: Ported) -> str:
    """The change of a file in the format of `diff -u`; empty if there is none."""
    if file.before == file.after:
        return ""
    before, after = (decode(data)[0].splitlines(keepends=True) for data in (file.before, file.after))
    name = file.path.removeprefix("/")
    lines = []
    for line in difflib.unified_diff(before, after, f"a/{name}", f"b/{name}"):
        lines.append(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")
    return "".join(lines)


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
