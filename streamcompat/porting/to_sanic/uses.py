"""Ports uses of Sanic's names: what is gone, and functions and classes that take other arguments today."""

from __future__ import annotations

import re

import libcst as cst
from libcst.metadata import ClassScope

from streamcompat.porting import names as sanic
from streamcompat.porting.model import FILE
from streamcompat.porting.objects import without
from streamcompat.porting.roles import STREAMERS
from streamcompat.porting.scan import Scan
from streamcompat.porting.to_sanic.defined import ABORT, AS_TEXT, WITH_STATUS, defined
from streamcompat.porting.to_sanic.edits import add_argument, by_name, moved, next_line
from streamcompat.porting.to_sanic.names import GONE, STATUSES
from streamcompat.porting.tree import Variable, bound_offset, literal, parameters
from streamcompat.porting.uses import is_in_import, record_import

_OWN = {name: status for status, name in STATUSES.items()} | {"URLBuildError": 500}
"""The status of each exception that took `status_code` and takes none today."""

_PRIVATE = re.compile(r"(^|\.)_(?!_)")
_PLAIN = {f"exceptions.{name}" for name in STATUSES.values()} - {"exceptions.ContentRangeError"}
"""Exceptions that are made of a message alone, then and today; and `SanicException`."""
_PLAIN |= {"exceptions.SanicException"}

_FILE = {
    "response.file": ("location", "mime_type", "headers", "filename", "_range"),
    "response.file_stream": ("location", "chunk_size", "mime_type", "headers", "filename", "_range"),
}
_RESPONSE = ("body", "status", "headers", "content_type", "body_bytes")


def scan_uses(scan: Scan) -> None:
    """Visit the imports of Sanic's names and every use of one. Runs before `scan_streams`."""
    tree = scan.tree
    for node in tree.all(cst.Import, cst.ImportFrom):
        record_import(scan, node)
    _imports(scan)
    _own_statuses(scan)
    for node in tree.all(cst.Name, cst.Attribute):
        symbol = tree.qualified(node)
        if symbol is None or is_in_import(scan, node):
            continue
        scan.facts.imports.add(symbol)
        if isinstance(tree.parent(node), cst.Attribute) or node in scan.consumed:
            continue
        if sanic.split(symbol) is not None:
            _use(scan, node, symbol)
        elif sanic.is_extension(symbol):
            name = symbol.partition(".")[0]
            scan.say(node, "note", f"`{name}` is an extension", "take its release for today's Sanic", FILE)
    for target in tree.all(cst.AssignTarget):
        node = target.target
        if isinstance(node, cst.Attribute) and scan.roles.home(node.value) is not None:
            scan.say(node, "left", f"`{tree.code(node)}` patches Sanic itself", "take the patch out")
    for one in tree.all(cst.ClassDef):
        _exception_class(scan, one)
    for call in tree.all(cst.Call):
        _own_exception(scan, call)


def _below(qualified: str) -> str:
    """A name below Sanic's package, as it is spelled."""
    root = next(one for one in sanic.ROOTS if qualified == one or qualified.startswith(f"{one}."))
    return qualified[len(root) + 1 :]


def _imports(scan: Scan) -> None:
    """Report imports of names that are gone and that no edit replaces."""
    tree = scan.tree
    for node in tree.all(cst.Import, cst.ImportFrom):
        start, end = tree.start(node), tree.end(node)
        for statement in scan.facts.sanic_imports:
            for one in statement.names if start <= statement.start < end else ():
                below = _below(one.qualified)
                becomes = GONE.get(below) or GONE.get(below.rpartition(".")[0])
                if becomes is not None and not becomes.edited:
                    scan.say(node, "left", f"today's Sanic has no `{one.qualified}`", becomes.text, FILE)


