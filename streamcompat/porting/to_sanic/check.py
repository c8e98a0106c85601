"""The check after the edit, by another road than the edit: by name, from the new text alone.

The rule: a word of Sanic's old streaming API that is left in the text, and a name that another file imports
and that is gone, take back every file that imports connect.
"""

from __future__ import annotations

import ast
import builtins
import itertools
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

from streamcompat.porting.audit.awaits import may_gain, newly_async, unawaited
from streamcompat.porting.audit.check import hides_name
from streamcompat.porting.audit.sources import Sources
from streamcompat.porting.roles import ROUTES
from streamcompat.porting.to_sanic.names import APP, GONE, STATUSES
from streamcompat.porting.to_sanic.routes import PARAMETER, WHOLE

_QUEUE = {"get", "get_nowait", "qsize", "task_done", "put", "put_nowait", "empty", "full", "is_full"}
_WORDS = {"streaming_fn", "raw_args", "body_bytes", "from_pyfile", "from_object", "from_envvar"}
_HIDDEN = {"stream", "write", "streaming_fn", "get", "respond", "send"}
_BY_NAME = {"getattr", "setattr", "hasattr", "attrgetter", "methodcaller", "__getattribute__"}
_PART = re.compile(r"\s*[\w.'\"]*\s*")
_BETWEEN = re.compile(r"[\[\],|]")
_DOTTED = re.compile(r"[^\W\d]\w*(?:\.[^\W\d]\w*)*")
_TYPE_COMMENT = re.compile(r"#\s*type:\s*(?!ignore)(.+)")
Nodes = Sequence[ast.AST]
"""All nodes of a file, which is walked once."""
Resolve = Callable[[str, str], tuple[str, str] | None]


class Rest(NamedTuple):
    """A place in the new text that cannot be explained."""

    path: str
    line: int
    reason: str


def rest_of(before: Mapping[str, str], after: Mapping[str, str], resolve: Resolve) -> list[Rest]:
    """Everything in these connected files that cannot be explained after the edit."""
    found: list[Rest] = []
    olds = {path: ast.parse(text) for path, text in before.items()}
    trees = {path: ast.parse(text) for path, text in after.items()}
    gone, bound, nodes = {}, {}, {}
    for path, tree in trees.items():
        old, new = list(ast.walk(olds[path])), list(ast.walk(tree))
        gone[path] = _imported(old) - _imported(new) - _defined(tree)
        bound[path] = _unbound(new) - _unbound(old)
        nodes[path] = new
    for path, new in nodes.items():
        found += [Rest(path, 1, f"`{name}` is used and not bound") for name in bound[path]]
        file, symbols = _File(new), _symbols(new)
        for node in new:
            reason = (
                file.explains(node) or _unported_route(node) or _taken(path, node, symbols, gone, resolve)
            )
            if reason is not None:
                found.append(Rest(path, getattr(node, "lineno", 1), reason))
        for line, name in _names_in_texts(after[path], new):
            if _is_gone(path, name, symbols, gone, resolve):
                found.append(Rest(path, line, f"`{name}` in a text is no longer there"))
        if "__all__" in after[path]:
            found += [
                Rest(path, line, f"`{name}` of `__all__` is no longer there")
                for line, name in _public(new)
                if name in gone[path]
            ]
    gained = {path: old for path, old in olds.items() if may_gain(before[path], after[path])}
    if any(newly_async(old, trees[path]) for path, old in gained.items()):
        for doubt in unawaited(Sources(after, resolve), gained):
            found.append(Rest(doubt.source.path, getattr(doubt.node, "lineno", 1), doubt.reason))
    return sorted(set(found))


def _imported(nodes: Nodes) -> set[str]:
    """The names that a module's imports bind."""
    return {
        one.asname or one.name.partition(".")[0]
        for node in nodes
        if isinstance(node, ast.Import | ast.ImportFrom)
        for one in node.names
    }


def _defined(tree: ast.Module) -> set[str]:
    """The functions and classes of a module."""
    return {
        one.name
        for one in tree.body
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
    }


def _unbound(nodes: Nodes) -> set[str]:
    """The names that the file uses and binds nowhere."""
    used: set[str] = set()
    bound = set(dir(builtins)) | {"__file__", "__path__"}
    for node in nodes:
        if isinstance(node, ast.Name):
            (used if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.ExceptHandler | ast.MatchAs | ast.MatchStar) and node.name:
            bound.add(node.name)
        elif isinstance(node, ast.MatchMapping) and node.rest:
            bound.add(node.rest)
    return used - bound - _imported(nodes)


