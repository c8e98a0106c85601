"""Ports apps and blueprints: how they are created, their own attributes, their middleware and how they run.

The rule: an attribute that today's Sanic does not have is the project's own, and moves to `ctx`.
"""

from __future__ import annotations

import re
from pathlib import PurePath

import libcst as cst

from streamcompat.porting.names import is_extension
from streamcompat.porting.objects import stream_route, without
from streamcompat.porting.roles import OBJECTS, REQUEST
from streamcompat.porting.scan import Scan
from streamcompat.porting.to_sanic.edits import by_name
from streamcompat.porting.to_sanic.names import APP, APP_GONE, CONFIG_GONE
from streamcompat.porting.tree import argument, literal, parameters

_APP = (
    "name", "router", "error_handler", "load_env", "request_class", "strict_slashes", "log_config",
    "configure_logging", "is_request_stream",
)  # fmt: skip
_BLUEPRINT = ("name", "url_prefix", "host", "version", "strict_slashes")
_RUN = ("host", "port", "debug", "ssl", "sock", "workers", "protocol", "backlog")
_RUNS = frozenset(_RUN) | {
    "access_log", "auto_reload", "dev", "fast", "loop", "motd", "register_sys_signals", "single_process",
    "unix",
}  # fmt: skip
_SETTABLE = {"config", "ctx", "debug", "error_handler", "name", "request_class", "strict_slashes"}
_VALID = re.compile(r"[a-zA-Z_][a-zA-Z0-9_\-]*")
_WHOLE_APP = {
    "middleware": "middleware of a blueprint ran for the whole app, and runs for the blueprint alone today",
    "exception": "a blueprint's exception handler was the whole app's, and is the blueprint's alone today",
}


def scan_apps(scan: Scan) -> None:
    """Visit every creation and use of an app or a blueprint."""
    tree = scan.tree
    names: set[str] = set()
    for call in tree.all(cst.Call):
        home = scan.roles.home(call.func)
        if OBJECTS.get(home or "") in ("app", "blueprint"):
            _made(scan, call, home == "app.Sanic")
            name = tree.code(call.args[0].value) if home == "app.Sanic" and call.args else None
            if name in names:
                remedy = "give each app a name of its own"
                scan.say(call, "left", f"two apps are called {name}, which today's Sanic refuses", remedy)
            names |= {name} if name is not None else set()
    for node in tree.all(cst.Attribute):
        objects = scan.roles.objects(node.value)
        if objects:
            _member(scan, node, set(objects.values()))
        elif _is_requests_app(scan, node.value):
            _member(scan, node, {"app"})
    for node in tree.all(cst.Name):
        above = tree.parent(node)
        if isinstance(above, cst.Arg) and scan.is_load(node) and scan.roles.objects(node):
            _handed(scan, node, above)
    for function, (what, _) in scan.roles.beside.items():
        if what == "middleware":
            _gives_another(scan, function)
    for one in tree.all(cst.ClassDef):
        for base in one.bases:
            if OBJECTS.get(scan.roles.home(base.value) or "") is not None:
                reason = f"a subclass of `{tree.code(base.value)}`, whose constructor and attributes changed"
                scan.say(one, "left", reason, "port the class by hand, or make the app without it")


def _gives_another(scan: Scan, function: cst.CSTNode) -> None:
    """Note response middleware that may give another response in the place of the one it is given."""
    params = parameters(function) if isinstance(function, cst.FunctionDef) else []
    if isinstance(function, cst.FunctionDef) and len(params) < 2:
        return
    given = scan.roles.returns[function] if isinstance(function, cst.FunctionDef) else [cst.Name("_")]
    for one in given:
        is_same = isinstance(one, cst.Name) and one.value == "None"
        if not is_same and scan.tree.variable(one) != (scan.tree.variable(params[1]) if params else None):
            scan.facts.replaces.add(scan.tree.line(function))


