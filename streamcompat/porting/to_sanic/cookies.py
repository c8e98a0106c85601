"""Ports cookies of a response: `response.cookies[name] = value` becomes `response.add_cookie(name, value)`.

The rule: the attributes of a cookie that follow at once become arguments. Today's Sanic makes cookies
`Secure` and `SameSite=Lax` unless told otherwise, so both are given. The old jar was a dictionary, in which a
second value takes the place of the first: where one cookie may be set twice, nothing is ported.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import libcst as cst

from streamcompat.porting.roles import REQUEST
from streamcompat.porting.scan import Scan
from streamcompat.porting.to_sanic.edits import is_statement, moved
from streamcompat.porting.tree import literal, parameters

_REMEDY = "use `response.add_cookie(name, value, secure=False, samesite=None, ...)`"
_TODAY = {"add_cookie", "delete_cookie", "get_cookie", "has_cookie"}
_TEXTS = {"args", "cookies", "form", "headers"}
"""What a request has that gives text for a name, or nothing."""

_ATTRIBUTES = {"comment", "domain", "expires", "httponly", "max_age", "path", "samesite", "secure"}


def scan_cookies(scan: Scan) -> None:
    """Visit every `cookies` that is not a request's."""
    done: set[cst.CSTNode] = set()
    used: dict[Any, list[cst.Attribute]] = defaultdict(list)
    for node in scan.tree.all(cst.Attribute):
        if node.attr.value != "cookies" or node in done or scan.roles.has(node.value, REQUEST):
            continue
        above = scan.tree.parent(node)
        if isinstance(above, cst.Attribute) and above.attr.value in _TODAY:
            continue
        if not _is_response(scan, node.value) or not _port(scan, node, done):
            scan.say(node, "left", f"`{scan.tree.code(node)}`: cookies are set in another way today", _REMEDY)
        else:
            used[scan.tree.variable(node.value)].append(node)
    for nodes in used.values():
        _once(scan, nodes)


def _once(scan: Scan, nodes: list[cst.Attribute]) -> None:
    """Report a cookie that one response may get twice."""
    tree = scan.tree
    is_middleware = _is_given(scan, nodes[0].value)
    for at, node in enumerate(nodes):
        scan.facts.cookies.add((_name(scan, node), tree.line(node), is_middleware))
        again = any(_may_be_same(scan, node, other) for other in nodes[:at])
        if again or _is_repeated(scan, node):
            reason = "a cookie may be set twice, and today's Sanic sends both"
            scan.say(node, "left", reason, "set each cookie once, where its value is known")


def _name(scan: Scan, node: cst.Attribute) -> str:
    """The name of the cookie; empty if it is no literal."""
    key = _key(scan.tree.parent(node))
    try:
        return str(literal(key)) if key is not None else ""
    except ValueError:
        return ""


def _may_be_same(scan: Scan, node: cst.Attribute, other: cst.Attribute) -> bool:
    names = {_name(scan, node), _name(scan, other)}
    if len(names) == 2 and "" not in names:
        return False
    above = list(scan.tree.above(other))
    inner: cst.CSTNode = node
    for one in scan.tree.above(node):
        if isinstance(one, cst.If) and one in above:
            return inner is one.body and one.body in above or inner is one.orelse and one.orelse in above
        inner = one
    return True


def _is_repeated(scan: Scan, node: cst.Attribute) -> bool:
    """Whether a loop that does not make the response sets the cookie, apart from one over the items of a
    dictionary by their keys."""
    tree = scan.tree
    assert isinstance(node.value, cst.Name)
    bound = [getattr(one, "node", None) for one in tree.assignments(node.value)]
    for loop in tree.above(node):
        if isinstance(loop, cst.FunctionDef):
            return False
        if not isinstance(loop, cst.For | cst.While) or any(one in set(tree.below(loop)) for one in bound):
            continue
        target: cst.BaseExpression | None = loop.target if isinstance(loop, cst.For) else None
        if isinstance(target, cst.Tuple) and target.elements:
            target = target.elements[0].value
        key = _key(tree.parent(node))
        by_key = isinstance(target, cst.Name) and key is not None and tree.code(key) == target.value
        source = loop.iter if isinstance(loop, cst.For) else None
        of_items = isinstance(source, cst.Call) and tree.code(source.func).endswith((".items", ".keys"))
        if not (by_key and of_items):
            return True
    return False


