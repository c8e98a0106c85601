"""Checks the functions that the edit has made async: who calls them awaits them, and awaits nothing else.

The rule: a call may reach several functions, such as the two of an `if` and its `else`, or a method and those
that override it. They are all async after the edit, or none is.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping

from streamcompat.porting.audit.channels import Doubt
from streamcompat.porting.audit.sources import Place, Source, Sources, last_name

_VERBS = {"get", "post", "put", "patch", "delete", "head", "options"}
_WAITING = {"create_task", "ensure_future", "gather", "shield", "wait_for"}
_SELVES = {"self", "cls"}
Definition = ast.FunctionDef | ast.AsyncFunctionDef


def may_gain(before: str, after: str) -> bool:
    """Whether the new text may have a function that was not async."""
    return after.count("async def") > before.count("async def")


def newly_async(before: ast.Module, after: ast.Module) -> set[ast.AST]:
    """The functions of the new text that were not async in the old one."""
    old, new = _definitions(before), _definitions(after)
    found: set[ast.AST] = set()
    for path, functions in new.items():
        known = old.get(path, [])
        if len(known) == len(functions):
            pairs = zip(known, functions, strict=True)
            found |= {late for early, late in pairs if isinstance(early, ast.FunctionDef) and _is_async(late)}
        elif any(isinstance(one, ast.FunctionDef) for one in known):
            found |= {one for one in functions if _is_async(one)}
    return found


def _is_async(node: ast.AST) -> bool:
    return isinstance(node, ast.AsyncFunctionDef)


def _definitions(tree: ast.Module) -> dict[tuple[str, ...], list[Definition]]:
    """The functions by the names of what encloses them, in their order."""
    found: dict[tuple[str, ...], list[Definition]] = defaultdict(list)
    stack: list[tuple[tuple[str, ...], ast.AST]] = [((), tree)]
    while stack:
        path, node = stack.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            path = (*path, node.name)
            if not isinstance(node, ast.ClassDef):
                found[path].append(node)
        stack += [(path, child) for child in reversed(list(ast.iter_child_nodes(node)))]
    return found


def unawaited(sources: Sources, before: Mapping[str, ast.Module]) -> Iterator[Doubt]:
    """Calls that lost their `await`, or have one too many.

    Args:
        before: the old text of each file that changed.
    """
    new: set[ast.AST] = set()
    for path, tree in before.items():
        new |= newly_async(tree, sources.files[path].tree)
    names = {one.name for one in new if isinstance(one, ast.AsyncFunctionDef)}
    for name in sorted(names):
        for source, call in sources.calls[name]:
            if not _may_be_another(call.func):
                yield from _call(sources, source, call, new)


def _call(sources: Sources, source: Source, call: ast.Call, new: set[ast.AST]) -> Iterator[Doubt]:
    places: list[Place] = sources.targets(source, call.func) or []
    if not any(place.node in new for place in places):
        return
    name = last_name(call.func)
    if not _is_awaited(source, call):
        yield Doubt(source, call, f"`{name}` has to become async, and its call would not be awaited")
    for other, node in _bound_again(sources, name):
        yield Doubt(other, node, f"`{name}` has to become async, and is bound to something else here")
    for place in places:
        if not _is_async(place.node):
            line = getattr(place.node, "lineno", 1)
            where = f"{place.source.path}:{line}"
            yield Doubt(source, call, f"one `{name}` has to become async, and another cannot, at {where}")


def _bound_again(sources: Sources, name: str) -> Iterator[tuple[Source, ast.AST]]:
    """Where a class, an object or a module gets something else under the name."""
    for source in sources.files.values():
        for attribute in source.attributes.get(name, ()):
            if isinstance(attribute.ctx, ast.Store):
                yield source, attribute
        for scope, bound in source.bound.items():
            if isinstance(scope, ast.ClassDef):
                yield from ((source, one.node) for one in bound.get(name, ()) if one.kind != "def")


def _may_be_another(func: ast.expr) -> bool:
    """Whether it may well be a method of something else, such as a dictionary's `get`."""
    if not isinstance(func, ast.Attribute) or func.attr not in _VERBS:
        return False
    owner = func.value.func if isinstance(func.value, ast.Call) else func.value
    return not (isinstance(owner, ast.Name) and owner.id in {*_SELVES, "super"})


def _is_awaited(source: Source, call: ast.Call) -> bool:
    node: ast.AST = call
    above = source.parents[node]
    while isinstance(above, ast.BoolOp) or (isinstance(above, ast.IfExp) and above.test is not node):
        node, above = above, source.parents[above]
    return isinstance(above, ast.Await) or (isinstance(above, ast.Call) and last_name(above.func) in _WAITING)
