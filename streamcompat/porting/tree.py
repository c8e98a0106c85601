"""One parsed file with LibCST's metadata: spans, parents, scopes and qualified names.

The rule: positions are byte offsets in the text as UTF-8, so that bytes outside of all edits never change.
"""

from __future__ import annotations

import ast
import dataclasses
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import cache, cached_property
from operator import itemgetter
from typing import Any, TypeAlias

import libcst as cst
from libcst.metadata import (
    Assignment,
    ByteSpanPositionProvider,
    ClassScope,
    ExpressionContextProvider,
    ImportAssignment,
    QualifiedName,
    QualifiedNameSource,
    ScopeProvider,
)

Variable: TypeAlias = tuple[int, str]
"""The scope and the name of a variable; for an attribute of a class or its instances, the class's scope."""

FunctionOrClass: TypeAlias = cst.FunctionDef | cst.ClassDef


# A `MetadataWrapper` walks the whole module once more for each group of providers, although these do all
# their work at the module itself. So they are called by themselves.


class _Spans(ByteSpanPositionProvider):
    def of(self, module: cst.Module) -> dict[cst.CSTNode, object]:
        """The place of each node, in bytes."""
        self._gen_impl(module)
        return dict(self._computed)


class _Contexts(ExpressionContextProvider):
    def __init__(self) -> None:
        super().__init__()
        self.found: dict[cst.CSTNode, object] = {}

    def set_metadata(self, node: cst.CSTNode, value: object) -> None:
        self.found[node] = value


class _Scopes(ScopeProvider):
    def __init__(self, contexts: dict[cst.CSTNode, object]) -> None:
        super().__init__()
        self.metadata = {ExpressionContextProvider: contexts}
        self.found: dict[cst.CSTNode, object] = {}

    def set_metadata(self, node: cst.CSTNode, value: object) -> None:
        self.found[node] = value


def _scopes(module: cst.Module) -> dict[cst.CSTNode, object]:
    """The scope of each node."""
    contexts = _Contexts()
    contexts.visit_Module(module)
    scopes = _Scopes(contexts.found)
    scopes.visit_Module(module)
    return scopes.found


