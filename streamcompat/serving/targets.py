"""Finds the app that a TARGET of the command line names: `package.module:app` or `path/to/file.py:app`, or
a call that makes it, `package.module:create_app("shop")`.

The rule: every failure here is a `TargetError` with one line for the user. If the user's module raises while
it is imported, that line has the `file:line` of the exception. An app that serves itself does not do so while
it is imported here; see `importing`.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from importlib.machinery import PathFinder
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, Final

from streamcompat.aliases.finder import FACADES
from streamcompat.aliases.removed import gone
from streamcompat.serving.errors import TargetError
from streamcompat.serving.importing import SelfRun, importing
from streamcompat.serving.servable import Servable
from streamcompat.serving.served_app import ServedApp
from streamcompat.serving.site import Site

__all__ = ["Loaded", "TargetError", "describe", "load", "load_module", "place_of", "shown", "source_file"]

_Arguments = tuple[list[Any], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a TARGET names.

    Attributes:
        app: the app, the site, or what `other` made of an object that is neither.
        module: the module that was imported for it.
        runs: what would have served itself during the import, in this order.
    """

    app: Servable
    module: ModuleType
    runs: Sequence[SelfRun]


Other = Callable[[object], Servable | None]
"""Makes an app of an object of another interface; `None` where it cannot. Raises ValueError that says why."""
_USUAL: Final = ("app", "application", "asgi")
"""The names by which an app of another interface is found, as `gunicorn module` does."""


def load(target: str) -> ServedApp | Site:
    """The app or site that TARGET names; see `load_module`."""
    app = load_module(target).app
    assert isinstance(app, ServedApp | Site)
    return app


def load_module(target: str, other: Other | None = None, folder: Path | None = None) -> Loaded:
    """Imports the module that TARGET names and returns the app or site in it.

    A file finds its imports as with `python path/to/file.py`: its folder (or the folder above its outermost
    package) is put at the front of `sys.path`. For a dotted module it is the current folder. A file in a
    package finds its neighbours by their bare names too.

    Args:
        target: `package.module:app` or `path/to/file.py:app`. `:app` may be a dotted path of attributes, or
            a call of one with literals as arguments (of a function that serves its app itself: that app), and
            may be left out if the module has just one site, or no site and just one app, or if just one
            app serves itself.
        other: for what is neither an app of a flavour nor a site.
        folder: where a dotted module is looked for, if not in the current folder.

    Raises:
        TargetError: there is no such module, it cannot be imported, or the named object is not an app.
    """
    place, attribute, is_file = _split(target)
    if not place or (place.startswith(".") and not is_file):
        raise TargetError(
            f"{target!r} does not name a module: give package.module:app or path/to/file.py:app"
        )
    with importing() as runs:
        module = _import_file(place, runs) if is_file else _import_module(place, runs, folder)
        app = (
            _named(module, place, attribute, runs, other) if attribute else _only(module, place, runs, other)
        )
    return Loaded(app, module, runs)


def _split(target: str) -> tuple[str, str, bool]:
    """The module or file of a TARGET, its attribute, and whether it is a file."""
    place, _, attribute = target.partition(":")
    return place, attribute, place.endswith(".py") or os.sep in place or Path(place).is_file()


def source_file(target: str, folder: Path | None = None) -> Path | None:
    """The file that TARGET's module is made of, found without importing anything; `None` if there is none.

    Args:
        folder: as for `load_module`.
    """
    place, _, is_file = _split(target)
    if is_file:
        return Path(place) if Path(place).is_file() else None
    path, found = [str(folder or Path.cwd()), *sys.path], None
    for name in place.split(
        "."
    ):  # by its last part alone: a namespace looks for what is above it in sys.modules
        spec = PathFinder.find_spec(name, path)
        if spec is None:
            return None
        path = list(spec.submodule_search_locations or ())
        found = spec.origin if spec.has_location else None
    return None if found is None or not found.endswith(".py") else Path(found)


def _import_module(name: str, runs: Sequence[SelfRun], folder: Path | None) -> ModuleType:
    _search_first(folder or Path.cwd())
    try:
        return _imported(name, lambda: importlib.import_module(name), runs)
    except ModuleNotFoundError as error:
        # Only for the target itself or a package above it: for an import inside the module the message has
        # its place.
        if error.name is not None and f"{name}.".startswith(f"{error.name}."):
            raise TargetError(f"there is no module {error.name}{_app_in_a_module(name)}") from error
        raise _import_failure(name, error) from error
    except (Exception, SystemExit) as error:
        raise _import_failure(name, error) from error