def _use(scan: Scan, node: cst.BaseExpression, symbol: str) -> None:
    tree, below = scan.tree, sanic.home(_below(symbol))
    above = tree.parent(node)
    call = above if isinstance(above, cst.Call) and above.func is node else None
    if below in STREAMERS:
        if call is None:
            remedy = "call it where the handler returns it; a test for it is always false today"
            scan.say(node, "left", f"`{tree.code(node)}` is used as a value", remedy)
    elif below == "exceptions.abort":
        is_raised = call is not None and _abort(scan, call)
        if not is_raised and isinstance(node, cst.Name) and None not in scan.facts.own_statuses.values():
            scan.facts.aborts.add((None, tree.line(node)))
            scan.facts.helpers.add((f"{ABORT} as {node.value}", FILE))
        elif not is_raised:
            remedy = "raise the exception of the status: `raise NotFound(message)`"
            scan.say(node, "left", "`abort` is gone, and its status cannot be told here", remedy)
    elif below == "exceptions.add_status_code":
        if call is None or not _status_code(scan, call):
            scan.say(node, "left", "`add_status_code` is gone", "set `status_code` in the body of the class")
    elif _PRIVATE.search(_below(symbol)):
        scan.say(node, "left", f"`{symbol}` is Sanic's own", "do without it: today's Sanic may not have it")
    elif below in GONE or _below(symbol) in GONE:
        becomes = GONE.get(_below(symbol)) or GONE[below]
        scan.say(node, "left", f"today's Sanic has no `{symbol}`", becomes.text)
    elif call is not None and below.startswith("exceptions."):
        _raised(scan, call, below.partition(".")[2])
    elif call is not None and below.startswith("response."):
        _response(scan, call, below)
    elif below in ("response.HTTPResponse", "response.BaseHTTPResponse") and isinstance(above, cst.Arg):
        around = tree.parent(above)
        if isinstance(around, cst.Call) and tree.builtin(around.func) in ("isinstance", "issubclass"):
            reason = "a streamed response is an `HTTPResponse` today, too, without a body"
            scan.say(around, "left", reason, "ask for what is needed: `response.body`, `response.status`")


# ---- exceptions ----


def exception(scan: Scan, name: str) -> str:
    """The local name of an exception of Sanic's; its import is added if need be."""
    for statement in scan.facts.sanic_imports:
        for one in statement.names:
            if sanic.home(_below(one.qualified)) == f"exceptions.{name}" and statement.module is not None:
                return one.binding
    local = scan.free(name)
    scan.facts.helpers.add((f"sanic.exceptions.{name} as {local}", FILE))
    return local


def _abort(scan: Scan, call: cst.Call) -> bool:
    """`abort(404)` as a statement becomes `raise NotFound()`."""
    tree = scan.tree
    given = by_name(scan, call, ("status_code", "message"))
    line = tree.parent(call)
    if given is None or "status_code" not in given or not isinstance(line, cst.Expr):
        return False
    try:
        status = literal(given["status_code"].value)
    except ValueError:
        return False
    if not isinstance(status, int) or {status, None} & scan.facts.own_statuses.keys():
        return False
    scan.facts.aborts.add((status, tree.line(call)))
    message = moved(scan, given["message"].value) if "message" in given else ""
    if status in STATUSES:
        text = f"raise {exception(scan, STATUSES[status])}({message})"
    else:
        given_status = f"{message}{', ' if message else ''}status_code={status}"
        text = f"raise {exception(scan, 'SanicException')}({given_status})"
    scan.replace(call, text, scan.unit_of(call))
    scan.consumed.update(tree.below(call.func))
    return True


def _own_statuses(scan: Scan) -> None:
    """Find the statuses for which the file registers classes of its own, which `abort` raised."""
    found = scan.facts.own_statuses
    changed = {
        scan.tree.variable(one.target.value)
        for one in scan.tree.all(cst.AssignTarget)
        if isinstance(one.target, cst.Attribute)
    }
    for call in scan.tree.all(cst.Call):
        if scan.roles.home(call.func) == "exceptions.add_status_code" and call.args:
            try:
                status = literal(call.args[0].value)
            except ValueError:
                status = None
            is_clear = status is not None and status not in found
            found[status] = _registered(scan, call, changed) if is_clear else None


