"""Ports requests: the items of a request, which was a dictionary, become attributes of `request.ctx`."""

from __future__ import annotations

import libcst as cst

from streamcompat.porting.model import FILE
from streamcompat.porting.roles import REQUEST
from streamcompat.porting.scan import Scan
from streamcompat.porting.to_sanic.edits import moved
from streamcompat.porting.to_sanic.names import REQUEST as REQUEST_TODAY
from streamcompat.porting.to_sanic.names import REQUEST_GONE
from streamcompat.porting.tree import literal

_CTX = "use `getattr(request.ctx, name)` and `setattr(request.ctx, name, value)`"
_LISTS = {"args", "files", "form"}
_STATIC = {"isinstance", "print", "repr", "str", "id", "type"}
_BY_NAME = {"getattr", "setattr", "hasattr", "delattr"}


def scan_requests(scan: Scan) -> None:
    """Visit every use of a request."""
    for node in scan.tree.all(cst.Name, cst.Attribute):
        if scan.is_load(node) and scan.roles.has(node, REQUEST):
            _use(scan, node)
    for one in scan.tree.all(cst.ClassDef):
        for base in one.bases:
            if scan.roles.home(base.value) == "request.Request" and any(
                isinstance(each, cst.FunctionDef) and each.name.value.startswith("__")
                for each in one.body.body
            ):
                reason = "a subclass of `Request` with a constructor or an operator, which changed"
                scan.say(one, "left", reason, "port the class by hand", FILE)


def _use(scan: Scan, node: cst.CSTNode) -> None:
    tree, above = scan.tree, scan.tree.parent(node)
    if isinstance(above, cst.Subscript) and above.value is node:
        _item(scan, above)
    elif isinstance(above, cst.Attribute):
        _attribute(scan, above)
    elif isinstance(above, cst.ComparisonTarget) and isinstance(above.operator, cst.In | cst.NotIn):
        _contains(scan, above)
    elif isinstance(above, cst.For | cst.CompFor | cst.StarredElement | cst.StarredDictElement | cst.Del):
        scan.say(node, "left", "a request is no dictionary today", _CTX)
    elif isinstance(above, cst.Arg):
        call = tree.parent(above)
        if isinstance(call, cst.Call) and above.star:
            scan.say(node, "left", "a request is no dictionary today", _CTX)
        elif isinstance(call, cst.Call) and tree.builtin(call.func) in _BY_NAME:
            scan.say(call, "left", f"`{tree.code(call.func)}` hides what of the request is meant", _CTX)
        elif isinstance(call, cst.Call) and tree.builtin(call.func) in {
            "dict",
            "len",
            "list",
            "sorted",
            "set",
        }:
            scan.say(call, "left", "a request is no dictionary today", _CTX)


def _key(scan: Scan, node: cst.BaseExpression) -> str | None:
    """The key, if it can be the name of an attribute."""
    try:
        key = literal(node)
    except ValueError:
        return None
    return key if isinstance(key, str) and key.isidentifier() and not key.startswith("__") else None


def _item(scan: Scan, node: cst.Subscript) -> None:
    tree = scan.tree
    index = node.slice[0].slice
    key = _key(scan, index.value) if isinstance(index, cst.Index) and len(node.slice) == 1 else None
    if key is None:
        scan.say(node, "left", f"`{tree.code(node)}`: a request is no dictionary today", _CTX)
        return
    scan.edit(tree.end(node.value), tree.end(node), f".ctx.{key}", scan.unit_of(node))


def _attribute(scan: Scan, node: cst.Attribute) -> None:
    tree, name, owner = scan.tree, node.attr.value, scan.unit_of(node)
    above = tree.parent(node)
    if name in _LISTS:
        _lists(scan, node)
    if name in REQUEST_TODAY:
        return
    if name == "get" and isinstance(above, cst.Call) and above.func is node:
        key = _key(scan, above.args[0].value) if above.args else None
        if key is not None and len(above.args) < 3 and not any(one.keyword or one.star for one in above.args):
            default = moved(scan, above.args[1].value) if len(above.args) == 2 else "None"
            request, quote = tree.code(node.value), scan.quote
            scan.replace(above, f"getattr({request}.ctx, {quote}{key}{quote}, {default})", owner)
            return
    if name == "raw_args" and isinstance(above, cst.Attribute) and above.attr.value == "get":
        scan.replace(node.attr, "args", owner)
        return
    if name == "raw_args" and scan.is_load(node):
        given = f"{tree.code(node.value)}.args.items()"
        scan.replace(node, f"{{name: values[0] for name, values in {given}}}", owner)
        return
    gone = REQUEST_GONE.get(name)
    if gone is not None:
        scan.say(node, "left", f"today's Sanic has no `{tree.code(node)}`", _CTX)
        return
    scan.say(
        node, "left", f"`{tree.code(node)}` is no attribute of a request today", "keep it in `request.ctx`"
    )


def _lists(scan: Scan, node: cst.Attribute) -> None:
    """`request.args.getlist(name)` of a name that is not there gave None, and gives an empty list today."""
    tree = scan.tree
    list_of, call = tree.parent(node), tree.parent(tree.parent(node) or node)
    if not isinstance(list_of, cst.Attribute) or list_of.attr.value != "getlist":
        return
    if not isinstance(call, cst.Call) or call.func is not list_of:
        scan.say(list_of, "left", "`getlist` gives an empty list today where it gave None", "call it here")
        return
    above = tree.parent(call)
    is_or = isinstance(above, cst.BooleanOperation) and isinstance(above.operator, cst.Or)
    if is_or or isinstance(above, cst.For | cst.CompFor | cst.If) or len(call.args) > 1:
        return
    scan.wrap(tree.start(call), tree.end(call), "(", " or None)", scan.unit_of(call), 4)


def _contains(scan: Scan, node: cst.ComparisonTarget) -> None:
    tree = scan.tree
    test = tree.parent(node)
    key = _key(scan, test.left) if isinstance(test, cst.Comparison) and len(test.comparisons) == 1 else None
    if key is None or not isinstance(test, cst.Comparison):
        scan.say(node.comparator, "left", "a request is no dictionary today", _CTX)
        return
    word = "not " if isinstance(node.operator, cst.NotIn) else ""
    text = f"{word}hasattr({tree.code(node.comparator)}.ctx, {scan.quote}{key}{scan.quote})"
    if word and isinstance(tree.parent(test), cst.UnaryOperation | cst.Comparison):
        text = f"({text})"
    scan.replace(test, text, scan.unit_of(test))
