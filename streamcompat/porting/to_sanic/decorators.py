"""Traces a request into the functions that decorators put around handlers."""

from __future__ import annotations

import libcst as cst

from streamcompat.porting.flow import follow
from streamcompat.porting.roles import REQUEST
from streamcompat.porting.scan import Scan
from streamcompat.porting.tree import parameters


def give_requests(scan: Scan) -> None:
    """Give `request` to each inner function of a handler's decorator whose first parameter has that name."""
    tree = scan.tree
    found = False
    for handler in scan.roles.handlers:
        decorators = [one.decorator for one in handler.decorators]
        if isinstance(handler, cst.ClassDef):
            decorators += _of_view(handler)
        for node in decorators:
            for maker in tree.functions_of(node.func if isinstance(node, cst.Call) else node):
                for inner in tree.below(maker):
                    if isinstance(inner, cst.FunctionDef) and inner is not maker:
                        first = parameters(inner)[:1]
                        if first and first[0].name.value == "request":
                            scan.roles.put(first[0], REQUEST)
                            found = True
    if found:
        follow(scan.roles)


def _of_view(view: cst.ClassDef) -> list[cst.BaseExpression]:
    """The expressions in a view's `decorators = [...]`."""
    for line in view.body.body:
        assign = line.body[0] if isinstance(line, cst.SimpleStatementLine) else None
        if isinstance(assign, cst.Assign) and isinstance(assign.value, cst.List | cst.Tuple):
            target = assign.targets[0].target
            if isinstance(target, cst.Name) and target.value == "decorators":
                return [one.value for one in assign.value.elements]
    return []
