"""What is to be said about the uses of a project: there, differs, needs an option or a package, missing."""

from __future__ import annotations

import importlib
import importlib.util
import json
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Final, Literal, NamedTuple, TypedDict

from streamcompat.aliases.finder import FACADES, missing
from streamcompat.aliases.removed import gone
from streamcompat.aliases.removed.table import ARGUMENTS, BACKPORTS, METHODS, NAMES, OWN_MODULES, Removed
from streamcompat.checking.scan import FileScan, Use, scan

__all__ = ["Finding", "Judged", "Kind", "judge"]

Kind = Literal["missing", "option", "install", "differs", "unknown", "broken"]


class Finding(NamedTuple):
    """One line of the report.

    Attributes:
        line: from 1.
        name: what it is about, in full.
        said: what is to be known or done.
    """

    path: str
    line: int
    kind: Kind
    name: str
    said: str


@dataclass(frozen=True)
class Judged:
    """The findings, each name once per file, and how many names of the originals are there without a word."""

    findings: Sequence[Finding]
    there: int


class _Entry(TypedDict):
    there: bool
    arguments: list[str]
    positional: int
    why: str
    since: str


@cache
def _surface() -> Mapping[str, _Entry]:
    """What is not there, or differs: made with docs/compatibility.md."""
    found: dict[str, _Entry] = json.loads(Path(__file__).with_name("surface.json").read_text("utf-8"))
    return found


def judge(files: Sequence[FileScan], version: tuple[int, int] = sys.version_info[:2]) -> Judged:
    """Judges what a project's files use.

    Args:
        files: all of the project, so that its own modules are known.
        version: of the Python that is to run it.
    """
    own = {name for one in files for name in _module_names(one.path)}
    assigned = {name for one in files for name in one.assigned}
    found: list[Finding] = []
    there: set[str] = set()
    for one in files:
        if one.error is not None:
            said = one.error.msg + (f": {hint}" if (hint := gone(one.error)) else "")
            found.append(Finding(one.path, one.error.lineno or 1, "broken", one.path, said))
            continue
        mine: dict[tuple[Kind, str], Finding] = {}
        for kind, name, line, said in [
            *_old(one, version),
            *_installed(one, own, version),
            *_flavours(one, assigned, there),
        ]:
            mine.setdefault((kind, name), Finding(one.path, line, kind, name, said))
        found += sorted(mine.values(), key=lambda finding: finding.line)
    return Judged(found, len(there - {finding.name for finding in found}))


_EXTENSIONS: Final = {
    "sanic_ext": "stands on Sanic's own server, and does not run here",
    "sanic_plugin_toolkit": "goes by the release, and needs --compat 21.3, 21.6 or 21.9",
}
"""Extensions that do not do here what they did beside the originals: docs/compatibility.md."""

_MOST_FILES: Final = 300
"""Of a package that is read: extensions are smaller."""

_Said = tuple[Kind, str, int, str]


def _module_names(path: str) -> set[str]:
    """The names by which a file of the project may be imported: of itself, and of the folders above it."""
    where = Path(path)
    return {where.stem, *where.parent.parts}


def _is_gone(removed: Removed | tuple[str, str], version: tuple[int, int], at: int = 0) -> bool:
    major, minor = removed[at].split(".")
    return version >= (int(major), int(minor))


# ---- what Python removed ----


def _old(file: FileScan, version: tuple[int, int]) -> Iterator[_Said]:
    for use in file.uses:
        name = next((one for one in _prefixes(use.name) if one in NAMES), None)
        if name is not None and _is_gone(NAMES[name], version):
            yield "option", name, use.line, _option(name, NAMES[name].since)
        lost = ARGUMENTS.get(use.name)
        if lost is not None and lost[0] in (use.keywords or ()) and _is_gone(lost, version, 1):
            name = f"{use.name}({lost[0]}=...)"
            yield "option", name, use.line, _option(name, lost[1])
        if use.name == "asyncio.get_event_loop" and use.keywords is not None and version >= (3, 14):
            name = "asyncio.get_event_loop()"
            yield (
                "option",
                name,
                use.line,
                "raises since Python 3.14 where no loop runs: --old-python makes one",
            )
    methods = {full.rpartition(".")[2]: full for full in METHODS}
    for what, line in file.old:
        if what.startswith("."):
            full = methods.get(what[1:])
            if full is not None and _is_gone(METHODS[full], version) and what[1:] not in file.assigned:
                yield "option", full, line, _option(full, METHODS[full].since)
        else:
            since = "3.9" if what.startswith("with") else "3.11"
            yield "option", what, line, _option(what, since)


