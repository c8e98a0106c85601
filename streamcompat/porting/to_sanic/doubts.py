"""Finds where it cannot be told whether a thing is Sanic's: fakes, names with two meanings, unknown apps."""

from __future__ import annotations

import libcst as cst

from streamcompat.porting.roles import REQUEST, RESPONSE, ROUTES, STREAM
from streamcompat.porting.scan import Scan
from streamcompat.porting.tree import literal, parameters

_ROLES = {REQUEST.role, STREAM.role, RESPONSE.role}
_BESIDE = {"middleware", "exception", "listener", "websocket"}
_ADDS = {"add_route", "add_websocket_route"}


def scan_doubts(scan: Scan) -> None:
    """Report each, and record what other files have to know."""
    tree = scan.tree
    for node, _ in scan.roles.mixed((REQUEST,)):
        reason = f"`{tree.code(node)}` is used where other code uses a request of Sanic's"
        scan.say(node, "unknown", reason, "use separate names or functions for the two")
    for name in tree.all(cst.Name):
        if scan.roles.has(name, REQUEST) and not _is_bound_to_requests(scan, name):
            reason = f"`{name.value}` is a request of Sanic's, and bound to something else too"
            scan.say(name, "unknown", reason, "use separate names for the two")
    for function in tree.all(cst.FunctionDef):
        given = {value.role for one in parameters(function) for value in scan.roles.of(one.name)}
        if given & _ROLES:
            scan.facts.takes.add(tree.path_of(function))
    for call in tree.all(cst.Call):
        symbol = tree.qualified(call.func)
        values = {value.role for one in call.args for value in scan.roles.of(one.value)}
        if symbol in scan.seeds.known and call.args and not values & _ROLES:
            scan.facts.gives_other.add((symbol, tree.line(call)))
        if _registers(scan, call):
            code = tree.code(call.func)
            remedy = "import the app by its name, and port the file together with the one that makes it"
            scan.say(call, "unknown", f"it cannot be told whether `{code}` is of an app of Sanic's", remedy)


def _is_bound_to_requests(scan: Scan, name: cst.Name) -> bool:
    for one in scan.tree.assignments(name):
        node = getattr(one, "node", None)
        above = scan.tree.parent(node) if isinstance(node, cst.CSTNode) else None
        assign = scan.tree.parent(above) if isinstance(above, cst.AssignTarget) else above
        value = assign.value if isinstance(assign, cst.Assign | cst.AnnAssign | cst.NamedExpr) else None
        if not isinstance(node, cst.Param) and (value is None or not scan.roles.has(value, REQUEST)):
            return False
    return True


def _registers(scan: Scan, call: cst.Call) -> bool:
    """Whether the call looks like a registration on an app that is not known to be one."""
    func = call.func
    if not isinstance(func, cst.Attribute) or scan.roles.objects(func.value):
        return False
    if func.attr.value in _ADDS:
        return True
    if not isinstance(scan.tree.parent(call), cst.Decorator) or not call.args:
        return False
    if func.attr.value in _BESIDE - {"websocket"}:
        return True
    try:
        path = literal(call.args[0].value)
    except ValueError:
        return False
    return func.attr.value in ROUTES | _BESIDE and isinstance(path, str) and path.startswith("/")
