"""Analyses one file: from its bytes to the facts about it."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

import libcst as cst

from streamcompat.porting.deep import DEPTH, apart, deepest
from streamcompat.porting.model import FileFacts, Seeds
from streamcompat.porting.objects import scan_objects
from streamcompat.porting.outline import imports_dynamically, is_of_interest, outline
from streamcompat.porting.patches import scan_patches
from streamcompat.porting.reads import scan_reads
from streamcompat.porting.respond import scan_responds
from streamcompat.porting.scan import Scan
from streamcompat.porting.source import decode, fault
from streamcompat.porting.texts import scan_texts
from streamcompat.porting.to_sanic.rules import scan_for_sanic
from streamcompat.porting.tree import Tree
from streamcompat.porting.uses import scan_uses
from streamcompat.porting.writes import Writes


def analyse(path: str, data: bytes, seeds: Seeds) -> FileFacts:
    """All facts about a file; a file that is not valid Python has only an `error`."""
    error = fault(data)
    if error is not None:
        return FileFacts(path, data, error=error)
    if not is_of_interest(data, seeds):
        return outline(path, data)
    depth, line = deepest(data)
    with _uncollected():
        return apart(path, data, seeds, line) if depth > DEPTH else examine(path, data, seeds)


@contextlib.contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection: nothing of a file is garbage before all of it is."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def examine(path: str, data: bytes, seeds: Seeds) -> FileFacts:
    """The facts about a valid file that uses Sanic."""
    facts = FileFacts(path, data, dynamic=imports_dynamically(data))
    try:
        tree = Tree(decode(data)[0])
    except cst.ParserSyntaxError as error:
        facts.error = (error.raw_line, error.message.splitlines()[0])
        return facts
    except RecursionError:
        facts.error = (deepest(data)[1], "its expressions are nested too deeply")
        return facts
    facts.newline = tree.newline
    facts.names = frozenset(tree.names_below(tree.module))
    facts.insert_at = _after_imports(tree)
    scan = Scan(tree, seeds, facts)
    if seeds.to == "sanic":
        scan_for_sanic(scan)
    else:
        _scan_for_mach9(scan)
    scan.find_users()
    scan.exports()
    return facts


def _scan_for_mach9(scan: Scan) -> None:
    scan_reads(scan)
    scan_responds(scan)
    Writes(scan)
    scan_objects(scan)
    scan_patches(scan)
    scan_uses(scan)
    scan_texts(scan)
    scan.find_mixed()


def _after_imports(tree: Tree) -> int:
    """Where to insert an import: after the last import at the top of the file, else after the docstring, else
    before the first line of code."""
    at = 0
    for line in tree.source.splitlines(keepends=True):
        if line.strip() and not line.startswith(b"#"):
            break
        at += len(line)
    for number, statement in enumerate(tree.module.body):
        if not isinstance(statement, cst.SimpleStatementLine):
            break
        first = statement.body[0]
        docstring = (
            number == 0
            and isinstance(first, cst.Expr)
            and isinstance(first.value, cst.SimpleString | cst.ConcatenatedString)
        )
        if not docstring and not isinstance(first, cst.Import | cst.ImportFrom):
            break
        at = tree.end(statement)
        ends = [end for end in (tree.source.find(b"\n", at), tree.source.find(b"\r", at)) if end >= 0]
        at = min(ends, default=len(tree.source))
    return at