def _is_response(scan: Scan, node: cst.BaseExpression) -> bool:
    """Whether the name is only ever given a response of Sanic's."""
    tree = scan.tree
    if not isinstance(node, cst.Name):
        return False
    variable, bound = tree.variable(node), tree.assignments(node)
    values = [value for target, value in scan.roles.assigned if tree.variable(target) == variable]
    if values and len(values) == len(bound):
        calls = [one.expression if isinstance(one, cst.Await) else one for one in values]
        homes = [scan.roles.home(one.func) if isinstance(one, cst.Call) else None for one in calls]
        return all(home is not None and home.startswith("response.") for home in homes)
    return _is_given(scan, node)


def _is_given(scan: Scan, node: cst.BaseExpression) -> bool:
    """Whether it is the response that middleware is given."""
    tree, variable = scan.tree, scan.tree.variable(node)
    return any(
        what == "middleware"
        and len(params := parameters(function)) == 2
        and tree.variable(params[1]) == variable
        for function, (what, _) in scan.roles.beside.items()
    )


def _port(scan: Scan, node: cst.Attribute, done: set[cst.CSTNode]) -> bool:
    tree = scan.tree
    item = tree.parent(node)
    key = _key(item)
    if key is None or not isinstance(item, cst.Subscript):
        return False
    target = tree.parent(item)
    owner = scan.unit_of(node)
    response = tree.code(node.value)
    if isinstance(target, cst.Del) and is_statement(scan, target):
        scan.replace(target, f"{response}.cookies.delete_cookie({tree.code(key)}, secure=False)", owner)
        return True
    assign = tree.parent(target) if isinstance(target, cst.AssignTarget) else None
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1 or not is_statement(scan, assign):
        return False
    given: dict[str, str] = {}
    line = tree.parent(assign)
    assert line is not None
    last: cst.CSTNode = line
    for following in tree.following(line):
        found = _attribute(scan, following, tree.code(item))
        if found is None:
            break
        name, value, used = found
        if name not in _ATTRIBUTES:
            return False
        given[name] = moved(scan, value)
        done.add(used)
        last = following
    given = {"secure": "False", "samesite": "None", **given}
    arguments = ", ".join(f"{name}={value}" for name, value in given.items())
    said = moved(scan, assign.value)
    if not _is_text(scan, assign.value):
        said = f"str(({said}))" if isinstance(assign.value, cst.Tuple) else f"str({said})"
    text = f"{response}.add_cookie({moved(scan, key)}, {said}, {arguments})"
    scan.edit(tree.start(assign), tree.end(last), text, owner)
    return True


def _is_text(scan: Scan, node: cst.BaseExpression) -> bool:
    """Whether it is text or nothing, which today's Sanic takes; the old jar made text of anything."""
    if scan.kinds.of(node) == "str" or scan.tree.code(node) == "None":
        return True
    func = node.func if isinstance(node, cst.Call) else None
    if not isinstance(node, cst.Call) or not isinstance(func, cst.Attribute) or func.attr.value != "get":
        return False
    given = func.value
    return (
        isinstance(given, cst.Attribute)
        and given.attr.value in _TEXTS
        and scan.roles.has(given.value, REQUEST)
        and all(_is_text(scan, one.value) for one in node.args[1:])
    )


def _key(node: cst.CSTNode | None) -> cst.BaseExpression | None:
    if not isinstance(node, cst.Subscript) or len(node.slice) != 1:
        return None
    index = node.slice[0].slice
    return index.value if isinstance(index, cst.Index) else None


def _attribute(
    scan: Scan, line: cst.BaseStatement, cookie: str
) -> tuple[str, cst.BaseExpression, cst.Attribute] | None:
    """Name and value of `response.cookies[name]["httponly"] = True`, and its `response.cookies`."""
    assign = line.body[0] if isinstance(line, cst.SimpleStatementLine) and len(line.body) == 1 else None
    target = assign.targets[0].target if isinstance(assign, cst.Assign) and len(assign.targets) == 1 else None
    key = _key(target)
    if not isinstance(assign, cst.Assign) or not isinstance(target, cst.Subscript) or key is None:
        return None
    inner = target.value
    if scan.tree.code(inner) != cookie or not isinstance(inner, cst.Subscript):
        return None
    try:
        name = literal(key)
    except ValueError:
        return None
    used = inner.value
    if not isinstance(name, str) or not isinstance(used, cst.Attribute):
        return None
    return name.lower().replace("-", "_"), assign.value, used
