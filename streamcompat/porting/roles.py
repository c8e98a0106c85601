"""The roles of a file's variables: request, stream of a request, streamed response, app.

The rule: this module says what an expression may be, based on what `flow` has learned. Other modules decide
what a role means for the port.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import libcst as cst

from streamcompat.porting import names
from streamcompat.porting.model import Handed, ObjectKind, Seeds
from streamcompat.porting.tree import FunctionOrClass, Tree, Variable, bound_offset, parameters

ROUTES = frozenset({"route", "get", "post", "put", "patch", "delete", "head", "options", "stream"})
OBJECTS: dict[str, ObjectKind] = {
    "app.Sanic": "app",
    "blueprints.Blueprint": "blueprint",
    "views.CompositionView": "view",
}
VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
STREAMERS = frozenset({"response.stream", "response.StreamingHTTPResponse", "response.ResponseStream"})

Function: TypeAlias = cst.FunctionDef | cst.Lambda


class Value(NamedTuple):
    """What a variable may hold: a request, its stream, a response; or, by reference, an app, blueprint or
    view."""

    role: str
    reference: str = ""


REQUEST, STREAM, RESPONSE = Value("request"), Value("stream"), Value("response")
OBJECT_ROLES = frozenset({"app", "blueprint", "view"})


class Roles:
    """The roles of all variables.

    Attributes:
        values: the possible values of each variable.
        handlers: registered functions and view classes, with the references of their apps.
        streaming: streaming functions, with the position of the response among their parameters.
        links: pairs of functions of which one passes a value with a role to the other.
        handed: values that are passed to other files.
        views: references of views, with those of the objects that they are registered on.
        beside: middleware, exception handlers and listeners, with the objects that they are registered on.
        unseen: registered handlers without a known definition, with the objects that they are registered on.
        blind: calls of `stream(...)` whose function is unknown.
        from_outside: functions to which another file passes a response.
        returns: the expressions that each function returns.
        assigned: each assignment's target and value.
        changed: the last step has learned something.
    """

    def __init__(self, tree: Tree, seeds: Seeds) -> None:
        self.tree = tree
        self.seeds = seeds
        self.values: dict[Variable, set[Value]] = defaultdict(set)
        self.handlers: dict[FunctionOrClass, set[str]] = defaultdict(set)
        self.streaming: dict[Function, int] = {}
        self.links: set[tuple[FunctionOrClass, cst.CSTNode]] = set()
        self.handed: set[tuple[Handed, cst.CSTNode]] = set()
        self.views: set[tuple[str, str]] = set()
        self.blind: set[cst.CSTNode] = set()
        self.unseen: dict[cst.CSTNode, set[str]] = {}
        self.beside: dict[cst.FunctionDef, tuple[str, set[str]]] = {}
        self.from_outside: set[FunctionOrClass] = set()
        self._objects = {symbol: Value(kind, reference) for symbol, reference, kind in seeds.objects}
        self.returns: dict[cst.FunctionDef, list[cst.BaseExpression]] = defaultdict(list)
        for one in tree.all(cst.Return):
            function = tree.function(one)
            if one.value is not None and isinstance(function, cst.FunctionDef):
                self.returns[function].append(one.value)
        self.assigned: list[tuple[cst.CSTNode, cst.BaseExpression]] = list(self._assignments())
        self.changed: bool = True

    # ---- questions ----

    def of(self, node: cst.CSTNode, depth: int = 0) -> set[Value]:
        """The possible values of an expression."""
        if isinstance(node, cst.Name | cst.Attribute):
            found: set[Value] = set()
            variable = self.tree.variable(node)
            if variable is not None:
                found |= self.values.get(variable, set())
            symbol = self.tree.qualified(node)
            if symbol in self._objects:
                found.add(self._objects[symbol])
            if isinstance(node, cst.Attribute) and node.attr.value == "stream":
                found |= {STREAM for value in self.of(node.value, depth) if value == REQUEST}
            return found
        if depth > 8:
            return set()
        if isinstance(node, cst.NamedExpr):
            return self.of(node.value, depth + 1)
        if isinstance(node, cst.IfExp):
            return self.of(node.body, depth + 1) | self.of(node.orelse, depth + 1)
        if isinstance(node, cst.BooleanOperation):
            return self.of(node.left, depth + 1) | self.of(node.right, depth + 1)
        if isinstance(node, cst.Await):
            return self._awaited(node, depth)
        if isinstance(node, cst.Call):
            return self._called(node, depth)
        return set()

    def has(self, node: cst.CSTNode, value: Value) -> bool:
        return value in self.of(node)

    def objects(self, node: cst.CSTNode) -> dict[str, str]:
        """The apps, blueprints and views that an expression may be: kind by reference."""
        return {value.reference: value.role for value in self.of(node) if value.role in OBJECT_ROLES}

    def home(self, node: cst.CSTNode) -> str | None:
        """The name of an imported expression below Sanic's package, such as `response.stream`."""
        symbol = self.tree.qualified(node)
        parts = names.split(symbol) if symbol else None
        return parts[1] if parts else None

    def is_assigned(self, node: cst.CSTNode) -> bool:
        """Whether the file itself assigns the variable."""
        variable = self.tree.variable(node)
        return variable is not None and any(
            self.tree.variable(target) == variable for target, _ in self.assigned
        )

    def mixed(self, wanted: tuple[Value, ...] = (STREAM, RESPONSE)) -> Iterator[tuple[cst.CSTNode, Value]]:
        """Places where a variable that holds one of these also gets another value."""
        for target, given in self.assigned:
            variable = self.tree.variable(target)
            for value in self.values.get(variable, ()) if variable is not None else ():
                if value in wanted and value not in self.of(given) and not _is_nothing(given):
                    yield target, value
        for call in self.tree.all(cst.Call):
            for function in self.tree.functions_of(call.func):
                if isinstance(function, cst.FunctionDef):
                    yield from self._mixed_arguments(call, function, wanted)

    def _mixed_arguments(
        self, call: cst.Call, function: cst.FunctionDef, wanted: tuple[Value, ...]
    ) -> Iterator[tuple[cst.CSTNode, Value]]:
        params = parameters(function)
        offset = bound_offset(self.tree, function) if isinstance(call.func, cst.Attribute) else 0
        for at, one in enumerate(call.args):
            if one.star:
                return
            named = [param for param in params if one.keyword and param.name.value == one.keyword.value]
            placed = params[at + offset : at + offset + 1] if one.keyword is None else named
            for param in placed:
                variable = self.tree.variable(param)
                for value in self.values.get(variable, ()) if variable is not None else ():
                    if value in wanted and value not in self.of(one.value):
                        yield one.value, value

    def is_view_class(self, node: cst.ClassDef, depth: int = 0) -> bool:
        for base in node.bases:
            if self.home(base.value) == "views.HTTPMethodView":
                return True
            if depth < 8 and any(
                isinstance(one, cst.ClassDef) and one is not node and self.is_view_class(one, depth + 1)
                for one in self.tree.functions_of(base.value)
            ):
                return True
        return False

    def _awaited(self, node: cst.Await, depth: int) -> set[Value]:
        call = node.expression
        if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
            if call.func.attr.value == "respond" and REQUEST in self.of(call.func.value, depth + 1):
                return {RESPONSE}
        return set()

    def _called(self, node: cst.Call, depth: int) -> set[Value]:
        kind = OBJECTS.get(self.home(node.func) or "")
        if kind is not None:
            return {Value(kind, f"o{self.tree.start(node)}")}
        symbol = self.tree.qualified(node.func)
        if symbol is not None and f"{symbol}()" in self._objects:
            return {self._objects[f"{symbol}()"]}
        found: set[Value] = set()
        for function in self.tree.functions_of(node.func):
            if isinstance(function, cst.FunctionDef):
                for value in self.returns[function]:
                    found |= {one for one in self.of(value, depth + 1) if one.role in OBJECT_ROLES}
        return found

    # ---- learning ----

    def put(self, node: cst.CSTNode, value: Value) -> None:
        variable = self.tree.variable(node)
        if variable is not None and value not in self.values[variable]:
            self.values[variable].add(value)
            self.changed = True

    def give(self, function: Function, parameter: int | str, value: Value) -> None:
        params = (
            parameters(function) if isinstance(function, cst.FunctionDef) else list(function.params.params)
        )
        if isinstance(parameter, int):
            if parameter < len(params):
                self.put(params[parameter], value)
            return
        for one in [*params, *function.params.kwonly_params]:
            if one.name.value == parameter:
                self.put(one, value)

    def _assignments(self) -> Iterator[tuple[cst.CSTNode, cst.BaseExpression]]:
        for one in self.tree.all(cst.Assign, cst.AnnAssign, cst.NamedExpr):
            if isinstance(one, cst.Assign):
                for target in one.targets:
                    yield target.target, one.value
            elif one.value is not None:
                yield one.target, one.value


def _is_nothing(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"
