"""The state of one file's analysis: its units, its edits and its findings.

The rule: this module knows which code belongs together (a handler with its inner functions, a view class, an
app). `reads`, `writes`, `respond`, `objects`, `patches` and `uses` decide how to port each construct.
"""

from __future__ import annotations

import libcst as cst

from streamcompat.porting import names
from streamcompat.porting.flow import follow
from streamcompat.porting.kinds import Kinds
from streamcompat.porting.model import FILE, Edit, FileFacts, Finding, Handed, Kind, Seeds, Unit
from streamcompat.porting.roles import OBJECTS, VERBS, Roles
from streamcompat.porting.tree import FunctionOrClass, Tree, Variable

HELPERS = {
    "content": "streamcompat.ported.content",
    "encoded": "streamcompat.ported.encoded",
    "ClientDisconnected": "exceptions.ClientDisconnected",
    "ReplyChannel": "http.ReplyChannel",
    "stream": "response.stream",
    "StreamedResponse": "streamcompat.ported.StreamedResponse",
    "WholeResponse": "streamcompat.ported.WholeResponse",
    **{target.rpartition(".")[2]: target for target in names.HERE.values()},
}
"""The functions and classes that edits use, by their preferred name in the file."""

_WITH_TARGET = {cst.AssignTarget, cst.AnnAssign, cst.AugAssign, cst.NamedExpr, cst.For, cst.CompFor}
_NAMING = {cst.Param, cst.FunctionDef, cst.ClassDef, cst.AsName, cst.ImportAlias, cst.NameItem}


