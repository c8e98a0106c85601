"""Ports routes: the types of parameters, their percent-encoding, and names, which have to be unique.

The rule: a route matches the same paths and gives the same parameters, but for what `docs/porting.md` lists.
"""

from __future__ import annotations

import re
from collections import defaultdict

import libcst as cst

from streamcompat.porting.model import FILE, Edit
from streamcompat.porting.roles import REQUEST, ROUTES, STREAM
from streamcompat.porting.scan import Scan
from streamcompat.porting.to_sanic.edits import add_argument
from streamcompat.porting.to_sanic.route_names import given_name, is_repeated, make_unique, route_name
from streamcompat.porting.tree import FunctionOrClass, argument, literal, parameters

PARAMETER = re.compile(r"<([^<>:]*)(?::([^<>]*))?>")
_RENAMED = {"string": "str", "number": "float"}
WHOLE = {"int", "number", "float", "alpha", "uuid", "ymd"}
"""Types of parameters without percent-encoding."""

_DECODED = {"", "string", "str"}
"""Types of parameters that `unquote=True` decodes."""

_WITHOUT_BODY = {"get", "head", "delete", "options"}
_BODY = {"body", "files", "form", "json"}


def scan_routes(scan: Scan) -> None:
    """Visit every route of an app or a blueprint."""
    names: dict[tuple[str, str], list[cst.Call]] = defaultdict(list)
    doubtful: set[cst.Call] = set()
    for call in scan.tree.all(cst.Call):
        func = call.func
        if not isinstance(func, cst.Attribute):
            continue
        objects = scan.roles.objects(func.value)
        kind = func.attr.value
        if not objects or "view" in objects.values():
            continue
        place = {"add_route": 1, "add_websocket_route": 1}.get(kind, 0)
        if kind in ROUTES or kind in ("websocket", "add_route", "add_websocket_route"):
            _path(scan, call, place)
            if is_repeated(scan, call):
                reason = "the route is made in a loop, and today's Sanic takes each name once"
                scan.say(call, "left", reason, "give each a `name=` of its own")
            name, is_certain = route_name(scan, call, kind)
            if kind == "add_route" and _bound_method(scan, call):
                is_certain = False
            doubtful |= set() if is_certain else {call}
            for reference in objects:
                names[reference, name].append(call)
            if kind == "websocket" or kind == "add_websocket_route":
                remedy = "check that no code relies on `recv()` raising when the client is gone"
                scan.say(call, "note", "Sanic's web sockets are other objects today", remedy)
            if kind in _WITHOUT_BODY and _reads_body(scan, call):
                add_argument(scan, call, "ignore_body=False")
        elif kind == "static":
            for reference in objects:
                names[reference, given_name(call) or "static"].append(call)
    for (reference, name), calls in names.items():
        scan.facts.routes.add((reference, name, scan.tree.line(calls[0])))
        make_unique(scan, name, calls, doubtful)
    for one in scan.tree.all(cst.ClassDef):
        if one in scan.roles.handlers or scan.roles.is_view_class(one):
            _view(scan, one)


def _bound_method(scan: Scan, call: cst.Call) -> bool:
    """Make a `partial` of a method of an object: today's Sanic sets an attribute on a handler that streams,
    and a method takes none. Returns whether the handler has no name any more."""
    handler = argument(call, 0, "handler")
    if handler is None or argument(call, 7, "stream") is None or not isinstance(handler.value, cst.Attribute):
        return False
    if scan.tree.import_of(_root(handler.value)) is not None:
        return False
    local = _partial(scan)
    scan.replace(handler.value, f"{local}({scan.tree.code(handler.value)})", scan.unit_of(call))
    return True


def _partial(scan: Scan) -> str:
    """The local name of `functools.partial`; it is imported if need be."""
    tree = scan.tree
    for one in tree.all(cst.ImportFrom):
        if tree.chain(one) or isinstance(one.names, cst.ImportStar) or tree.imported(one) != "functools":
            continue
        for alias in one.names:
            if alias.evaluated_name == "partial":
                return alias.evaluated_alias or "partial"
    local = scan.free("partial")
    scan.facts.helpers.add((f"functools.partial as {local}", FILE))
    return local


def _root(node: cst.BaseExpression) -> cst.Name:
    while isinstance(node, cst.Attribute):
        node = node.value
    return node if isinstance(node, cst.Name) else cst.Name("_")