def _registered(scan: Scan, call: cst.Call) -> None:
    """Middleware that is registered by a call."""
    place = argument(call, 0, "middleware")
    kind = argument(call, 1, "attach_to")
    if place is None or kind is None or scan.tree.code(kind.value).strip("\"'") != "response":
        return
    found = scan.tree.functions_of(place.value)
    if not found:
        scan.facts.replaces.add(scan.tree.line(call))
    for one in found:
        _gives_another(scan, one)


def _is_requests_app(scan: Scan, node: cst.CSTNode) -> bool:
    return (
        isinstance(node, cst.Attribute) and node.attr.value == "app" and scan.roles.has(node.value, REQUEST)
    )


# ---- creation ----


def _made(scan: Scan, call: cst.Call, is_app: bool) -> None:
    tree = scan.tree
    given = by_name(scan, call, _APP if is_app else _BLUEPRINT)
    owner = scan.unit_of(call)
    if given is None:
        scan.say(call, "unknown", "its arguments cannot be determined", "pass each argument by its name")
        return
    if is_app:
        _arguments(scan, call, given, owner)
    name = given.get("name")
    if name is not None:
        _renamed(scan, name, is_app)
    elif is_app:
        scan.insert(tree.end(call.func) + 1, f"{_quoted(scan)}{', ' if given else ''}", owner)


def _arguments(scan: Scan, call: cst.Call, given: dict[str, cst.Arg], owner: str) -> None:
    """Today's order of parameters is another one, and two parameters are gone."""
    tree = scan.tree
    drop = [given[name] for name in ("is_request_stream",) if name in given]
    for at, (name, one) in enumerate(given.items()):
        if one.keyword is None and at > 0 and one not in drop and name != "load_env":
            scan.insert(tree.start(one.value), f"{name}=", owner)
    loads = given.get("load_env")
    if loads is not None:
        code = tree.code(loads.value)
        start = tree.start(loads) if loads.keyword is not None else tree.start(loads.value)
        if code == "True":
            drop.append(loads)
        elif code == "False":
            scan.edit(start, tree.end(loads.value), "env_prefix=None", owner)
        elif isinstance(loads.value, cst.SimpleString):
            scan.edit(start, tree.start(loads.value), "env_prefix=", owner)
        else:
            scan.say(
                call, "left", "`load_env` is no literal", "pass `env_prefix=`: a prefix, or None for none"
            )
    without(scan, call, drop, owner)


def _quoted(scan: Scan) -> str:
    """A name for an app from the name of its file."""
    stem = PurePath(scan.facts.path).stem
    return f"{scan.quote}{_valid(stem if stem.isidentifier() else 'app')}{scan.quote}"


def _valid(name: str) -> str:
    found = re.sub(r"[^a-zA-Z0-9_\-]+", "_", name) or "app"
    return found if _VALID.fullmatch(found) else f"_{found}"


def _renamed(scan: Scan, given: cst.Arg, is_app: bool) -> None:
    """Give an app or a blueprint a name that today's Sanic accepts."""
    tree, owner = scan.tree, scan.unit_of(given)
    code = tree.code(given.value)
    if code in ("__name__", "None"):
        scan.replace(given.value, _quoted(scan), owner)
        return
    try:
        name = literal(given.value)
    except ValueError:
        remedy = "use letters, digits, `_` and `-`, and each name once in a process"
        scan.say(given, "note", f"`{code}` has to be a name that today's Sanic accepts", remedy)
        return
    if not isinstance(name, str) or _VALID.fullmatch(name) is None:
        if not is_app:
            remedy = "use letters, digits, `_` and `-`, also where `url_for` names its routes"
            scan.say(given, "left", f"the name {code} of a blueprint is not valid any more", remedy)
            return
        new = f"{scan.quote}{_valid(str(name))}{scan.quote}"
        scan.replace(given.value, new, owner)
        scan.say(
            given,
            "note",
            f"the name {code} is not valid any more, so it becomes {new}",
            "check what uses `app.name`",
        )


# ---- uses ----


