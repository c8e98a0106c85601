"""Decides for all files what is ported to today's Sanic, and makes their new text.

The rule: the files that imports connect are one project. It is ported as a whole, or left as a whole where
one place of it is neither edited nor known to work.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import NamedTuple

from streamcompat.porting.edits import apply
from streamcompat.porting.link import Linker
from streamcompat.porting.model import FileFacts, Finding
from streamcompat.porting.source import decode, encode, fault
from streamcompat.porting.to_sanic.across import across
from streamcompat.porting.to_sanic.check import rest_of
from streamcompat.porting.to_sanic.imports import import_edits

_REMEDY = "write it in the words of today's Sanic, or port the app by hand"


class Decided(NamedTuple):
    """The new text of each file, the findings by path, and the number of handlers by what became of them."""

    texts: Mapping[str, bytes]
    findings: Mapping[str, list[Finding]]
    counts: Mapping[str, int]


def decide(files: Mapping[str, FileFacts]) -> Decided:
    """Decide for each set of connected files."""
    linker = Linker(files)
    texts: dict[str, bytes] = {}
    findings: dict[str, list[Finding]] = {path: list(facts.findings) for path, facts in files.items()}
    counts = {"ported": 0, "left alone": 0, "unknown": 0}
    for path in files:
        if path in texts:
            continue
        group = sorted(linker.connected(path))
        made = {one: _text(files[one]) for one in group}
        for one, finding in across(files, group, linker):
            findings[one].append(finding)
        told = _told(group, findings)
        if not told:
            for one, finding in _rest(files, made, linker):
                findings[one].append(finding)
            told = _told(group, findings)
        if told:
            made = {one: files[one].source for one in group}
            _explain(files, group, told, findings)
        texts |= made
        kinds = {each.kind for _, each in told}
        name = "unknown" if "unknown" in kinds else "left alone" if kinds else "ported"
        for one in group:
            counts[name] += sum(unit.handlers for unit in files[one].units.values())
    for given in findings.values():
        given.sort(key=lambda one: (one.line, one.kind, one.reason))
    return Decided(texts, findings, counts)


def _told(group: list[str], findings: Mapping[str, list[Finding]]) -> list[tuple[str, Finding]]:
    """What keeps a project as it is."""
    return [(one, each) for one in group for each in findings[one] if each.kind != "note"]


def _text(facts: FileFacts) -> bytes:
    if facts.error is not None:
        return facts.source
    edits = [*facts.edits, *import_edits(facts)]
    if not edits:
        return facts.source
    text, encoding = decode(facts.source)
    return encode(apply(text.encode(), edits).decode(), encoding, facts.source)


def _rest(
    files: Mapping[str, FileFacts], made: Mapping[str, bytes], linker: Linker
) -> list[tuple[str, Finding]]:
    """What the check after the edit cannot explain, if anything of the project has to do with Sanic."""
    if not any(files[one].sanic_imports or files[one].edits for one in made):
        return []
    found = []
    for one, data in made.items():
        wrong = fault(data) if data != files[one].source else None
        if wrong is not None:
            remedy = "port it by hand, and report this to the maintainers of streamcompat"
            reason = f"the ported file did not compile ({wrong[1]})"
            return [(one, Finding(1, "unknown", reason, remedy, ""))]
    known = [one for one in made if fault(files[one].source) is None]
    before = {one: decode(files[one].source)[0] for one in known}
    after = {one: decode(made[one])[0] for one in known}
    for rest in rest_of(before, after, linker.modules.resolve):
        line = _line_before(before[rest.path], after[rest.path], rest.line)
        reason = f"{rest.reason}; so its app stays as it was"
        found.append((rest.path, Finding(line, "unknown", reason, _REMEDY, "")))
    return found


def _line_before(before: str, after: str, line: int) -> int:
    """The line of the text before that became this one."""
    blocks = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    for _, start, end, new_start, new_end in blocks.get_opcodes():
        if new_start < line <= new_end:
            return min(start + line - new_start, max(start + 1, end))
    return 1


def _explain(
    files: Mapping[str, FileFacts],
    group: list[str],
    told: list[tuple[str, Finding]],
    findings: dict[str, list[Finding]],
) -> None:
    """Say of each file that would change, and has no finding of its own, what keeps it."""
    path, first = told[0]
    concerned = {one for one, _ in told}
    for one in group:
        findings[one] = [each for each in findings[one] if each.kind != "note"]
        if one not in concerned and (files[one].edits or files[one].sanic_imports):
            reason = f"the file belongs to a project that stays because of {path}:{first.line}"
            findings[one].append(Finding(1, "left", reason, "see to that first", ""))