def _taken(
    path: str, node: ast.AST, symbols: Mapping[str, str], lost: Mapping[str, set[str]], resolve: Resolve
) -> str | None:
    """Why a name of another file is not there after the edit."""
    if isinstance(node, ast.Attribute):
        root, _, below = ast.unparse(node).partition(".")
        found = resolve(path, f"{symbols[root]}.{below}") if root in symbols else None
        if found is not None and found[1].partition(".")[0] in lost.get(found[0], ()):
            return f"`{ast.unparse(node)}` is no longer there"
        return None
    if isinstance(node, ast.Call):  # `getattr(main, "stream")`, `monkeypatch.setattr(main, "stream", ...)`
        owners = [symbols[one.id] for one in node.args if isinstance(one, ast.Name) and one.id in symbols]
        texts = [str(one.value) for one in node.args if isinstance(one, ast.Constant)] if owners else []
        for owner, text in itertools.product(owners, texts):
            found = resolve(path, f"{owner}.{text}")
            if found is not None and found[1] in lost.get(found[0], ()):
                return f"`{text}` of `{owner}` is no longer there"
        return None
    if not isinstance(node, ast.ImportFrom):
        return None
    module = "." * node.level + (node.module or "")
    for one in node.names:
        found = resolve(path, module if one.name == "*" else f"{module}.{one.name}")
        origin = found or resolve(path, module)
        if origin is None or origin[0] not in lost:
            continue
        if one.name == "*" and lost[origin[0]]:
            return f"`{module}` no longer has all the names that `import *` took"
        if one.name in lost[origin[0]]:
            return f"`{module}` no longer has `{one.name}`"
    return None


def _names_in_texts(text: str, nodes: Nodes) -> Iterator[tuple[int, str]]:
    """Dotted names in texts that can be types or paths of names, with their lines, and in type comments."""
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            if all(_PART.fullmatch(one) for one in _BETWEEN.split(node.value)):
                yield from ((node.lineno, one) for one in _DOTTED.findall(node.value))
    if "type:" in text:
        for number, line in enumerate(text.splitlines(), 1):
            comment = _TYPE_COMMENT.search(line)
            yield from ((number, one) for one in _DOTTED.findall(comment[1] if comment is not None else ""))


def _is_gone(
    path: str, name: str, symbols: Mapping[str, str], lost: Mapping[str, set[str]], resolve: Resolve
) -> bool:
    """Whether a name in a text is that of a class that is gone, or a path to any name that is gone."""
    root, _, below = name.partition(".")
    if below:
        found = resolve(path, name)
        if found is not None and found[1].partition(".")[0] in lost.get(found[0], ()):
            return True
    is_class = name.rpartition(".")[2][:1].isupper()
    whole = f"{symbols.get(root, '')}.{below}".removeprefix("sanic.")
    return is_class and (root in lost[path] or bool(below) and whole in GONE)


def _public(nodes: Nodes) -> Iterator[tuple[int, str]]:
    """The texts in statements about `__all__`, with their lines."""
    for node in nodes:
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Expr):
            below = list(ast.walk(node))
            if any(isinstance(one, ast.Name) and one.id == "__all__" for one in below):
                yield from ((one.lineno, str(one.value)) for one in below if isinstance(one, ast.Constant))


def _symbols(nodes: Nodes) -> dict[str, str]:
    """The imported name behind each name of a file."""
    found = {}
    for node in nodes:
        if isinstance(node, ast.Import):
            for one in node.names:
                found[one.asname or one.name.partition(".")[0]] = (
                    one.name if one.asname else one.name.partition(".")[0]
                )
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for one in node.names:
                found[one.asname or one.name] = f"{module}.{one.name}"
    return found


def _unported_route(node: ast.AST) -> str | None:
    """Why a route, wherever it is, does not give what it gave."""
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return None
    for one in node.decorator_list:
        if not isinstance(one, ast.Call) or not isinstance(one.func, ast.Attribute) or not one.args:
            continue
        path = one.args[0].value if isinstance(one.args[0], ast.Constant) else None
        if one.func.attr not in ROUTES or not isinstance(path, str):
            continue
        types = [kind for _, kind in PARAMETER.findall(path)]
        is_text = any(kind not in WHOLE for kind in types)
        if {"string", "number"} & set(types) or (
            is_text and all(key.arg != "unquote" for key in one.keywords)
        ):
            return f"the route `{path}` is of an app that cannot be seen"
        if one.func.attr == "stream":
            return f"`{ast.unparse(one.func)}` is of an app that cannot be seen"
    return None


