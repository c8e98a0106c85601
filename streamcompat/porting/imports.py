"""Rewrites a file's imports after it was decided which uses of Sanic's names are ported.

The rule: an import is changed in place if all of its uses are ported. If some code still needs it, it stays,
and the ported uses get a separate import.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable

from streamcompat.porting import names
from streamcompat.porting.model import FILE, Edit, FileFacts, ImportedName, ImportStatement, Use
from streamcompat.porting.source import decode

Decide = Callable[[str], bool]


class ImportEdits:
    """The edits of one file.

    Args:
        decide: whether the code of an owner is ported.
        root: Mach9's package, used if the file's own imports do not determine it.
        taken: the names that other files import from this one, or `*` for all.
    """

    def __init__(
        self, facts: FileFacts, decide: Decide, root: str, taken: frozenset[str] = frozenset()
    ) -> None:
        self.facts = facts
        self._public = taken | facts.public
        self.edits: list[Edit] = []
        self._decide = decide
        self._source = decode(facts.source)[0].encode()
        self._taken = set(facts.names)
        self._added: dict[str, dict[str, str | None]] = defaultdict(dict)
        self._plain: set[str] = set()
        self._root = self._own_root() or root
        uses: dict[str, list[Use]] = defaultdict(list)
        for use in facts.uses:
            uses[use.binding].append(use)
        for statement in facts.sanic_imports:
            self._statement(statement, uses)
        for helper, owner in sorted(facts.helpers):
            if decide(owner):
                self._helper(helper)
        self._add()

    def _own_root(self) -> str | None:
        for statement in self.facts.sanic_imports:
            for name in statement.names:
                parts = names.split(name.qualified)
                if parts is not None:
                    return names.ROOTS[parts[0]]
        return None

    def _moves(self, use: Use) -> bool:
        return not use.keep and self._decide(use.owner)

    # ---- one statement ----

    def _statement(self, statement: ImportStatement, uses: dict[str, list[Use]]) -> None:
        moved: list[tuple[ImportedName, str, str | None]] = []
        kept: list[ImportedName] = []
        dropped: list[ImportedName] = []
        for name in statement.names:
            mine = [use for use in uses[name.binding] if _is_of(use, name)]
            going = [use for use in mine if self._moves(use)]
            target = self._target(statement, name)
            gone = all(use.role == "replaced" for use in mine)
            public = self._is_public(statement, name, target, gone and bool(mine))
            staying = len(going) < len(mine) or public
            if mine and not staying and gone:
                dropped.append(name)
            elif target is None or (not mine and not self._decide(FILE)):
                kept.append(name)
            elif not staying:
                moved.append((name, *self._move(statement, name, target, going)))
            else:
                kept.append(name)
                if any(use.role != "replaced" for use in going):
                    self._copy(statement, name, target, going)
        if statement.module is None:
            self._plain_import(moved)
        elif moved or (dropped and kept):
            self._from_import(statement, moved, kept, bool(dropped))

    def _is_public(
        self, statement: ImportStatement, name: ImportedName, target: str | None, gone: bool
    ) -> bool:
        """Whether other files take the name from this one, and it would be renamed by the port, or gone.

        What makes responses stays Sanic's there: the other files use it in Sanic's words.
        """
        if target is None or not self._public & {name.binding, "*"}:
            return False
        parts = names.split(name.qualified)
        if gone or (parts is not None and parts[1].partition(".")[0] == "response"):
            return True
        return name.alias is None and (statement.module is None or not target.endswith(f".{name.binding}"))

    def _target(self, statement: ImportStatement, name: ImportedName) -> str | None:
        """The full name in Mach9, as this kind of import spells it."""
        found = names.counterpart(name.qualified)
        parts = names.split(name.qualified)
        if found is None or parts is None:
            return None
        if statement.module in names.ROOTS:
            below = found[len(names.ROOTS[parts[0]]) + 1 :]
            return f"{names.ROOTS[parts[0]]}.{names.TOP.get(below, below)}"
        return found

    def _move(
        self, statement: ImportStatement, name: ImportedName, target: str, uses: list[Use]
    ) -> tuple[str, str | None]:
        """The full name and its alias; renames the uses if the bound name changes."""
        last = target.rpartition(".")[2]
        if statement.module is None:
            binding = name.alias or target
        elif name.alias is not None or last == name.binding:
            binding = name.binding
        elif last in self._taken:
            return target, name.binding
        else:
            binding = last
        self._rename(name, binding, uses)
        return target, name.alias

    def _copy(self, statement: ImportStatement, name: ImportedName, target: str, uses: list[Use]) -> None:
        """Add an import for the ported uses beside the one that stays."""
        module, _, last = target.rpartition(".")
        if statement.module is None and name.alias is None:
            self._plain.add(target)
            self._rename(name, target, uses)
            return
        binding = last
        if binding in self._taken:
            binding = f"mach9_{last}"
            while binding in self._taken:
                binding += "_"
        self._taken.add(binding)
        if statement.module is None:
            self._plain.add(f"{target} as {binding}")
        else:
            self._added[module][last] = None if binding == last else binding
        self._rename(name, binding, uses)

    def _rename(self, name: ImportedName, binding: str, uses: list[Use]) -> None:
        for use in uses:
            if use.role == "replaced":
                continue
            if use.qualified == name.qualified:
                text = binding
            else:
                text = self._below(use, name, binding)
            if self._text(use) != text:
                self.edits.append(Edit(use.start, use.end, text, use.owner))

    def _below(self, use: Use, name: ImportedName, binding: str) -> str:
        """The new text for a use through an imported module: `r.stream`, `sanic.response.stream`."""
        target = names.counterpart(use.qualified)
        parts = names.split(use.qualified)
        assert target is not None and parts is not None
        if name.alias is None and "." in binding or binding in names.ROOTS.values():
            # The use spells the whole path.
            root = names.ROOTS[parts[0]]
            below = target[len(root) + 1 :]
            whole = use.qualified.removeprefix(parts[0] + ".")
            return f"{root}.{names.TOP.get(below, below) if '.' not in whole else below}"
        if parts[1].startswith("app.") and name.qualified in names.ROOTS:
            return f"{binding}.{names.TOP.get(target.split('.', 1)[1], target.split('.', 1)[1])}"
        module = names.counterpart(name.qualified)
        assert module is not None
        below = target.removeprefix(module + ".")
        return (
            f"{binding}.{names.TOP.get(below, below)}"
            if name.qualified in names.ROOTS
            else f"{binding}.{below}"
        )

    def _text(self, use: Use) -> str:
        return self._source[use.start : use.end].decode()

    # ---- writing them ----

    def _plain_import(self, moved: list[tuple[ImportedName, str, str | None]]) -> None:
        for name, target, _ in moved:
            self.edits.append(Edit(name.start, name.end, target, FILE))

    def _from_import(
        self,
        statement: ImportStatement,
        moved: list[tuple[ImportedName, str, str | None]],
        kept: list[ImportedName],
        anew: bool,
    ) -> None:
        modules = {target.rpartition(".")[0] for _, target, _ in moved}
        if not kept and len(modules) == 1 and not anew:
            self.edits.append(Edit(statement.module_start, statement.module_end, modules.pop(), FILE))
            for name, target, alias in moved:
                last = target.rpartition(".")[2]
                if last != name.qualified.rpartition(".")[2]:
                    text = last if alias is None or name.alias is not None else f"{last} as {alias}"
                    self.edits.append(Edit(name.start, name.end, text, FILE))
            return
        parts: dict[str, list[str]] = {}
        for _, target, alias in moved:
            module, _, last = target.rpartition(".")
            parts.setdefault(module, []).append(f"{last} as {alias}" if alias else last)
        for module in list(self._added):
            # Join the names of the same module, if this import is visible in the whole file.
            if module in parts and statement.joint == self.facts.newline:
                for last, alias in self._added.pop(module).items():
                    parts[module].append(f"{last} as {alias}" if alias else last)
        others = [
            f"{name.qualified.rpartition('.')[2]} as {name.alias}" if name.alias else name.binding
            for name in kept
        ]
        if others:
            parts[str(statement.module)] = others
        text = statement.joint.join(
            f"from {module} import {', '.join(given)}" for module, given in parts.items()
        )
        self.edits.append(Edit(statement.start, statement.end, text, FILE))

    def _helper(self, helper: str) -> None:
        symbol, _, local = helper.partition(" as ")
        if not symbol.startswith("streamcompat."):
            symbol = f"{self._root}.{symbol}"
        module, _, name = symbol.rpartition(".")
        if local in self.facts.bindings:
            return  # the file imports it already
        self._added[module][name] = None if local == name else local

    def _add(self) -> None:
        lines = [f"import {name}" for name in sorted(self._plain)]
        for module in sorted(self._added):
            given = sorted(
                f"{name} as {alias}" if alias else name for name, alias in self._added[module].items()
            )
            lines.append(f"from {module} import {', '.join(given)}")
        if not lines:
            return
        newline, at = self.facts.newline, self.facts.insert_at
        text = newline.join(lines)
        starts_line = self._source[at - 1 : at] in (b"", b"\n", b"\r")
        self.edits.append(Edit(at, at, text + newline if starts_line else newline + text, FILE))


def _is_of(use: Use, name: ImportedName) -> bool:
    """Whether the use refers to this import."""
    if name.alias is None and "." in name.qualified and use.binding == name.qualified.partition(".")[0]:
        return True
    return (
        use.qualified == name.qualified
        or _same_home(use, name)
        or use.qualified.startswith(name.qualified + ".")
    )


def _same_home(use: Use, name: ImportedName) -> bool:
    return names.split(use.qualified) == names.split(name.qualified)
