"""Lets `import sanic` and `import mach9` find the facades, so that apps run unedited.

The rule: an alias is a second name, never a second copy. `sanic.response` is the module object
`streamcompat.sanic_api.response`, so classes and module state are the same under both names. Importing a name
that a facade does not have is an ImportError that says so; the import never falls through to another package
of that name.
"""

from __future__ import annotations

import difflib
import functools
import importlib
import importlib.util
import json
import os
import sys
from collections.abc import Sequence
from importlib.abc import InspectLoader, Loader, MetaPathFinder
from importlib.machinery import BuiltinImporter, FrozenImporter, ModuleSpec, PathFinder
from pathlib import Path
from pkgutil import iter_modules
from types import CodeType, ModuleType
from typing import Final

from streamcompat.aliases.moved_names import INSTEAD

__all__ = [
    "RELEASE",
    "STAND_INS",
    "AliasError",
    "install",
    "installed",
    "missing",
    "real_package",
    "stand_in",
    "uninstall",
]

FACADES: Final = {"sanic": "streamcompat.sanic_api", "mach9": "streamcompat.mach9_api"}


RELEASE: Final = "STREAMCOMPAT_COMPAT"
"""The environment variable with the release of Sanic that decides in a program of `streamcompat exec`; it is
the one of `streamcompat run --compat`."""

_OF_PYTHON: Final = (BuiltinImporter, FrozenImporter, PathFinder)

STAND_INS: Final = Path(__file__).parent / "stand_ins"
"""A folder for PYTHONPATH: importing one of the packages in it installs the aliases."""


class AliasError(ImportError):
    """The aliases cannot be installed, because the real package is imported or installed.

    Attributes:
        installed: what is installed and where, if `force` would hide it.
    """

    def __init__(self, message: str, *, name: str, installed: str | None = None) -> None:
        super().__init__(message, name=name)
        self.installed = installed


def install(*, force: bool = False) -> None:
    """Makes `sanic`, `mach9` and all their submodules names of the facades, in the whole process.

    Call it before anything imports them; a second call changes nothing.

    Args:
        force: hide a real package that is installed. It stays installed, but this process can no longer
            import it.

    Raises:
        AliasError: a real package of either name has been imported already, or is installed and
            `force` was not given. Nothing has been changed then.
    """
    if installed():
        return
    for alias in FACADES:
        imported = sys.modules.get(alias)
        if imported is not None:
            raise AliasError(
                f"the real {alias} is already imported, from {_origin(imported)}: "
                "call streamcompat.aliases.install() before anything imports it",
                name=alias,
            )
        if not force and (origin := real_package(alias)) is not None:
            found = f"a real package {alias} is installed, at {origin}"
            raise AliasError(
                f"{found}: uninstall it, or hide it with install(force=True)", name=alias, installed=found
            )
    # Behind the finders that tools have put before Python's own: they call hooks for what we find.
    own = [index for index, finder in enumerate(sys.meta_path) if finder in _OF_PYTHON]
    sys.meta_path.insert(min(own, default=0), _AliasFinder())


def stand_in(name: str) -> None:
    """Puts a facade in the place of the package that is being imported, which was found in `STAND_INS`.

    Raises: ValueError: the environment names a release of Sanic that there is not.
    """
    sys.modules.pop(name)
    install(force=True)
    if release := os.environ.get(RELEASE):
        importlib.import_module(FACADES["sanic"]).compat(release)
    importlib.import_module(name)


def installed() -> bool:
    """Whether the aliases are installed."""
    return any(isinstance(finder, _AliasFinder) for finder in sys.meta_path)


def uninstall() -> None:
    """Removes the aliases, for tests. Modules that were imported through them stay usable."""
    finders = [finder for finder in sys.meta_path if isinstance(finder, _AliasFinder)]
    for finder in finders:
        sys.meta_path.remove(finder)
        for name in finder.loaded:
            sys.modules.pop(name, None)
        for module in finder.opened:
            del module.__path__


class _AliasFinder(MetaPathFinder):
    """Finds every name under the aliases, and raises for names that the facades do not have.

    Attributes:
        loaded: the names in `sys.modules` that are aliases.
        opened: modules that got an empty `__path__`. `from sanic.response import X` asks a finder for a
            missing X only if the module looks like a package; otherwise the interpreter's own message would
            appear, which does not say what to use instead.
    """

    def __init__(self) -> None:
        self.loaded: set[str] = set()
        self.opened: list[ModuleType] = []

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        root, _, rest = fullname.partition(".")
        if (facade := FACADES.get(root)) is not None:
            real = f"{facade}.{rest}" if rest else facade
            if rest and _spec_under_parent(real) is None:
                raise missing(fullname, ModuleNotFoundError)
            # `python -m sanic` executes `sanic.__main__`, which must not look like a package.
            is_package = not fullname.endswith(".__main__")
            return ModuleSpec(fullname, _AliasLoader(self, real), is_package=is_package)
        for alias, facade in FACADES.items():
            if fullname.startswith(f"{facade}."):
                if PathFinder.find_spec(fullname, path) is not None:
                    return None
                # Not a ModuleNotFoundError: the import statement replaces the message of that.
                raise missing(alias + fullname.removeprefix(facade), ImportError)
        return None


