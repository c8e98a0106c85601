"""Ports apps and blueprints: how they are created, what is registered on them, and where they are passed.

The rule: an app is ported together with every handler that reads a request's body, because the app determines
the API with which the body is read.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from streamcompat.porting.model import ObjectKind, Unit
from streamcompat.porting.names import is_extension
from streamcompat.porting.roles import OBJECTS, REQUEST
from streamcompat.porting.scan import Scan
from streamcompat.porting.tree import argument, literal, parameters

_SANIC_ARGUMENTS = (
    "name", "router", "error_handler", "load_env", "request_class", "strict_slashes", "log_config",
    "configure_logging", "is_request_stream",
)  # fmt: skip
_BLUEPRINT_ARGUMENTS = ("name", "url_prefix", "host", "version", "strict_slashes")
_KEPT = {"name", "load_env", "url_prefix", "host"}
_ATTRIBUTES = {"strict_slashes", "version"}
"""Arguments that Mach9's constructors lack, but that exist as attributes."""

_SANIC_ONLY = {
    "add_signal", "add_websocket_route", "asgi_client", "before_server_start", "after_server_start",
    "before_server_stop", "after_server_stop", "ctx", "dispatch", "enable_websocket", "event", "ext",
    "extend", "finalize", "group", "main_process_start", "main_process_stop", "on_request", "on_response",
    "register_named_middleware", "signal", "update_config", "websocket",
}  # fmt: skip
_WEBSOCKET = (
    "write `@app.get(uri, websocket=True)` on a handler that returns `websocket(fn)`, then port the app"
)
_LISTENER = "decorate it with `@app.listener(...)`, then port the app"
_MIDDLEWARE = "decorate it with `@app.middleware(...)`, then port the app"
_INSTEAD = {
    "websocket": _WEBSOCKET,
    "add_websocket_route": _WEBSOCKET,
    "before_server_start": _LISTENER,
    "after_server_start": _LISTENER,
    "before_server_stop": _LISTENER,
    "after_server_stop": _LISTENER,
    "on_request": _MIDDLEWARE,
    "on_response": _MIDDLEWARE,
    "ctx": "keep it in an attribute of the app, then port the app",
}
_INTERNALS = {
    "error_handler",
    "handle_request",
    "handle_exception",
    "request_class",
    "router",
    "run",
    "url_for",
}
_HARMLESS_BUILTINS = {"bool", "getattr", "hasattr", "id", "isinstance", "len", "print", "repr", "str", "type"}
_BODY = {"body", "files", "form", "json", "load_json"}
_DECORATOR = {"POST": "post", "PUT": "put", "PATCH": "patch"}


def scan_objects(scan: Scan) -> None:
    """Visit every creation and use of an app, a blueprint or a composed view."""
    for call in scan.tree.all(cst.Call):
        kind = OBJECTS.get(scan.roles.home(call.func) or "")
        if kind is not None:
            _made(scan, call, kind)
    for view, reference in scan.roles.views:
        scan.facts.units.setdefault(view, Unit(view, view, 1, "view")).near.add(reference)
    for node in scan.tree.all(cst.Name, cst.Attribute):
        if scan.is_load(node):
            objects = scan.roles.objects(node)
            if objects:
                _used(scan, node, objects)
            elif scan.roles.has(node, REQUEST):
                _request(scan, node)
    for function, (what, references) in scan.roles.beside.items():
        if what == "exception":
            for reference in references:
                rename_exception_handler(scan, function, reference)
    for node, references in scan.roles.unseen.items():
        for reference in references:
            scan.say(
                node,
                "unknown",
                f"`{scan.tree.code(node)}` is registered as a handler, but its definition cannot be found",
                "port the file together with the one that defines it, or register a function by its name",
                reference,
            )


