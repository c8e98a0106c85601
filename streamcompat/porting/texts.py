"""Finds Sanic's names in texts that are code: annotations in quotes, type comments, `__all__`.

The rule: a text follows the import of its names, so that `typing.get_type_hints` gives what it gave before.
"""

from __future__ import annotations

import io
import re
import tokenize

import libcst as cst

from streamcompat.porting import names
from streamcompat.porting.model import FILE, Use
from streamcompat.porting.scan import Scan

_DOTTED = re.compile(r"(?<![\w.])[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_COMMENT = re.compile(r"#\s*type:\s*(?!ignore)")
_WITHIN = (
    cst.Annotation, cst.Attribute, cst.BinaryOperation, cst.BitOr, cst.Element, cst.Index, cst.List,
    cst.Subscript, cst.SubscriptElement, cst.Tuple,
)  # fmt: skip


def scan_texts(scan: Scan) -> None:
    """Visit every text that may name a class. The imports must have been visited."""
    if not scan.facts.sanic_imports:
        return
    for node in scan.tree.all(cst.SimpleString):
        if _is_annotation(scan, node):
            quoted = len(node.prefix) + len(node.quote)
            _uses(scan, node.raw_value, scan.tree.start(node) + quoted, scan.unit_of(node))
    if re.search(rb"#\s*type:", scan.tree.source):
        _comments(scan)
    for target in scan.tree.all(cst.AssignTarget, cst.AugAssign):
        if isinstance(target.target, cst.Name) and target.target.value == "__all__":
            around = scan.tree.statement(target)
            below = scan.tree.below(around) if around is not None else []
            scan.facts.public |= {
                str(one.evaluated_value) for one in below if isinstance(one, cst.SimpleString)
            }


def _is_annotation(scan: Scan, node: cst.SimpleString) -> bool:
    """Whether the text is an annotation or a part of one, or the type of a `cast`."""
    if node.prefix or "\\" in node.value:
        return False
    inner: cst.CSTNode = node
    for above in scan.tree.above(node):
        if isinstance(above, cst.Annotation):
            return True
        if isinstance(above, cst.Arg):
            call = scan.tree.parent(above)
            is_type = isinstance(call, cst.Call) and (call.args[0] is above or above.keyword is not None)
            symbol = scan.tree.qualified(call.func) if isinstance(call, cst.Call) and is_type else None
            return symbol in ("typing.cast", "typing.TypeVar", "typing_extensions.cast")
        if isinstance(above, cst.Subscript) and above.value is inner or not isinstance(above, _WITHIN):
            return False
        inner = above
    return False


def _comments(scan: Scan) -> None:
    text = scan.tree.source.decode()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line.encode()))
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        found = _COMMENT.match(token.string) if token.type == tokenize.COMMENT else None
        if found is not None:
            row, column = token.start
            at = starts[row - 1] + len(token.line[:column].encode()) + len(found[0].encode())
            _uses(scan, token.string[found.end() :], at, _owner(scan, at))


def _owner(scan: Scan, at: int) -> str:
    """The unit around an offset."""
    around = [
        one
        for one in scan.tree.all(cst.FunctionDef, cst.ClassDef)
        if scan.tree.start(one) <= at < scan.tree.end(one)
    ]
    return scan.unit_of(around[-1]) if around else FILE


def _uses(scan: Scan, text: str, at: int, owner: str) -> None:
    for found in _DOTTED.finditer(text):
        root = found[0].partition(".")[0]
        for name in (one for statement in scan.facts.sanic_imports for one in statement.names):
            if name.binding != root:
                continue
            whole = name.alias is None and "." in name.qualified and root == name.qualified.partition(".")[0]
            symbol = found[0] if whole else name.qualified + found[0][len(root) :]
            keep = names.counterpart(symbol) is None
            start = at + len(text[: found.start()].encode())
            end = start + len(found[0].encode())
            use = Use(start, end, symbol, root, owner, keep)
            if names.split(symbol) is not None and use not in scan.facts.uses:
                scan.facts.uses.append(use)