class _Alias(ModuleType):
    """What the import system makes for a name; instrumentation that waits for the name is given it once it is
    loaded, and what it gets and sets are the facade's attributes."""

    def __getattr__(self, name: str) -> object:
        if name == "_facade" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self._facade, name)

    def __setattr__(self, name: str, value: object) -> None:
        if "_facade" in vars(self):
            setattr(self._facade, name, value)
        else:
            super().__setattr__(name, value)


class _AliasLoader(Loader):
    """Puts the facade's module under the alias's name."""

    def __init__(self, finder: _AliasFinder, real: str) -> None:
        self.finder = finder
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Alias(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        facade = importlib.import_module(self.real)
        if not hasattr(facade, "__path__"):
            facade.__path__ = []
            self.finder.opened.append(facade)
        # After this the import system returns the entry of sys.modules, not the module that it made.
        sys.modules[module.__name__] = facade
        self.finder.loaded.add(module.__name__)
        if module.__name__ in FACADES:
            self._import_what_is_loaded(module.__name__)
        if isinstance(module, _Alias):
            vars(module)["_facade"] = facade

    def _import_what_is_loaded(self, alias: str) -> None:
        """Imports the modules of the facade by their other names too, since to import the original loads
        its modules: who waits for that is called."""
        for name in [name for name in sys.modules if name.startswith(f"{self.real}.")]:
            if not name.endswith(".__main__"):
                importlib.import_module(alias + name.removeprefix(self.real))

    def get_code(self, fullname: str) -> CodeType | None:
        """The code of the facade's module, for `python -m`."""
        spec = importlib.util.find_spec(self.real)
        assert spec is not None and isinstance(spec.loader, InspectLoader), self.real
        return spec.loader.get_code(self.real)


def _spec_under_parent(real: str) -> ModuleSpec | None:
    parent = importlib.import_module(real.rpartition(".")[0])
    return PathFinder.find_spec(real, list(getattr(parent, "__path__", [])))


def missing(name: str, kind: type[ImportError]) -> ImportError:
    """The error for a missing name, spelled as in the app: `sanic.response.streem`."""
    parent, _, last = name.rpartition(".")
    root, _, below = parent.partition(".")
    facade = f"{FACADES[root]}.{below}" if below else FACADES[root]
    offered = _offered(sys.modules[facade])
    message = f"streamcompat's {parent} has no {last!r}"
    known = _absent().get(name)
    if known is not None:
        message += f", which {_when(root, known['since'])}"
    if instead := INSTEAD.get(f"{below}.{last}" if below else last):
        message += f": use {instead}"
    elif known is not None:
        message += f": {known['why']}"
    elif close := difflib.get_close_matches(last, offered, n=3):
        message += f": did you mean {' or '.join(close)}?"
    elif offered:
        message += f": it has {', '.join(offered)}"
    return kind(message, name=name)


@functools.cache
def _surface() -> dict[str, dict[str, str]]:
    """The names of the originals: the first release that was looked at and has it, whether it is here, and
    why not; made with docs/compatibility.md."""
    path = Path(__file__).parents[1] / "checking" / "surface.json"
    table: dict[str, dict[str, str]] = json.loads(path.read_text("utf-8"))
    return table


def _absent() -> dict[str, dict[str, str]]:
    return {name: entry for name, entry in _surface().items() if not entry["there"]}


def _when(root: str, since: str) -> str:
    """When a name came, as far as that was looked at: of the releases since 0.8.3, at one a year."""
    looked_at = {entry["since"] for name, entry in _surface().items() if name.startswith(f"{root}.")}
    before = [one for one in looked_at if _version(one) < _version(since)]
    if not before:
        return f"{root.capitalize()} {since} has"
    return f"came between {root.capitalize()} {max(before, key=_version)} and {since}"


def _version(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


def _offered(module: ModuleType) -> list[str]:
    """The public names of a facade's module, and those of its submodules."""
    names = set(getattr(module, "__all__", ()))
    # Of a module that is no package, no more than its own names.
    names.update(entry.name for entry in iter_modules(vars(module).get("__path__", ())))
    return sorted(name for name in names if not name.startswith("_"))


def real_package(name: str, path: Sequence[str] | None = None) -> str | None:
    """The location of a real package, or `None`; a namespace package and our own stand-in do not count.

    Args:
        path: where to look; `sys.path` by default.
    """
    spec = importlib.util.find_spec(name) if path is None else PathFinder.find_spec(name, list(path))
    origin = None if spec is None else spec.origin
    return None if origin is None or STAND_INS in Path(origin).parents else origin


def _origin(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or "an unknown location"
