"""Infers whether an expression is text, bytes or something else, from the code of its file.

The rule: a kind is returned only if every possible value has it. In doubt the result is None, and the
library's `encoded` decides at run time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Literal

import libcst as cst

from streamcompat.porting.tree import Tree, Variable

Kind = Literal["str", "bytes", "other"]
_ANNOTATED: dict[str, Kind] = {"str": "str", "bytes": "bytes", "int": "other", "float": "other"}
Read = Callable[[cst.CSTNode], bool]

_STR_CALLS = {"str", "repr", "ascii", "chr", "hex", "bin", "oct", "format", "input"}
_BYTES_CALLS = {"bytes", "bytearray"}
_OTHER_CALLS = {"int", "float", "len", "sum", "bool", "list", "dict", "tuple", "set", "round", "abs", "ord"}
_STR_FUNCTIONS = {
    "json.dumps",
    "ujson.dumps",
    "simplejson.dumps",
    "html.escape",
    "urllib.parse.quote",
    "urllib.parse.urlencode",
    "textwrap.dedent",
    "sanic.response.json_dumps",
    "time.strftime",
}
_BYTES_FUNCTIONS = {
    "base64.b64encode",
    "gzip.compress",
    "orjson.dumps",
    "os.urandom",
    "pickle.dumps",
    "struct.pack",
    "zlib.compress",
}
_TO_STR = {"decode", "isoformat", "strftime", "hexdigest"}
_TO_BYTES = {"encode", "digest", "tobytes", "to_bytes"}
_KEEP = {
    "capitalize", "casefold", "center", "expandtabs", "join", "ljust", "lower", "lstrip", "replace", "rjust",
    "rstrip", "strip", "swapcase", "title", "translate", "upper", "zfill", "removeprefix", "removesuffix",
}  # fmt: skip
_FORMAT = {"format", "format_map"}
_TO_OTHER = {"count", "find", "index", "startswith", "endswith", "isdigit", "split", "splitlines", "rsplit"}


class Kinds:
    """The kinds of the expressions of one file.

    Args:
        is_chunk: whether an expression reads a chunk that cannot be the end of the body.
    """

    def __init__(self, tree: Tree, is_chunk: Read) -> None:
        self._tree = tree
        self._is_chunk = is_chunk
        self._bindings: dict[Variable, list[cst.CSTNode]] = {}
        for node in tree.all(cst.Name):
            if self._binds(node):
                variable = tree.variable(node)
                if variable is not None:
                    self._bindings.setdefault(variable, []).append(node)

    def of(self, node: cst.BaseExpression, depth: int = 0) -> Kind | None:
        """The kind of an expression's value."""
        if depth > 12:
            return None
        if self._is_chunk(node):
            return "bytes"
        if isinstance(node, cst.SimpleString):
            return "bytes" if "b" in node.prefix.lower() else "str"
        if isinstance(node, cst.FormattedString):
            return "str"
        if isinstance(node, cst.ConcatenatedString):
            return self.of(node.left, depth + 1)
        if isinstance(
            node,
            cst.Integer
            | cst.Float
            | cst.List
            | cst.Dict
            | cst.Tuple
            | cst.Set
            | cst.Comparison
            | cst.ListComp
            | cst.DictComp,
        ):
            return "other"
        if isinstance(node, cst.Name):
            if node.value in ("True", "False", "None"):
                return "other"
            return self._name(node, depth)
        if isinstance(node, cst.Call):
            return self._call(node, depth)
        if isinstance(node, cst.BinaryOperation):
            return self._operation(node, depth)
        if isinstance(node, cst.IfExp):
            return self._same([node.body, node.orelse], depth)
        if isinstance(node, cst.BooleanOperation):
            return self._same([node.left, node.right], depth)
        if isinstance(node, cst.Subscript):
            # An item or a slice of text is text; an item of bytes is a number.
            kind = self.of(node.value, depth + 1)
            sliced = isinstance(node.slice[0].slice, cst.Slice)
            return kind if kind == "str" or (kind == "bytes" and sliced) else None
        if isinstance(node, cst.NamedExpr):
            return self.of(node.value, depth + 1)
        if isinstance(node, cst.Await) and isinstance(node.expression, cst.Call):
            return self._returned(node.expression, True)
        return None

    def _same(self, nodes: list[cst.BaseExpression], depth: int) -> Kind | None:
        kinds = {self.of(node, depth + 1) for node in nodes}
        return kinds.pop() if len(kinds) == 1 else None

    def _operation(self, node: cst.BinaryOperation, depth: int) -> Kind | None:
        left, right = self.of(node.left, depth + 1), self.of(node.right, depth + 1)
        if isinstance(node.operator, cst.Modulo):
            return left if left in ("str", "bytes") else None
        if isinstance(node.operator, cst.Add):
            for kind in (left, right):
                if kind in ("str", "bytes"):
                    return kind
            return "other" if left == right == "other" else None
        if isinstance(node.operator, cst.Multiply):
            for kind in (left, right):
                if kind in ("str", "bytes"):
                    return kind
        return None

    def _call(self, node: cst.Call, depth: int) -> Kind | None:
        func = node.func
        builtin = self._tree.builtin(func)
        if builtin in _STR_CALLS:
            return "str"
        if builtin in _BYTES_CALLS:
            return "bytes"
        if builtin in _OTHER_CALLS:
            return "other"
        symbol = self._tree.qualified(func)
        if symbol in _STR_FUNCTIONS:
            return "str"
        if symbol in _BYTES_FUNCTIONS:
            return "bytes"
        if isinstance(func, cst.Attribute):
            name = func.attr.value
            if name in _TO_STR:
                return "str"
            if name in _TO_BYTES:
                return "bytes"
            value = self.of(func.value, depth + 1)
            if value == "str" and name in _FORMAT:
                return "str"
            if value in ("str", "bytes"):
                return value if name in _KEEP else "other" if name in _TO_OTHER else None
        return self._returned(node, False)

    def _returned(self, node: cst.Call, awaited: bool) -> Kind | None:
        """The kind that the annotation of the called function declares."""
        kinds: set[Kind | None] = set()
        for function in self._tree.functions_of(node.func):
            if not isinstance(function, cst.FunctionDef) or function.returns is None:
                return None
            if (function.asynchronous is not None) != awaited:
                return None
            kinds.add(self._annotated(function.returns))
        return kinds.pop() if len(kinds) == 1 else None

    def _annotated(self, annotation: cst.Annotation) -> Kind | None:
        return _ANNOTATED.get(self._tree.builtin(annotation.annotation) or "")

    # ---- names ----

    def _binds(self, node: cst.Name) -> bool:
        above = self._tree.parent(node)
        return (
            (
                isinstance(above, cst.AssignTarget | cst.AnnAssign | cst.AugAssign | cst.NamedExpr)
                and above.target is node
            )
            or (isinstance(above, cst.For | cst.CompFor) and above.target is node)
            or (isinstance(above, cst.AsName) and above.name is node)
            or (isinstance(above, cst.Param) and above.name is node)
            or isinstance(above, cst.Element | cst.StarredElement | cst.Del | cst.Global | cst.NameItem)
            and self._in_target(node)
        )

    def _in_target(self, node: cst.Name) -> bool:
        inner: cst.CSTNode = node
        for above in self._tree.above(node):
            if isinstance(above, cst.Del | cst.Global | cst.Nonlocal):
                return True
            if isinstance(above, cst.AssignTarget | cst.For | cst.CompFor):
                return above.target is inner
            if isinstance(above, cst.AsName):
                return True
            if isinstance(above, cst.BaseStatement):
                return False
            inner = above
        return False

    def _name(self, node: cst.Name, depth: int) -> Kind | None:
        variable = self._tree.variable(node)
        if variable is None:
            return None
        bindings = self._bindings.get(variable, [])
        last = self._last_before(node, bindings)
        if last is not None and not isinstance(self._tree.parent(last), cst.AugAssign):
            return self._bound(last, depth)
        # `text += x` does not change the kind of `text`, or it raises.
        plain = [one for one in bindings if not isinstance(self._tree.parent(one), cst.AugAssign)]
        kinds = {self._bound(one, depth) for one in plain}
        return kinds.pop() if len(kinds) == 1 else None

    def _bound(self, node: cst.CSTNode, depth: int) -> Kind | None:
        above = self._tree.parent(node)
        if isinstance(above, cst.AssignTarget):
            assign = self._tree.parent(above)
            return self.of(assign.value, depth + 1) if isinstance(assign, cst.Assign) else None
        if isinstance(above, cst.NamedExpr):
            return self.of(above.value, depth + 1)
        if isinstance(above, cst.AnnAssign) and above.value is not None:
            return self._annotated(above.annotation) or self.of(above.value, depth + 1)
        if isinstance(above, cst.Param):
            return self._annotated(above.annotation) if above.annotation is not None else None
        if isinstance(above, cst.For | cst.CompFor):
            if self._is_chunk(above):
                return "bytes"
            if isinstance(above.iter, cst.Call) and self._tree.builtin(above.iter.func) == "range":
                return "other"
            if isinstance(above.iter, cst.List | cst.Tuple):
                values = [one.value for one in above.iter.elements]
                return self._same(values, depth) if values else None
        return None

    def _last_before(self, node: cst.Name, bindings: list[cst.CSTNode]) -> cst.CSTNode | None:
        """The binding that is certainly the last one before the name: a plain statement in the same block."""
        statement = self._tree.statement(node)
        block = self._tree.parent(statement) if statement is not None else None
        if statement is None or not isinstance(block, cst.IndentedBlock | cst.Module):
            return None
        body = list(block.body)
        for earlier in reversed(body[: body.index(statement)]):
            inside = [one for one in bindings if self._is_below(one, earlier)]
            if inside:
                plain = isinstance(earlier, cst.SimpleStatementLine) and len(inside) == 1
                return inside[0] if plain else None
        return None

    def _is_below(self, node: cst.CSTNode, above: cst.CSTNode) -> bool:
        return any(one is above for one in self._above(node))

    def _above(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        return self._tree.above(node)