def _app_in_a_module(name: str) -> str:
    """The hint for `module.app` where `module:app` is meant."""
    parent, _, last = name.rpartition(".")
    if parent in sys.modules and hasattr(sys.modules[parent], last):
        return f": did you mean {parent}:{last}?"
    return ""


def _imported(name: str, load: Callable[[], ModuleType], runs: Sequence[SelfRun]) -> ModuleType:
    """The module that `load` imports; also one whose import was ended, once its app was to serve."""
    try:
        return load()
    except SystemExit as leave:
        if not runs or leave.code or name not in runs[-1].modules:
            raise
        return sys.modules.setdefault(name, runs[-1].modules[name])


def _import_file(place: str, runs: Sequence[SelfRun]) -> ModuleType:
    path = Path(place)
    if not path.is_file():
        what = "is a folder, not a Python file" if path.is_dir() else "does not exist"
        hint = f": did you mean {place}.py?" if Path(f"{place}.py").is_file() else ""
        raise TargetError(f"{place} {what}{hint}")
    if path.suffix != ".py":
        raise TargetError(f"{place} is not a Python file")
    path = path.resolve()
    root, names = path.parent, [path.stem]
    while (root / "__init__.py").is_file():
        names.insert(0, root.name)
        root = root.parent
    _search_first(root)
    try:
        if len(names) > 1:
            # As under `python package/file.py`, but at the end: no neighbour hides another module.
            if (folder := str(path.parent)) not in sys.path:
                sys.path.append(folder)
            name = ".".join(names if path.stem != "__init__" else names[:-1])
            return _imported(name, lambda: importlib.import_module(name), runs)
        return _import_script(path, runs)
    except (Exception, SystemExit) as error:
        raise _import_failure(place, error) from error


def _import_script(path: Path, runs: Sequence[SelfRun]) -> ModuleType:
    """Imports a file outside of any package by its own name, or with a number added if the name is taken."""
    name = path.stem
    taken = 1
    while name in sys.stdlib_module_names or name in sys.modules:
        if getattr(sys.modules.get(name), "__file__", None) == str(path):
            return sys.modules[name]
        taken += 1
        name = f"{path.stem}_{taken}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None, path
    loader, module = spec.loader, importlib.util.module_from_spec(spec)

    def load() -> ModuleType:
        sys.modules[name] = module
        try:
            loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module

    return _imported(name, load, runs)


def _search_first(folder: Path) -> None:
    if sys.path[:1] != [str(folder)]:
        sys.path.insert(0, str(folder))


def _import_failure(place: str, error: BaseException) -> TargetError:
    line = f"cannot import {place}: {describe(error)}"
    if isinstance(error, ModuleNotFoundError) and error.name in FACADES:
        line += f" (with --alias, streamcompat stands in for {error.name})"
    elif (hint := gone(error)) is not None:
        line += f" ({hint})"
    return TargetError(line)


def describe(error: BaseException) -> str:
    """An exception in one line, with its place if it is known: `file:line: Type: message`."""
    # The text of a SyntaxError repeats the place.
    text = error.msg if isinstance(error, SyntaxError) else str(error)
    reason = " ".join(f"{type(error).__name__}: {text}".rstrip(": ").split())
    place = place_of(error)
    return f"{place}: {reason}" if place else reason


def place_of(error: BaseException) -> str | None:
    """`file:line` of the last frame in the app's code, or in a library if the app has none."""
    if isinstance(error, SyntaxError) and error.filename is not None:
        return f"{shown(error.filename)}:{error.lineno}"
    ours = str(Path(__file__).parent.parent)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<frozen", ours))
    ]
    libraries = tuple({sysconfig.get_path(key) for key in ("stdlib", "purelib", "platlib")})
    frames = [frame for frame in frames if not frame.filename.startswith(libraries)] or frames
    return f"{shown(frames[-1].filename)}:{frames[-1].lineno}" if frames else None


def shown(filename: str) -> str:
    """A file as it is shown to the user: relative to the current folder, if it is below it."""
    path = Path(filename)
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else filename