def _member(scan: Scan, node: cst.Attribute, kinds: set[str]) -> None:
    tree, name, owner = scan.tree, node.attr.value, scan.unit_of(node)
    above = tree.parent(node)
    call = above if isinstance(above, cst.Call) and above.func is node else None
    is_set = isinstance(above, cst.AssignTarget | cst.AugAssign | cst.AnnAssign) and above.target is node
    if kinds == {"view"}:
        return
    if "blueprint" in kinds and name in _WHOLE_APP:
        scan.say(node, "left", _WHOLE_APP[name], "register it on the app, and look at `request.path` there")
    elif name == "register_blueprint":
        scan.replace(node.attr, "blueprint", owner)
    elif name in APP_GONE:
        scan.say(node, "left", f"today's Sanic has no `{tree.code(node)}`", APP_GONE[name].text)
    elif name == "stream":
        if call is not None:
            stream_route(scan, node, call, owner)
        else:
            scan.say(node, "left", "`stream` is passed as a function", "use it as a decorator of the handler")
    elif is_set and name in APP and name not in _SETTABLE:
        scan.say(node, "left", f"`{tree.code(node)}` is set, which Sanic itself uses", "choose another name")
    elif name not in APP:
        scan.insert(tree.start(node.attr), "ctx.", owner)
    elif call is not None and name in ("run", "go_fast", "create_server"):
        _runs(scan, node, call)
    elif name == "config" and isinstance(above, cst.Attribute) and above.attr.value in CONFIG_GONE:
        _configures(scan, above)
    elif call is not None and name == "register_middleware":
        _registered(scan, call)
    elif call is not None and name == "middleware" and isinstance(tree.parent(call), cst.Call):
        scan.facts.replaces.add(tree.line(call))
    elif name == "test_client":
        scan.say(node, "note", "the client for tests is in a package of its own", "install `sanic-testing`")


def _configures(scan: Scan, node: cst.Attribute) -> None:
    name = node.attr.value
    call = scan.tree.parent(node)
    is_plain = isinstance(call, cst.Call) and len(call.args) == 1 and not call.args[0].star
    if CONFIG_GONE[name].edited and is_plain and isinstance(call, cst.Call) and call.args[0].keyword is None:
        scan.replace(node.attr, "update_config", scan.unit_of(node))
        return
    scan.say(node, "left", f"today's Sanic has no `{scan.tree.code(node)}`", CONFIG_GONE[name].text)


def _runs(scan: Scan, node: cst.Attribute, call: cst.Call) -> None:
    tree, owner = scan.tree, scan.unit_of(node)
    given = by_name(scan, call, _RUN)
    if node.attr.value == "create_server" or given is None or not given.keys() <= _RUNS:
        remedy = "pass what today's `app.run` takes, by name"
        scan.say(call, "left", f"`{tree.code(node)}` takes other arguments today", remedy)
        return
    if node.attr.value == "go_fast":
        scan.replace(node.attr, "run", owner)
    for at, (name, one) in enumerate(given.items()):
        if one.keyword is None and at >= 2:
            scan.insert(tree.start(one.value), f"{name}=", owner)
    scan.say(
        call,
        "note",
        "`app.run` serves from other processes today, which import the file again",
        "keep it below `if __name__ == '__main__':`, or pass `single_process=True`",
    )


def _handed(scan: Scan, node: cst.Name, above: cst.Arg) -> None:
    """An app that is passed to a function."""
    tree, call = scan.tree, scan.tree.parent(above)
    if not isinstance(call, cst.Call) or scan.handed_on(call):
        return
    if isinstance(call.func, cst.Attribute) and scan.roles.objects(call.func.value):
        return
    name = tree.code(call.func)
    if tree.builtin(call.func) in ("getattr", "setattr", "hasattr", "delattr"):
        scan.say(call, "left", f"`{name}` hides which attribute of the app is meant", "use `app.ctx`")
    elif is_extension(tree.qualified(call.func) or ""):
        scan.say(call, "note", f"`{name}` is an extension", "take its release for today's Sanic")
    elif tree.builtin(call.func) is None and scan.roles.home(call.func) is None:
        remedy = "port it together with the called function, or by hand"
        scan.say(call, "unknown", f"the app is passed to `{name}`, which cannot be seen", remedy)