def _registered(scan: Scan, call: cst.Call, changed: set[Variable | None]) -> str | None:
    """The name of the class that the decorator registers, if every function of the file may raise it so."""
    tree = scan.tree
    owner = tree.parent(tree.parent(call) or call)
    if not isinstance(owner, cst.ClassDef) or len(owner.decorators) != 1 or not _is_plain(scan, owner):
        return None
    is_global = isinstance(tree.parent(owner), cst.Module) and len(tree.assignments(owner.name)) == 1
    return owner.name.value if is_global and tree.variable(owner.name) not in changed else None


def _is_plain(scan: Scan, node: cst.ClassDef, depth: int = 0) -> bool:
    """Whether an exception of the file is made of a message alone, as those of Sanic's that it is of."""
    if depth > 8 or not node.bases or node.keywords or _binds(scan, node, {"__init__", "__new__"}):
        return False
    for base in (one.value for one in node.bases):
        classes = scan.tree.functions_of(base)
        is_own = [isinstance(one, cst.ClassDef) and _is_plain(scan, one, depth + 1) for one in classes]
        if scan.roles.home(base) not in _PLAIN and is_own != [True]:
            return False
    return True


def _binds(scan: Scan, node: cst.ClassDef, names: set[str]) -> bool:
    """Whether the body of a class, without those of its methods, has one of the names."""
    for one in scan.tree.below(node.body):
        scope = scan.tree.scope(one) if isinstance(one, cst.Name) and one.value in names else None
        if isinstance(scope, ClassScope) and scope.node is node:
            return True
    return False


def _status_code(scan: Scan, call: cst.Call) -> bool:
    """`@add_status_code(418)` becomes an attribute of the class."""
    tree = scan.tree
    decorator = tree.parent(call)
    owner = tree.parent(decorator) if isinstance(decorator, cst.Decorator) else None
    if (
        not isinstance(owner, cst.ClassDef)
        or not isinstance(owner.body, cst.IndentedBlock)
        or len(call.args) != 1
        or _binds(scan, owner, {"status_code"})
    ):
        return False
    assert decorator is not None
    start = tree.line_start(tree.start(decorator))
    scan.edit(start, next_line(scan, tree.end(decorator)), "", FILE)
    first = owner.body.body[0]
    text = f"status_code = {tree.code(call.args[0].value)}"
    value = first.body[0] if isinstance(first, cst.SimpleStatementLine) else None
    if isinstance(value, cst.Pass):
        scan.replace(value, text, FILE)
    elif isinstance(value, cst.Expr) and isinstance(value.value, cst.SimpleString):
        scan.insert(scan.line_end(tree.end(first)), f"{tree.newline}{tree.indent(first)}{text}", FILE)
    else:
        at = tree.line_start(tree.start(first))
        scan.insert(at, f"{tree.indent(first)}{text}{tree.newline}", FILE)
    return True


def _raised(scan: Scan, call: cst.Call, name: str) -> None:
    if name not in _OWN:
        return
    given = by_name(scan, call, ("message", "status_code", "scheme"))
    if given is None:
        scan.say(call, "left", f"`{name}` takes no `status_code` today", "pass its arguments by name")
    elif "status_code" in given:
        one = given["status_code"]
        owner = scan.unit_of(call)
        if scan.tree.code(one.value) in ("None", str(_OWN[name])):
            without(scan, call, [one], owner)
            return
        status = moved(scan, one.value)
        without(scan, call, [one], owner)
        start, end = scan.tree.start(call), scan.tree.end(call)
        scan.wrap(start, end, f"{defined(scan, WITH_STATUS)}(", f", {status})", owner, 3)


def _own_exception(scan: Scan, call: cst.Call) -> None:
    """A class of the project that passes a status on to a class of Sanic's that takes none today."""
    for one in scan.tree.functions_of(call.func):
        homes = (
            {scan.roles.home(base.value) for base in one.bases} if isinstance(one, cst.ClassDef) else set()
        )
        is_of_one = any(home is not None and home.partition(".")[2] in _OWN for home in homes)
        given = {arg.keyword.value if arg.keyword is not None else "" for arg in call.args[1:]}
        has_own = isinstance(one, cst.ClassDef) and scan.tree.methods(one, "__init__")
        if is_of_one and given & {"", "status_code"} and not has_own:
            remedy = "set `status_code` in the class, and pass the message alone"
            scan.say(call, "left", f"`{scan.tree.code(call.func)}` takes no `status_code` today", remedy)


