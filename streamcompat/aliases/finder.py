"""Makes `import sanic` and `import mach9` find the facades, for apps that are to run unedited.

The rule: an alias is a second name, never a second copy. `sanic.response` is the module object
`streamcompat.sanic_api.response`, so classes, identities and module state agree whichever name an
import used. What a facade does not have is an ImportError that says so, never a fall through to
another package of that name.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from pkgutil import iter_modules
from types import ModuleType
from typing import Final

from streamcompat.aliases.moved_names import INSTEAD

__all__ = ["AliasError", "install", "installed", "uninstall"]

FACADES: Final = {"sanic": "streamcompat.sanic_api", "mach9": "streamcompat.mach9_api"}


class AliasError(ImportError):
    """The aliases cannot be installed: the real package is in the way."""


def install(*, force: bool = False) -> None:
    """Let `sanic`, `mach9` and all their submodules name the facades, in the whole process.

    Call it before anything imports them; a second call changes nothing.

    Args:
        force: stand in front of a real package that is installed. It stays as it is on the disk, but
            this process can no longer import it.

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
                f"the real {alias} has been imported already, from {_origin(imported)}: "
                "call streamcompat.aliases.install() before anything imports it",
                name=alias,
            )
        if not force and (origin := _real_package(alias)) is not None:
            raise AliasError(
                f"a real package {alias} is installed, at {origin}: "
                "uninstall it, or ask for it to be hidden with install(force=True)",
                name=alias,
            )
    sys.meta_path.insert(0, _AliasFinder())


def installed() -> bool:
    """True while the aliases are in force."""
    return any(isinstance(finder, _AliasFinder) for finder in sys.meta_path)


def uninstall() -> None:
    """Take the aliases away, for tests. What was imported through them stays usable where it is."""
    finders = [finder for finder in sys.meta_path if isinstance(finder, _AliasFinder)]
    for finder in finders:
        sys.meta_path.remove(finder)
        for name in finder.loaded:
            sys.modules.pop(name, None)
        for module in finder.opened:
            del module.__path__


class _AliasFinder(MetaPathFinder):
    """Answers for every name under the aliases, and for what is missing under the facades.

    Attributes:
        loaded: the names in `sys.modules` that are aliases.
        opened: modules that were given an empty `__path__`. `from sanic.response import X` asks a
            finder for a missing X only when the module looks like a package; without that, the
            interpreter's own message would not say what there is to use.
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
                raise _missing(fullname, ModuleNotFoundError)
            return ModuleSpec(fullname, _AliasLoader(self, real), is_package=True)
        for alias, facade in FACADES.items():
            if fullname.startswith(f"{facade}."):
                if PathFinder.find_spec(fullname, path) is not None:
                    return None
                # Not a ModuleNotFoundError: of those the import statement makes its own message.
                raise _missing(alias + fullname.removeprefix(facade), ImportError)
        return None


class _AliasLoader(Loader):
    """Puts the facade's module under the alias's name."""

    def __init__(self, finder: _AliasFinder, real: str) -> None:
        self.finder = finder
        self.real = real

    def exec_module(self, module: ModuleType) -> None:
        facade = importlib.import_module(self.real)
        if not hasattr(facade, "__path__"):
            facade.__path__ = []
            self.finder.opened.append(facade)
        # The import system hands out what stands in sys.modules after this, not the module it made.
        sys.modules[module.__name__] = facade
        self.finder.loaded.add(module.__name__)


def _spec_under_parent(real: str) -> ModuleSpec | None:
    parent = importlib.import_module(real.rpartition(".")[0])
    return PathFinder.find_spec(real, list(getattr(parent, "__path__", [])))


def _missing(name: str, kind: type[ImportError]) -> ImportError:
    """The error for a name, given as the app wrote it: `sanic.response.streem`."""
    parent, _, last = name.rpartition(".")
    root, _, below = parent.partition(".")
    facade = f"{FACADES[root]}.{below}" if below else FACADES[root]
    offered = _offered(sys.modules[facade])
    message = f"streamcompat's {parent} has no {last!r}"
    if instead := INSTEAD.get(f"{below}.{last}" if below else last):
        message += f": use {instead}"
    elif close := difflib.get_close_matches(last, offered, n=3):
        message += f": did you mean {' or '.join(close)}?"
    elif offered:
        message += f": it has {', '.join(offered)}"
    return kind(message, name=name)


def _offered(module: ModuleType) -> list[str]:
    """The public names of a facade's module, and its submodules."""
    names = set(getattr(module, "__all__", ()))
    names.update(entry.name for entry in iter_modules(module.__path__))
    return sorted(name for name in names if not name.startswith("_"))


def _real_package(name: str) -> str | None:
    """Where a real package lies, or None. A mere folder of that name is not one."""
    spec = importlib.util.find_spec(name)
    return None if spec is None else spec.origin


def _origin(module: ModuleType) -> str:
    return getattr(module, "__file__", None) or "an unknown place"
