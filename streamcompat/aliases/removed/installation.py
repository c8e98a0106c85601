"""Turns it on: names appear in modules that are there, and modules that are gone are found elsewhere.

The rule: a module is changed once it has been imported by somebody, so that nothing is imported in vain, and
only where this Python lacks the name. It stays so until the process ends.
"""

from __future__ import annotations

import importlib
import re
import sys
import typing
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from streamcompat.aliases.removed.notes import note, note_missing
from streamcompat.aliases.removed.table import BACKPORTS, METHODS, NAMES, OWN_MODULES

__all__ = ["START", "old_python"]

START: Final = Path(__file__).parent.parent / "starts_with_old_python"
"""A folder for PYTHONPATH: each Python that starts with it calls `old_python` first."""
_HERE: Final = __name__.rpartition(".")[0]
_OWN: Final = {
    "asyncio.coroutine": f"{_HERE}.coroutines.coroutine",
    "asyncio.coroutines.coroutine": f"{_HERE}.coroutines.coroutine",
    "asyncio.tasks.coroutine": f"{_HERE}.coroutines.coroutine",
    "cgi.escape": f"{_HERE}.replacements.escape",
    "inspect.ArgSpec": f"{_HERE}.replacements.ArgSpec",
    "inspect.formatargspec": f"{_HERE}.replacements.formatargspec",
    "inspect.getargspec": f"{_HERE}.replacements.getargspec",
    "platform.dist": f"{_HERE}.replacements.linux_distribution",
    "platform.linux_distribution": f"{_HERE}.replacements.linux_distribution",
    "ssl.wrap_socket": f"{_HERE}.replacements.wrap_socket",
    "unittest.TestCase.assertDictContainsSubset": f"{_HERE}.replacements.assert_contains",
}
"""What is called where today's name takes other arguments or is no function."""
_TYPING: Final[Mapping[str, Mapping[str, object]]] = {
    "io": {"IO": typing.IO, "TextIO": typing.TextIO, "BinaryIO": typing.BinaryIO},
    "re": {"Pattern": re.Pattern, "Match": re.Match},
}
_TASK: Final = "asyncio.Task"


def _by_module() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for full in NAMES:
        owner, _, name = full.rpartition(".")
        if owner != _TASK:
            found[owner][name] = full
    return dict(found)


def _methods_by_module() -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for full in METHODS:
        found[full.rsplit(".", 2)[0]].append(full)
    return dict(found)


_NAMES_OF: Final = _by_module()
_METHODS_OF: Final = _methods_by_module()
_CHANGED: Final = {*_NAMES_OF, *_METHODS_OF, "json"}


def old_python() -> None:
    """Gives back what Python has removed since 3.5 and programs of old need; a second call changes nothing.

    Call it before the program is imported. `table` lists the names; each has a line in the log of
    `streamcompat` when it is first used. Modules of which a package on the registry is the heir, such as
    `imp` and `cgi`, come from there: `pip install 'streamcompat[old-python]'`.
    """
    if any(isinstance(finder, _Finder) for finder in sys.meta_path):
        return
    sys.meta_path.insert(0, _Finder())
    for name in sorted(_CHANGED & sys.modules.keys()):
        _change(sys.modules[name])


class _Finder(MetaPathFinder):
    """Changes modules as they are imported, and finds those that are gone."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in _CHANGED and fullname not in BACKPORTS and fullname not in OWN_MODULES:
            return None
        spec = self._elsewhere(fullname, path, target)
        if fullname in OWN_MODULES and spec is None:
            since, instead = OWN_MODULES[fullname]
            note(fullname, since, "importlib.metadata" if instead.startswith(_HERE) else instead)
            return ModuleSpec(fullname, _Instead(instead))
        if fullname in BACKPORTS and fullname not in sys.stdlib_module_names:
            since, package = BACKPORTS[fullname]
            if spec is None:
                note_missing(fullname, since, package)
            else:
                note(fullname, since, f"it comes from {package}")
        if spec is not None and spec.loader is not None and fullname in _CHANGED:
            spec.loader = _Changing(spec.loader)
        return spec

    def _elsewhere(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None
    ) -> ModuleSpec | None:
        for finder in sys.meta_path:
            if finder is not self and (spec := finder.find_spec(fullname, path, target)) is not None:
                return spec
        return None


class _Changing(Loader):
    """A loader whose module is changed after it was executed."""

    def __init__(self, inner: Loader) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        # `inspect` and `pkgutil` ask for the source and for the code.
        return getattr(self._inner, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._inner.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        self._inner.exec_module(module)
        _change(module)


class _Instead(Loader):
    """Puts another module in the place of one that is gone."""

    def __init__(self, instead: str) -> None:
        self._instead = instead

    def exec_module(self, module: ModuleType) -> None:
        sys.modules[module.__name__] = importlib.import_module(self._instead)


def _change(module: ModuleType) -> None:
    name = module.__name__
    if name in _NAMES_OF:
        _give(module, {short: _value(full) for short, full in _NAMES_OF[name].items()})
    for full in _METHODS_OF.get(name, ()):
        _give_method(module, full)
    if name == "typing":
        _give_typing(module)
    elif name == "asyncio":
        from streamcompat.aliases.removed import calls, coroutines

        calls.change_asyncio(module)
        vars(module)["Task"] = coroutines.OldTask
    elif name == "json":
        from streamcompat.aliases.removed import arguments

        arguments.change_json(module)


def _give(module: ModuleType, values: Mapping[str, Callable[[], object]]) -> None:
    """Lets a module find more names; those that it has are its own."""
    before = vars(module).get("__getattr__")

    def __getattr__(name: str) -> object:
        if before is not None:
            try:
                return before(name)
            except AttributeError:
                pass
        if name in values:
            return values[name]()
        raise AttributeError(f"module {module.__name__!r} has no attribute {name!r}", name=name, obj=module)

    vars(module)["__getattr__"] = __getattr__


def _value(full: str) -> Callable[[], object]:
    def value() -> object:
        note(full, *NAMES[full])
        return _found(_OWN.get(full, NAMES[full].instead))

    return value


def _found(full: str) -> Any:
    """What a name in full stands for: a module, or an attribute of one."""
    module, _, name = full.rpartition(".")
    return importlib.import_module(full) if not module else getattr(importlib.import_module(module), name)


def _give_method(module: ModuleType, full: str) -> None:
    owner, name = full.rsplit(".", 2)[1:]
    cls = getattr(module, owner)
    instead = METHODS[full].instead

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        note(full, *METHODS[full])
        if full in _OWN:
            return _found(_OWN[full])(self, *args, **kwargs)
        if "." in instead:  # a function that needs no object
            return _found(instead)(*args, **kwargs)
        return getattr(self, instead)(*args, **kwargs)

    if not hasattr(cls, name):
        setattr(cls, name, call)


def _give_typing(module: ModuleType) -> None:
    """`typing.io` and `typing.re`, which were modules without a file."""
    for name, members in _TYPING.items():
        if f"typing.{name}" not in sys.modules:
            given = ModuleType(f"typing.{name}")
            _give(given, {member: _member(f"typing.{name}", value) for member, value in members.items()})
            sys.modules[given.__name__] = given
            vars(module)[name] = given


def _member(full: str, value: object) -> Callable[[], object]:
    def member() -> object:
        note(full, *NAMES[full])
        return value

    return member
