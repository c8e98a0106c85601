"""Rewrites a file's imports for today's Sanic: what is gone is taken out, what edits need is added."""

from __future__ import annotations

import re
from collections import defaultdict

from streamcompat.porting import names as sanic
from streamcompat.porting.model import FILE, Edit, FileFacts, ImportedName, ImportStatement
from streamcompat.porting.source import decode
from streamcompat.porting.to_sanic.defined import DEFINED, definition
from streamcompat.porting.to_sanic.names import GONE

_ALIAS = re.compile(rb"[\s\\]+as[\s\\]+\w+")
_OLD = "streamcompat.sanic_api"


def dropped(qualified: str) -> bool:
    """Whether an edit replaces every use of the name, so that its import goes."""
    parts = sanic.split(qualified)
    becomes = GONE.get(parts[1]) if parts is not None else None
    return becomes is not None and becomes.edited


def import_edits(facts: FileFacts) -> list[Edit]:
    """The edits of a file's imports, with the functions that other edits use."""
    source = decode(facts.source)[0].encode()
    added: dict[str, list[str]] = defaultdict(list)
    defines: list[str] = []
    own = [one for one in facts.own_statuses.values() if one is not None]
    for helper, _ in sorted(facts.helpers):
        symbol, _, local = helper.partition(" as ")
        if symbol in DEFINED:
            defines += ["", "", *definition(symbol, local, own)]
            continue
        module, _, name = symbol.rpartition(".")
        local = local or name
        if local not in facts.bindings:
            added[module].append(name if local == name else f"{name} as {local}")
    edits: list[Edit] = []
    for statement in facts.sanic_imports:
        edits += _statement(statement, source, facts.newline, added)
    lines = [f"from {module} import {', '.join(names)}" for module, names in sorted(added.items()) if names]
    lines += defines
    if lines:
        # Not within an import that is taken out.
        at = facts.insert_at
        at = max([one.end for one in edits if one.start < at < one.end] or [at])
        edits.append(_inserted(facts.newline, at, source, lines))
    return edits


def _inserted(newline: str, at: int, source: bytes, lines: list[str]) -> Edit:
    text = newline.join(lines)
    if len(lines) > 1 and not source[at:].lstrip(b" ").startswith(3 * newline.encode()):
        text += newline  # two empty lines around a function
    starts_line = source[at - 1 : at] in (b"", b"\n", b"\r")
    return Edit(at, at, text + newline if starts_line else newline + text, FILE)


def _statement(
    statement: ImportStatement, source: bytes, newline: str, added: dict[str, list[str]]
) -> list[Edit]:
    edits = []
    if statement.module is None:
        for one in statement.names:
            if one.qualified.startswith(_OLD):
                edits.append(Edit(one.start, one.end, "sanic" + one.qualified[len(_OLD) :], FILE))
        return edits
    module = statement.module
    if module.startswith(_OLD):
        module = "sanic" + module[len(_OLD) :]
        edits.append(Edit(statement.module_start, statement.module_end, module, FILE))
    gone = [dropped(one.qualified) for one in statement.names]
    more = added.pop(module, []) if statement.joint == newline else []
    if all(gone) and not more:
        if source[: statement.start].rpartition(b"\n")[2].strip():
            return [Edit(statement.start, statement.end, "pass", FILE)]
        if statement.joint != newline:
            return [Edit(statement.start, statement.end, "pass", FILE)]
        end = source.find(newline.encode(), statement.end)
        rest = source[statement.end : end if end >= 0 else len(source)].strip()
        if rest:
            return [Edit(statement.start, statement.end, "pass", FILE)]
        return [Edit(statement.start, end + len(newline) if end >= 0 else len(source), "", FILE)]
    return edits + _names(list(statement.names), gone, more, source)


def _names(names: list[ImportedName], gone: list[bool], more: list[str], source: bytes) -> list[Edit]:
    """Take names out, each with its comma, and add others after the last."""
    edits = []
    ends = [one.end + (len(found[0]) if (found := _ALIAS.match(source, one.end)) else 0) for one in names]
    kept = [at for at, is_gone in enumerate(gone) if not is_gone]
    if not kept:
        return [Edit(names[0].start, ends[-1], ", ".join(more), FILE)]
    for at, is_gone in enumerate(gone):
        if is_gone and at < kept[-1]:
            edits.append(Edit(names[at].start, names[at + 1].start, "", FILE))
    if kept[-1] < len(names) - 1 or more:
        text = "".join(f", {one}" for one in more)
        edits.append(Edit(ends[kept[-1]], ends[-1], text, FILE))
    return edits
