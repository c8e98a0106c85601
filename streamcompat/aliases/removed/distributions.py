"""`pkg_resources`, where nothing of that name is installed: the names that programs use for their own
version, their data files and their entry points.

The rule: it asks `importlib.metadata` and `importlib.resources`; it activates and downloads nothing.
"""

from __future__ import annotations

import contextlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from importlib import import_module, metadata
from pathlib import Path
from typing import IO, Any, Final

__all__ = [
    "DistributionNotFound",
    "ResolutionError",
    "VersionConflict",
    "declare_namespace",
    "get_distribution",
    "iter_entry_points",
    "parse_version",
    "require",
    "resource_exists",
    "resource_filename",
    "resource_isdir",
    "resource_listdir",
    "resource_stream",
    "resource_string",
    "working_set",
]


class ResolutionError(Exception):
    """A distribution is missing, or is another one than was asked for."""


class DistributionNotFound(ResolutionError):
    """No distribution of that name is installed."""


class VersionConflict(ResolutionError):
    """Never raised here: versions are not compared."""


class Distribution:
    """An installed distribution: `version`, `project_name`, `key`, `location`."""

    def __init__(self, found: metadata.Distribution) -> None:
        self.version: str = found.version
        self.project_name: str = found.metadata["Name"]
        self.key: str = self.project_name.lower()
        self.location: str = str(found.locate_file(""))

    def __str__(self) -> str:
        return f"{self.project_name} {self.version}"


class EntryPoint:
    """One entry point: `name`, `module_name`, `attrs`, `load()`."""

    def __init__(self, point: metadata.EntryPoint) -> None:
        self.name: str = point.name
        self.module_name: str = point.module
        self.attrs: tuple[str, ...] = tuple(point.attr.split(".")) if point.attr else ()
        self._point = point

    def load(self, *args: Any, **kwargs: Any) -> Any:
        return self._point.load()

    resolve = load


def get_distribution(dist: str) -> Distribution:
    """The installed distribution that a requirement such as `sanic>=0.7` names.

    Raises: DistributionNotFound: there is none of that name.
    """
    name = re.split(r"[\s\[(<>=!~;]", str(dist).strip(), maxsplit=1)[0]
    try:
        return Distribution(metadata.distribution(name))
    except (metadata.PackageNotFoundError, ValueError) as error:
        raise DistributionNotFound(dist) from error


def require(*requirements: str) -> list[Distribution]:
    return [get_distribution(one) for one in requirements]


def iter_entry_points(group: str, name: str | None = None) -> Iterator[EntryPoint]:
    points = metadata.entry_points(group=group)
    return (EntryPoint(one) for one in points if name is None or one.name == name)


def parse_version(text: str) -> Any:
    """A version that can be compared: of `packaging` where it is installed, else the numbers in it."""
    with contextlib.suppress(ImportError):
        return import_module("packaging.version").Version(text)
    return tuple(int(one) for one in re.findall(r"\d+", text))


def resource_filename(package: str, name: str) -> str:
    module = import_module(str(package))
    folder = getattr(module, "__path__", None) or [str(Path(module.__file__ or "").parent)]
    return str(Path(next(iter(folder)), name))


def resource_stream(package: str, name: str) -> IO[bytes]:
    return open(resource_filename(package, name), "rb")


def resource_string(package: str, name: str) -> bytes:
    return Path(resource_filename(package, name)).read_bytes()


def resource_exists(package: str, name: str) -> bool:
    return Path(resource_filename(package, name)).exists()


def resource_isdir(package: str, name: str) -> bool:
    return Path(resource_filename(package, name)).is_dir()


def resource_listdir(package: str, name: str) -> list[str]:
    return sorted(one.name for one in Path(resource_filename(package, name)).iterdir())


def declare_namespace(packageName: str) -> None:
    """Joins the folders of a package that several distributions share."""
    module = sys.modules[packageName]
    vars(module)["__path__"] = pkgutil.extend_path(module.__path__, packageName)


class WorkingSet:
    """What is installed: to iterate over, and by name."""

    def __iter__(self) -> Iterator[Distribution]:
        return (Distribution(one) for one in metadata.distributions())

    @property
    def by_key(self) -> dict[str, Distribution]:
        return {one.key: one for one in self}

    iter_entry_points: Final = staticmethod(iter_entry_points)


working_set: WorkingSet = WorkingSet()
