"""Arguments that Python has removed: `encoding=` of `json.loads`, and what others of its functions need.

The rule: asyncio is not imported here, as a program that needs no more than `json` must not need it.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import ModuleType
from typing import Any

from streamcompat.aliases.removed.notes import note
from streamcompat.aliases.removed.table import ARGUMENTS

__all__ = ["change_json", "replace", "without"]


def change_json(module: ModuleType) -> None:
    """Changes the functions of `json` that read."""
    for name in ("load", "loads"):
        replace(module, name, without(getattr(module, name), f"json.{name}", "encoding", "nothing"))


def replace(owner: object, name: str, new: object) -> None:
    """Puts another object in the place of an attribute."""
    setattr(owner, name, new)


def without(function: Callable[..., Any], full: str, argument: str, instead: str) -> Callable[..., Any]:
    """A function that takes an argument which Python has removed, and leaves it out."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if argument in kwargs:
            note(f"{full}({argument}=...)", ARGUMENTS[full][1], instead)
            del kwargs[argument]
        return function(*args, **kwargs)

    return call