class Tree:
    """A module with its metadata.

    Attributes:
        source: the text as UTF-8.
    """

    def __init__(self, text: str) -> None:
        module = cst.parse_module(text)
        self.source: bytes = text.encode()
        self.module = module
        self._spans: Any = _Spans().of(module)
        self._scopes: Any = _scopes(module)
        self._qualified: dict[cst.CSTNode, Collection[QualifiedName]] = {}
        # Every node in the order of the text, so that a node's descendants follow it directly.
        self._nodes: list[cst.CSTNode] = []
        self._places: dict[cst.CSTNode, int] = {}
        self._parents: dict[cst.CSTNode, cst.CSTNode] = {}
        self._by_kind: dict[type, list[tuple[int, cst.CSTNode]]] = defaultdict(list)
        self._walk()
        self._ends = self._find_ends()

    def _walk(self) -> None:
        # LibCST's own `children` and `visit` rebuild every node, which takes several times as long.
        stack: list[cst.CSTNode] = [self.module]
        while stack:
            node = stack.pop()
            place = self._places[node] = len(self._nodes)
            self._nodes.append(node)
            self._by_kind[type(node)].append((place, node))
            children = list(_children(node))
            self._parents.update(dict.fromkeys(children, node))
            children.sort(key=self.start, reverse=True)
            stack.extend(children)

    def _find_ends(self) -> list[int]:
        """For each node, the index after its last descendant."""
        ends = list(range(1, len(self._nodes) + 1))
        for place in range(len(self._nodes) - 1, 0, -1):
            above = self._places[self._parents[self._nodes[place]]]
            ends[above] = max(ends[above], ends[place])
        return ends

    def all(self, *kinds: type[cst.CSTNode]) -> Iterator[Any]:
        """Every node of these kinds, in the order of the text."""
        found = [one for kind in kinds for one in self._by_kind.get(kind, ())]
        if len(kinds) > 1:
            found.sort(key=itemgetter(0))
        return (node for _, node in found)

    def below(self, node: cst.CSTNode) -> list[cst.CSTNode]:
        """The node and all its descendants, in the order of the text."""
        place = self._places[node]
        return self._nodes[place : self._ends[place]]

    # Places

    def start(self, node: cst.CSTNode) -> int:
        return int(self._spans[node].start)

    def end(self, node: cst.CSTNode) -> int:
        span = self._spans[node]
        return int(span.start + span.length)

    def code(self, node: cst.CSTNode) -> str:
        """The source text of the node, without parentheses around it."""
        return self.source[self.start(node) : self.end(node)].decode()

    @cached_property
    def _line_starts(self) -> list[int]:
        starts, at = [0], 0
        for line in self.source.splitlines(keepends=True):
            at += len(line)
            starts.append(at)
        return starts

    def line(self, node: cst.CSTNode) -> int:
        """The line of the node, from 1."""
        return self.line_at(self.start(node))

    def line_at(self, offset: int) -> int:
        return bisect_right(self._line_starts, offset)

    def line_start(self, offset: int) -> int:
        """The start of the line of `offset`."""
        return self._line_starts[self.line_at(offset) - 1]

    def indent(self, node: cst.CSTNode) -> str:
        """The indentation of the node's line."""
        start = self.line_start(self.start(node))
        line = self.source[start : self.end(node)].decode()
        return line[: len(line) - len(line.lstrip(" \t\f"))]

    @cached_property
    def newline(self) -> str:
        return self.module.default_newline

    # Relations

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self._parents.get(node)

    def goes_on(self, node: cst.CSTNode) -> bool:
        """Whether a node is a walrus whose value is more than tested where it stands."""
        return isinstance(node, cst.NamedExpr) and not isinstance(self.parent(node), _TESTS)

    def above(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The ancestors of a node, from the inside out."""
        above = self.parent(node)
        while above is not None:
            yield above
            above = self.parent(above)

    def function(self, node: cst.CSTNode) -> cst.FunctionDef | cst.Lambda | None:
        """The function whose body contains the node; decorators and defaults are outside of the body."""
        inner = node
        for above in self.above(node):
            if isinstance(above, cst.FunctionDef) and inner is above.body:
                return above
            if isinstance(above, cst.Lambda) and inner is above.body:
                return above
            inner = above
        return None

    def class_of(self, function: cst.CSTNode) -> cst.ClassDef | None:
        """The class of a method."""
        block = self.parent(function)
        above = self.parent(block) if isinstance(block, cst.IndentedBlock) else None
        return above if isinstance(above, cst.ClassDef) else None

    def chain(self, node: cst.CSTNode) -> list[FunctionOrClass]:
        """The functions and classes around a node, from the outside in."""
        found = [above for above in self.above(node) if isinstance(above, cst.FunctionDef | cst.ClassDef)]
        return found[::-1]

    def statement(self, node: cst.CSTNode) -> cst.BaseStatement | None:
        """The simple or compound statement that contains the node."""
        if isinstance(node, cst.BaseStatement):
            return node
        return next((above for above in self.above(node) if isinstance(above, cst.BaseStatement)), None)

    def following(self, statement: cst.CSTNode) -> list[cst.BaseStatement]:
        """The statements after this one in its block."""
        block = self.parent(statement)
        if not isinstance(block, cst.IndentedBlock):
            return []
        place = self._places[statement]
        return [one for one in block.body if isinstance(one, cst.BaseStatement) and self._places[one] > place]

    def enclosing(self, statement: cst.CSTNode) -> cst.CSTNode | None:
        """The statement whose block contains this one; an `elif`, `else` or `except` counts as part of the
        whole statement."""
        block = self.parent(statement)
        above = self.parent(block) if isinstance(block, cst.IndentedBlock) else None
        while isinstance(above, cst.Else | cst.ExceptHandler | cst.Finally) or (
            isinstance(above, cst.If) and isinstance(self.parent(above), cst.If)
        ):
            above = self.parent(above)
        return above

    # Names

    def scope(self, node: cst.CSTNode) -> Any:
        return self._scopes.get(node)

    def qualified(self, node: cst.CSTNode) -> str | None:
        """The full name of an imported name, or of an attribute of one; None for anything local."""
        for name in self._names(node):
            if name.source is QualifiedNameSource.IMPORT:
                return str(name.name)
        return None

    def builtin(self, node: cst.CSTNode) -> str | None:
        """The builtin that a name refers to, or None; attributes such as `str.join` do not count."""
        for name in self._names(node) if isinstance(node, cst.Name) else ():
            if name.source is QualifiedNameSource.BUILTIN:
                return str(name.name).removeprefix("builtins.")
        return None

    def _names(self, node: cst.CSTNode) -> Collection[QualifiedName]:
        if node not in self._qualified:
            scope = self.scope(node)
            self._qualified[node] = () if scope is None else scope.get_qualified_names_for(node)
        return self._qualified[node]

    def assignments(self, name: cst.Name) -> list[Any]:
        """The assignments that may have bound the name."""
        scope = self.scope(name)
        if scope is None:
            return []
        try:
            return list(scope[name.value])
        except KeyError:
            return []

    def variable(self, node: cst.CSTNode) -> Variable | None:
        """The variable behind a name, a parameter or an attribute of an instance."""
        if isinstance(node, cst.Param):
            node = node.name
        if isinstance(node, cst.Name):
            assignments = self.assignments(node)
            if not assignments:
                return None
            scope = assignments[0].scope
            return id(scope.node if isinstance(scope, ClassScope) else scope), node.value
        if isinstance(node, cst.Attribute):
            owner = self.owner_of(node)
            if owner is not None:
                return id(owner), node.attr.value
        return None

    def instance_of(self, node: cst.CSTNode) -> cst.ClassDef | None:
        """The class behind `self` or `cls`."""
        if not isinstance(node, cst.Name):
            return None
        for assignment in self.assignments(node):
            if isinstance(assignment, Assignment) and isinstance(assignment.node, cst.Param):
                function = self.parent(self.parent(assignment.node) or assignment.node)
                if isinstance(function, cst.FunctionDef):
                    first = parameters(function)[:1]
                    if first and first[0] is assignment.node:
                        return self.class_of(function)
        return None

    def import_of(self, name: cst.Name) -> ImportAssignment | None:
        """The import that bound the name."""
        for assignment in self.assignments(name):
            if isinstance(assignment, ImportAssignment):
                return assignment
        return None

    def imported(self, node: cst.Import | cst.ImportFrom) -> str:
        """The module of an import statement; the first one of several."""
        if isinstance(node, cst.ImportFrom):
            module = node.module
            if (
                module is None
                or not isinstance(node.names, cst.ImportStar)
                and self.code(module) == "streamcompat"
            ):
                first = "" if isinstance(node.names, cst.ImportStar) else self.code(node.names[0].name)
                return f"{self.code(module)}.{first}" if module is not None else ""
            return self.code(module)
        return self.code(node.names[0].name)

    def names_below(self, node: cst.CSTNode) -> set[str]:
        """All names below a node, without attributes and keywords of calls."""
        return {
            one.value for one in self.below(node) if isinstance(one, cst.Name) and self._stands_alone(one)
        }

    def names_of(self, node: cst.CSTNode) -> list[cst.Name]:
        """Every occurrence of the variable behind a name or a parameter, in the order of the text."""
        variable = self.variable(node)
        return self._by_variable.get(variable, []) if variable is not None else []

    @cached_property
    def _by_variable(self) -> dict[Variable, list[cst.Name]]:
        found: dict[Variable, list[cst.Name]] = defaultdict(list)
        for name in self.all(cst.Name):
            variable = self.variable(name) if self._stands_alone(name) else None
            if variable is not None:
                found[variable].append(name)
        return found

    def _stands_alone(self, name: cst.Name) -> bool:
        """Whether the name is neither an attribute nor a keyword of a call."""
        above = self.parent(name)
        is_part = isinstance(above, cst.Attribute) and above.attr is name
        return not is_part and not (isinstance(above, cst.Arg) and above.keyword is name)

    def functions_of(self, node: cst.CSTNode, depth: int = 0) -> list[FunctionOrClass]:
        """The functions or classes of this file that a name or a method of an object may refer to."""
        if isinstance(node, cst.Name):
            assignments = self.assignments(node)
            found = [
                one.node
                for one in assignments
                if isinstance(getattr(one, "node", None), cst.FunctionDef | cst.ClassDef)
            ]
            return found if len(found) == len(assignments) else []
        if isinstance(node, cst.Attribute) and depth < 8:
            owner = self.owner_of(node, depth)
            return self.methods(owner, node.attr.value) if owner is not None else []
        return []

    def owner_of(self, node: cst.Attribute, depth: int = 0) -> cst.ClassDef | None:
        """The class of this file behind `self`, an instance, or the name of the class itself."""
        owner = self.instance_of(node.value) or self._made_of(node.value, depth)
        if owner is None and isinstance(node.value, cst.Name):
            for one in self.functions_of(node.value, depth + 1):
                owner = one if isinstance(one, cst.ClassDef) else None
        return owner

    def _made_of(self, node: cst.CSTNode, depth: int) -> cst.ClassDef | None:
        """The class in `Class(...)`, or behind a name that is only ever assigned such a call."""
        if isinstance(node, cst.Name):
            bound = self.assignments(node)
            target = self.parent(bound[0].node) if len(bound) == 1 and hasattr(bound[0], "node") else None
            assign = self.parent(target) if isinstance(target, cst.AssignTarget) else target
            value = assign.value if isinstance(assign, cst.Assign | cst.AnnAssign) else None
            node = value if value is not None else node
        made = self.functions_of(node.func, depth + 1) if isinstance(node, cst.Call) else []
        return made[0] if len(made) == 1 and isinstance(made[0], cst.ClassDef) else None

    def methods(self, owner: cst.ClassDef, name: str, depth: int = 0) -> list[FunctionOrClass]:
        """The method of a class, or of a base class in this file."""
        own = [one for one in owner.body.body if isinstance(one, cst.FunctionDef) and one.name.value == name]
        if own or depth > 8:
            return list(own)
        return [
            found
            for base in owner.bases
            for one in self.functions_of(base.value)
            if isinstance(one, cst.ClassDef) and one is not owner
            for found in self.methods(one, name, depth + 1)
        ]

    def path_of(self, node: FunctionOrClass) -> str:
        """The qualified name in the file, such as `create_app.handler`."""
        return ".".join([*(one.name.value for one in self.chain(node)), node.name.value])


_TESTS = (cst.Comparison, cst.If, cst.While, cst.Expr, cst.Assert)
_WITHOUT_CODE = ("whitespace", "leading_lines", "lines_after", "header", "footer", "indent", "trailing")


@cache
def _fields(kind: type[cst.CSTNode]) -> tuple[str, ...]:
    """The fields of this node class that hold child nodes, except white space and comments."""
    return tuple(one.name for one in dataclasses.fields(kind) if not one.name.startswith(_WITHOUT_CODE))


def _children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for name in _fields(type(node)):
        value = getattr(node, name)
        for one in value if isinstance(value, list | tuple) else (value,):
            if isinstance(one, cst.CSTNode):
                yield one


def parameters(function: cst.FunctionDef) -> list[cst.Param]:
    """The positional parameters of a function."""
    return [*function.params.posonly_params, *function.params.params]


def bound_offset(tree: Tree, function: cst.FunctionDef) -> int:
    """1 for a method whose first parameter is its object or class, else 0."""
    if tree.class_of(function) is None:
        return 0
    return (
        0
        if any(
            isinstance(one.decorator, cst.Name) and one.decorator.value == "staticmethod"
            for one in function.decorators
        )
        else 1
    )


def literal(node: cst.BaseExpression) -> Any:
    """The value of a literal. Raises ValueError if it is not a literal."""
    try:
        return ast.literal_eval(cst.Module([]).code_for_node(node))
    except (SyntaxError, TypeError, MemoryError) as error:
        raise ValueError("not a literal") from error


def argument(call: cst.Call, position: int | None, name: str) -> cst.Arg | None:
    """The argument of a call at this position or with this name."""
    for at, one in enumerate(call.args):
        if one.star:
            return None
        if one.keyword is not None and one.keyword.value == name:
            return one
        if one.keyword is None and at == position:
            return one
    return None