def _made(scan: Scan, call: cst.Call, kind: ObjectKind) -> None:
    tree = scan.tree
    key = f"o{tree.start(call)}"
    assign = tree.parent(call)
    target = None
    if isinstance(assign, cst.Assign) and len(assign.targets) == 1:
        target = assign.targets[0].target
    elif isinstance(assign, cst.AnnAssign):
        target = assign.target
    title = tree.code(target) if target is not None else tree.code(call.func)
    unit = Unit(key, title, tree.line(call), kind)
    scan.facts.units[key] = unit
    if kind == "view":
        return
    positions = _SANIC_ARGUMENTS if kind == "app" else _BLUEPRINT_ARGUMENTS
    drop = []
    for at, one in enumerate(call.args):
        name = one.keyword.value if one.keyword else (positions[at] if at < len(positions) else "")
        if one.star or not name:
            scan.say(
                call, "unknown", "its arguments cannot be determined", "pass each argument by its name", key
            )
        elif name in _ATTRIBUTES:
            drop.append(one)
            _as_attribute(scan, call, one, name, target, key)
        elif name in ("is_request_stream", "configure_logging"):
            drop.append(one)
            if name == "configure_logging" and tree.code(one.value) != "True":
                remedy = "set up the loggers `mach9` and `network` before `run`"
                scan.say(call, "note", "Mach9 has no `configure_logging`", remedy, key)
        elif name == "log_config":
            if one.keyword is None:
                scan.insert(tree.start(one.value), "log_config=", key)
        elif (
            name not in _KEPT and tree.code(one.value) != "None" and not _plain_request(scan, name, one.value)
        ):
            scan.say(
                call,
                "left",
                f"`{name}=` has no equivalent in Mach9",
                "create the app with `Mach9(...)` by hand, then port the rest",
                key,
            )
    without(scan, call, drop, key)
    if kind == "app" and not _says_load_env(call):
        scan.say(
            call,
            "note",
            "settings now come from the environment variables `MACH9_...` instead of `SANIC_...`",
            "rename them where the app is deployed",
            key,
        )


def _says_load_env(call: cst.Call) -> bool:
    given = argument(call, 3, "load_env")
    return given is not None


def _plain_request(scan: Scan, name: str, value: cst.BaseExpression) -> bool:
    """Whether the argument is a subclass of Request without a constructor, which works in both flavours."""
    classes = scan.tree.functions_of(value) if name == "request_class" else []
    return bool(classes) and all(
        isinstance(one, cst.ClassDef)
        and not any(
            isinstance(each, cst.FunctionDef) and each.name.value == "__init__" for each in one.body.body
        )
        for one in classes
    )


def _as_attribute(
    scan: Scan, call: cst.Call, one: cst.Arg, name: str, target: cst.CSTNode | None, key: str
) -> None:
    """`version=1` becomes `bp.version = 1`, which applies to all routes registered afterwards."""
    value = scan.tree.code(one.value)
    if value in ("None", "False"):
        return
    statement = scan.tree.statement(call)
    if target is None or not isinstance(statement, cst.SimpleStatementLine) or len(statement.body) != 1:
        remedy = f"set the attribute `{name}` after the call"
        scan.say(call, "left", f"Mach9's constructor has no `{name}`", remedy, key)
        return
    text = f"{scan.tree.newline}{scan.tree.indent(statement)}{scan.tree.code(target)}.{name} = {value}"
    scan.insert(scan.line_end(scan.tree.end(statement)), text, key)


def without(scan: Scan, call: cst.Call, drop: Sequence[cst.Arg], owner: str) -> None:
    """Remove arguments from a call, each with the comma before it (leading ones with the comma after)."""
    if not drop:
        return
    tree, given = scan.tree, list(call.args)
    kept = [at for at, one in enumerate(given) if one not in drop]
    if not kept:
        scan.edit(tree.start(given[0]), tree.end(call) - 1, "", owner)
        return
    if kept[0] > 0:
        scan.edit(tree.start(given[0]), tree.start(given[kept[0]]), "", owner)
    for at in range(kept[0] + 1, len(given)):
        if given[at] in drop:
            scan.edit(tree.end(given[at - 1]), tree.end(given[at]), "", owner)


# ---- uses ----


def _used(scan: Scan, node: cst.CSTNode, objects: dict[str, str]) -> None:
    tree = scan.tree
    above = tree.parent(node)
    references = sorted(objects)
    for reference in references[1:]:
        scan.facts.units.setdefault(
            references[0], Unit(references[0], tree.code(node), tree.line(node), "app")
        ).near.add(reference)
    owner = references[0]
    if isinstance(above, cst.Attribute):
        _member(scan, above, owner, set(objects.values()))
    elif isinstance(above, cst.Arg):
        call = tree.parent(above)
        if isinstance(call, cst.Call):
            _handed(scan, node, call, owner)


