"""Finds out what is a request, its stream, a streamed response, an app: by following values through a file.

The rule: a role starts where Sanic gives it (a handler's first parameter, a streaming function's), and goes
on through assignments and through arguments of calls to functions that can be seen. What a role reaches and
where it gets lost is for others to judge.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeAlias

import libcst as cst

from streamcompat.porting import names
from streamcompat.porting.model import Handed, Seeds
from streamcompat.porting.tree import FunctionOrClass, Tree, Variable, argument, bound_offset, parameters

ROUTES = frozenset({"route", "get", "post", "put", "patch", "delete", "head", "options", "stream"})
OBJECTS = {"app.Sanic": "app", "blueprints.Blueprint": "blueprint", "views.CompositionView": "view"}
VERBS = frozenset({"get", "post", "put", "patch", "delete", "head", "options"})
STREAMERS = frozenset({"response.stream", "response.StreamingHTTPResponse", "response.ResponseStream"})

Function: TypeAlias = cst.FunctionDef | cst.Lambda


class Value(NamedTuple):
    """What a variable may hold: a request, its stream, a response; by reference an app, blueprint or view."""

    role: str
    reference: str = ""


REQUEST, STREAM, RESPONSE = Value("request"), Value("stream"), Value("response")
OBJECT_ROLES = frozenset({"app", "blueprint", "view"})


class Roles:
    """The values of all variables.

    Attributes:
        values: of each variable.
        handlers: functions and view classes that are registered, with the references that they are on.
        streaming: streaming functions, with the position of the response among their parameters.
        links: pairs of functions of which one hands a role to the other.
        handed: roles that leave the file.
        views: references of views, with those of what they are registered on.
        beside: middleware, handlers of exceptions and listeners, with what they are registered on.
        unseen: handlers that cannot be seen, with what they are registered on.
        blind: arguments of `stream(...)` whose function cannot be seen.
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
        self._returns: dict[cst.FunctionDef, list[cst.BaseExpression]] = defaultdict(list)
        for one in tree.all(cst.Return):
            function = tree.function(one)
            if one.value is not None and isinstance(function, cst.FunctionDef):
                self._returns[function].append(one.value)
        self._assigned = list(self._assignments())
        self._calls: list[cst.Call] = list(tree.all(cst.Call))
        self._functions: list[cst.FunctionDef] = list(tree.all(cst.FunctionDef))
        self._classes: list[cst.ClassDef] = list(tree.all(cst.ClassDef))
        self._changed = True
        self._seed()
        while self._changed:
            self._changed = False
            self._step()

    # ---- questions ----

    def of(self, node: cst.CSTNode, depth: int = 0) -> set[Value]:
        """What an expression may give."""
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
        """The apps, blueprints and views that an expression may give: kind by reference."""
        return {value.reference: value.role for value in self.of(node) if value.role in OBJECT_ROLES}

    def home(self, node: cst.CSTNode) -> str | None:
        """The name below Sanic's package that an expression was imported as: `response.stream`."""
        symbol = self.tree.qualified(node)
        parts = names.split(symbol) if symbol else None
        return parts[1] if parts else None

    def is_assigned(self, node: cst.CSTNode) -> bool:
        """Whether the file itself says what a variable is."""
        variable = self.tree.variable(node)
        return variable is not None and any(
            self.tree.variable(target) == variable for target, _ in self._assigned
        )

    def mixed(self) -> Iterator[tuple[cst.CSTNode, Value]]:
        """Where a variable that has a stream or a response is given something else as well."""
        for target, given in self._assigned:
            variable = self.tree.variable(target)
            for value in self.values.get(variable, ()) if variable is not None else ():
                if value in (STREAM, RESPONSE) and value not in self.of(given) and not _is_nothing(given):
                    yield target, value
        for call in self._calls:
            for function in self.tree.functions_of(call.func):
                if isinstance(function, cst.FunctionDef):
                    yield from self._mixed_arguments(call, function)

    def _mixed_arguments(
        self, call: cst.Call, function: cst.FunctionDef
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
                    if value in (STREAM, RESPONSE) and value not in self.of(one.value):
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
                for value in self._returns[function]:
                    found |= {one for one in self.of(value, depth + 1) if one.role in OBJECT_ROLES}
        return found

    # ---- steps ----

    def _seed(self) -> None:
        for function in self._functions:
            for parameter in parameters(function):
                if parameter.name.value == "request":
                    self._put(parameter, REQUEST)
        for one in self._classes:
            if self.is_view_class(one):
                self.handlers.setdefault(one, set())
                for method in one.body.body:
                    if isinstance(method, cst.FunctionDef) and method.name.value in VERBS:
                        self._give(method, 1, REQUEST)
        everything: list[FunctionOrClass] = [*self._functions, *self._classes]
        by_path = {self.tree.path_of(one): one for one in everything}
        for handed in self.seeds.handed:
            target = by_path.get(handed.symbol)
            if target is None:
                continue
            if handed.handler:
                self.handlers[target].add(handed.reference)
            if isinstance(target, cst.FunctionDef):
                if handed.role == "response":
                    self.from_outside.add(target)
                if isinstance(handed.parameter, int) and handed.parameter < 0:
                    self._stream_with(target, 0)
                else:
                    self._give(target, handed.parameter, Value(handed.role, handed.reference))

    def _put(self, node: cst.CSTNode, value: Value) -> None:
        variable = self.tree.variable(node)
        if variable is not None and value not in self.values[variable]:
            self.values[variable].add(value)
            self._changed = True

    def _give(self, function: Function, parameter: int | str, value: Value) -> None:
        params = (
            parameters(function) if isinstance(function, cst.FunctionDef) else list(function.params.params)
        )
        if isinstance(parameter, int):
            if parameter < len(params):
                self._put(params[parameter], value)
            return
        for one in [*params, *function.params.kwonly_params]:
            if one.name.value == parameter:
                self._put(one, value)

    def _assignments(self) -> Iterator[tuple[cst.CSTNode, cst.BaseExpression]]:
        for one in self.tree.all(cst.Assign, cst.AnnAssign, cst.NamedExpr):
            if isinstance(one, cst.Assign):
                for target in one.targets:
                    yield target.target, one.value
            elif one.value is not None:
                yield one.target, one.value

    def _step(self) -> None:
        for target, value in self._assigned:
            for one in self.of(value):
                self._put(target, one)
        for function in self._functions:
            for decorator in function.decorators:
                call = decorator.decorator
                if isinstance(call, cst.Call) and isinstance(call.func, cst.Attribute):
                    self._decorated(function, call.func)
                elif isinstance(call, cst.Attribute):
                    self._decorated(function, call)
        for handler in self.handlers:
            for decorator in handler.decorators:
                self._goes_with(handler, decorator.decorator)
        for call in self._calls:
            if not self._registers(call) and not self._streams(call):
                self._passes(call)

    def _goes_with(self, handler: FunctionOrClass, node: cst.BaseExpression) -> None:
        """A decorator calls the handler with the request that it was given itself."""
        maker = node.func if isinstance(node, cst.Call) else node
        self.links.update((handler, one) for one in self.tree.functions_of(maker))
        symbol = self.tree.qualified(maker)
        if symbol in self.seeds.known:
            self.handed.add((Handed(symbol, 0, "base"), handler))

    def _decorated(self, function: cst.FunctionDef, func: cst.Attribute) -> None:
        references = self.objects(func.value)
        if not references:
            return
        name = func.attr.value
        if name in ROUTES or name == "websocket":
            self._register(function, references)
            return
        if name in ("middleware", "exception", "listener"):
            self.beside[function] = (name, set(references))
        if name in ("middleware", "exception"):
            self._give(function, 0, REQUEST)
        elif name == "listener":
            for reference, kind in references.items():
                self._give(function, 0, Value(kind, reference))

    def _registers(self, call: cst.Call) -> bool:
        """A call of a method of an app, a blueprint or a view, which may make something a handler."""
        func = call.func
        if isinstance(func, cst.Call) and isinstance(func.func, cst.Attribute) and call.args:
            references = self.objects(func.func.value)
            if references and func.func.attr.value in ROUTES:
                self._register_expression(call.args[0].value, references)
                return True
        if not isinstance(func, cst.Attribute):
            return False
        references = self.objects(func.value)
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

    def _register(self, handler: FunctionOrClass, references: Iterable[str]) -> None:
        known = self.handlers[handler]
        if not known.issuperset(references):
            known.update(references)
            self._changed = True
        if isinstance(handler, cst.FunctionDef):
            self._give(handler, bound_offset(self.tree, handler), REQUEST)

    def _register_expression(self, node: cst.BaseExpression, references: dict[str, str]) -> None:
        if self._registers_seen(node, references):
            self.unseen.pop(node, None)
        else:
            self.unseen[node] = set(references)

    def _registers_seen(self, node: cst.BaseExpression, references: dict[str, str], depth: int = 0) -> bool:
        if isinstance(node, cst.Lambda):
            self._give(node, 0, REQUEST)
            return True
        if isinstance(node, cst.Call):
            if isinstance(node.func, cst.Attribute) and node.func.attr.value == "as_view":
                return self._register_name(node.func.value, references)
            return depth < 8 and self._registers_made(node, references, depth + 1)
        views = [view for view, kind in self.objects(node).items() if kind == "view"]
        if views:
            self.views.update((view, reference) for view in views for reference in references)
            return True
        return self._register_name(node, references)

    def _registers_made(self, node: cst.Call, references: dict[str, str], depth: int) -> bool:
        """partial(handler, ...), what a function of this file returns, or an object that is called."""
        seen = [self._registers_seen(one.value, references, depth) for one in node.args]
        for maker in self.tree.functions_of(node.func):
            if isinstance(maker, cst.FunctionDef):
                seen += [self._registers_seen(one, references, depth) for one in self._returns[maker]]
                continue
            for method in self.tree.methods(maker, "__call__"):
                self._register(method, references)
                seen.append(True)
        return any(seen)

    def _register_name(self, node: cst.BaseExpression, references: dict[str, str]) -> bool:
        functions = self.tree.functions_of(node)
        for one in functions:
            self._register(one, references)
        symbol = self.tree.qualified(node)
        if symbol in self.seeds.known:
            for reference in references:
                self.handed.add((Handed(symbol, 0, "request", reference, handler=True), node))
        return bool(functions) or symbol in self.seeds.known

    def _streams(self, call: cst.Call) -> bool:
        """`stream(fn)`, by whatever name: its function gets the response."""
        if self.home(call.func) not in STREAMERS:
            return False
        given = argument(call, 0, "streaming_fn")
        if given is None or not self._stream_with_expression(given.value, call):
            self.blind.add(call)
        else:
            self.blind.discard(call)
        return True

    def _stream_with_expression(self, node: cst.BaseExpression, call: cst.Call, depth: int = 0) -> bool:
        if isinstance(node, cst.Lambda):
            self._stream_with(node, 0)
            return True
        functions = self.tree.functions_of(node)
        if functions:
            for function in functions:
                if not isinstance(function, cst.FunctionDef):
                    return False
                self._stream_with(function, bound_offset(self.tree, function))
                self._link(call, function)
            return True
        symbol = self.tree.qualified(node)
        if symbol in self.seeds.known:
            self.handed.add((Handed(symbol, -1, "response"), call))
            return True
        if depth > 4:
            return False
        if isinstance(node, cst.Call):
            return self._stream_with_made(node, call, depth)
        if isinstance(node, cst.Name):
            variable = self.tree.variable(node)
            sources = [value for target, value in self._assigned if self.tree.variable(target) == variable]
            bound = self.tree.assignments(node)
            return (
                bool(sources)
                and len(sources) == len(bound)
                and all(self._stream_with_expression(one, call, depth + 1) for one in sources)
            )
        return False

    def _stream_with_made(self, node: cst.Call, call: cst.Call, depth: int) -> bool:
        """partial(fn, ...), a function that returns the streaming function, or an object that is called."""
        if self.tree.qualified(node.func) == "functools.partial" and node.args:
            given = [one for one in node.args[1:] if one.keyword is None and not one.star]
            done = False
            for function in self.tree.functions_of(node.args[0].value):
                if isinstance(function, cst.FunctionDef):
                    self._stream_with(function, bound_offset(self.tree, function) + len(given))
                    self._link(call, function)
                    done = True
            return done
        makers = self.tree.functions_of(node.func)
        for maker in makers:
            if isinstance(maker, cst.ClassDef):
                methods = self.tree.methods(maker, "__call__")
                for method in methods:
                    if isinstance(method, cst.FunctionDef):
                        self._stream_with(method, bound_offset(self.tree, method))
                        self._link(call, method)
                if not methods:
                    return False
                continue
            if not self._returns[maker]:
                return False
            self._link(call, maker)
            if not all(self._stream_with_expression(one, call, depth + 1) for one in self._returns[maker]):
                return False
        return bool(makers)

    def _stream_with(self, function: Function, position: int) -> None:
        self.streaming[function] = position
        self._give(function, position, RESPONSE)

    def _link(self, node: cst.CSTNode, function: cst.CSTNode) -> None:
        for above in self.tree.chain(node)[-1:]:
            self.links.add((above, function))

    def _passes(self, call: cst.Call) -> None:
        """Hands the roles of the arguments on to the function that is called."""
        given: list[tuple[int | str, Value]] = []
        for at, one in enumerate(call.args):
            if one.star:
                continue
            where: int | str = at if one.keyword is None else one.keyword.value
            given.extend((where, value) for value in self.of(one.value))
        if not given:
            return
        symbol = self.tree.qualified(call.func)
        for where, value in given:
            if symbol in self.seeds.known:
                self.handed.add((Handed(symbol, where, value.role, value.reference), call))
            for function in self.tree.functions_of(call.func):
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
                    offset = bound_offset(self.tree, function)
                if isinstance(target, cst.FunctionDef):
                    self._give(target, where + offset if isinstance(where, int) else where, value)
                    if value.role not in OBJECT_ROLES:
                        self._link(call, target)


def _is_nothing(node: cst.BaseExpression) -> bool:
    return isinstance(node, cst.Name) and node.value == "None"
