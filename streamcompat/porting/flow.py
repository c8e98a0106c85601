"""Traces requests, their streams, streamed responses and apps through a file, from where Sanic creates them.

The rule: a value passes through assignments, and through arguments of calls to known functions. One step
visits every assignment and every call; steps are repeated until one learns nothing new.
"""

from __future__ import annotations

from collections.abc import Iterable

import libcst as cst

from streamcompat.porting.model import Handed
from streamcompat.porting.roles import (
    OBJECT_ROLES,
    REQUEST,
    RESPONSE,
    ROUTES,
    STREAMERS,
    VERBS,
    Function,
    Roles,
    Value,
)
from streamcompat.porting.tree import FunctionOrClass, argument, bound_offset, parameters


def follow(roles: Roles) -> None:
    """Fill in the roles of everything in the file."""
    flow = _Flow(roles)
    while roles.changed:
        roles.changed = False
        flow.step()


class _Flow:
    def __init__(self, roles: Roles) -> None:
        self._roles = roles
        self._tree = roles.tree
        self._seeds = roles.seeds
        self._calls: list[cst.Call] = list(self._tree.all(cst.Call))
        self._functions: list[cst.FunctionDef] = list(self._tree.all(cst.FunctionDef))
        self._seed()

    def _seed(self) -> None:
        for function in self._functions:
            for parameter in parameters(function):
                if parameter.name.value == "request":
                    self._roles.put(parameter, REQUEST)
        classes: list[cst.ClassDef] = list(self._tree.all(cst.ClassDef))
        for one in classes:
            if self._roles.is_view_class(one):
                self._roles.handlers.setdefault(one, set())
                for method in one.body.body:
                    if isinstance(method, cst.FunctionDef) and method.name.value in VERBS:
                        self._roles.give(method, 1, REQUEST)
        everything: list[FunctionOrClass] = [*self._functions, *classes]
        by_path = {self._tree.path_of(one): one for one in everything}
        for handed in self._seeds.handed:
            target = by_path.get(handed.symbol)
            if target is None:
                continue
            if handed.handler:
                self._roles.handlers[target].add(handed.reference)
            if isinstance(target, cst.FunctionDef):
                if handed.role == "response":
                    self._roles.from_outside.add(target)
                if isinstance(handed.parameter, int) and handed.parameter < 0:
                    self._stream_with(target, 0)
                else:
                    self._roles.give(target, handed.parameter, Value(handed.role, handed.reference))

    def step(self) -> None:
        for target, value in self._roles.assigned:
            for one in self._roles.of(value):
                self._roles.put(target, one)
        for function in self._functions:
            for decorator in function.decorators:
                call = decorator.decorator
                if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
                    self._decorated(function, call.func)
                elif isinstance(call, cst.Attribute):
                    self._decorated(function, call)
        for handler in self._roles.handlers:
            for decorator in handler.decorators:
                self._link_decorator(handler, decorator.decorator)
        for call in self._calls:
            if not self._registers(call) and not self._streams(call):
                self._passes(call)

    def _link_decorator(self, handler: FunctionOrClass, node: cst.BaseExpression) -> None:
        """Link a handler and its decorator, which passes its own request on to the handler."""
        maker = node.func if isinstance(node, cst.Call) else node
        self._roles.links.update((handler, one) for one in self._tree.functions_of(maker))
        symbol = self._tree.qualified(maker)
        if symbol in self._seeds.known:
            self._roles.handed.add((Handed(symbol, 0, "base"), handler))

    def _decorated(self, function: cst.FunctionDef, func: cst.Attribute) -> None:
        references = self._roles.objects(func.value)
        if not references:
            return
        name = func.attr.value
        if name in ROUTES or name == "websocket":
            self._register(function, references)
            return
        if name in ("middleware", "exception", "listener"):
            self._roles.beside[function] = (name, set(references))
        if name in ("middleware", "exception"):
            self._roles.give(function, 0, REQUEST)
        elif name == "listener":
            for reference, kind in references.items():
                self._roles.give(function, 0, Value(kind, reference))

    def _registers(self, call: cst.Call) -> bool:
        """Whether the call is a method of an app, a blueprint or a view; registers a handler in it."""
        func = call.func
        if isinstance(func, cst.Call) and isinstance(func.func, cst.Attribute) and call.args:
            references = self._roles.objects(func.func.value)
            if references and func.func.attr.value in ROUTES:
                self._register_expression(call.args[0].value, references)
                return True
        if not isinstance(func, cst.Attribute):
            return False
        references = self._roles.objects(func.value)
        if not references:
            return False
        name = func.attr.value
        if name == "add_route":
            given = argument(call, 0, "handler")
            if given is not None:
                self._register_expression(given.value, references)
        elif name == "add" and "view" in references.values():
            given = argument(call, 1, "handler")
            if given is not None:
                self._register_expression(given.value, references)
        return True

    def _register(self, handler: FunctionOrClass, references: Iterable[str], skipped: int = 0) -> None:
        """Register a handler that is given its request after some arguments that it has already."""
        known = self._roles.handlers[handler]
        if not known.issuperset(references):
            known.update(references)
            self._roles.changed = True
        if isinstance(handler, cst.FunctionDef):
            self._roles.give(handler, bound_offset(self._tree, handler) + skipped, REQUEST)

    def _register_expression(self, node: cst.BaseExpression, references: dict[str, str]) -> None:
        if self._registers_seen(node, references):
            self._roles.unseen.pop(node, None)
        else:
            self._roles.unseen[node] = set(references)

    def _registers_seen(
        self, node: cst.BaseExpression, references: dict[str, str], depth: int = 0, skipped: int = 0
    ) -> bool:
        if isinstance(node, cst.Lambda):
            self._roles.give(node, skipped, REQUEST)
            return True
        if skipped and not isinstance(node, cst.Name | cst.Attribute):
            return False
        if isinstance(node, cst.Call):
            if isinstance(node.func, cst.Attribute) and node.func.attr.value == "as_view":
                return self._register_name(node.func.value, references)
            return depth < 8 and self._registers_made(node, references, depth + 1)
        items = self._items(node) if isinstance(node, cst.Name) and depth < 8 else []
        if items:
            # No short-circuit: each item is a handler and must be registered.
            seen = [self._registers_seen(one, references, depth + 1) for one in items]
            return all(seen)
        views = [view for view, kind in self._roles.objects(node).items() if kind == "view"]
        if views:
            self._roles.views.update((view, reference) for view in views for reference in references)
            return True
        return self._register_name(node, references, skipped)

    def _registers_made(self, node: cst.Call, references: dict[str, str], depth: int) -> bool:
        """Register the handler in `partial(handler, ...)`, in a factory's result, or in a callable object."""
        if self._tree.qualified(node.func) == "functools.partial" and node.args:
            given = [one for one in node.args[1:] if one.keyword is None]
            return not any(one.star for one in node.args) and self._registers_seen(
                node.args[0].value, references, depth, len(given)
            )
        seen = [self._registers_seen(one.value, references, depth) for one in node.args]
        for maker in self._tree.functions_of(node.func):
            if isinstance(maker, cst.FunctionDef):
                seen += [self._registers_seen(one, references, depth) for one in self._roles.returns[maker]]
                continue
            for method in self._tree.methods(maker, "__call__"):
                self._register(method, references)
                seen.append(True)
        return any(seen)

    def _items(self, name: cst.Name) -> list[cst.BaseExpression]:
        """The values that a loop over a literal table gives to a name; empty for any other name."""
        bound = self._tree.assignments(name)
        node = getattr(bound[0], "node", None) if len(bound) == 1 else None
        above = self._tree.parent(node) if node is not None else None
        place = None
        if isinstance(above, cst.Element) and isinstance(row := self._tree.parent(above), cst.Tuple):
            place, above = row.elements.index(above), self._tree.parent(row)
        if not isinstance(above, cst.For):
            return []
        table = self._literal_table(above.iter)
        if isinstance(table, cst.Dict):
            pairs = [(one.key, one.value) for one in table.elements if isinstance(one, cst.DictElement)]
            whole = len(pairs) == len(table.elements) and place is not None
            return [pair[place] for pair in pairs] if whole and place is not None and place < 2 else []
        rows = [one.value for one in table.elements] if isinstance(table, cst.List | cst.Tuple) else []
        if place is None:
            return rows
        found = [
            row.elements[place].value
            for row in rows
            if isinstance(row, cst.Tuple | cst.List) and place < len(row.elements)
        ]
        return found if len(found) == len(rows) else []

    def _literal_table(self, node: cst.BaseExpression) -> cst.BaseExpression:
        """The value of a name that is assigned once and otherwise only iterated over; for a call of
        `items()`, its dictionary."""
        if isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and not node.args:
            return self._literal_table(node.func.value) if node.func.attr.value == "items" else node
        if isinstance(node, cst.Name) and len(self._tree.assignments(node)) == 1:
            variable = self._tree.variable(node)
            for one in self._tree.names_of(node):
                above = self._tree.parent(one)
                is_items = isinstance(above, cst.Attribute) and above.attr.value == "items"
                if not is_items and not isinstance(above, cst.For | cst.AssignTarget | cst.AnnAssign):
                    return node
            for target, value in self._roles.assigned:
                if self._tree.variable(target) == variable:
                    return value
        return node

    def _register_name(self, node: cst.BaseExpression, references: dict[str, str], skipped: int = 0) -> bool:
        functions = self._tree.functions_of(node)
        for one in functions:
            self._register(one, references, skipped)
        symbol = self._tree.qualified(node)
        if symbol in self._seeds.known:
            for reference in references:
                self._roles.handed.add((Handed(symbol, skipped, "request", reference, handler=True), node))
        return bool(functions) or symbol in self._seeds.known

    def _streams(self, call: cst.Call) -> bool:
        """Whether the call is `stream(fn)`, under any name; `fn` then gets the response."""
        if self._roles.home(call.func) not in STREAMERS:
            return False
        given = argument(call, 0, "streaming_fn")
        if given is None or not self._stream_with_expression(given.value, call):
            self._roles.blind.add(call)
        else:
            self._roles.blind.discard(call)
        return True

    def _stream_with_expression(self, node: cst.BaseExpression, call: cst.Call, depth: int = 0) -> bool:
        if isinstance(node, cst.Lambda):
            self._stream_with(node, 0)
            return True
        functions = self._tree.functions_of(node)
        if functions:
            for function in functions:
                if not isinstance(function, cst.FunctionDef):
                    return False
                self._stream_with(function, bound_offset(self._tree, function))
                self._link(call, function)
            return True
        symbol = self._tree.qualified(node)
        if symbol in self._seeds.known:
            self._roles.handed.add((Handed(symbol, -1, "response"), call))
            return True
        if depth > 4:
            return False
        if isinstance(node, cst.Call):
            return self._stream_with_made(node, call, depth)
        if isinstance(node, cst.Name):
            variable = self._tree.variable(node)
            sources = [
                value for target, value in self._roles.assigned if self._tree.variable(target) == variable
            ]
            bound = self._tree.assignments(node)
            return (
                bool(sources)
                and len(sources) == len(bound)
                and all(self._stream_with_expression(one, call, depth + 1) for one in sources)
            )
        return False

    def _stream_with_made(self, node: cst.Call, call: cst.Call, depth: int) -> bool:
        """The streaming function in `partial(fn, ...)`, in a factory's result, or in a callable object."""
        if self._tree.qualified(node.func) == "functools.partial" and node.args:
            given = [one for one in node.args[1:] if one.keyword is None and not one.star]
            done = False
            for function in self._tree.functions_of(node.args[0].value):
                if isinstance(function, cst.FunctionDef):
                    self._stream_with(function, bound_offset(self._tree, function) + len(given))
                    self._link(call, function)
                    done = True
            return done
        makers = self._tree.functions_of(node.func)
        for maker in makers:
            if isinstance(maker, cst.ClassDef):
                methods = self._tree.methods(maker, "__call__")
                for method in methods:
                    if isinstance(method, cst.FunctionDef):
                        self._stream_with(method, bound_offset(self._tree, method))
                        self._link(call, method)
                if not methods:
                    return False
                continue
            if not self._roles.returns[maker]:
                return False
            self._link(call, maker)
            if not all(
                self._stream_with_expression(one, call, depth + 1) for one in self._roles.returns[maker]
            ):
                return False
        return bool(makers)

    def _stream_with(self, function: Function, position: int) -> None:
        self._roles.streaming[function] = position
        self._roles.give(function, position, RESPONSE)

    def _link(self, node: cst.CSTNode, function: cst.CSTNode) -> None:
        for above in self._tree.chain(node)[-1:]:
            self._roles.links.add((above, function))

    def _passes(self, call: cst.Call) -> None:
        """Pass the roles of the arguments on to the called function."""
        given: list[tuple[int | str, Value]] = []
        for at, one in enumerate(call.args):
            if one.star:
                continue
            where: int | str = at if one.keyword is None else one.keyword.value
            given.extend((where, value) for value in self._roles.of(one.value))
        if not given:
            return
        symbol = self._tree.qualified(call.func)
        for where, value in given:
            if symbol in self._seeds.known:
                self._roles.handed.add((Handed(symbol, where, value.role, value.reference), call))
            for function in self._tree.functions_of(call.func):
                target, offset = function, 0
                if isinstance(function, cst.ClassDef):
                    made = [
                        one
                        for one in function.body.body
                        if isinstance(one, cst.FunctionDef) and one.name.value == "__init__"
                    ]
                    if not made:
                        continue
                    target, offset = made[0], 1
                elif isinstance(call.func, cst.Attribute):
                    offset = bound_offset(self._tree, function)
                if isinstance(target, cst.FunctionDef):
                    self._roles.give(target, where + offset if isinstance(where, int) else where, value)
                    if value.role not in OBJECT_ROLES:
                        self._link(call, target)
