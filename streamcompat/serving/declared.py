"""Reads from an app's source how it would serve itself, without executing it: the calls of `run` at module
level and behind `if __name__ == "__main__":`.

The rule: only literals are read, and names that are bound once, to a literal. What cannot be read is named,
never guessed.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["DeclaredRun", "declared_runs"]

_METHODS: Final = frozenset({"run", "go_fast", "create_server"})
_Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class DeclaredRun:
    """One call of `run` that stands in the source.

    Attributes:
        line: where it stands.
        receiver: the dotted name of what is run: `app`.
        method: `run`, or another that serves.
        guarded: it stands behind the guard for a script; else importing the module executes it.
        positional: each argument's value and source; the value is `Unread` if it is no literal.
        named: the same by name.
        unpacked: the source of `*` and `**` arguments that are no literals.
    """

    line: int
    receiver: str
    method: str
    guarded: bool
    positional: tuple[tuple[object, str], ...]
    named: Mapping[str, tuple[object, str]]
    unpacked: tuple[str, ...]

    def options(self, order: Sequence[str]) -> tuple[dict[str, Any], list[str]]:
        """The literal arguments by name, and the source of the others.

        Args:
            order: the names of the positional arguments, as far as they are known.
        """
        arguments = [*zip(order, self.positional, strict=False), *self.named.items()]
        taken = {name: value for name, (value, _) in arguments if value is not Unread}
        left = [f"{name}={source}" for name, (value, source) in arguments if value is Unread]
        return taken, left + [source for _, source in self.positional[len(order) :]] + list(self.unpacked)


class Unread:
    """Stands for the value of an argument that is no literal."""


def declared_runs(source: str | bytes) -> list[DeclaredRun]:
    """The calls that would serve, in the order in which they stand.

    A function that is called from there is read too. Calls on imported modules (`asyncio.run`) do not count.

    Raises: SyntaxError; ValueError for a null byte; RecursionError for an expression too deep to be walked.
    """
    tree = _DictCalls().visit(ast.parse(source))
    return sorted(_Reader(tree).read(tree.body, guarded=False), key=lambda run: run.line)


class _Reader:
    """Reads the statements that a script executes."""

    def __init__(self, tree: ast.Module) -> None:
        self._functions = {node.name: node for node in tree.body if isinstance(node, _Function)}
        bound = _bound_once(tree)
        self._constants = {name: value for name, value in bound.items() if _is_literal(value)}
        self._methods = {name: value for name, value in bound.items() if isinstance(value, ast.Attribute)}
        self._modules = {
            (alias.asname or alias.name).partition(".")[0]
            for node in ast.walk(tree)
            if isinstance(node, ast.Import)
            for alias in node.names
        }
        self._visited: set[str] = set()

    def read(self, body: Sequence[ast.stmt], guarded: bool) -> Iterator[DeclaredRun]:
        for statement in body:
            if isinstance(statement, ast.If) and (script := _is_for_script(statement.test)) is not None:
                yield from self.read(statement.body, guarded or script)
                yield from self.read(statement.orelse, guarded or not script)
            elif not isinstance(statement, _Function | ast.ClassDef):
                yield from self._statement(statement, guarded)

    def _statement(self, statement: ast.stmt, guarded: bool) -> Iterator[DeclaredRun]:
        """Its own expressions, and the statements below it."""
        for child in ast.iter_child_nodes(statement):
            if isinstance(child, ast.stmt):
                yield from self.read([child], guarded)
            elif isinstance(child, ast.ExceptHandler | ast.match_case):
                yield from self.read(child.body, guarded)
            else:
                yield from self._expression(child, guarded)

    def _expression(self, node: ast.AST, guarded: bool) -> Iterator[DeclaredRun]:
        if isinstance(node, ast.Lambda):
            return
        if isinstance(node, ast.Call):
            if (run := self._run(node, guarded)) is not None:
                yield run
            yield from self._passed_on(node, guarded)
            if isinstance(node.func, ast.Name) and node.func.id not in self._visited:
                called = self._functions.get(node.func.id)
                if called is not None:
                    self._visited.add(called.name)
                    yield from self.read(called.body, guarded)
        for child in ast.iter_child_nodes(node):
            yield from self._expression(child, guarded)

    def _run(self, call: ast.Call, guarded: bool) -> DeclaredRun | None:
        method = self._method(call.func)
        if method is None:
            return None
        positional: list[tuple[object, str]] = []
        named: dict[str, tuple[object, str]] = {}
        unpacked: list[str] = []
        for argument in call.args:
            if isinstance(argument, ast.Starred) or unpacked:
                unpacked.append(ast.unparse(argument))
            else:
                positional.append(self._value(argument))
        for keyword in call.keywords:
            value, source = self._value(keyword.value)
            if keyword.arg is not None:
                named[keyword.arg] = value, source
            elif isinstance(value, dict) and all(isinstance(name, str) for name in value):
                named |= {name: (one, repr(one)) for name, one in value.items()}
            else:
                unpacked.append(f"**{source}")
        return DeclaredRun(call.lineno, *method, guarded, tuple(positional), named, tuple(unpacked))

    def _passed_on(self, call: ast.Call, guarded: bool) -> Iterator[DeclaredRun]:
        """`app.run` as an argument, as of a thread or a partial: what else it is called with is not known."""
        for argument in [*call.args, *(keyword.value for keyword in call.keywords)]:
            method = self._method(argument)
            if method is not None:
                given = f"what {ast.unparse(call.func)} passes to it"
                yield DeclaredRun(call.lineno, *method, guarded, (), {}, (given,))

    def _method(self, node: ast.expr) -> tuple[str, str] | None:
        """The receiver and the name of a method that serves."""
        if isinstance(node, ast.Name):
            node = self._methods.get(node.id, node)
        if not isinstance(node, ast.Attribute) or node.attr not in _METHODS:
            return None
        receiver = ast.unparse(node.value)
        root = receiver.partition(".")[0]
        return None if not root.isidentifier() or root in self._modules else (receiver, node.attr)

    def _value(self, node: ast.expr) -> tuple[object, str]:
        """The value of a literal, or `Unread`; and the source."""
        source = ast.unparse(node)
        try:
            # Parsed again, so that names can be replaced in a tree of its own.
            inlined = _Inline(self._constants).visit(ast.parse(source, mode="eval"))
            return ast.literal_eval(inlined), source
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return Unread, source


class _DictCalls(ast.NodeTransformer):
    """Replaces `dict(port=9)` by the literal."""

    def visit_Call(self, node: ast.Call) -> ast.expr:
        self.generic_visit(node)
        if not isinstance(node.func, ast.Name) or node.func.id != "dict" or node.args:
            return node
        keys: list[ast.expr | None] = [
            None if one.arg is None else ast.Constant(one.arg) for one in node.keywords
        ]
        return ast.copy_location(ast.Dict(keys, [one.value for one in node.keywords]), node)


class _Inline(ast.NodeTransformer):
    """Replaces the names of constants by their values."""

    def __init__(self, constants: Mapping[str, ast.expr]) -> None:
        self._constants = constants

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self._constants.get(node.id, node)


def _bound_once(tree: ast.Module) -> dict[str, ast.expr]:
    """The names that are bound once in the whole module, by an assignment, and their values."""
    bound = Counter(
        node.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load)
    )
    bound.update(node.arg for node in ast.walk(tree) if isinstance(node, ast.arg))
    bound.update(
        (alias.asname or alias.name).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )
    found: dict[str, ast.expr] = {}
    for node in ast.walk(tree):
        match node:
            case (
                ast.Assign(targets=[ast.Name(id=name)], value=value)
                | ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value)
            ) if bound[name] == 1:
                found[name] = value
    return found


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _is_for_script(test: ast.expr) -> bool | None:
    """Whether what stands behind this condition is executed in a script only, or only in an imported module
    (`False`); `None` for another condition. Other conditions may stand beside it."""
    match test:
        case ast.BoolOp(op=ast.And()):
            return next((found for one in test.values if (found := _is_for_script(one)) is not None), None)
        case ast.UnaryOp(op=ast.Not()):
            found = _is_for_script(test.operand)
            return None if found is None else not found
        case ast.Compare(left=left, ops=[ast.Eq() | ast.NotEq() as how], comparators=[right]):
            if {ast.unparse(left), ast.unparse(right)} == {"__name__", "'__main__'"}:
                return isinstance(how, ast.Eq)
    return None
