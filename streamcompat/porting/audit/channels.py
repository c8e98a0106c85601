"""Follows each channel of a ported project from `stream(...)` to every `send`.

The rule: a channel may be sent on, compared, named, kept in an attribute, or passed to functions that are all
known and do the same. Anything else is said: there a `write` may be waiting for it.
"""

from __future__ import annotations

import ast
from typing import NamedTuple

from streamcompat.porting.audit.sources import (
    FUNCTIONS,
    Function,
    Place,
    Scope,
    Source,
    Sources,
    decorated,
    flavour,
    is_static,
    parameter,
)

STREAMS = {"response.stream", "response.StreamHTTPResponse"}
_HARMLESS = {"bool", "id", "isinstance", "print", "repr", "str", "type"}
_TESTS = (ast.Compare, ast.If, ast.While, ast.Assert, ast.Expr, ast.BoolOp, ast.UnaryOp, ast.IfExp)


class Doubt(NamedTuple):
    """What cannot be explained, and where."""

    source: Source
    node: ast.AST
    reason: str


class Channels:
    """The channels of connected files.

    Attributes:
        doubts: what could not be followed.
        sends: the calls of `send` on a channel.
        takes: the parameters that get a channel.
    """

    def __init__(self, sources: Sources) -> None:
        self.sources = sources
        self.doubts: list[Doubt] = []
        self.sends: set[ast.Call] = set()
        self.takes: dict[tuple[Function, int | str], Source] = {}
        self._explained: set[ast.AST] = set()
        self._attributes: set[str] = set()
        self._variables: set[tuple[Scope, str]] = set()
        for source in sources.files.values():
            for node in source.nodes:
                if isinstance(node, ast.Call) and self._is_stream(source, node):
                    self._stream(source, node)
        for (function, at), source in list(self.takes.items()):
            self._callers(source, function, at)
        self._stores()

    def _doubt(self, source: Source, node: ast.AST, reason: str) -> None:
        self.doubts.append(Doubt(source, node, reason))

    # ---- where channels come from ----

    def _is_stream(self, source: Source, call: ast.Call) -> bool:
        """Whether Mach9's `stream` is called, also by way of other files that import it."""
        symbols = source.symbols(call.func)
        if isinstance(call.func, ast.Name):
            symbols |= {one.symbol for _, one in self.sources.binders(source, call.func)}
        elif (found := source.symbol(call.func)) is not None:
            symbols |= {one.symbol for _, one in self.sources.named(source, found)}
            module, _, name = found.rpartition(".")
            symbols |= {f"{one.symbol}.{name}" for _, one in self.sources.named(source, module)}
        return any(flavour(symbol) in {("mach9", one) for one in STREAMS} for symbol in symbols)

    def _stream(self, source: Source, call: ast.Call) -> None:
        given = next((one.value for one in call.keywords if one.arg == "handler"), None)
        if call.args:
            given = call.args[0]
        if given is None or isinstance(given, ast.Starred) or not self._streaming(source, given, 0, 0):
            self._doubt(source, call, "the function that sends the response cannot be found")

    def _streaming(self, source: Source, node: ast.expr, at: int, depth: int) -> bool:
        """Follow what is given to `stream`; false if it cannot be found."""
        if depth > 8:
            return False
        self._explained.add(node)
        if isinstance(node, ast.Call):
            return self._made(source, node, at, depth)
        if isinstance(node, ast.IfExp):
            return all(self._streaming(source, one, at, depth + 1) for one in (node.body, node.orelse))
        places = self.sources.targets(source, node)
        if places is None and isinstance(node, ast.Name):
            binders = self.sources.binders(source, node)
            values = [(where, one.value) for where, one in binders if one.kind == "value" and one.value]
            return len(values) == len(binders) > 0 and all(
                self._streaming(where, value, at, depth + 1) for where, value in values
            )
        return bool(places) and all(self._enter(one, node, at) for one in places or ())

    def _enter(self, place: Place, node: ast.expr, at: int) -> bool:
        function = place.node
        if not isinstance(function, FUNCTIONS) or decorated(function):
            return False
        bound = place.source.class_of(function) is not None and not is_static(function)
        self.take(place.source, function, at + bound)
        return True

    def _made(self, source: Source, node: ast.Call, at: int, depth: int) -> bool:
        """The function in `partial(fn, ...)`, in a factory's result, or in a callable object."""
        if source.symbol(node.func) == "functools.partial" and node.args:
            if any(isinstance(one, ast.Starred) for one in node.args):
                return False
            return self._streaming(source, node.args[0], at + len(node.args) - 1, depth + 1)
        places = self.sources.targets(source, node.func)
        for place in places or ():
            if decorated(place.node):
                return False
            if isinstance(place.node, ast.ClassDef):
                methods = self.sources.methods(self.sources.related(place.node), "__call__")
                if not methods or not all(self._enter(one, node, at) for one in methods):
                    return False
                continue
            returned = _returned(place.source, place.node)
            if not returned or not all(self._streaming(place.source, one, at, depth + 1) for one in returned):
                return False
        return bool(places)

    # ---- where they go ----

    def take(self, source: Source, function: Function, at: int | str) -> None:
        """Follow a parameter that gets a channel."""
        found = parameter(function, at)
        if found is None:
            self._doubt(source, function, "a channel is passed where no parameter takes it by itself")
            return
        given = [*function.args.posonlyargs, *function.args.args]
        key = (function, given.index(found) if found in given else found.arg)
        if key in self.takes:
            return
        self.takes[key] = source
        if len(source.bound[function][found.arg]) > 1:
            self._doubt(source, found, f"`{found.arg}` is a channel and something else")
        self._variable(source, function, found.arg)

    def _variable(self, source: Source, scope: Scope, name: str) -> None:
        if (scope, name) in self._variables:
            return
        self._variables.add((scope, name))
        if isinstance(scope, ast.Module | ast.ClassDef):
            self._doubt(source, scope, f"a channel is kept in `{name}`, where other code may find it")
        for use in source.uses(name, scope):
            self._use(source, use)

    def _use(self, source: Source, node: ast.expr) -> None:
        self._explained.add(node)
        above = source.parents[node]
        if isinstance(above, ast.Attribute):
            call = source.parents[above]
            if above.attr == "send" and isinstance(call, ast.Call) and call.func is above:
                self.sends.add(call)
                if len(call.args) == 1 and not call.keywords and not isinstance(call.args[0], ast.Starred):
                    return
            self._doubt(source, above, f"`{ast.unparse(above)}` on a channel, which has only `send(bytes)`")
        elif isinstance(above, ast.Call):
            self._argument(source, above, node, above.args.index(node))
        elif isinstance(above, ast.keyword) and above.arg is not None:
            call = source.parents[above]
            assert isinstance(call, ast.Call)
            self._argument(source, call, node, above.arg)
        elif isinstance(above, ast.Assign | ast.AnnAssign | ast.NamedExpr):
            self._assigned(source, above)
            if isinstance(above, ast.NamedExpr):
                self._use(source, above)
        elif not isinstance(above, _TESTS):
            self._doubt(source, node, f"the channel `{ast.unparse(node)}` goes where it cannot be followed")

    def _assigned(self, source: Source, node: ast.Assign | ast.AnnAssign | ast.NamedExpr) -> None:
        for target in node.targets if isinstance(node, ast.Assign) else [node.target]:
            if isinstance(target, ast.Name):
                scope, binders = source.lookup(target.id, target)
                if scope is None or any(not self._is_channel(one.value) for one in binders):
                    self._doubt(source, target, f"`{target.id}` is a channel and something else")
                else:
                    self._variable(source, scope, target.id)
            elif isinstance(target, ast.Attribute):
                self._kept(target.attr)
            else:
                self._doubt(source, target, "a channel is kept where it cannot be followed")

    def _is_channel(self, value: ast.expr | None) -> bool:
        return value in self._explained or (isinstance(value, ast.Constant) and value.value is None)

    def _kept(self, name: str) -> None:
        """Follow an attribute that holds a channel, whatever its object is."""
        if name in self._attributes:
            return
        self._attributes.add(name)
        for source in self.sources.files.values():
            for node in source.attributes.get(name, []):
                if isinstance(node.ctx, ast.Load):
                    self._use(source, node)

    def _stores(self) -> None:
        """Doubt attributes that hold a channel and something else."""
        for name in sorted(self._attributes):
            for source in self.sources.files.values():
                for node in source.attributes.get(name, []):
                    above = source.parents[node]
                    kept = isinstance(above, ast.Assign | ast.AnnAssign) and self._is_channel(above.value)
                    if not isinstance(node.ctx, ast.Load) and not kept:
                        self._doubt(source, node, f"`{ast.unparse(node)}` is a channel and something else")

    def _argument(self, source: Source, call: ast.Call, node: ast.expr, at: int | str) -> None:
        func = call.func
        if isinstance(func, ast.Name) and func.id in _HARMLESS and source.lookup(func.id, func)[0] is None:
            return
        before = call.args[:at] if isinstance(at, int) else []
        places = self.sources.targets(source, func)
        if not places or any(isinstance(one, ast.Starred) for one in before):
            self._doubt(source, call, f"`{ast.unparse(func)}` gets a channel, and cannot be found")
            return
        for place in places:
            self._given(source, call, place, at)

    def _given(self, source: Source, call: ast.Call, place: Place, at: int | str) -> None:
        function, offset = place.node, 0
        if decorated(function):
            self._doubt(source, call, f"`{ast.unparse(call.func)}` gets a channel, and is decorated")
            return
        if isinstance(function, ast.ClassDef):
            made = self.sources.methods(self.sources.related(function), "__init__")
            if not made:
                self._doubt(
                    source, call, f"`{function.name}` gets a channel without a constructor of its own"
                )
                return
            for one in made:
                assert isinstance(one.node, FUNCTIONS)
                self.take(one.source, one.node, at + 1 if isinstance(at, int) else at)
            return
        assert isinstance(function, FUNCTIONS)
        if isinstance(call.func, ast.Attribute) and place.source.class_of(function) is not None:
            offset = 0 if is_static(function) else 1
        self.take(place.source, function, at + offset if isinstance(at, int) else at)

    # ---- and who else gives something ----

    def _callers(self, source: Source, function: Function, at: int | str) -> None:
        """Doubt each other use of a function that takes a channel."""
        if isinstance(function, ast.Lambda):
            return
        owner = source.class_of(function)
        wanted = owner if owner is not None and function.name == "__init__" else function
        for other, node in self.sources.references(source, wanted):
            if node in self._explained or isinstance(other.parents[node], ast.Attribute):
                continue
            call = other.parents[node]
            if not isinstance(call, ast.Call) or call.func is not node:
                if not isinstance(call, ast.Compare | ast.arg | ast.AnnAssign):
                    self._doubt(other, node, f"`{wanted.name}` takes a channel, and is used here as a value")
            elif not self._gives(other, call, source, function, at):
                self._doubt(other, call, f"`{wanted.name}` takes a channel, and gets something else here")

    def _gives(
        self, source: Source, call: ast.Call, where: Source, function: Function, at: int | str
    ) -> bool:
        found = parameter(function, at)
        assert found is not None
        for one in call.keywords:
            if one.arg == found.arg:
                return one.value in self._explained
        if not isinstance(at, int):
            return False
        is_method = where.class_of(function) is not None and not is_static(function)
        at -= int(is_method)
        if at < 0 or at >= len(call.args):
            return at < 0
        return call.args[at] in self._explained


def _returned(source: Source, function: ast.AST) -> list[ast.expr]:
    return [
        node.value
        for node in source.nodes
        if isinstance(node, ast.Return) and node.value is not None and source.function(node) is function
    ]