class _File:
    """One file's new text: its functions, and what its names are given."""

    def __init__(self, nodes: Nodes) -> None:
        self._sanic: dict[str, str] = {}
        self._given: dict[str, list[ast.expr]] = {}
        self._modules: set[str] = set()
        self._parameters: set[str] = set()
        for node in nodes:
            self._learn(node)
        self.is_sanics = bool(self._sanic) or any(
            isinstance(one, ast.Attribute) and one.attr == "stream" for one in nodes
        )

    def _learn(self, node: ast.AST) -> None:
        if isinstance(node, ast.Import):
            for one in node.names:
                self._modules.add(one.asname or one.name.partition(".")[0])
                if one.name.partition(".")[0] == "sanic":
                    self._sanic[one.asname or "sanic"] = one.name if one.asname else "sanic"
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            for one in node.names:
                self._modules.add(one.asname or one.name)
                if (node.module or "").partition(".")[0] == "sanic":
                    self._sanic[one.asname or one.name] = f"{node.module}.{one.name}"
        elif isinstance(node, ast.Assign):
            for target in node.targets:
                self._give(target, node.value)
        elif isinstance(node, ast.AnnAssign | ast.NamedExpr) and node.value is not None:
            self._give(node.target, node.value)
        elif isinstance(node, ast.withitem) and node.optional_vars is not None:
            self._give(node.optional_vars, node.context_expr)
        elif isinstance(node, ast.arg):
            self._parameters.add(node.arg)

    def _give(self, target: ast.expr, value: ast.expr) -> None:
        self._given.setdefault(ast.unparse(target), []).append(value)

    def explains(self, node: ast.AST) -> str | None:
        """Why the node cannot stay; None if nothing speaks against it."""
        if isinstance(node, ast.Import | ast.ImportFrom):
            return self._import(node)
        if isinstance(node, ast.Subscript) and ast.unparse(node.value) in ("request", "req"):
            return f"`{ast.unparse(node)}`: a request is no dictionary today"
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if ast.unparse(node.value) in ("app", "request.app") and node.attr not in APP:
                return f"`{ast.unparse(node)}` is set on an app that cannot be seen"
        if isinstance(node, ast.Call) and (reason := self._status(node)) is not None:
            return reason
        if not self.is_sanics:
            return None
        if isinstance(node, ast.Attribute):
            return self._attribute(node)
        return self._call(node) if isinstance(node, ast.Call) else None

    def _import(self, node: ast.Import | ast.ImportFrom) -> str | None:
        module = node.module or "" if isinstance(node, ast.ImportFrom) and node.level == 0 else ""
        for one in node.names:
            whole = f"{module}.{one.name}".lstrip(".")
            if whole.partition(".")[0] == "mach9" or whole.startswith("streamcompat"):
                return f"`{whole}` is not of today's Sanic"
            if whole.startswith("sanic.") and whole[len("sanic.") :] in GONE:
                return f"today's Sanic has no `{whole}`"
        return None

    def _attribute(self, node: ast.Attribute) -> str | None:
        text = ast.unparse(node)
        root, _, below = text.partition(".")
        if root in self._sanic and f"{self._sanic[root]}.{below}".removeprefix("sanic.") in GONE:
            return f"today's Sanic has no `{text}`"
        if node.attr in _WORDS:
            return f"`{text}` is not known to today's Sanic"
        value = node.value
        if node.attr in _QUEUE and isinstance(value, ast.Attribute) and value.attr == "stream":
            return f"`{text}` reads a body in the words of the old API"
        if node.attr in _QUEUE and any(
            isinstance(one, ast.Attribute) and one.attr == "stream"
            for one in self._given.get(ast.unparse(value), ())
        ):
            return f"`{text}` reads a body in the words of the old API"
        if node.attr == "write" and not self._is_other(value):
            return f"`{text}` may write to a response in the words of the old API"
        return None

    def _is_other(self, node: ast.expr, depth: int = 0) -> bool:
        """Whether the thing that is written to is certainly no response: it is made here by a call."""
        if isinstance(node, ast.Call):
            return not ast.unparse(node.func).endswith("respond")
        if isinstance(node, ast.Await):
            return self._is_other(node.value, depth)
        text = ast.unparse(node)
        given = self._given.get(text, [])
        if given and depth < 5:
            is_parameter = isinstance(node, ast.Name) and node.id in self._parameters
            return not is_parameter and all(self._is_other(one, depth + 1) for one in given)
        return text.partition(".")[0] in self._modules - self._sanic.keys()

    def _status(self, node: ast.Call) -> str | None:
        """Why an exception from another file cannot take a status."""
        name = ast.unparse(node.func).rpartition(".")[2]
        if name not in self._modules or name in self._sanic:
            return None
        takes_status = any(one.arg == "status_code" for one in node.keywords)
        if takes_status or (len(node.args) > 1 and name in STATUSES.values()):
            return f"`{name}` may be an exception that takes no `status_code` today"
        return None

    def _call(self, node: ast.Call) -> str | None:
        name = ast.unparse(node.func).rpartition(".")[2]
        if hides_name(node):
            return f"`{ast.unparse(node)}` hides which word of Sanic's is meant"
        if name in _BY_NAME:
            for one in node.args:
                if isinstance(one, ast.Constant) and not _HIDDEN.isdisjoint(str(one.value).split(".")):
                    return f"`{ast.unparse(node)}` hides which word of Sanic's is meant"
        if (
            name == "get"
            and isinstance(node.func, ast.Attribute)
            and ast.unparse(node.func.value) == "request"
        ):
            return "`request.get`: a request is no dictionary today"
        return None