def _path(scan: Scan, call: cst.Call, place: int) -> None:
    tree, owner = scan.tree, scan.unit_of(call)
    given = argument(call, place, "uri")
    if given is None:
        scan.say(call, "unknown", "the path of the route cannot be told", "pass it first, or by its name")
        return
    try:
        path = literal(given.value)
    except ValueError:
        path = None
    if not isinstance(path, str):
        remedy = (
            "check the types in it (`str`, `float`), and pass `unquote=True` if it has a parameter of text"
        )
        scan.say(given, "left", "the path of the route is no literal", remedy)
        return
    if any("<" in part and part != "<>" for part in PARAMETER.sub("<>", path).split("/")):
        remedy = "use one parameter for the whole segment, and take it apart in the handler"
        scan.say(given, "left", f"the route `{path}` has a parameter beside other text in a segment", remedy)
        return
    types = [kind for _, kind in PARAMETER.findall(path)]
    if any(kind in _RENAMED for kind in types) and isinstance(given.value, cst.SimpleString):
        code = tree.code(given.value)
        new = PARAMETER.sub(lambda found: _renamed(found[0], found[2]), code)
        scan.replace(given.value, new, owner)
    if any(kind not in WHOLE for kind in types):
        add_argument(scan, call, "unquote=True")
    for name, kind in PARAMETER.findall(path):
        if kind not in WHOLE | _DECODED and not _unquotes(scan, call, name):
            reason = (
                f"`{name}` is percent-encoded today: `unquote=True` leaves out parameters of type `{kind}`"
            )
            remedy = f"begin the handler with `{name} = urllib.parse.unquote({name})`"
            scan.say(call, "left", reason, remedy)
    if "int" in types or "number" in types:
        scan.say(call, "note", "`int` and `float` match negative numbers today", "check them in the handler")


def _unquotes(scan: Scan, call: cst.Call, name: str) -> bool:
    """Decode a parameter at the start of the handler, if this is its only route and its only caller."""
    tree = scan.tree
    function = _decorated(scan, call)
    if function is None:
        given = argument(call, 0, "handler")
        found = list(tree.functions_of(given.value)) if given is not None else []
        function = found[0] if len(found) == 1 else None
    if not isinstance(function, cst.FunctionDef) or not isinstance(function.body, cst.IndentedBlock):
        return False
    is_decorator = isinstance(tree.parent(call), cst.Decorator)
    routes = [one for one in function.decorators if isinstance(one.decorator, cst.Call)]
    used = [one for one in tree.names_of(function.name) if one is not function.name]
    takes = [one for one in parameters(function) if one.name.value == name and one.default is None]
    if len(function.decorators) != len(routes) or len(routes) != is_decorator or len(used) == is_decorator:
        return False
    first = next((one for one in function.body.body if not _is_docstring(one)), None)
    if len(used) > 1 or not takes or first is None:
        return False
    if tree.code(first).strip().startswith(f"{name} = unquote"):
        return True  # an earlier run has done it
    local = scan.free("unquote")
    scan.facts.helpers.add((f"urllib.parse.unquote as {local}", FILE))
    start = tree.line_start(tree.start(first))
    text = f"{tree.indent(first)}{name} = {local}({name}){tree.newline}"
    scan.facts.edits.append(Edit(start, start, text, scan.unit_of(function), -8))
    return True


def _is_docstring(node: cst.BaseStatement) -> bool:
    value = node.body[0] if isinstance(node, cst.SimpleStatementLine) else None
    return isinstance(value, cst.Expr) and isinstance(value.value, cst.SimpleString)


def _renamed(whole: str, kind: str | None) -> str:
    return whole if kind not in _RENAMED else f"{whole[: -len(kind) - 1]}{_RENAMED[kind]}>"


def _decorated(scan: Scan, call: cst.Call) -> cst.CSTNode | None:
    above = scan.tree.parent(call)
    return scan.tree.parent(above) if isinstance(above, cst.Decorator) else None


def _reads_body(scan: Scan, call: cst.Call) -> bool:
    """Whether the decorated handler uses its request's body, which today's Sanic ignores for this method."""
    function = _decorated(scan, call)
    return function is not None and any(
        isinstance(one, cst.Attribute)
        and (one.attr.value in _BODY and scan.roles.has(one.value, REQUEST) or scan.roles.has(one, STREAM))
        for one in scan.tree.below(function)
    )


def _view(scan: Scan, view: FunctionOrClass) -> None:
    """A method that streams makes its whole view a stream, where the others have no body until they ask."""
    tree = scan.tree
    assert isinstance(view, cst.ClassDef)
    methods = [one for one in view.body.body if isinstance(one, cst.FunctionDef)]
    streaming = [
        one for one in methods for each in one.decorators if scan.roles.home(each.decorator) == "views.stream"
    ]
    if not streaming:
        return
    for one in methods:
        if one in streaming:
            continue
        used = [
            each
            for each in tree.below(one)
            if isinstance(each, cst.Attribute)
            and each.attr.value in _BODY
            and scan.roles.has(each.value, REQUEST)
        ]
        asks = any(
            isinstance(each, cst.Attribute) and each.attr.value == "receive_body" for each in tree.below(one)
        )
        if not used or asks:
            continue
        first = one.body.body[0] if isinstance(one.body, cst.IndentedBlock) else None
        if one.asynchronous is None or first is None:
            reason = f"`{one.name.value}` uses the body, and another method makes the whole view a stream"
            scan.say(one, "left", reason, "make it async, and begin with `await request.receive_body()`")
            continue
        start = tree.line_start(tree.start(first))
        request = tree.code(used[0].value)
        text = f"{tree.indent(first)}await {request}.receive_body(){tree.newline}"
        scan.facts.edits.append(Edit(start, start, text, scan.unit_of(one), -9))
