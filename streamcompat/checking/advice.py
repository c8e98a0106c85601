"""What to type: the command that serves a project's app, with the options that it needs."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from streamcompat.aliases.finder import FACADES
from streamcompat.checking.judge import Judged
from streamcompat.checking.scan import FileScan
from streamcompat.sanic_api.versions import DEFAULT, parsed

__all__ = ["commands", "pinned"]

_PIN: Final = re.compile(r"""\bsanic["']?\s*(?:[=~<>]=|=\s*["'](?:[=~^<>]+)?)\s*["']?(\d+\.\d+)""")
_FILES: Final = ("requirements*.txt", "setup.py", "setup.cfg", "Pipfile", "pyproject.toml", "environment.yml")
_MOST: Final = 5
"""Commands that are shown at most: more are a list of files."""


def pinned(folders: Sequence[Path]) -> str | None:
    """The release of Sanic that a project asks for, such as `0.7`; `None` if it does not say."""
    for folder in folders:
        for pattern in _FILES:
            for path in sorted(folder.glob(pattern)):
                found = _PIN.search(path.read_text("utf-8", errors="replace"))
                if found is not None:
                    return found[1]
    return None


def commands(files: Sequence[FileScan], judged: Judged, release: str | None) -> list[str]:
    """The lines to type, the packages to install first."""
    kinds = {finding.kind for finding in judged.findings}
    lines = []
    packages = _packages(judged)
    if packages:
        lines.append(f"pip install {' '.join(packages)}")
    options = ["--alias"] if _needs_alias(files) else []
    options += ["--old-python"] if "option" in kinds else []
    if release is not None and _decides(release):
        options.append(f"--compat {release}")
    program = [one for one in options if one != "--alias"]
    found = list(_starts(files, " ".join(["", *options]), " ".join(["", *program])))
    return lines + found[:_MOST]


def _decides(release: str) -> bool:
    """Whether it is one of the releases that contradict the default."""
    try:
        return parsed(release) != DEFAULT
    except ValueError:
        return False


def _packages(judged: Judged) -> list[str]:
    """The packages that are known to have what is missing: a module's name is not always that of its package,
    and whoever registers the wrong name has its code executed."""
    known = [one.said.partition("pip install ")[2] for one in judged.findings if one.kind == "install"]
    return list(dict.fromkeys(filter(None, known)))


def _needs_alias(files: Sequence[FileScan]) -> bool:
    return any(name.partition(".")[0] in FACADES for one in files for name, _ in one.imports)


def _starts(files: Sequence[FileScan], options: str, program: str) -> Iterator[str]:
    """The commands for each file that has an app, makes one, or is a program; tests are no programs."""
    ordered = [one for one in files if not Path(one.path).name.startswith(("test_", "conftest"))]
    factories = {name for one in ordered for name in one.factories}
    called = {name for one in ordered for name in one.made.values() if name in factories}
    apps = {
        one.path: one.apps + [name for name, by in one.made.items() if by in factories] for one in ordered
    }
    by_kind: Mapping[str, list[str]] = {"app": [], "factory": [], "program": []}
    for one in ordered:
        uses = any(name.partition(".")[0] in FACADES for name, _ in one.imports)
        for app in apps[one.path]:
            target = one.path if len(apps[one.path]) == 1 else f"{one.path}:{app}"
            by_kind["app"].append(f"streamcompat run {shlex.quote(target)}{options}")
        for factory, needed in one.factories.items():
            if factory not in called:
                call = f"{factory}({', '.join(name.upper() for name in needed)})"
                by_kind["factory"].append(f"streamcompat run {shlex.quote(f'{one.path}:{call}')}{options}")
        if not any(apps.values()) and Path(one.path).name == "__main__.py":
            by_kind["program"].append(f"streamcompat exec{program} -m {_package(one.path)}")
        elif one.is_program and not apps[one.path] and (uses or not any(apps.values())):
            by_kind["program"].append(f"streamcompat exec{program} {shlex.quote(one.path)}")
    for lines in by_kind.values():
        yield from lines


def _package(path: str) -> str:
    """The package of a `__main__.py`, in the folder from which it is to be executed."""
    folder = Path(path).parent
    names = [folder.name or folder.resolve().name]
    while (folder.parent / "__init__.py").is_file():
        folder = folder.parent
        names.insert(0, folder.name)
    return shlex.quote(".".join(names))
