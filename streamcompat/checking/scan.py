"""One file's uses of imported names, its apps, and how it is started; from its syntax tree alone.

The rule: a name stands for what the file imports it as; a variable that is assigned an app, and a parameter
`request` or `app`, for an object of the flavour that the file imports.
"""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from streamcompat.porting.source import decode

__all__ = ["FileScan", "Use", "scan"]

APPS: Final = {
    "sanic.Sanic": "sanic.app.Sanic",
    "sanic.app.Sanic": "sanic.app.Sanic",
    "mach9.Mach9": "mach9.app.Mach9",
    "mach9.app.Mach9": "mach9.app.Mach9",
}
_OBJECTS: Final = APPS | {
    f"{flavour}.{home}Blueprint": f"{flavour}.blueprints.Blueprint"
    for flavour in ("sanic", "mach9")
    for home in ("", "blueprints.")
}
_CATCHES: Final = {"ImportError", "ModuleNotFoundError", "AttributeError", "Exception"}
_Function = ast.FunctionDef | ast.AsyncFunctionDef
_SCOPES: Final = (
    ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef | ast.ListComp | ast.SetComp
) | (ast.DictComp | ast.GeneratorExp)


class Use(NamedTuple):
    """One use of a name.

    Attributes:
        name: in full, such as `sanic.response.stream`; for a member of an object `sanic.app.Sanic.run`.
        line: where it stands, from 1.
        keywords: the names of the arguments if it is called; `None` if it is not.
        positional: how many arguments it is called with by position.
        member: it is an attribute of an object, whose class is a guess.
    """

    name: str
    line: int
    keywords: tuple[str, ...] | None = None
    positional: int = 0
    member: bool = False


@dataclass
class FileScan:
    """What a file says.

    Attributes:
        error: why it cannot be parsed.
        uses: what it uses; nothing of what it has an alternative for (`except ImportError`).
        imports: the modules that it imports, with the line; relative ones are left out.
        old: uses of old Python that are no names, with what each is, and the line.
        apps: the apps at module level.
        made: other names at module level that a call makes, with the name of what is called.
        factories: functions that make an app, with their parameters that must be given.
        is_program: it does something when it is executed as a script.
        assigned: attributes that it sets on any object, and the methods of its classes.
    """

    path: str
    error: SyntaxError | None = None
    uses: list[Use] = field(default_factory=list)
    imports: list[tuple[str, int]] = field(default_factory=list)
    old: list[tuple[str, int]] = field(default_factory=list)
    apps: list[str] = field(default_factory=list)
    made: dict[str, str] = field(default_factory=dict)
    factories: dict[str, list[str]] = field(default_factory=dict)
    is_program: bool = False
    assigned: set[str] = field(default_factory=set)


