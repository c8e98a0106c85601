"""What the rules for today's Sanic share: positions, arguments, and text that is moved with its edits."""

from __future__ import annotations

import libcst as cst

from streamcompat.porting.model import Edit
from streamcompat.porting.scan import Scan


def next_line(scan: Scan, offset: int) -> int:
    """The start of the line after the one of `offset`."""
    return min(scan.line_end(offset) + len(scan.tree.newline), len(scan.tree.source))


def is_statement(scan: Scan, node: cst.CSTNode) -> bool:
    """Whether the small statement stands alone on its line."""
    line = scan.tree.parent(node)
    return isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1


def moved(scan: Scan, node: cst.CSTNode) -> str:
    """The text of an expression with the edits in it, which are taken out to be part of a larger edit."""
    start, end = scan.tree.start(node), scan.tree.end(node)
    inside = [one for one in scan.facts.edits if start <= one.start and one.end <= end]
    scan.facts.edits[:] = [one for one in scan.facts.edits if one not in inside]
    out, at = [], start
    for one in sorted(inside, key=lambda each: (each.start, each.end, each.order)):
        if one.start >= at:
            out += [scan.tree.source[at : one.start].decode(), one.text]
            at = one.end
    return "".join([*out, scan.tree.source[at:end].decode()])


def add_argument(scan: Scan, call: cst.Call, text: str) -> None:
    """Add a keyword argument at the end of a call, unless it is there."""
    tree = scan.tree
    if any(one.keyword is not None and one.keyword.value == text.partition("=")[0] for one in call.args):
        return
    owner = scan.unit_of(call)
    if not call.args:
        scan.insert(tree.end(call) - 1, text, owner)
        return
    scan.facts.edits.append(Edit(tree.end(call.args[-1]), tree.end(call.args[-1]), f", {text}", owner, 9))


def by_name(scan: Scan, call: cst.Call, names: tuple[str, ...]) -> dict[str, cst.Arg] | None:
    """The arguments of a call by the names of its parameters; None if one of them cannot be told."""
    found: dict[str, cst.Arg] = {}
    for at, one in enumerate(call.args):
        if one.star or (one.keyword is None and at >= len(names)):
            return None
        found[one.keyword.value if one.keyword is not None else names[at]] = one
    return found
