"""Which classes of a file belong together, and which of their bases are of neither this file nor Sanic.

The rule: a base that cannot be seen may call any method of its subclasses, and awaits nothing. A class of
another file may have such a base itself.
"""

from __future__ import annotations

from collections import defaultdict
from functools import cached_property
from typing import Final

import libcst as cst

from streamcompat.porting.scan import Scan

_WITHOUT_CALLS: Final = {"abc", "collections", "enum", "typing", "typing_extensions"}
"""Modules whose classes call no method of their subclasses by themselves."""


class Families:
    """The classes of one file."""

    def __init__(self, scan: Scan) -> None:
        self._scan = scan

    def of(self, owner: cst.ClassDef) -> set[cst.ClassDef]:
        """The classes of this file that share a base class or a subclass with a class, and itself."""
        family, stack = {owner}, [owner]
        while stack:
            for one in self._beside[stack.pop()] - family:
                family.add(one)
                stack.append(one)
        return family

    @cached_property
    def _beside(self) -> dict[cst.ClassDef, set[cst.ClassDef]]:
        """The bases and the subclasses of each class of this file."""
        found: dict[cst.ClassDef, set[cst.ClassDef]] = defaultdict(set)
        tree = self._scan.tree
        for one in tree.all(cst.ClassDef):
            for above in (above for base in one.bases for above in tree.functions_of(base.value)):
                if isinstance(above, cst.ClassDef):
                    found[one].add(above)
                    found[above].add(one)
        return found

    def foreign_base(self, owner: cst.ClassDef) -> str | None:
        """A base of the class or of its family that may call their methods."""
        tree = self._scan.tree
        for base in (base for each in self.of(owner) for base in each.bases):
            value = base.value.value if isinstance(base.value, cst.Subscript) else base.value
            value = value.func if isinstance(value, cst.Call) else value
            symbol = tree.qualified(value) or ""
            if (
                tree.functions_of(value)
                or tree.builtin(value)
                or self._scan.roles.home(value) is not None
                or symbol.partition(".")[0] in _WITHOUT_CALLS
            ):
                continue
            return tree.code(value)
        return None
