"""Finds the Python files in folders, without those that git ignores."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from pathspec import GitIgnoreSpec

NOTEBOOK = ".ipynb"
Rules = list[tuple[Path, GitIgnoreSpec]]


def python_files(paths: Iterable[Path]) -> Iterator[Path]:
    """The given files, and the Python files and notebooks below the given folders, each once and in order.

    Below a folder, the search skips everything that a `.gitignore` of the repository excludes, as well as
    `.git`, links to folders, and virtual environments.

    Raises: FileNotFoundError: a path does not exist.
    """
    seen: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found = _below(path, _rules_above(path))
        elif path.exists():
            found = iter([path])
        else:
            raise FileNotFoundError(path)
        for one in found:
            if (whole := one.resolve()) not in seen:
                seen.add(whole)
                yield one


def _rules_above(folder: Path) -> Rules:
    """The `.gitignore` files of the repository that apply in a folder, from the top down."""
    whole = folder.resolve()
    above = [whole, *whole.parents]
    top = next((at for at, one in enumerate(above) if (one / ".git").exists()), 0)
    return [rules for one in above[1 : top + 1][::-1] if (rules := _rules_of(one)) is not None]


def _rules_of(folder: Path) -> tuple[Path, GitIgnoreSpec] | None:
    try:
        lines = (folder / ".gitignore").read_text("utf-8", errors="replace").splitlines()
    except OSError:
        return None
    return folder.resolve(), GitIgnoreSpec.from_lines(lines)


def _ignored(path: Path, rules: Rules, is_folder: bool) -> bool:
    """Whether git ignores the path: the last `.gitignore`, from the top down, that matches it decides."""
    ignored = False
    for folder, spec in rules:
        name = path.relative_to(folder).as_posix() + ("/" if is_folder else "")
        said = spec.check_file(name).include
        if said is not None:
            ignored = said
    return ignored


def _below(folder: Path, rules: Rules) -> Iterator[Path]:
    own = _rules_of(folder)
    if own is not None:
        rules = [*rules, own]
    with os.scandir(folder) as entries:
        ordered = sorted(entries, key=lambda entry: entry.name)
    for entry in ordered:
        path = Path(folder, entry.name)
        is_folder = entry.is_dir(follow_symlinks=False)
        if not is_folder and not entry.name.endswith((".py", NOTEBOOK)):
            continue
        if _ignored(folder.resolve() / entry.name, rules, is_folder):
            continue
        if not is_folder:
            if entry.is_file():
                yield path
        elif entry.name != ".git" and not (path / "pyvenv.cfg").exists():
            yield from _below(path, rules)