def _named(
    module: ModuleType, place: str, attribute: str, runs: Sequence[SelfRun], other: Other | None
) -> Servable:
    name, call = _parsed(place, attribute)
    found: object = module
    for part in name.split("."):
        if not hasattr(found, part):
            apps = ", ".join(_apps(module))
            raise TargetError(f"{place} has no {name!r}" + (f": its apps are {apps}" if apps else ""))
        found = getattr(found, part)
    if call is not None:
        return _made(found, f"{place}:{attribute}", call, runs, other)
    app = _app(found, f"{place}:{attribute}", other)
    if app is None:
        raise _no_app(found, f"{place}:{attribute} is")
    return app


def _app(found: object, shown: str, other: Other | None) -> Servable | None:
    """The object itself, or what `other` makes of it."""
    if isinstance(found, ServedApp | Site):
        return found
    try:
        return None if other is None else other(found)
    except ValueError as error:
        raise TargetError(f"cannot serve {shown}: {error}") from error


def _parsed(place: str, attribute: str) -> tuple[str, _Arguments | None]:
    """The dotted name in an attribute, and the arguments if it is a call."""
    if not attribute.endswith(")"):
        return attribute, None
    try:
        call = ast.parse(attribute, mode="eval").body
        if not isinstance(call, ast.Call):
            raise ValueError(attribute)
        positional = [ast.literal_eval(one) for one in call.args]
        named = {one.arg: ast.literal_eval(one.value) for one in call.keywords if one.arg is not None}
        if len(named) < len(call.keywords):
            raise ValueError(attribute)  # `**` is no literal
    except (SyntaxError, ValueError, TypeError) as error:
        raise TargetError(
            f"{place}:{attribute} is not a call with literals, such as {place}:create_app('shop', debug=True)"
        ) from error
    return ast.unparse(call.func), (positional, named)


def _made(
    factory: object, shown: str, arguments: _Arguments, runs: Sequence[SelfRun], other: Other | None
) -> Servable:
    """What a factory returns; for one that serves its app itself, that app."""
    if not callable(factory):
        raise TargetError(f"{shown.rpartition('(')[0]} cannot be called")
    positional, named = arguments
    try:
        made: object = factory(*positional, **named)
    except (Exception, SystemExit) as error:
        made = None
        if not isinstance(error, SystemExit) or error.code or not runs:
            raise TargetError(f"{shown} does not make an app: {describe(error)}") from error
    if isinstance(made, Coroutine):
        made.close()
        raise TargetError(f"{shown} is a coroutine function: a factory has to return its app")
    app = _app(made, shown, other)
    if app is not None:
        return app
    served = _served(runs)
    if len(served) == 1:
        return served[0]
    raise _no_app(made, f"{shown} returned")


def _no_app(found: object, which: str) -> TargetError:
    kind = type(found)
    line = f"{which} {'a class' if isinstance(found, type) else f'a {kind.__name__}'}, not an app"
    package = kind.__module__.partition(".")[0]
    if package in FACADES:
        line += f" of the real {package} (see --force-alias)"
    elif isinstance(found, FunctionType):
        line += f": if it makes one, write {which.rpartition(' ')[0]}()"
    return TargetError(line)


def _served(runs: Sequence[SelfRun]) -> list[ServedApp | Site]:
    """The apps that served themselves, each once."""
    return list({id(run.app): run.app for run in runs if isinstance(run.app, ServedApp | Site)}.values())


def _only(module: ModuleType, place: str, runs: Sequence[SelfRun], other: Other | None) -> Servable:
    """The only site of the module or, if it has none, its only app; else the only one that serves itself;
    else the app of another interface that has a usual name."""
    apps = _apps(module)
    candidates = {name: app for name, app in apps.items() if isinstance(app, Site)} or apps
    if len(candidates) == 1:
        return next(iter(candidates.values()))
    served = _served(runs)
    if len(served) == 1:
        return served[0]
    if not candidates:
        for name in _USUAL:
            app = _app(getattr(module, name, None), f"{place}:{name}", other)
            if app is not None:
                return app
        raise TargetError(
            f"{place} has no app: a global name must be a Mach9, a Sanic or a Site (a function that makes "
            f"one: {place}:create_app(); a program: streamcompat exec)"
        )
    first = next(iter(candidates))
    names = ", ".join(candidates)
    raise TargetError(f"{place} has {len(candidates)} apps, {names}: say which, as in {place}:{first}")


def _apps(module: ModuleType) -> dict[str, ServedApp | Site]:
    """The apps and sites among the module's globals, each once, under its first name."""
    found: dict[str, ServedApp | Site] = {}
    for name, value in vars(module).items():
        if isinstance(value, ServedApp | Site) and not any(value is known for known in found.values()):
            found[name] = value
    return found
