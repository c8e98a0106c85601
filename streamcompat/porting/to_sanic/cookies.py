"""Ports cookies of a response: `response.cookies[name] = value` becomes `response.add_cookie(name, value)`.

The rule: the attributes of a cookie that follow at once become arguments. Today's Sanic makes cookies
`Secure` and `SameSite=Lax` unless told otherwise, so both are given.
"""

from __future__ import annotations

import libcst as cst

from streamcompat.porting.roles import REQUEST
from streamcompat.porting.scan import Scan
from streamcompat.porting.to_sanic.edits import is_statement, moved
from streamcompat.porting.tree import literal, parameters

_REMEDY = "use `response.add_cookie(name, value, secure=False, samesite=None, ...)`"
_TODAY = {"add_cookie", "delete_cookie", "get_cookie", "has_cookie"}
_ATTRIBUTES = {"comment", "domain", "expires", "httponly", "max_age", "path", "samesite", "secure"}


def scan_cookies(scan: Scan) -> None:
    """Visit every `cookies` that is not a request's."""
    done: set[cst.CSTNode] = set()
    for node in scan.tree.all(cst.Attribute):
        if node.attr.value != "cookies" or node in done or scan.roles.has(node.value, REQUEST):
            continue
        above = scan.tree.parent(node)
        if isinstance(above, cst.Attribute) and above.attr.value in _TODAY:
            continue
        if not _is_response(scan, node.value) or not _port(scan, node, done):
            scan.say(node, "left", f"`{scan.tree.code(node)}`: cookies are set in another way today", _REMEDY)


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
    text = f"{response}.add_cookie({moved(scan, key)}, {moved(scan, assign.value)}, {arguments})"
    scan.edit(tree.start(assign), tree.end(last), text, owner)
    return True


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