def _member(scan: Scan, node: cst.Attribute, owner: str, kinds: set[str]) -> None:
    tree, name = scan.tree, node.attr.value
    call = tree.parent(node)
    if isinstance(call, cst.AssignTarget | cst.AugAssign):
        if name in _INTERNALS:
            scan.say(
                node,
                "left",
                f"`{tree.code(node)}` is patched",
                "write an equivalent for Mach9 by hand",
                owner,
            )
        return
    if name in _SANIC_ONLY and "view" not in kinds:
        remedy = _INSTEAD.get(name, "port the code that uses it by hand")
        scan.say(node, "left", f"`{tree.code(node)}` is missing or different in Mach9", remedy, owner)
        return
    if not isinstance(call, cst.Call) or call.func is not node:
        if name == "stream":
            scan.say(
                node,
                "left",
                "`stream` is passed as a function",
                "use it as a decorator of the handler",
                owner,
            )
        return
    if name == "stream":
        stream_route(scan, node, call, owner)
    elif name == "run":
        for at, one in enumerate(call.args):
            if one.keyword is None and not one.star and at >= 2:
                order = ("debug", "ssl", "sock", "workers", "protocol", "backlog")
                scan.insert(tree.start(one.value), f"{order[at - 2]}=", owner)
        drop = [
            one
            for one in call.args
            if one.keyword and one.keyword.value in ("stop_event", "register_sys_signals")
        ]
        without(scan, call, drop, owner)


def stream_route(scan: Scan, node: cst.Attribute, call: cst.Call, owner: str) -> None:
    """`@app.stream(uri)` becomes `@app.post(uri, stream=True)`, or the decorator for its methods."""
    tree = scan.tree
    methods = argument(call, 1, "methods")
    name = "post"
    if any(one.star for one in call.args) or not call.args:
        scan.say(call, "unknown", "its arguments cannot be determined", "write `stream=True` by hand", owner)
        return
    if methods is not None:
        try:
            value = literal(methods.value)
            wanted = {str(one).upper() for one in value} if not isinstance(value, str) else set()
        except (ValueError, TypeError):
            wanted = set()
        name = _DECORATOR.get(next(iter(wanted)), "route") if len(wanted) == 1 else "route"
        if name != "route":
            without(scan, call, [methods], owner)
    scan.replace(node.attr, name, owner)
    last = call.args[-1] if call.args[-1] is not methods or name == "route" else call.args[-2]
    scan.insert(tree.end(last), ", stream=True", owner)


def _handed(scan: Scan, node: cst.CSTNode, call: cst.Call, owner: str) -> None:
    tree = scan.tree
    if isinstance(call.func, cst.Attribute) and scan.roles.objects(call.func.value):
        return
    symbol = tree.qualified(call.func) or ""
    name = tree.code(call.func)
    if is_extension(symbol):
        scan.say(
            call,
            "left",
            f"`{name}` is an extension for Sanic apps",
            "find an equivalent or write middleware instead, then port the app",
            owner,
        )
    elif (
        scan.handed_on(call)
        or tree.builtin(call.func) in _HARMLESS_BUILTINS
        or symbol.startswith("streamcompat.")
    ):
        return
    elif scan.roles.home(call.func) is None and not isinstance(tree.parent(call), cst.Decorator):
        scan.say(
            call,
            "unknown",
            f"the app is passed to `{name}`, which may need a Sanic app",
            "port it together with the called function, or by hand",
            owner,
        )


def _request(scan: Scan, node: cst.CSTNode) -> None:
    """Report uses of a request that behave differently in Mach9."""
    above = scan.tree.parent(node)
    if not isinstance(above, cst.Attribute):
        return
    function = scan.tree.function(node)
    owner = scan.unit_of(node)
    unit = scan.facts.units.get(owner)
    if above.attr.value == "token" and unit is not None:
        unit.reads = True
        scan.say(
            above,
            "left",
            "`request.token` accepts `Token ...` only in Mach9",
            "read `request.headers['Authorization']`",
        )
    if not isinstance(function, cst.FunctionDef) or unit is None:
        return
    kind = scan.roles.beside.get(function, ("", set()))[0]
    if kind == "middleware" and above.attr.value in _BODY and len(parameters(function)) == 1:
        unit.reads = True
        scan.say(
            above,
            "left",
            f"Mach9 reads the body after request middleware, so `request.{above.attr.value}` is not set yet",
            "use the body in the handlers",
        )


def rename_exception_handler(scan: Scan, function: cst.FunctionDef, owner: str) -> None:
    """Rename the parameters: Mach9 passes them by name, `handler(request=..., exception=...)`."""
    tree = scan.tree
    given = parameters(function)
    if len(given) != 2:
        return
    for parameter, wanted in zip(given, ("request", "exception"), strict=True):
        old = parameter.name.value
        if old == wanted:
            continue
        if wanted in tree.names_below(function):
            scan.say(
                function,
                "left",
                f"Mach9 calls it with `{wanted}=...`, but it uses `{wanted}` for something else",
                "name its parameters `request` and `exception`",
                owner,
            )
            return
        scan.rename(parameter, wanted, owner)