def _prefixes(name: str) -> list[str]:
    parts = name.split(".")
    return [".".join(parts[:end]) for end in range(len(parts), 0, -1)]


def _option(name: str, since: str) -> str:
    return f"is gone since Python {since}: --old-python gives it back"


# ---- packages ----


def _installed(file: FileScan, own: set[str], version: tuple[int, int]) -> Iterator[_Said]:
    for module, line in file.imports:
        root = module.partition(".")[0]
        if root in own or root in FACADES or root == "streamcompat":
            continue
        if root in BACKPORTS:
            if _is_gone(BACKPORTS[root], version) and not _is_found(root):
                since, package = BACKPORTS[root]
                yield "install", root, line, f"is gone since Python {since}: pip install {package}"
        elif root in _EXTENSIONS:
            yield "differs", root, line, _EXTENSIONS[root]
        elif module in OWN_MODULES:
            if _is_gone(OWN_MODULES[module], version) and not _is_found(root, module):
                yield "option", module, line, _option(module, OWN_MODULES[module].since)
        elif root not in sys.stdlib_module_names and not _is_found(root) and module not in NAMES:
            yield "install", root, line, "is not installed here; its package may have another name"
        elif (name := _needs_old(root, version)) is not None:
            yield "option", root, line, f"uses {name}: --old-python gives it back"


@cache
def _needs_old(root: str, version: tuple[int, int]) -> str | None:
    """What an installed package for one of the flavours uses of what Python removed, and where.

    Such a package may stand on another, as python-socketio does on python-engineio. Packages that have
    nothing to do with a flavour are not judged: a later release of theirs goes with today's Python.
    """
    files = _package(root, anyone=True)
    below = {module.partition(".")[0] for one in files for module, _ in one.imports}
    family = {one: _package(one) for one in sorted(below - {root, *FACADES} - sys.stdlib_module_names)}
    family = {one: read for one, read in family.items() if _is_for_flavour(read)}
    if not family and not _is_for_flavour(files):
        return None
    for one in [*files, *(one for read in family.values() for one in read)]:
        for _, name, line, said in _old(one, version):
            return f"{name} ({one.path}:{line}), which {said.partition(':')[0]}"
    return None


@cache
def _package(root: str, anyone: bool = False) -> list[FileScan]:
    """The files of an installed module or package, none of which is executed.

    Args:
        anyone: also those of a package that names no flavour in any of them.
    """
    try:
        spec = importlib.util.find_spec(root)
    except (ImportError, ValueError):
        spec = None
    if spec is None:
        return []
    folders = [Path(one) for one in spec.submodule_search_locations or ()]
    paths = [(path, folder.parent) for folder in folders for path in sorted(folder.rglob("*.py"))]
    if not folders and spec.origin is not None and spec.origin.endswith(".py"):
        paths = [(Path(spec.origin), Path(spec.origin).parent)]
    read = paths if len(paths) <= _MOST_FILES else []
    texts = {path.relative_to(above).as_posix(): path.read_bytes() for path, above in read}
    if not anyone and not any(flavour.encode() in text for text in texts.values() for flavour in FACADES):
        return []
    return [scan(name, text) for name, text in texts.items()]


def _is_for_flavour(files: Sequence[FileScan]) -> bool:
    return any(use.name.partition(".")[0] in FACADES for one in files for use in one.uses) or any(
        module.partition(".")[0] in FACADES for one in files for module, _ in one.imports
    )


