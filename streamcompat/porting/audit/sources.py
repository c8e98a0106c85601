"""One file of a project as `ast` sees it: its scopes, what binds each name, and what a name may refer to."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property
from typing import NamedTuple, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Scope: TypeAlias = ast.Module | ast.ClassDef | Function
Resolve = Callable[[str, str], tuple[str, str] | None]
"""Finds the file and the name in it that a dotted name in a file (its path) refers to."""

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
ROOTS = {
    "sanic": "sanic",
    "streamcompat.sanic_api": "sanic",
    "mach9": "mach9",
    "streamcompat.mach9_api": "mach9",
}


class Binder(NamedTuple):
    """One place that binds a name.

    Attributes:
        kind: a `def` (also of a class), a parameter, an assigned value, an import, or anything else.
        node: the definition, or the function of a parameter, or the statement.
        value: the assigned value.
        symbol: the imported name in full.
    """

    kind: str
    node: ast.AST
    value: ast.expr | None = None
    symbol: str = ""


class Place(NamedTuple):
    """A node and the file that it is in."""

    source: Source
    node: ast.AST


class Source:
    """One file.

    Attributes:
        nodes: every node, parents first.
        stars: the modules of its `from ... import *`.
    """

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.tree: ast.Module = ast.parse(text)
        self.parents: dict[ast.AST, ast.AST] = {}
        self.nodes: list[ast.AST] = [self.tree]
        self._scopes: dict[ast.AST, Scope] = {self.tree: self.tree}
        for node in self.nodes:
            own = (
                node
                if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                else None
            )
            inside = _inside(node)
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
                self._scopes[child] = own if own is not None and child in inside else self._scopes[node]
                self.nodes.append(child)
        self.bound: dict[Scope, dict[str, list[Binder]]] = defaultdict(lambda: defaultdict(list))
        self.stars: list[str] = []
        self._outer: dict[tuple[Scope, str], bool] = {}
        for node in self.nodes:
            if isinstance(node, ast.Global | ast.Nonlocal):
                for name in node.names:
                    self._outer[self.scope(node), name] = isinstance(node, ast.Global)
        for node in self.nodes:
            self._bind(node)
        self.names: dict[str, list[ast.Name]] = defaultdict(list)
        self.attributes: dict[str, list[ast.Attribute]] = defaultdict(list)
        for node in self.nodes:
            if isinstance(node, ast.Name):
                self.names[node.id].append(node)
            elif isinstance(node, ast.Attribute):
                self.attributes[node.attr].append(node)

    def above(self, node: ast.AST) -> Iterator[ast.AST]:
        while (parent := self.parents.get(node)) is not None:
            yield parent
            node = parent

    def scope(self, node: ast.AST) -> Scope:
        """The scope in which the node is evaluated; a decorator or a default is outside of its function."""
        return self._scopes.get(node, self.tree)

    def function(self, node: ast.AST) -> Function | None:
        """The function that the node is evaluated in."""
        scope = self.scope(node)
        while isinstance(scope, ast.ClassDef):
            scope = self.scope(scope)
        return scope if isinstance(scope, FUNCTIONS) else None

    def class_of(self, function: ast.AST) -> ast.ClassDef | None:
        """The class of a method."""
        scope = self.scope(function)
        return scope if isinstance(scope, ast.ClassDef) else None

    # ---- names ----

    def _bind(self, node: ast.AST) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            self._put(node, node.name, Binder("def", node))
        elif isinstance(node, ast.Import):
            for one in node.names:
                name = one.asname or one.name.partition(".")[0]
                self._put(node, name, Binder("import", node, symbol=one.name if one.asname else name))
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for one in node.names:
                if one.name == "*":
                    self.stars.append(module)
                    continue
                symbol = f"{module}{'' if module.endswith('.') else '.'}{one.name}"
                self._put(node, one.asname or one.name, Binder("import", node, symbol=symbol))
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            self._put(node, node.id, self._stored(node))
        elif isinstance(node, ast.ExceptHandler) and node.name:
            self._put(node, node.name, Binder("other", node))
        elif isinstance(node, ast.MatchAs | ast.MatchStar) and node.name:
            self._put(node, node.name, Binder("other", node))
        elif isinstance(node, FUNCTIONS):
            self._parameters(node)
        if isinstance(node, FUNCTIONS) and not isinstance(node, ast.Lambda):
            self._parameters(node)

    def _parameters(self, function: Function) -> None:
        given = function.args
        extra = [one for one in (given.vararg, given.kwarg) if one is not None]
        for one in [*given.posonlyargs, *given.args, *given.kwonlyargs, *extra]:
            self.bound[function][one.arg] = [Binder("param", function)]

    def _stored(self, node: ast.Name) -> Binder:
        above = self.parents[node]
        if isinstance(above, ast.Assign) and node in above.targets:
            return Binder("value", above, above.value)
        if isinstance(above, ast.AnnAssign) and above.target is node and above.value is not None:
            return Binder("value", above, above.value)
        if isinstance(above, ast.AnnAssign):
            return Binder("declared", above)
        if isinstance(above, ast.NamedExpr) and above.target is node:
            return Binder("value", above, above.value)
        return Binder("other", above)

    def _put(self, node: ast.AST, name: str, binder: Binder) -> None:
        scope = self.scope(node)
        outer = self._outer.get((scope, name))
        if outer is True:
            scope = self.tree
        elif outer is False:
            found = next((one for one in self._enclosing(self.scope(scope)) if name in self.bound[one]), None)
            scope = found or scope
        self.bound[scope][name].append(binder)

    def _enclosing(self, scope: Scope) -> Iterator[Scope]:
        while True:
            yield scope
            if isinstance(scope, ast.Module):
                return
            scope = self.scope(scope)

    def lookup(self, name: str, node: ast.AST) -> tuple[Scope | None, list[Binder]]:
        """The scope that binds a name for a node, and what binds it; a class's names are not seen inside its
        methods."""
        first = self.scope(node)
        for scope in self._enclosing(first):
            if isinstance(scope, ast.ClassDef) and scope is not first:
                continue
            if (scope, name) in self._outer and scope in self.bound and name not in self.bound[scope]:
                continue
            if name in self.bound[scope] and self.bound[scope][name]:
                return scope, self.bound[scope][name]
        return None, []

    def uses(self, name: str, scope: Scope) -> list[ast.Name]:
        """Where a variable is read."""
        return self._read.get((scope, name), [])

    @cached_property
    def _read(self) -> dict[tuple[Scope | None, str], list[ast.Name]]:
        found: dict[tuple[Scope | None, str], list[ast.Name]] = defaultdict(list)
        for name, nodes in self.names.items():
            for node in nodes:
                if isinstance(node.ctx, ast.Load):
                    found[self.lookup(name, node)[0], name].append(node)
        return found

    def unbound(self, name: str) -> bool:
        """Whether the file reads the name and binds it nowhere."""
        return (None, name) in self._read

    def elsewhere(self, name: str) -> Iterator[ast.Name]:
        """Where a name is read that another file may define."""
        for scope, binders in [
            (None, []),
            *((one, self.bound[one].get(name, [])) for one in list(self.bound)),
        ]:
            if (
                scope is None
                and not self.stars
                or scope is not None
                and not any(one.kind == "import" for one in binders)
            ):
                continue
            yield from self._read.get((scope, name), [])

    def symbol(self, node: ast.AST) -> str | None:
        """The full name of an imported name or of an attribute of one; None if it may be anything else."""
        if isinstance(node, ast.Attribute):
            above = self.symbol(node.value)
            return None if above is None else f"{above}.{node.attr}"
        if not isinstance(node, ast.Name):
            return None
        _, binders = self.lookup(node.id, node)
        found = {one.symbol for one in binders}
        return found.pop() if len(found) == 1 and binders[0].kind == "import" else None

    def symbols(self, node: ast.AST) -> set[str]:
        """All names in full that it may be, if an import is one of several things that bind it."""
        if isinstance(node, ast.Attribute):
            return {f"{one}.{node.attr}" for one in self.symbols(node.value)}
        if not isinstance(node, ast.Name):
            return set()
        scope, binders = self.lookup(node.id, node)
        if isinstance(scope, ast.ClassDef):
            # In `stream = staticmethod(stream)` the second name is that of the module.
            binders = [*binders, *self.lookup(node.id, scope)[1]]
        return {one.symbol for one in binders if one.kind == "import"}


def flavour(symbol: str | None) -> tuple[str, str] | None:
    """`mach9.response.stream` as (`mach9`, `response.stream`); None for a name of neither flavour."""
    for root, name in ROOTS.items():
        if symbol == root:
            return name, ""
        if symbol is not None and symbol.startswith(root + "."):
            return name, symbol[len(root) + 1 :]
    return None


class Sources:
    """Files that import each other.

    Args:
        texts: their texts by path.
    """

    def __init__(self, texts: Mapping[str, str], resolve: Resolve) -> None:
        self.files: dict[str, Source] = {}
        for path, text in texts.items():
            self.files[path] = Source(path, text)
        self._resolve = resolve
        self.functions: dict[str, list[Place]] = defaultdict(list)
        self.classes: dict[str, list[Place]] = defaultdict(list)
        self.calls: dict[str, list[tuple[Source, ast.Call]]] = defaultdict(list)
        for source in self.files.values():
            for node in source.nodes:
                if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                    self.functions[node.name].append(Place(source, node))
                elif isinstance(node, ast.ClassDef):
                    self.classes[node.name].append(Place(source, node))
                elif isinstance(node, ast.Call):
                    self.calls[last_name(node.func)].append((source, node))

    def binders(self, source: Source, node: ast.Name, depth: int = 0) -> list[tuple[Source, Binder]]:
        """What binds a name, through imports of other files and `import *`."""
        scope, own = source.lookup(node.id, node)
        found: list[tuple[Source, Binder]] = []
        for one in own:
            further = self._through(source, one.symbol, depth) if one.kind == "import" else []
            found += further or [(source, one)]
        if scope is None:
            for module in source.stars:
                found += self._through(source, f"{module.rstrip('.') or module}.{node.id}", depth)
        return found

    def leads(self, source: Source, symbol: str) -> tuple[str, str] | None:
        """The file of the project and the name in it that an imported name refers to."""
        return self._resolve(source.path, symbol)

    def named(self, source: Source, symbol: str) -> list[tuple[Source, Binder]]:
        """What binds an imported name in the file that it comes from."""
        return self._through(source, symbol, 0)

    def _through(self, source: Source, symbol: str, depth: int) -> list[tuple[Source, Binder]]:
        found = self._resolve(source.path, symbol) if depth < 8 else None
        if found is None or found[0] not in self.files or not found[1] or "." in found[1]:
            return []
        return self.top(self.files[found[0]], found[1], depth + 1)

    def top(self, source: Source, name: str, depth: int = 0) -> list[tuple[Source, Binder]]:
        """What binds a name at the top of a file."""
        found: list[tuple[Source, Binder]] = []
        for one in source.bound[source.tree].get(name, []):
            further = self._through(source, one.symbol, depth) if one.kind == "import" else []
            found += further or [(source, one)]
        if not found:
            for module in source.stars:
                found += self._through(source, f"{module}.{name}", depth)
        return found

    def related(self, owner: ast.ClassDef) -> list[Place]:
        """The class, its bases and its subclasses, by their names."""
        names, grown = {owner.name}, True
        while grown:
            grown = False
            for name, places in self.classes.items():
                for place in places:
                    assert isinstance(place.node, ast.ClassDef)
                    bases = {last_name(base) for base in place.node.bases}
                    if (name in names or bases & names) and not bases | {name} <= names:
                        names |= bases | {name}
                        grown = True
        return [place for name in names for place in self.classes.get(name, ())]

    def targets(self, source: Source, node: ast.expr) -> list[Place] | None:
        """The functions, lambdas and classes that an expression may refer to; None if it may be another."""
        if isinstance(node, ast.Lambda):
            return [Place(source, node)]
        if isinstance(node, ast.Name):
            return self._named(source, node)
        if not isinstance(node, ast.Attribute):
            return None
        owner = self._owner(source, node.value)
        if owner is not None:
            places = self.related(owner)
            return self.methods(places, node.attr) or None
        symbol = source.symbol(node)
        if symbol is not None:
            found = self._through(source, symbol, 0)
            return self._definitions(found)
        made = self._class(source, node.value)
        if made is not None:
            return self.methods(made, node.attr) or None
        # Of an object that is not known, any method of that name.
        return [one for one in self.functions.get(node.attr, ()) if one.source.class_of(one.node)] or None

    def references(
        self, source: Source, function: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    ) -> Iterator[tuple[Source, ast.Name | ast.Attribute]]:
        """Where code reads a name or an attribute that may be this function or class."""
        for use in source.uses(function.name, source.scope(function)):
            yield source, use
        for other in self.files.values():
            for name in other.elsewhere(function.name):
                if self._refers(other, name, function):
                    yield other, name
            for attribute in other.attributes.get(function.name, ()):
                if isinstance(attribute.ctx, ast.Load) and self._refers(other, attribute, function):
                    yield other, attribute

    def _refers(self, source: Source, node: ast.expr, function: ast.AST) -> bool:
        return any(place.node is function for place in self.targets(source, node) or ())

    def methods(self, classes: Iterable[Place], name: str) -> list[Place]:
        return [
            Place(place.source, one)
            for place in classes
            if isinstance(place.node, ast.ClassDef)
            for one in place.node.body
            if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and one.name == name
        ]

    def _named(self, source: Source, node: ast.Name) -> list[Place] | None:
        return self._definitions(self.binders(source, node))

    def _definitions(self, binders: list[tuple[Source, Binder]]) -> list[Place] | None:
        found = []
        for where, one in binders:
            if one.kind == "value" and isinstance(one.value, ast.Lambda):
                found.append(Place(where, one.value))
            elif one.kind == "def":
                found.append(Place(where, one.node))
            else:
                return None
        return found or None

    def _owner(self, source: Source, node: ast.expr) -> ast.ClassDef | None:
        """The class behind `self` or `cls`."""
        if not isinstance(node, ast.Name):
            return None
        scope, binders = source.lookup(node.id, node)
        if len(binders) != 1 or binders[0].kind != "param" or not isinstance(scope, FUNCTIONS):
            return None
        given = [*scope.args.posonlyargs, *scope.args.args]
        return source.class_of(scope) if given and given[0].arg == node.id else None

    def _class(self, source: Source, node: ast.expr) -> list[Place] | None:
        """The class in `Class(...)`, behind a name that is only ever assigned such a call, or by its name."""
        if isinstance(node, ast.Call):
            binders = [(source, Binder("value", node, node))]
        elif isinstance(node, ast.Name):
            binders = self.binders(source, node)
        else:
            return None
        found: list[Place] = []
        for where, one in binders:
            made = one.value.func if one.kind == "value" and isinstance(one.value, ast.Call) else None
            places = [Place(where, one.node)] if one.kind == "def" else None
            if isinstance(made, ast.Name):
                places = self._named(where, made)
            if not places:
                return None
            for place in places:
                if not isinstance(place.node, ast.ClassDef):
                    return None
                found += self.related(place.node)
        return found or None


def last_name(node: ast.AST) -> str:
    """The name by which an expression is known: `emit` of `self.out.emit`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def parameter(function: Function, at: int | str) -> ast.arg | None:
    """The parameter at a position or with a name."""
    given = [*function.args.posonlyargs, *function.args.args]
    if isinstance(at, int):
        return given[at] if at < len(given) else None
    return next((one for one in [*given, *function.args.kwonlyargs] if one.arg == at), None)


def is_static(function: Function) -> bool:
    return not isinstance(function, ast.Lambda) and any(
        last_name(one) == "staticmethod" for one in function.decorator_list
    )


def decorated(node: ast.AST) -> bool:
    """Whether a decorator may put something else in the place of the function."""
    return isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) and any(
        last_name(one) not in ("staticmethod", "classmethod") for one in node.decorator_list
    )


def _inside(node: ast.AST) -> set[ast.AST]:
    """The children of a function or a class that are evaluated in its own scope."""
    if isinstance(node, ast.Lambda):
        return {node.body}
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return set(node.body)
    return set()
