"""Finds the imports and the uses of Sanic's names.

The rule: the imported object decides, never the spelling of its name. A name that Mach9 lacks stays Sanic's;
a Mach9 app can use it, because one engine serves both flavours.
"""

from __future__ import annotations

import libcst as cst

from streamcompat.porting import names
from streamcompat.porting.model import FILE, ImportedName, ImportStatement, Use
from streamcompat.porting.objects import without
from streamcompat.porting.roles import STREAMERS
from streamcompat.porting.scan import Scan
from streamcompat.porting.tree import literal

_RESPONSES = {"response.HTTPResponse": "WholeResponse", "response.StreamingHTTPResponse": "StreamedResponse"}
"""Replacements in `isinstance`: in Mach9, streamed responses are also instances of `HTTPResponse`."""
_SAFE_IN_URL = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-~:/%#?&=@[]!$&'()*+,;")


def scan_uses(scan: Scan) -> None:
    """Visit the imports of Sanic's names and every use of one."""
    tree = scan.tree
    for node in tree.all(cst.Import, cst.ImportFrom):
        record_import(scan, node)
    for node in tree.all(cst.Name, cst.Attribute):
        above = tree.parent(node)
        symbol = tree.qualified(node)
        if symbol is None or is_in_import(scan, node):
            continue
        scan.facts.imports.add(symbol)
        if isinstance(above, cst.Attribute) or node in scan.consumed:
            continue
        if names.split(symbol) is not None:
            _use(scan, node, symbol)


def is_in_import(scan: Scan, node: cst.CSTNode) -> bool:
    return any(isinstance(one, cst.Import | cst.ImportFrom) for one in scan.tree.above(node))


def _dotted(node: cst.CSTNode | None) -> str:
    return "" if node is None else cst.Module([]).code_for_node(node).replace(" ", "")


def record_import(scan: Scan, node: cst.Import | cst.ImportFrom) -> None:
    tree = scan.tree
    module = None
    if isinstance(node, cst.ImportFrom):
        module = "." * len(node.relative) + _dotted(node.module)
        if isinstance(node.names, cst.ImportStar):
            scan.facts.imports |= {module, f"{module}.*"}
            if names.split(module) is not None:
                scan.say(
                    node,
                    "unknown",
                    f"`from {module} import *` hides which names it imports",
                    "import the names that the file uses",
                    FILE,
                    everywhere=True,
                )
            return
    found = []
    assert not isinstance(node.names, cst.ImportStar)
    for one in node.names:
        name = _dotted(one.name)
        qualified = f"{module}.{name}" if module is not None else name
        scan.facts.imports.add(qualified)
        alias = one.asname.name.value if one.asname and isinstance(one.asname.name, cst.Name) else None
        if module is not None:
            scan.facts.bindings[alias or name] = qualified
        if names.split(qualified) is None:
            continue
        binding = alias or name.partition(".")[0]
        found.append(ImportedName(qualified, binding, alias, tree.start(one.name), tree.end(one.name)))
    if not found:
        return
    target = node.module if isinstance(node, cst.ImportFrom) and node.module is not None else node
    scan.facts.sanic_imports.append(
        ImportStatement(
            tree.start(node),
            tree.end(node),
            module,
            tree.start(target),
            tree.end(target),
            tuple(found),
            f"{tree.newline}{tree.indent(node)}",
        )
    )


def _use(scan: Scan, node: cst.BaseExpression, symbol: str) -> None:
    """Record one use. Only the longest part with a counterpart is replaced: for `response.stream.__name__`,
    that is `response.stream`."""
    tree = scan.tree
    inner: cst.CSTNode = node
    while names.counterpart(symbol) is None and isinstance(inner, cst.Attribute):
        shorter = tree.qualified(inner.value)
        if shorter is None or names.counterpart(shorter) is None or _is_module(shorter):
            break
        inner, symbol = inner.value, shorter
    root: cst.CSTNode = inner
    while isinstance(root, cst.Attribute):
        root = root.value
    if not isinstance(root, cst.Name):
        return
    parts = names.split(symbol)
    assert parts is not None
    below = parts[1]
    owner, role = _owner(scan, node)
    keep = names.counterpart(symbol) is None or not below
    call = tree.parent(inner)
    if not keep and isinstance(call, cst.Call) and call.func is inner:
        keep = not _call_fits(scan, call, below, owner)
    if names.counterpart(symbol) is None and below:
        scan.say(
            node,
            "note",
            f"Mach9 has no `{below.rpartition('.')[2]}`: Sanic's stays, which a Mach9 app can use",
            "nothing",
            owner,
        )
    helper = _RESPONSES.get(below) if _is_asked_for(scan, inner) else None
    if below in names.HERE and isinstance(inner, cst.Attribute):
        helper = inner.attr.value
    if below in _RESPONSES and helper is not None:
        owner = FILE  # the class is right for both flavours, so that a handler that stays can ask as well
    if helper is not None:
        scan.replace(inner, scan.helper(helper, owner), owner)
        role = "replaced"
    start, end = tree.start(inner), tree.end(inner)
    scan.facts.uses.append(Use(start, end, symbol, root.value, owner, keep, role))


