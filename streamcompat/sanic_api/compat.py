"""Sanic's module of this name: names that apps import from it.

The rule: `streamcompat.sanic_api.compat` is a function too, which chooses the release. Importing this module
puts it in the function's place, so it can be called like it.
"""

from __future__ import annotations

import asyncio
import os
import sys
from os import PathLike
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final

import anyio

from streamcompat.datastructures import Headers

if TYPE_CHECKING:
    from streamcompat.sanic_api.app import Sanic

__all__ = ["CancelledErrors", "Header", "OS_IS_WINDOWS", "open_async", "stat_async"]

Header = Headers
CancelledErrors: Final = (asyncio.CancelledError,)
OS_IS_WINDOWS: Final = os.name == "nt"


async def stat_async(path: str | PathLike[str]) -> os.stat_result:
    """As `os.stat`, in a thread."""
    return await anyio.Path(path).stat()


async def open_async(file: str | PathLike[str], mode: Any = "r", **options: Any) -> Any:
    """A file whose methods are awaited: `async with await open_async(path, mode="rb") as file`."""
    return await anyio.open_file(file, mode, **options)


class _Callable(ModuleType):
    def __call__(self, release: str, app: Sanic | None = None) -> None:
        from streamcompat.sanic_api.app import compat

        compat(release, app)


sys.modules[__name__].__class__ = _Callable
