"""Functions of Sanic since 20.3 that read settings."""

from __future__ import annotations

import os
import re
from importlib import import_module
from pathlib import Path
from types import ModuleType

from streamcompat.sanic_api.exceptions import LoadFileException, PyFileError

__all__ = ["load_module_from_file_location", "str_to_bool"]

_TRUE = frozenset({"y", "yes", "yep", "yup", "t", "true", "on", "enable", "enabled", "1"})
_FALSE = frozenset({"n", "no", "f", "false", "off", "disable", "disabled", "0"})


def str_to_bool(val: str) -> bool:
    """The truth value that a text such as `yes` or `off` names; ValueError for another text."""
    text = val.lower()
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    raise ValueError(f"Invalid truth value {val}")


def load_module_from_file_location(location: bytes | str | Path, encoding: str = "utf8") -> ModuleType:
    """Runs a Python file and returns its names as a module; a text without slash or `$` is imported.

    Args:
        location: `${NAME}` in it stands for a variable of the environment.
        encoding: of a location that is bytes.
    Raises: LoadFileException: a variable is not set. PyFileError: the file cannot be executed. OSError: it
        cannot be read, or there is no such module.
    """
    if isinstance(location, bytes):
        location = location.decode(encoding)
    if isinstance(location, str):
        if "/" not in location and "$" not in location and not location.endswith(".py"):
            try:
                return import_module(location)
            except ImportError as error:
                raise OSError(f"Unable to load configuration {location}") from error
        location = _expanded(location)
    module = ModuleType(Path(location).stem or "config")
    module.__file__ = str(location)
    source = Path(location).read_text()
    try:
        exec(compile(source, str(location), "exec"), vars(module))
    except Exception as error:
        raise PyFileError(str(location)) from error
    return module


def _expanded(location: str) -> str:
    missing = sorted({name for name in re.findall(r"\$\{(.+?)\}", location) if name not in os.environ})
    if missing:
        raise LoadFileException(f"The following environment variables are not set: {', '.join(missing)}")
    return re.sub(r"\$\{(.+?)\}", lambda found: os.environ[found[1]], location)