def _is_found(root: str, module: str = "") -> bool:
    """Whether a module is installed; nothing of it is executed unless it is in a package of Python's own."""
    try:
        return importlib.util.find_spec(module or root) is not None
    except (ImportError, ValueError):
        return False


# ---- the flavours ----


def _flavours(file: FileScan, assigned: set[str], there: set[str]) -> Iterator[_Said]:
    for use in file.uses:
        if use.name.partition(".")[0] not in FACADES:
            continue
        there.add(use.name)
        entry = next(((one, _surface()[one]) for one in _prefixes(use.name) if one in _surface()), None)
        wrong = _missing(use, assigned)
        if wrong is not None:
            yield wrong
        elif entry is not None and not entry[1]["there"] and _is_attribute(use.name):
            continue  # a module there, and here the text of its name: `sanic.__version__`
        elif entry is not None and (said := _difference(use, *entry)) is not None:
            kind: Kind = "differs" if entry[1]["there"] else "missing"
            yield kind, entry[0], use.line, said


def _is_attribute(name: str) -> bool:
    """Whether a name such as `sanic.__version__.split` is of a text of the flavour's package itself."""
    root, first, *rest = name.split(".")
    text = vars(importlib.import_module(FACADES[root])).get(first)
    return isinstance(text, str) and all(hasattr(text, one) for one in rest[:1])


def _difference(use: Use, name: str, entry: _Entry) -> str | None:
    """What differs in this use; `None` if it is only about arguments that it does not give."""
    if name != use.name and not entry["there"]:
        return entry["why"]
    if not entry["arguments"]:
        return entry["why"] or None
    if name != use.name or use.keywords is None:
        return None
    told = [text for text in entry["arguments"] if _concerns(use, use.keywords, text, entry["positional"])]
    return "; ".join([*told, *([entry["why"]] if entry["why"] else [])]) if told else None


def _concerns(use: Use, keywords: tuple[str, ...], text: str, alike: int) -> bool:
    """Whether a call may be one that an argument's difference is about.

    Args:
        alike: how many arguments by position stand where they stood.
    """
    named = {*re.findall(r"`\**(\w+)`", text)}
    if text.endswith("must be given"):
        return not use.positional and not named & {*keywords, "**"} and "**" not in keywords
    if use.positional > alike:
        return True
    return not text.endswith("only by its name") and bool(named & {*keywords})


def _missing(use: Use, assigned: set[str]) -> _Said | None:
    """What a facade does not have: a name of a module, or a member of an app or a request."""
    parts = use.name.split(".")
    found: object = importlib.import_module(FACADES[parts[0]])
    for depth, part in enumerate(parts[1:], 1):
        name = ".".join(parts[: depth + 1])
        if isinstance(found, ModuleType):
            after = _member(found, part)
            if after is None:
                text = str(missing(name, ImportError)).removeprefix("streamcompat's ")
                return "missing", name, use.line, text
            found = after
        elif use.member and isinstance(found, type) and depth == len(parts) - 1:
            if hasattr(found, part) or name in _surface() or part in assigned or _declares(found, part):
                return None
            said = f"{found.__name__} has no {part!r} here; it must come from the app or from an extension"
            return "unknown", name, use.line, said
        else:
            return None
    return None


def _declares(cls: type, name: str) -> bool:
    """Whether instances of a class have an attribute that the class has not."""
    return any(
        name in vars(one).get("__annotations__", {}) or name in _set_in_constructor(one)
        for one in cls.__mro__
    )


@cache
def _set_in_constructor(cls: type) -> frozenset[str]:
    """The attributes that a constructor sets: the names in its code."""
    init = vars(cls).get("__init__")
    code = getattr(init, "__code__", None)
    return frozenset(code.co_names) if code is not None else frozenset()


def _member(module: ModuleType, name: str) -> object | None:
    if hasattr(module, name):
        given: object = vars(module).get(name, name)
        return given
    full = f"{module.__name__}.{name}"
    return importlib.import_module(full) if _is_found(full) and not name.startswith("__") else None
