"""The settings of a project: `[tool.streamcompat.port]` in the nearest `pyproject.toml`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from pathspec import GitIgnoreSpec


class SettingsError(Exception):
    """A setting is unknown, or has a value that it cannot have."""


@dataclass(frozen=True)
class Settings:
    """What a project sets.

    Attributes:
        folder: the folder of the `pyproject.toml`.
        exclude: patterns as in a `.gitignore`, relative to the folder.
    """

    folder: Path
    exclude: GitIgnoreSpec

    def excludes(self, path: Path) -> bool:
        """Whether the file is left out."""
        try:
            name = path.resolve().relative_to(self.folder)
        except ValueError:
            return False
        return self.exclude.match_file(name.as_posix())


def settings_of(start: Path) -> Settings | None:
    """The settings that apply in a folder.

    Raises: SettingsError: a setting is unknown or wrong, or the file is not TOML.
    """
    whole = start.resolve()
    for folder in (whole, *whole.parents):
        path = folder / "pyproject.toml"
        if path.is_file():
            return _read(path)
    return None


def _read(path: Path) -> Settings | None:
    try:
        found = tomllib.loads(path.read_text("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    table = found.get("tool", {}).get("streamcompat", {}).get("port")
    if table is None:
        return None
    if not isinstance(table, dict) or table.keys() - {"exclude"}:
        raise SettingsError(f"{path}: [tool.streamcompat.port] knows only `exclude`")
    exclude = table.get("exclude", [])
    if not isinstance(exclude, list) or not all(isinstance(one, str) for one in exclude):
        raise SettingsError(f"{path}: `exclude` is not a list of patterns")
    return Settings(path.parent.resolve(), GitIgnoreSpec.from_lines(exclude))
