"""Finds each read of a request's body, and on which flavour's apps its function may run.

The rule: Sanic's words may stand only in functions that are registered on Sanic's apps and blueprints alone,
Mach9's only in those that are registered on Mach9's. Who registers a function is found by its name.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from streamcompat.porting.audit.channels import Doubt
from streamcompat.porting.audit.sources import (
    FUNCTIONS,
    Function,
    Place,
    Scope,
    Source,
    Sources,
    flavour,
    is_static,
    parameter,
)

OBJECTS = {"Sanic", "app.Sanic", "Mach9", "app.Mach9", "Blueprint", "blueprints.Blueprint", "app.Blueprint"}
VIEWS = {"views.CompositionView"}
ROUTES = {"route", "get", "post", "put", "patch", "delete", "head", "options", "stream", "websocket"}
_BESIDE = {"middleware", "exception", "listener", "on_request", "on_response"}
_ADDS = {"add_route", "add_websocket_route", "register_middleware", "register_listener"}
_TESTS = (ast.Compare, ast.If, ast.While, ast.Assert, ast.Expr, ast.BoolOp, ast.UnaryOp, ast.IfExp)
SANIC, MACH9, UNKNOWN = "sanic", "mach9", "?"


class Bodies:
    """The bodies of connected files.

    Attributes:
        doubts: reads on an app whose flavour is another, or cannot be told.
        flavours: the flavours of the apps and blueprints that these files make.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.doubts: list[Doubt] = []
        self._runs: dict[ast.AST, frozenset[str]] = {}
        self._seen: set[tuple[Scope, str]] = set()
        self._called: set[Function] = set()
        self.flavours: set[str] = {
            made
            for source in sources.files.values()
            for node in source.nodes
            if isinstance(node, ast.Call) and (made := self._made(source, node)) is not None
        }
        for source in sources.files.values():
            for node in source.nodes:
                self._visit(source, node)

    def _visit(self, source: Source, node: ast.AST) -> None:
        if isinstance(node, ast.Attribute) and node.attr == "stream" and isinstance(node.ctx, ast.Load):
            above = source.parents[node]
            if isinstance(above, ast.Call) and above.func is node:
                self._route(source, node, above)
            elif not self._is_other(source, node):
                self._body(source, node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr == "respond" and isinstance(source.parents[node], ast.Await):
                self._word(source, node, SANIC)
            elif MACH9 in self.flavours:
                self._exception_handler(source, node)

    def _route(self, source: Source, node: ast.Attribute, call: ast.Call) -> None:
        """`@app.stream(...)` on an app of Mach9's."""
        if isinstance(node.value, ast.Name) and MACH9 in self.of(source, node.value) - {UNKNOWN}:
            self.doubts.append(Doubt(source, call, f"`{ast.unparse(node)}` is called on an app of Mach9's"))

    def _exception_handler(self, source: Source, call: ast.Call) -> None:
        """Mach9 passes the arguments by name, so that a handler on one of its apps has to take those."""
        func, above = call.func, source.parents[call]
        assert isinstance(func, ast.Attribute)
        if func.attr == "exception" and isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef):
            owner, handlers = func.value, [Place(source, above)]
        elif (
            func.attr == "add" and ast.unparse(func.value).endswith(".error_handler") and len(call.args) == 2
        ):
            assert isinstance(func.value, ast.Attribute)
            owner, handlers = func.value.value, self.sources.targets(source, call.args[1]) or []
        else:
            return
        if isinstance(owner, ast.Name) and self.of(source, owner) <= {SANIC}:
            return
        for place in handlers:
            given = place.node.args.args if isinstance(place.node, FUNCTIONS) else []
            if len(given) == 2 and [one.arg for one in given] != ["request", "exception"]:
                app = f"`{ast.unparse(func)}` may be of an app of Mach9's"
                reason = f"{app}, which passes `request` and `exception` by name"
                self.doubts.append(Doubt(source, call, reason))

    def _is_other(self, source: Source, node: ast.Attribute) -> bool:
        """Whether the attribute is that of a module, or of an object that is made in the same file."""
        if source.symbols(node.value):
            return True
        if not isinstance(node.value, ast.Name):
            return False
        scope, binders = source.lookup(node.value.id, node.value)
        if not isinstance(scope, FUNCTIONS) or source.class_of(scope) is None or len(binders) != 1:
            return bool(binders) and all(
                one.kind == "value" and isinstance(one.value, ast.Call) and not _mentions(one.value)
                for one in binders
            )
        given = [*scope.args.posonlyargs, *scope.args.args]
        if not given or given[0].arg != node.value.id or is_static(scope):
            return False
        owner = source.class_of(scope)
        assert owner is not None
        if any(source.symbols(base) for base in owner.bases):
            return False  # it may be a subclass of a request
        values = [one.value for one in source.bound[owner].get("stream", ())]
        for one in source.attributes["stream"]:
            if isinstance(one.ctx, ast.Store) and ast.unparse(one.value) == node.value.id:
                above = source.parents[one]
                values.append(above.value if isinstance(above, ast.Assign) else None)
        return bool(values) and not any(value is None or _mentions(value) for value in values)

    # ---- uses of a body ----

    def _body(self, source: Source, node: ast.expr) -> None:
        above = source.parents[node]
        if isinstance(above, ast.Attribute):
            if isinstance(node, ast.Attribute):
                self._request(source, node)
            self._word(source, node, MACH9 if above.attr == "receive" else SANIC)
        elif isinstance(above, ast.Call) and node in above.args:
            self._handed(source, above, node, above.args.index(node))
        elif isinstance(above, ast.keyword) and above.arg is not None:
            call = source.parents[above]
            assert isinstance(call, ast.Call)
            self._handed(source, call, node, above.arg)
        elif isinstance(above, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            for target in above.targets if isinstance(above, ast.Assign) else [above.target]:
                scope = source.lookup(target.id, target)[0] if isinstance(target, ast.Name) else None
                if scope is None or not isinstance(target, ast.Name):
                    self._word(source, node, UNKNOWN)
                else:
                    self._variable(source, scope, target.id)
            if isinstance(above, ast.NamedExpr):
                self._body(source, above)
        elif not isinstance(above, _TESTS) and not _iterates(above, node):
            self._word(source, node, UNKNOWN)

    def _request(self, source: Source, node: ast.Attribute) -> None:
        """Doubt a read from what is a request and something else, or from what a caller makes up."""
        if not isinstance(node.value, ast.Name) or MACH9 not in self.flavours:
            return
        name = node.value.id
        scope, binders = source.lookup(name, node.value)
        if any(one.kind == "param" for one in binders) and len(binders) > 1:
            self.doubts.append(Doubt(source, node, f"`{name}` is a request and something else"))
        if not isinstance(scope, ast.FunctionDef | ast.AsyncFunctionDef) or scope in self._called:
            return
        self._called.add(scope)
        given = [one.arg for one in [*scope.args.posonlyargs, *scope.args.args]]
        at = given.index(name) if name in given else -1
        if source.class_of(scope) is not None and not is_static(scope):
            at -= 1
        for other, call in self.sources.calls.get(scope.name, ()):
            places = self.sources.targets(other, call.func)
            if at < 0 or at >= len(call.args) or not any(one.node is scope for one in places or ()):
                continue
            if not _may_be_a_request(other, call.args[at]):
                reason = f"`{scope.name}` reads a request, and gets something else here"
                self.doubts.append(Doubt(other, call, reason))

    def _variable(self, source: Source, scope: Scope, name: str) -> None:
        if (scope, name) not in self._seen:
            self._seen.add((scope, name))
            for use in source.uses(name, scope):
                self._body(source, use)

    def _handed(self, source: Source, call: ast.Call, node: ast.expr, at: int | str) -> None:
        func = call.func
        if isinstance(func, ast.Name) and func.id in ("print", "repr", "str", "bool"):
            return
        places = self.sources.targets(source, func)
        taken = False
        for place in places or ():
            function = place.node
            if not isinstance(function, FUNCTIONS):
                continue
            method = isinstance(func, ast.Attribute) and place.source.class_of(function) is not None
            offset = int(method and not is_static(function))
            found = parameter(function, at + offset if isinstance(at, int) else at)
            if found is not None:
                taken = True
                self._variable(place.source, function, found.arg)
        if not taken or any(isinstance(one, ast.Starred) for one in call.args):
            self._word(source, node, UNKNOWN)

    def _word(self, source: Source, node: ast.AST, wanted: str) -> None:
        """Doubt a read in words that do not fit the apps on which its function runs."""
        function = source.function(node)
        runs = self.runs(source, function) if function is not None else frozenset({UNKNOWN})
        if runs == {wanted} or (wanted == UNKNOWN and runs == {SANIC}):
            return
        if MACH9 not in self.flavours and MACH9 not in runs and wanted != MACH9:
            return
        text = ast.unparse(source.parents[node] if isinstance(source.parents[node], ast.Attribute) else node)
        if UNKNOWN in runs or not runs:
            reason = f"`{text}` may read a body of either flavour: cannot tell on which app it runs"
        elif wanted == UNKNOWN:
            reason = f"`{text}` passes a body on to where it cannot be followed"
        else:
            reason = f"`{text}` reads in the words of {wanted.capitalize()} on an app that is not"
        self.doubts.append(Doubt(source, node, reason))

    # ---- where functions run ----

    def runs(self, source: Source, function: ast.AST) -> frozenset[str]:
        """The flavours of the apps that a function or a class is registered on, or used for."""
        if function not in self._runs:
            self._runs[function] = frozenset()  # ends the recursion of functions that call each other
            found = set(self._registered(source, function)) or {UNKNOWN}
            if UNKNOWN in found and self.flavours == {MACH9}:
                found = {MACH9}  # there is no app of another flavour
            self._runs[function] = frozenset(found)
        return self._runs[function]

    def _registered(self, source: Source, function: ast.AST) -> Iterator[str]:
        if isinstance(function, ast.Lambda):
            above = source.function(function)
            yield from self._argument(source, function)
            if above is not None:
                yield from self.runs(source, above)
            return
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        routed = False
        for decorator in function.decorator_list:
            func = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(func, ast.Attribute) and func.attr in ROUTES | _BESIDE:
                routed = True
                found = self.of(source, func.value)
                yield from found if func.attr in ROUTES or len(self.flavours) < 2 else {UNKNOWN}
        around = source.scope(function)
        if isinstance(around, FUNCTIONS) and not routed:
            yield from self.runs(source, around)
        referred = list(self._referred(source, function))
        yield from referred
        if isinstance(around, ast.ClassDef) and not referred and not routed:
            yield from self.runs(source, around)

    def _referred(
        self, source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ) -> Iterator[str]:
        for other, node in self.sources.references(source, function):
            yield from self._argument(other, node)

    def _argument(self, source: Source, node: ast.expr) -> Iterator[str]:
        """The flavours for one place where a function is named."""
        above = source.parents[node]
        while isinstance(above, ast.Attribute) and above.attr == "as_view":
            node, above = above, source.parents[above]
            if isinstance(above, ast.Call) and above.func is node:
                node, above = above, source.parents[above]
        if isinstance(above, ast.Call) and above.func is node and isinstance(source.parents[above], ast.Call):
            node, above = above, source.parents[above]  # an object of a class, or what a function makes
        if isinstance(above, ast.Call) and above.func is not node:
            func = above.func
            if isinstance(func, ast.Call):
                func = func.func
            if isinstance(func, ast.Attribute) and func.attr in _ADDS | ROUTES | {"add"}:
                yield from self.of(source, func.value)
                return
        if isinstance(above, ast.ClassDef) and node in above.bases:
            yield from self.runs(source, above)
            return
        if isinstance(above, ast.FunctionDef | ast.AsyncFunctionDef) and node in above.decorator_list:
            yield from self.runs(source, above)
            return
        outer = source.parents[above] if isinstance(above, ast.Call) else None
        if isinstance(outer, ast.FunctionDef | ast.AsyncFunctionDef) and above in outer.decorator_list:
            yield from self.runs(source, outer)
            return
        function = source.function(node)
        yield from self.runs(source, function) if function is not None else {UNKNOWN}

    # ---- flavours of apps ----

    def _made(self, source: Source, call: ast.Call) -> str | None:
        named = flavour(source.symbol(call.func))
        return named[0] if named is not None and named[1] in OBJECTS else None

    def of(self, source: Source, node: ast.expr, depth: int = 0) -> set[str]:
        """The flavours that an expression's app or blueprint may have."""
        if depth > 8:
            return {UNKNOWN}
        if isinstance(node, ast.Call):
            return self._of_call(source, node, depth)
        if isinstance(node, ast.Name):
            found: set[str] = set()
            for where, one in self.sources.binders(source, node):
                if one.kind == "value" and one.value is not None:
                    found |= self.of(where, one.value, depth + 1)
                elif one.kind == "param" and isinstance(one.node, FUNCTIONS):
                    found |= self._of_parameter(where, one.node, node.id, depth)
                elif one.kind != "declared":
                    found.add(UNKNOWN)
            return found or {UNKNOWN}
        if isinstance(node, ast.Attribute):
            return self._of_attribute(source, node, depth)
        return {UNKNOWN}

    def _of_call(self, source: Source, node: ast.Call, depth: int) -> set[str]:
        made = self._made(source, node)
        if made is not None:
            return {made}
        named = flavour(source.symbol(node.func))
        if named is not None and named[1] in VIEWS:
            return self._of_view(source, node, depth)
        found: set[str] = set()
        for place in self.sources.targets(source, node.func) or ():
            returned = [
                one.value
                for one in place.source.nodes
                if isinstance(one, ast.Return) and one.value is not None
                if place.source.function(one) is place.node
            ]
            for value in returned:
                found |= self.of(place.source, value, depth + 1)
        return found or {UNKNOWN}

    def _of_view(self, source: Source, made: ast.Call, depth: int) -> set[str]:
        """A view has the flavour of the apps that it is added to."""
        assign = source.parents[made]
        names = [one.id for one in getattr(assign, "targets", []) if isinstance(one, ast.Name)]
        found: set[str] = set()
        for name in names:
            for use in source.names[name]:
                call = source.parents[use]
                if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and use in call.args:
                    if call.func.attr in _ADDS:
                        found |= self.of(source, call.func.value, depth + 1)
        return found or {UNKNOWN}

    def _of_parameter(self, source: Source, function: Function, name: str, depth: int) -> set[str]:
        """What the callers pass."""
        if isinstance(function, ast.Lambda):
            return {UNKNOWN}
        found: set[str] = set()
        for decorator in function.decorator_list:
            func = decorator.func if isinstance(decorator, ast.Call) else decorator
            if isinstance(func, ast.Attribute) and func.attr in _BESIDE:
                found |= self.of(source, func.value, depth + 1)
        given = [one.arg for one in [*function.args.posonlyargs, *function.args.args]]
        at = given.index(name) if name in given else -1
        if source.class_of(function) is not None and not is_static(function):
            at -= 1
        for other, call in self.sources.calls.get(function.name, ()):
            value = next((one.value for one in call.keywords if one.arg == name), None)
            if value is None and 0 <= at < len(call.args):
                value = call.args[at]
            found |= self.of(other, value, depth + 1) if value is not None else {UNKNOWN}
        return found or {UNKNOWN}

    def _of_attribute(self, source: Source, node: ast.Attribute, depth: int) -> set[str]:
        symbol = source.symbol(node)
        if symbol is not None:
            found: set[str] = set()
            for where, one in self.sources.named(source, symbol):
                if one.kind == "value" and one.value is not None:
                    found |= self.of(where, one.value, depth + 1)
                else:
                    found.add(UNKNOWN)
            return found or {UNKNOWN}
        found = set()
        for place in (one for places in self.sources.classes.values() for one in places):
            assert isinstance(place.node, ast.ClassDef)
            for binder in place.source.bound[place.node].get(node.attr, ()):
                if binder.value is not None:
                    found |= self.of(place.source, binder.value, depth + 1)
        for other in self.sources.files.values():
            for stored in other.attributes.get(node.attr, ()):
                above = other.parents[stored]
                if isinstance(stored.ctx, ast.Store):
                    value = above.value if isinstance(above, ast.Assign | ast.AnnAssign) else None
                    found |= self.of(other, value, depth + 1) if value is not None else {UNKNOWN}
        return found or {UNKNOWN}


def _iterates(above: ast.AST, node: ast.expr) -> bool:
    return isinstance(above, ast.AsyncFor | ast.comprehension) and above.iter is node


def _mentions(value: ast.expr) -> bool:
    """Whether an expression may have the stream of a request in it."""
    return any(
        isinstance(one, ast.Attribute)
        and one.attr == "stream"
        or isinstance(one, ast.Name)
        and one.id in ("request", "req")
        or isinstance(one, ast.Constant)
        and one.value == "stream"
        for one in ast.walk(value)
    )


def _may_be_a_request(source: Source, node: ast.expr) -> bool:
    """Whether an argument is a parameter of its function, or an attribute."""
    if isinstance(node, ast.Name):
        return all(one.kind == "param" for one in source.lookup(node.id, node)[1])
    return isinstance(node, ast.Attribute | ast.Starred)
