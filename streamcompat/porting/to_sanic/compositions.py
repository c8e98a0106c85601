"""Ports composition views: each handler of one becomes a route of its own, where the view was registered.

The rule: a view is taken apart where all that happens to it is seen: it is made, gets its handlers, and is
registered once, in statements of one block.
"""

from __future__ import annotations

from typing import NamedTuple

import libcst as cst

from streamcompat.porting.scan import Scan
from streamcompat.porting.to_sanic.edits import by_name, is_statement, moved, next_line
from streamcompat.porting.tree import literal

_ADDS = ("methods", "handler", "stream")


class Composition(NamedTuple):
    """A view that can be taken apart: the statements that make and fill it, the call that registers it."""

    name: str
    statements: list[cst.CSTNode]
    added: list[dict[str, cst.Arg]]
    route: cst.Call


def find_compositions(scan: Scan) -> list[Composition]:
    """The views that can be taken apart. Runs before `scan_uses`, which reports the others."""
    found = []
    for call in scan.tree.all(cst.Call):
        if scan.roles.home(call.func) == "views.CompositionView" and not call.args:
            composition = _composition(scan, call)
            if composition is not None:
                found.append(composition)
                scan.consumed.update(scan.tree.below(call.func))
    return found


def _composition(scan: Scan, made: cst.Call) -> Composition | None:
    tree = scan.tree
    assign = tree.parent(made)
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1 or not is_statement(scan, assign):
        return None
    target = assign.targets[0].target
    if not isinstance(target, cst.Name) or len(tree.assignments(target)) != 1:
        return None
    statements: list[cst.CSTNode] = [assign]
    added: list[dict[str, cst.Arg]] = []
    routes: list[cst.Call] = []
    for name in sorted(tree.names_of(target), key=tree.start):
        if name is target:
            continue
        above = tree.parent(name)
        call = tree.parent(above) if above is not None else None
        if not isinstance(call, cst.Call) or not isinstance(tree.parent(call), cst.Expr) or routes:
            return None
        line = tree.parent(call)
        if line is None or not is_statement(scan, line) or _block(scan, line) is not _block(scan, assign):
            return None
        if isinstance(above, cst.Attribute) and above.attr.value == "add" and call.func is above:
            given = by_name(scan, call, _ADDS)
            if given is None or not {"methods", "handler"} <= given.keys() <= set(_ADDS):
                return None
            if not _methods(given) or (
                "stream" in given and isinstance(given["handler"].value, cst.Attribute)
            ):
                return None
            statements.append(line)
            added.append(given)
        elif isinstance(above, cst.Arg) and call.args[0] is above and _is_route(scan, call):
            routes.append(call)
        else:
            return None
    return Composition(target.value, statements, added, routes[0]) if routes and added else None


def _block(scan: Scan, statement: cst.CSTNode) -> cst.CSTNode | None:
    return scan.tree.parent(scan.tree.parent(statement) or statement)


def _is_route(scan: Scan, call: cst.Call) -> bool:
    """Whether it is a plain `app.add_route(view, ...)`, which says nothing that a view decides by itself."""
    func = call.func
    if not isinstance(func, cst.Attribute) or func.attr.value != "add_route" or call.args[0].keyword:
        return False
    named = {one.keyword.value for one in call.args if one.keyword is not None}
    positional = sum(one.keyword is None for one in call.args)
    is_plain = positional == 2 or (positional == 1 and "uri" in named)
    kinds = set(scan.roles.objects(func.value).values())
    return (
        is_plain
        and not named & {"methods", "stream", "name"}
        and bool(kinds)
        and kinds <= {"app", "blueprint"}
    )


def _methods(given: dict[str, cst.Arg]) -> list[str]:
    """The methods; empty if they are no literals."""
    value = given["methods"].value
    try:
        found = literal(value)
    except ValueError:
        return []
    if isinstance(found, set):
        found = sorted(found, key=str)
    is_list = isinstance(found, list | tuple) and all(isinstance(one, str) for one in found)
    return [str(one) for one in found] if is_list else []


def take_apart(scan: Scan, composition: Composition) -> None:
    """Make a route for each handler. Runs when the arguments of the view's own route are edited."""
    tree, route = scan.tree, composition.route
    owner = scan.unit_of(route)
    whole = moved(scan, route)
    head = f"{tree.code(route.func)}("
    rest = whole.removeprefix(head).removeprefix(composition.name)[:-1].rstrip(", ")
    lines = []
    for given in composition.added:
        handler = moved(scan, given["handler"].value)
        methods = _methods(given)
        listed = ", ".join(f"{scan.quote}{one}{scan.quote}" for one in methods)
        name = "_".join([composition.name, *(one.lower() for one in methods)])
        more = f"methods=[{listed}], name={scan.quote}{name}{scan.quote}"
        if "stream" in given:
            more += f", stream={moved(scan, given['stream'].value)}"
        lines.append(f"{head}{handler}{rest}, {more})")
    for statement in composition.statements:
        start, end = tree.start(statement), tree.end(statement)
        moved(scan, statement)  # no other edit is left in what is taken out
        scan.edit(tree.line_start(start), next_line(scan, end), "", owner)
    scan.replace(route, f"{tree.newline}{tree.indent(route)}".join(lines), owner)