class Scan:
    """One file during its analysis.

    Attributes:
        facts: the results.
        factories: functions and classes that create apps or contain handlers; they are not units, but the
            code inside them is.
        consumed: names of Sanic's that an edit has replaced.
        is_sanics: the file imports Sanic's names, or gets requests from a file that does; in any other file,
            a `request` may belong to another library.
        responded: variables to which the result of `request.respond()` is assigned.
    """

    def __init__(self, tree: Tree, seeds: Seeds, facts: FileFacts) -> None:
        self.tree = tree
        self.seeds = seeds
        self.facts = facts
        self.roles: Roles = Roles(tree, seeds)
        follow(self.roles)
        self.chunks: set[cst.CSTNode] = set()
        self.kinds: Kinds = Kinds(tree, self.chunks.__contains__)
        self.consumed: set[cst.CSTNode] = set()
        self.responded: set[Variable] = set()
        self.factories: set[FunctionOrClass] = set()
        self._local: dict[str, str] = {}
        self.is_sanics: bool = bool(seeds.sanic or seeds.handed or seeds.objects) or any(
            names.split(self.tree.imported(one)) is not None for one in tree.all(cst.Import, cst.ImportFrom)
        )
        self.quote = "'" if tree.source.count(b"'") > tree.source.count(b'"') else '"'
        self._find_factories()
        self._find_units()

    # ---- units ----

    def _find_factories(self) -> None:
        for call in self.tree.all(cst.Call):
            if self.roles.home(call.func) in OBJECTS:
                self.factories.update(self.tree.chain(call))
        for handler in self.roles.handlers:
            self.factories.update(self.tree.chain(handler))

    def _find_units(self) -> None:
        for handler, references in self.roles.handlers.items():
            unit = self.facts.units[self.unit_of(handler)]
            unit.on |= references
            if isinstance(handler, cst.ClassDef):
                unit.handlers += sum(
                    isinstance(one, cst.FunctionDef) and one.name.value in VERBS for one in handler.body.body
                )
            else:
                unit.handlers += 1
        for function, (_, references) in self.roles.beside.items():
            key = self.unit_of(function)
            if key in self.facts.units:
                self.facts.units[key].on |= references
        for near, far in self.roles.links:
            self.link(near, far)
        for one in self.tree.all(cst.ClassDef):
            for base in one.bases:
                for above in self.tree.functions_of(base.value):
                    self.link(one, above)
                symbol = self.tree.qualified(base.value)
                if symbol in self.seeds.known:
                    self.facts.handed.add(Handed(symbol, 0, "base", by=self.unit_of(one)))
        for handed, node in self.roles.handed:
            self.facts.handed.add(handed._replace(by=self.unit_of(node)))
        for one in self.tree.all(cst.FunctionDef, cst.ClassDef):
            self.facts.defines.add(self.tree.path_of(one))

    def find_users(self) -> None:
        """Record which units use the functions and classes of this file and of other files by name."""
        for one in self.tree.all(cst.FunctionDef, cst.ClassDef):
            users = {self.unit_of(name) for name in self.tree.names_of(one.name)}
            key = self.unit_of(one)
            if key != FILE:
                self.facts.units[key].users |= users - {key}
        for node in self.tree.all(cst.Name, cst.Attribute):
            symbol = self.tree.qualified(node) if self.seeds.known else None
            if symbol in self.seeds.known:
                self.facts.handed.add(Handed(str(symbol), 0, "use", by=self.unit_of(node)))

    def find_mixed(self) -> None:
        """Report variables that hold a request's stream or a response only some of the time."""
        for node, value in self.roles.mixed():
            owner = self.unit_of(node)
            if owner in self.facts.units:
                unit = self.facts.units[owner]
                unit.streams = True
                unit.reads = unit.reads or value.role == "stream"
            remedy = "use separate names or functions for the two"
            self.say(
                node,
                "left",
                f"`{self.tree.code(node)}` is used where other code uses a {value.role} of Sanic",
                remedy,
            )

    def unit_of(self, node: cst.CSTNode) -> str:
        """The key of the unit that a node belongs to; `FILE` outside of all functions and classes."""
        around = self.tree.chain(node)
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            around.append(node)
        for one in around:
            if one not in self.factories:
                key = f"f{self.tree.start(one)}"
                if key not in self.facts.units:
                    self.facts.units[key] = Unit(key, self.tree.path_of(one), self.tree.line(one))
                return key
        return FILE

    def link(self, near: cst.CSTNode, far: cst.CSTNode) -> None:
        """Make two units be ported together or not at all."""
        first, second = self.unit_of(near), self.unit_of(far)
        if first != second and FILE not in (first, second):
            self.facts.units[first].near.add(second)
            self.facts.units[second].near.add(first)

    # ---- edits and findings ----

    def edit(self, start: int, end: int, text: str, owner: str) -> None:
        self.facts.edits.append(Edit(start, end, text, owner))

    def replace(self, node: cst.CSTNode, text: str, owner: str) -> None:
        self.edit(self.tree.start(node), self.tree.end(node), text, owner)

    def insert(self, at: int, text: str, owner: str) -> None:
        self.edit(at, at, text, owner)

    def wrap(self, start: int, end: int, before: str, after: str, owner: str, level: int) -> None:
        """Wrap an expression; a wrapping with a higher level goes outside of one with a lower level."""
        if before:
            self.facts.edits.append(Edit(start, start, before, owner, -level))
        if after:
            self.facts.edits.append(Edit(end, end, after, owner, level))

    def rename(self, parameter: cst.Param, new: str, owner: str) -> None:
        """Rename a parameter in all its uses, except as a keyword in calls."""
        for name in self.tree.names_of(parameter):
            self.replace(name, new, owner)

    def say(
        self,
        node: cst.CSTNode,
        kind: Kind,
        reason: str,
        remedy: str,
        owner: str | None = None,
        everywhere: bool = False,
    ) -> None:
        """Record a finding; its owner is by default the unit of the node."""
        key = self.unit_of(node) if owner is None else owner
        finding = Finding(self.tree.line(node), kind, reason, remedy, key, everywhere)
        if finding not in self.facts.findings:
            self.facts.findings.append(finding)

    def helper(self, name: str, owner: str) -> str:
        """The local name of a helper for an edit of `owner`; the import is added if the edit is applied."""
        if name not in self._local:
            self._local[name] = self._imported(name) or self.free(name)
        self.facts.helpers.add((f"{HELPERS[name]} as {self._local[name]}", owner))
        return self._local[name]

    def _imported(self, name: str) -> str | None:
        """The name under which the file imports the helper already. `ClientDisconnected` is the same class in
        both flavours."""
        for one in self.tree.all(cst.Name):
            symbol = self.tree.qualified(one)
            if symbol == HELPERS[name] or (
                name == "ClientDisconnected" and self.roles.home(one) == HELPERS[name]
            ):
                return str(one.value)
        return None

    def free(self, name: str, taken: frozenset[str] | set[str] | None = None) -> str:
        """The name, or a similar one, that is unused in the file (or in `taken`)."""
        taken = self.facts.names if taken is None else taken
        at = 1
        wanted = name
        while wanted in taken:
            at += 1
            wanted = f"{name}_{at}"
        return wanted

    def line_end(self, offset: int) -> int:
        """The end of the line of `offset`, before its line break."""
        source = self.tree.source
        ends = [at for at in (source.find(b"\n", offset), source.find(b"\r", offset)) if at >= 0]
        return min(ends, default=len(source))

    def hidden(self, node: cst.CSTNode) -> str | None:
        """The construct between the node and its function in which an `await` is not allowed, or None."""
        inner = node
        for above in self.tree.above(node):
            if isinstance(above, cst.Lambda):
                return "a lambda"
            if isinstance(above, cst.GeneratorExp):
                return "a generator expression"
            if isinstance(above, cst.ListComp | cst.SetComp | cst.DictComp):
                return "a comprehension"
            if isinstance(above, cst.FunctionDef):
                return None if inner is above.body else "a default or a decorator"
            inner = above
        return "the module's own code"

    def handed_on(self, call: cst.Call) -> bool:
        """Whether the called function is known, so that the argument can be traced into it."""
        return bool(self.tree.functions_of(call.func)) or self.tree.qualified(call.func) in self.seeds.known

    def is_load(self, node: cst.CSTNode) -> bool:
        """Whether a name or an attribute is read, and not bound or a part of a longer name."""
        above = self.tree.parent(node)
        kind = type(above)  # asking each class by `isinstance` takes long: they are abstract base classes
        if kind in _WITH_TARGET:
            return getattr(above, "target", None) is not node
        if kind in _NAMING:
            return False
        if isinstance(above, cst.Attribute):
            return above.attr is not node
        return not isinstance(above, cst.Arg) or above.keyword is not node

    def is_generator(self, function: cst.FunctionDef) -> bool:
        return any(
            isinstance(one, cst.Yield) and self.tree.function(one) is function
            for one in self.tree.below(function)
        )

    def exports(self) -> None:
        """Record the file's apps and blueprints under the names by which other files import them."""
        for node in self.tree.all(cst.AssignTarget):
            if isinstance(node.target, cst.Name) and not self.tree.chain(node):
                for reference, kind in self.roles.objects(node.target).items():
                    self.facts.exports[node.target.value] = (reference, kind)
        for given in self.tree.all(cst.Return):
            function = self.tree.function(given)
            if given.value is not None and isinstance(function, cst.FunctionDef):
                for reference, kind in self.roles.objects(given.value).items():
                    self.facts.exports[f"{function.name.value}()"] = (reference, kind)