def _is_asked_for(scan: Scan, node: cst.CSTNode) -> bool:
    """Whether the name is the class argument of `isinstance`, alone or in a tuple."""
    for above in scan.tree.above(node):
        if isinstance(above, cst.Call):
            is_class = not above.args or scan.tree.parent(node) is not above.args[0]
            return scan.tree.builtin(above.func) == "isinstance" and is_class
        if not isinstance(above, cst.Arg | cst.Element | cst.Tuple):
            return False
    return False


def _is_module(symbol: str) -> bool:
    parts = names.split(symbol)
    return parts is not None and (not parts[1] or parts[1] in names.MODULES)


def _owner(scan: Scan, node: cst.CSTNode) -> tuple[str, str]:
    """The owner and the role of a use: the app that is created with it or on which it is registered, else the
    unit around it."""
    tree = scan.tree
    for above in [node, *tree.above(node)]:
        if isinstance(above, cst.Call):
            made = scan.roles.of(above)
            for value in made:
                if value.reference == f"o{tree.start(above)}":
                    return value.reference, ""
            if isinstance(above.func, cst.Attribute):
                told = scan.roles.objects(above.func.value)
                if told and above.func.attr.value in ("exception", "add"):
                    return next(iter(told)), "registered"
                if above.func.attr.value == "add" and isinstance(above.func.value, cst.Attribute):
                    told = scan.roles.objects(above.func.value.value)
                    if told and above.func.value.attr.value == "error_handler":
                        return next(iter(told)), "registered"
        if isinstance(above, cst.BaseStatement | cst.Decorator):
            break
    return scan.unit_of(node), ""


def _call_fits(scan: Scan, call: cst.Call, below: str, owner: str) -> bool:
    """Whether Mach9's function accepts these arguments; arguments without effect are removed."""
    if below in STREAMERS:
        return _stream_fits(scan, call, owner)
    given = [one.keyword.value if one.keyword else "" for one in call.args]
    if any(one.star for one in call.args):
        return below not in names.ARGUMENTS and below not in names.SANIC_POSITIONS
    positional = given.count("")
    if below == "response.json":
        return positional <= 3 and not {"content_type", "dumps"} & set(given)
    if below == "response.file" and positional > 1:
        return False
    allowed = names.ARGUMENTS.get(below)
    if allowed is not None and (positional > len(allowed) or set(given) - {"", *allowed}):
        return False
    if below == "response.redirect":
        return _redirects_alike(scan, call)
    return True


def _stream_fits(scan: Scan, call: cst.Call, owner: str) -> bool:
    drop = []
    for at, one in enumerate(call.args):
        name = one.keyword.value if one.keyword else ""
        if name == "streaming_fn" and one.keyword is not None:
            scan.replace(one.keyword, "handler", owner)
        elif name == "chunked" or (not name and at == 4):
            if scan.tree.code(one.value) != "True":
                scan.say(
                    call,
                    "left",
                    "`chunked=False` has no equivalent",
                    "set Content-Length in `headers`: the body is then not chunked",
                    owner,
                )
            drop.append(one)
    without(scan, call, drop, owner)
    return True


def _redirects_alike(scan: Scan, call: cst.Call) -> bool:
    """Whether both flavours redirect alike: Sanic percent-encodes the target, Mach9 sends it unchanged."""
    if not call.args:
        return True
    to = call.args[0].value
    if isinstance(to, cst.Call) and isinstance(to.func, cst.Attribute) and to.func.attr.value == "url_for":
        return True
    try:
        return isinstance(literal(to), str) and set(literal(to)) <= _SAFE_IN_URL
    except ValueError:
        return False