def _exception_class(scan: Scan, node: cst.ClassDef) -> None:
    """A subclass that passes a status on to a class that takes none today."""
    tree = scan.tree
    homes = {scan.roles.home(one.value) for one in node.bases}
    if not any(home is not None and home.partition(".")[2] in _OWN for home in homes):
        return
    for call in (one for one in tree.below(node) if isinstance(one, cst.Call)):
        is_init = isinstance(call.func, cst.Attribute) and call.func.attr.value == "__init__"
        if is_init and (len(call.args) > 1 or any(one.star for one in call.args)):
            remedy = "set `status_code` in the class, and pass the message alone"
            scan.say(call, "left", "the class below takes no `status_code` today", remedy)


# ---- responses ----


def _response(scan: Scan, call: cst.Call, below: str) -> None:
    tree = scan.tree
    if below in _FILE:
        _file(scan, call, below)
    elif below in ("response.text", "response.html"):
        body = next((one for one in call.args[:1] if not one.star), None)
        if body is not None and (body.keyword is None or body.keyword.value == "body"):
            kind = scan.kinds.of(body.value)
            if tree.code(body.value) == "None":
                scan.replace(body.value, 2 * scan.quote, scan.unit_of(body))
            elif kind == "other" or (below == "response.text" and _is_of_path(scan, body.value)):
                _as_text(scan, body)
            elif kind != "str" and below == "response.text":
                scan.replace(call.func, defined(scan, AS_TEXT), scan.unit_of(call))
    elif below == "response.HTTPResponse":
        given = by_name(scan, call, _RESPONSE)
        if given is None or (
            "body_bytes" in given and ("body" in given or given["body_bytes"].keyword is None)
        ):
            scan.say(call, "left", "`HTTPResponse` takes no `body_bytes` today", "pass the bytes as `body`")
            return
        if "body_bytes" in given and given["body_bytes"].keyword is not None:
            scan.replace(given["body_bytes"].keyword, "body", scan.unit_of(call))
        if "body" in given and scan.kinds.of(given["body"].value) == "other":
            if tree.code(given["body"].value) != "None":
                _as_text(scan, given["body"])
        if "content_type" not in given:
            add_argument(scan, call, f"content_type={scan.quote}text/plain{scan.quote}")


def _is_of_path(scan: Scan, node: cst.BaseExpression) -> bool:
    """Whether it is a parameter of a handler's path: text or a number, and never bytes."""
    function = scan.tree.function(node)
    if not isinstance(node, cst.Name) or function not in scan.roles.handlers:
        return False
    assert isinstance(function, cst.FunctionDef)
    params = parameters(function)[bound_offset(scan.tree, function) + 1 :]
    variable = scan.tree.variable(node)
    return len(scan.tree.assignments(node)) == 1 and any(
        one.default is None and scan.tree.variable(one) == variable for one in params
    )


def _as_text(scan: Scan, body: cst.Arg) -> None:
    """Sanic's `text` made text of anything."""
    opening, closing = ("((", "))") if isinstance(body.value, cst.Tuple) else ("(", ")")
    start, end = scan.tree.start(body.value), scan.tree.end(body.value)
    scan.wrap(start, end, f"str{opening}", closing, scan.unit_of(body), 3)


def _file(scan: Scan, call: cst.Call, below: str) -> None:
    tree, owner = scan.tree, scan.unit_of(call)
    positions = _FILE[below]
    for at, one in enumerate(call.args):
        if one.star or (one.keyword is None and at > 0):
            remedy = f"pass all but the location by name: `{'`, `'.join(positions[1:])}`"
            scan.say(call, "left", f"the order of the parameters of `{tree.code(call.func)}` changed", remedy)
            return
    without(scan, call, [one for one in call.args if one.keyword and one.keyword.value == "chunked"], owner)
    if below == "response.file":
        reason = "`file` sends `Last-Modified` and `Cache-Control` of its own today"
        scan.say(call, "note", reason, "pass `last_modified=None` and `headers=` to change that")