def scan(path: str, data: bytes) -> FileScan:
    """Reads a file. What is not valid Python has only an `error`."""
    found = FileScan(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(decode(data)[0])
        _Reader(tree, found)
    except SyntaxError as error:
        found.error = error
    except (ValueError, RecursionError, MemoryError) as error:
        found.error = SyntaxError(str(error) or "it is nested too deeply", ("", 1, 0, ""))
    return found


class _Reader(ast.NodeVisitor):
    """Walks the tree twice: for what names are bound to, and for what is done with them."""

    def __init__(self, tree: ast.Module, found: FileScan) -> None:
        self._found = found
        self._bound: dict[str, str] = {}
        self._objects: dict[str, str] = {}
        self._classes: dict[str, str] = {}
        self._guards = 0
        for node in ast.walk(tree):
            if isinstance(node, ast.Import | ast.ImportFrom):
                self._bind(node)
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef):
                self._derive(node)
        self._flavour = self._own_flavour()
        for node in ast.walk(tree):
            self._collect(node)
        self._read_module(tree)
        self.visit(tree)

    def _own_flavour(self) -> str | None:
        roots = {name.partition(".")[0] for name in self._bound.values()}
        return next((flavour for flavour in ("sanic", "mach9") if flavour in roots), None)

    def _bind(self, node: ast.Import | ast.ImportFrom) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                name = alias.name if alias.asname else alias.name.partition(".")[0]
                self._bound[alias.asname or name] = name
            elif not node.level and node.module is not None:
                self._bound[alias.asname or alias.name] = f"{node.module}.{alias.name}"

    def _derive(self, node: ast.ClassDef) -> None:
        """The project's own kinds of apps; a class stands below its base in most files."""
        for base in node.bases:
            if (home := self._made_by(base)) is not None:
                self._classes[node.name] = home

    def _made_by(self, function: ast.expr) -> str | None:
        """The class of what a call makes, if it is an app or a blueprint."""
        if isinstance(function, ast.Name) and function.id in self._classes:
            return self._classes[function.id]
        return _OBJECTS.get(self._qualified(function) or "")

    def _makes_one(self, node: ast.expr | None) -> bool:
        return isinstance(node, ast.Call) and self._made_by(node.func) in APPS.values()

    def _collect(self, node: ast.AST) -> None:
        """Which variables are objects of the flavour, and which attributes are set."""
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            made = self._made_by(node.value.func)
            for target in node.targets:
                if isinstance(target, ast.Name) and made is not None:
                    self._objects[target.id] = made
        elif isinstance(node, _Function) and self._flavour is not None:
            for one in [*node.args.posonlyargs, *node.args.args]:
                if one.arg == "request":
                    self._objects["request"] = f"{self._flavour}.request.Request"
                elif one.arg == "app" and one.annotation is None:
                    self._objects.setdefault("app", APPS[f"{self._flavour}.{_class(self._flavour)}"])
        elif isinstance(node, ast.ClassDef):
            self._found.assigned.update(one.name for one in node.body if isinstance(one, _Function))
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            self._found.assigned.add(node.attr)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "setattr":
            if len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
                self._found.assigned.add(str(node.args[1].value))

    def _read_module(self, tree: ast.Module) -> None:
        for statement in _statements(tree.body):
            if isinstance(statement, ast.Assign) and isinstance(statement.value, ast.Call):
                names = [one.id for one in statement.targets if isinstance(one, ast.Name)]
                if self._makes_one(statement.value):
                    self._found.apps += names
                else:
                    called = ast.unparse(statement.value.func).rpartition(".")[2]
                    self._found.made.update(dict.fromkeys(names, called))
            elif isinstance(statement, ast.If) and _is_guard(statement.test):
                self._found.is_program = True
            elif isinstance(statement, _Function) and self._makes_app(statement):
                arguments = statement.args
                plain = [*arguments.posonlyargs, *arguments.args]
                needed = plain[: len(plain) - len(arguments.defaults)]
                needed += [
                    one
                    for one, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
                    if default is None
                ]
                self._found.factories[statement.name] = [one.arg for one in needed]

    def _makes_app(self, function: _Function) -> bool:
        """Whether a function makes an app and returns it."""
        made = {
            target.id
            for node in ast.walk(function)
            if isinstance(node, ast.Assign) and self._makes_one(node.value)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        return any(
            isinstance(node, ast.Return)
            and ((isinstance(node.value, ast.Name) and node.value.id in made) or self._makes_one(node.value))
            for node in ast.walk(function)
        )

    # ---- the second walk ----

    def _visit_function(self, node: _Function | ast.Lambda) -> None:
        """A parameter stands for what the function is given, not for what the module has of its name."""
        hidden = {name: self._bound.pop(name) for name in _parameters(node) if name in self._bound}
        inner = node.body if isinstance(node.body, list) else [node.body]
        for one in inner:
            self.visit(one)
        self._bound |= hidden
        for outer in ast.iter_child_nodes(node):
            if outer not in inner:
                self.visit(outer)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        self._visit_function(node)

    def visit_AsyncFunctionDef(self, node: ast.AsyncFunctionDef) -> None:
        self._visit_function(node)

    def visit_Lambda(self, node: ast.Lambda) -> None:
        self._visit_function(node)

    def visit_Import(self, node: ast.Import) -> None:
        if not self._guards:
            self._found.imports += [(alias.name, node.lineno) for alias in node.names]
            self._found.uses += [Use(alias.name, node.lineno) for alias in node.names]

    def visit_ImportFrom(self, node: ast.ImportFrom) -> None:
        if self._guards or node.level or node.module is None:
            return
        self._found.imports.append((node.module, node.lineno))
        names = [alias.name for alias in node.names if alias.name != "*"]
        self._found.uses += [Use(f"{node.module}.{name}", node.lineno) for name in names]
        if len(names) < len(node.names):
            self._found.uses.append(Use(node.module, node.lineno))

    def visit_Try(self, node: ast.Try) -> None:
        """What stands in a `try` whose failure is expected has an alternative."""
        guarded = any(_CATCHES & set(_caught(handler)) for handler in node.handlers)
        self._guards += guarded
        for statement in node.body:
            self.visit(statement)
        self._guards -= guarded
        # The alternative is for the Pythons or releases that lack the other one.
        self._guards += guarded
        for handler in node.handlers:
            self.visit(handler)
        self._guards -= guarded
        for statement in [*node.orelse, *node.finalbody]:
            self.visit(statement)

    def visit_If(self, node: ast.If) -> None:
        """A branch for a type checker, or for one version of Python, is not always executed."""
        text = ast.unparse(node.test)
        guarded = "TYPE_CHECKING" in text or "version_info" in text or "hasattr(" in text
        self._guards += guarded
        self.generic_visit(node)
        self._guards -= guarded

    def visit_With(self, node: ast.With) -> None:
        for item in node.items:
            if isinstance(item.context_expr, ast.YieldFrom | ast.Await):
                self._found.old.append(("with (yield from lock)", node.lineno))
        self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = self._qualified(node.func)
        keywords = tuple(one.arg or "**" for one in node.keywords)
        if name == "asyncio.wait" and node.args and self._are_coroutines(node.args[0]):
            self._found.old.append(("asyncio.wait of coroutines", node.lineno))
        if name is None:
            self.visit(node.func)
        else:
            self._use(name, node.func, keywords, len(node.args))
        for one in [*node.args, *node.keywords]:
            self.visit(one)

    def _are_coroutines(self, node: ast.expr) -> bool:
        if isinstance(node, ast.ListComp | ast.SetComp | ast.GeneratorExp):
            elements = [node.elt]
        elif isinstance(node, ast.List | ast.Set | ast.Tuple):
            elements = node.elts
        else:
            return False
        return any(
            isinstance(one, ast.Call)
            and not ast.unparse(one.func).endswith(("create_task", "ensure_future", "Task", "submit"))
            for one in elements
        )

    def visit_Attribute(self, node: ast.Attribute) -> None:
        name = self._qualified(node)
        if name is None:
            self._found.old.append((f".{node.attr}", node.lineno))
            self.generic_visit(node)
        elif isinstance(node.ctx, ast.Load):
            self._use(name, node)

    def visit_Name(self, node: ast.Name) -> None:
        name = self._bound.get(node.id)
        if name is not None and isinstance(node.ctx, ast.Load):
            self._use(name, node)

    def _use(
        self, name: str, node: ast.expr, keywords: tuple[str, ...] | None = None, positional: int = 0
    ) -> None:
        if not self._guards:
            root = node
            while isinstance(root, ast.Attribute):
                root = root.value
            member = isinstance(root, ast.Name) and root.id not in self._bound
            self._found.uses.append(Use(name, node.lineno, keywords, positional, member))

    def _qualified(self, node: ast.expr) -> str | None:
        """The full name of an expression, if it is one of an imported name or of a known object."""
        if isinstance(node, ast.Name):
            return self._bound.get(node.id) or self._objects.get(node.id)
        if isinstance(node, ast.Attribute) and (above := self._qualified(node.value)) is not None:
            if node.attr == "app" and above.endswith(".request.Request"):
                flavour = above.partition(".")[0]
                return APPS[f"{flavour}.{_class(flavour)}"]
            return f"{above}.{node.attr}"
        return None


def _parameters(node: _Function | ast.Lambda) -> set[str]:
    """The names of a function's parameters, and those that it assigns and does not declare global."""
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    names = {one.arg for one in every if one is not None}
    if isinstance(node, ast.Lambda):
        return names
    outer: set[str] = set()
    for one in _own_nodes(node.body):
        if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store):
            names.add(one.id)
        elif isinstance(one, ast.Global | ast.Nonlocal):
            outer.update(one.names)
    return names - outer


def _own_nodes(body: list[ast.stmt]) -> Iterator[ast.AST]:
    """The nodes of a function's body that are in no function, class or comprehension within it."""
    left: list[ast.AST] = list(body)
    while left:
        node = left.pop()
        yield node
        if not isinstance(node, _SCOPES):
            left += ast.iter_child_nodes(node)


def _class(flavour: str) -> str:
    return "Sanic" if flavour == "sanic" else "Mach9"


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a module, also those in its conditions and `try` blocks."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.If) and not _is_guard(statement.test):
            yield from _statements([*statement.body, *statement.orelse])
        elif isinstance(statement, ast.Try):
            handlers = [one for handler in statement.handlers for one in handler.body]
            yield from _statements([*statement.body, *handlers, *statement.orelse])
        elif isinstance(statement, ast.With):
            yield from _statements(statement.body)


def _is_guard(test: ast.expr) -> bool:
    return "__name__" in (text := ast.unparse(test)) and "__main__" in text


def _caught(handler: ast.ExceptHandler) -> list[str]:
    if handler.type is None:
        return ["Exception"]
    types = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return [one.id for one in types if isinstance(one, ast.Name)]
