"""Gives routes the names that today's Sanic wants: each has one, and each once.

The rule: a name that Sanic would find itself, and that no other route has, is left to Sanic. Where it cannot
be told what Sanic finds (a decorator gives back another function, the handler is no function), it is given.
"""

from __future__ import annotations

import libcst as cst

from streamcompat.porting.scan import Scan
from streamcompat.porting.to_sanic.edits import add_argument
from streamcompat.porting.tree import argument, literal, parameters

_PLAIN = {"staticmethod", "classmethod"}


def given_name(call: cst.Call) -> str | None:
    """The name that the code gives to a route."""
    for one in call.args:
        if one.keyword is not None and one.keyword.value == "name":
            try:
                return str(literal(one.value))
            except ValueError:
                return f"?{id(call)}"
    return None


def is_repeated(scan: Scan, call: cst.Call) -> bool:
    """Whether a loop makes the route several times under one name, on an app from outside of the loop."""
    tree, function = scan.tree, scan.tree.function(call)
    name = next((one.value for one in call.args if one.keyword and one.keyword.value == "name"), None)
    if name is not None and not isinstance(name, cst.SimpleString):
        return False
    owner = call.func.value if isinstance(call.func, cst.Attribute) else call.func
    given = tree.assignments(owner) if isinstance(owner, cst.Name) else []
    bound = [getattr(one, "node", None) for one in given]
    for above in tree.above(call):
        if above is function:
            return False
        if isinstance(above, cst.For | cst.While | cst.CompFor | cst.BaseComp):
            inside = set(tree.below(above))
            return not any(one in inside for one in bound)
    return False


def route_name(scan: Scan, call: cst.Call, kind: str) -> tuple[str, bool]:
    """The name of a route, and whether today's Sanic finds the same."""
    given = given_name(call)
    if given is not None:
        return given, True
    if kind.startswith("add_"):
        handler = argument(call, 0, "handler")
        return _of_handler(scan, handler.value) if handler is not None else (f"?{id(call)}", True)
    above = scan.tree.parent(call)
    if isinstance(above, cst.Call) and above.func is call and above.args:
        return _of_handler(scan, above.args[0].value)
    decorated = scan.tree.parent(above or call)
    if not isinstance(decorated, cst.FunctionDef | cst.ClassDef):
        return f"?{id(call)}", True
    return decorated.name.value, isinstance(decorated, cst.ClassDef) or _keeps_name(scan, decorated, call)


def _of_handler(scan: Scan, value: cst.BaseExpression) -> tuple[str, bool]:
    """The name of what is passed to `add_route`."""
    tree = scan.tree
    if isinstance(value, cst.Lambda):
        return "<lambda>", True
    if "view" in scan.roles.objects(value).values():
        return f"?{id(value)}", True
    if isinstance(value, cst.Call):
        if isinstance(value.func, cst.Attribute) and value.func.attr.value == "as_view":
            return tree.code(value.func.value).rpartition(".")[2], True
        inner = (
            value.args[0].value if tree.qualified(value.func) == "functools.partial" and value.args else None
        )
        made = {_returned(scan, one) for one in tree.functions_of(value.func)}
        name = made.pop() if len(made) == 1 else None
        return name or _last(scan, inner if inner is not None else value.func), False
    name = _last(scan, value)
    found = tree.functions_of(value)
    if not found:
        # A decorator in another file may have given it another name.
        return name, False
    is_plain = all(isinstance(one, cst.FunctionDef) and _keeps_name(scan, one, None) for one in found)
    return name, is_plain and all(one.name.value == name for one in found)


def _last(scan: Scan, node: cst.BaseExpression) -> str:
    name = scan.tree.code(node).rpartition(".")[2]
    return name if name.isidentifier() else "handler"


def _returned(scan: Scan, maker: cst.CSTNode) -> str | None:
    """The name of the function that a function gives back."""
    if not isinstance(maker, cst.FunctionDef):
        return None
    names = {one.name.value for given in scan.roles.returns[maker] for one in scan.tree.functions_of(given)}
    return names.pop() if len(names) == 1 else None


def _keeps_name(scan: Scan, function: cst.FunctionDef, route: cst.Call | None) -> bool:
    """Whether the function keeps its name under the decorators that are applied before the route."""
    decorators = [one.decorator for one in function.decorators]
    if route in decorators:
        decorators = decorators[decorators.index(route) + 1 :]
    return all(_is_transparent(scan, one) for one in decorators)


def _is_transparent(scan: Scan, node: cst.BaseExpression) -> bool:
    """Whether what a decorator gives back has the name of what it is given."""
    func = node.func if isinstance(node, cst.Call) else node
    if isinstance(func, cst.Attribute) and scan.roles.objects(func.value):
        return True  # another route
    if scan.roles.home(func) is not None or scan.tree.code(func) in _PLAIN:
        return True
    makers = [one for one in scan.tree.functions_of(func) if isinstance(one, cst.FunctionDef)]
    if isinstance(node, cst.Call):
        makers = [inner for one in makers for inner in _functions_given_back(scan, one)]
    return bool(makers) and all(_wraps(scan, one) for one in makers)


def _functions_given_back(scan: Scan, maker: cst.FunctionDef) -> list[cst.FunctionDef]:
    return [
        one
        for given in scan.roles.returns[maker]
        for one in scan.tree.functions_of(given)
        if isinstance(one, cst.FunctionDef)
    ]


def _wraps(scan: Scan, decorator: cst.FunctionDef) -> bool:
    """Whether each function that a decorator gives back is the one it is given, or has its name."""
    tree = scan.tree
    given = {tree.variable(one) for one in parameters(decorator)}
    for one in scan.roles.returns[decorator]:
        if tree.variable(one) in given and isinstance(one, cst.Name):
            continue
        found = tree.functions_of(one)
        if not found or not all(
            isinstance(inner, cst.FunctionDef)
            and any("wraps(" in tree.code(each.decorator) for each in inner.decorators)
            for inner in found
        ):
            return False
    return bool(scan.roles.returns[decorator])


def make_unique(scan: Scan, name: str, calls: list[cst.Call], doubtful: set[cst.Call]) -> None:
    """Give all but one of the routes of a name another one: the decorator that is applied first keeps it."""
    tree = scan.tree
    calls = list(dict.fromkeys(calls))
    same = len(calls) > 1 and _decorated(scan, calls[0]) is _decorated(scan, calls[-1]) is not None
    ordered = calls[::-1] if same else calls
    plain = "lambda" if name == "<lambda>" else name
    if ordered[0] in doubtful:
        add_argument(scan, ordered[0], f"name={scan.quote}{plain}{scan.quote}")
    if len(calls) < 2:
        return
    is_given = any(given_name(one) is not None for one in calls)
    if is_given or tree.function(calls[0]) is not tree.function(calls[-1]):
        scan.say(calls[-1], "left", f"two routes are called `{name}`", "give each a `name=` of its own")
        return
    for number, call in enumerate(ordered[1:], 2):
        add_argument(scan, call, f"name={scan.quote}{plain}_{number}{scan.quote}")
        if not same and plain != "static":
            remedy = "check `url_for`"
            scan.say(
                call, "note", f"a second route is called `{plain}`, and becomes `{plain}_{number}`", remedy
            )


def _decorated(scan: Scan, call: cst.Call) -> cst.CSTNode | None:
    above = scan.tree.parent(call)
    return scan.tree.parent(above) if isinstance(above, cst.Decorator) else None
