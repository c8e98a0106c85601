"""Finds code that changes or extends Sanic itself: patches, subclasses of apps, decorators of extensions; and
what a comment says to leave.

The rule: such code is never ported, and everything that it affects stays, because a patch or a subclass may
change any behaviour of an app.
"""

from __future__ import annotations

import ast
import re

import libcst as cst

from streamcompat.porting.model import FILE
from streamcompat.porting.names import is_extension
from streamcompat.porting.outline import of_callers
from streamcompat.porting.roles import OBJECT_ROLES, OBJECTS, REQUEST, RESPONSE, ROUTES, STREAM
from streamcompat.porting.scan import Scan
from streamcompat.porting.tree import literal

_RUN = {"eval", "exec"}
_BY_TEXT = _RUN | {"locals", "vars", "globals"}
_LEAVE = re.compile(rb"#\s*streamcompat:\s*leave\b")


def scan_patches(scan: Scan) -> None:
    """Report all of these."""
    scan_left(scan)
    scan_texts_of_code(scan)
    _patches(scan)
    _subclasses(scan)
    _decorators(scan)


def scan_left(scan: Scan) -> None:
    """Leave what a comment says to leave: above a handler, at its `def`, or at a decorator of it."""
    tree = scan.tree
    if _LEAVE.search(tree.source) is None:
        return
    lines = tree.source.splitlines()
    for one in tree.all(cst.FunctionDef, cst.ClassDef):
        first = tree.line(one.decorators[0] if one.decorators else one)
        until = tree.line(one.body)
        if isinstance(one.body, cst.IndentedBlock) and one.body.body:
            until = max(tree.line(one.name), tree.line(one.body.body[0]) - 1)
        above = lines[first - 2 : first - 1] if first > 1 else []
        if any(
            _LEAVE.search(line)
            for line in [*(a for a in above if a.lstrip().startswith(b"#")), *lines[first - 1 : until]]
        ):
            scan.say(one, "left", "a comment says to leave it", "take the comment out", scan.unit_of(one))


def scan_texts_of_code(scan: Scan) -> None:
    """Leave what reaches a request, a response or a stream by a text, as `eval` and `locals()` do."""
    tree = scan.tree
    for call in tree.all(cst.Call):
        name, around = tree.builtin(call.func), tree.chain(call)
        above = tree.parent(call)
        is_given = isinstance(above, cst.Arg) and above.star == "**"
        if not around or name not in _BY_TEXT or (name not in _RUN and (call.args or is_given)):
            continue
        names = {
            one.value
            for one in tree.below(around[0])
            if isinstance(one, cst.Name)
            and any(scan.roles.has(one, role) for role in (REQUEST, RESPONSE, STREAM))
        }
        if names and (name not in _RUN or _is_code_with(call, names)):
            reason = f"`{name}` may reach a request or a response by a text, where no edit is made"
            scan.say(call, "unknown", reason, "write it out, without a text of code", FILE, everywhere=True)
    for node in tree.all(cst.Attribute):
        if node.attr.value == "f_locals":
            scan.facts.findings.append(of_callers(tree.code(node), tree.line(node)))


def _is_code_with(call: cst.Call, names: set[str]) -> bool:
    """Whether the code that a call evaluates may use one of the names."""
    if len(call.args) != 1:
        return False  # what it can reach is passed to it, and seen there
    try:
        code = literal(call.args[0].value)
        found = {one.id for one in ast.walk(ast.parse(str(code).strip())) if isinstance(one, ast.Name)}
    except (ValueError, SyntaxError):
        return True
    return bool(found & names)


def _patches(scan: Scan) -> None:
    tree = scan.tree
    for target in tree.all(cst.AssignTarget):
        if isinstance(target.target, cst.Attribute) and scan.roles.home(target.target.value) is not None:
            _patched(scan, target.target)
    for call in tree.all(cst.Call):
        if tree.builtin(call.func) == "setattr" and call.args:
            value = call.args[0].value
            if scan.roles.home(value) is not None:
                _patched(scan, call)


def _patched(scan: Scan, node: cst.CSTNode) -> None:
    scan.say(
        node,
        "left",
        f"`{scan.tree.code(node)}` patches Sanic itself",
        "remove the patch, or write an equivalent for Mach9",
        FILE,
        everywhere=True,
    )


def _subclasses(scan: Scan) -> None:
    for one in scan.tree.all(cst.ClassDef):
        for base in one.bases:
            home = scan.roles.home(base.value)
            if OBJECTS.get(home or "") in OBJECT_ROLES and home is not None:
                name = home.rpartition(".")[2]
                scan.say(
                    one,
                    "left",
                    f"a subclass of `{name}`",
                    "derive it from Mach9's class by hand",
                    FILE,
                    everywhere=True,
                )


def _decorators(scan: Scan) -> None:
    """Report decorators of extensions, and routes of unknown apps."""
    tree = scan.tree
    for function in tree.all(cst.FunctionDef):
        for decorator in function.decorators:
            node = decorator.decorator
            func = node.func if isinstance(node, cst.Call) else node
            owner = scan.unit_of(function)
            if is_extension(tree.qualified(func) or "") and owner in scan.facts.units:
                scan.facts.units[owner].reads = True
                remedy = "find an equivalent, or move its check into the handler, then port it"
                scan.say(
                    function,
                    "left",
                    f"`@{tree.code(func)}` is an extension for Sanic handlers",
                    remedy,
                    owner,
                )
            elif _is_blind_route(scan, node) and owner in scan.facts.units:
                unit = scan.facts.units[owner]
                if tree.code(func).endswith(".stream"):
                    unit.streams = unit.reads = True
                unit.handlers = unit.handlers or 1
                scan.say(
                    function,
                    "unknown",
                    f"cannot tell what `{tree.code(func).rpartition('.')[0]}` is",
                    "port the file together with the one that makes the app",
                    owner,
                )


def _is_blind_route(scan: Scan, node: cst.BaseExpression) -> bool:
    """Whether the decorator is `@x.stream("/...")` for an `x` that is not a known app, or another route of an
    app that is made under a name for Sanic's class."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute) or not node.args:
        return False
    name = node.func.attr.value
    if name not in ROUTES or scan.roles.objects(node.func.value):
        return False
    if name != "stream" and not _is_of_alias(scan, node.func.value):
        return False
    try:
        value = literal(node.args[0].value)
    except ValueError:
        return False
    return isinstance(value, str) and value.startswith("/")


def _is_of_alias(scan: Scan, node: cst.BaseExpression) -> bool:
    """Whether the app is made by `Made(...)`, where `Made` is assigned the class of Sanic's."""
    makers = [one.func for one in _given_to(scan, node) if isinstance(one, cst.Call)]
    return any(scan.roles.home(one) in OBJECTS for maker in makers for one in _given_to(scan, maker))


def _given_to(scan: Scan, node: cst.BaseExpression) -> list[cst.BaseExpression]:
    variable = scan.tree.variable(node) if isinstance(node, cst.Name) else None
    return [
        value
        for target, value in scan.roles.assigned
        if variable is not None and scan.tree.variable(target) == variable
    ]
