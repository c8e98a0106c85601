"""What to do about an error that comes from something that Python has removed."""

from __future__ import annotations

import re
from types import ModuleType
from typing import Final

from streamcompat.aliases.removed.table import ARGUMENTS, BACKPORTS, NAMES, OWN_MODULES

__all__ = ["KEYWORD", "gone"]

KEYWORD: Final = "`async` is a keyword since Python 3.7, and no option changes that: give it another name"
_ASYNC: Final = re.compile(r"\basync\b(?!\s+(def|for|with)\b)")
_IMPORTED: Final = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
_ARGUMENT: Final = re.compile(r"(\w+?)(\.__init__)?\(\) got an unexpected keyword argument '(loop|encoding)'")


def gone(error: BaseException) -> str | None:
    """One sentence, or `None` if the error is of another kind.

    Args:
        error: as it was raised without `old_python`, or with it where a package is missing.
    """
    if isinstance(error, SyntaxError):
        return KEYWORD if _ASYNC.search(error.text or "") else None
    if isinstance(error, ModuleNotFoundError):
        return _of_module(error.name or "")
    full = _name(error)
    if full is None:
        return None
    return f"{full} is gone since Python {_since(full)}: --old-python gives it back"


def _of_module(name: str) -> str | None:
    if (backport := BACKPORTS.get(name.partition(".")[0])) is not None:
        return f"{name} is gone since Python {backport.since}: pip install {backport.instead}"
    if name in OWN_MODULES or name in NAMES:
        since = (OWN_MODULES | NAMES)[name].since
        return f"{name} is gone since Python {since}: --old-python gives it back"
    return None


def _since(full: str) -> str:
    return NAMES[full].since if full in NAMES else "3.11" if full.endswith("coroutines") else "3.10"


def _name(error: BaseException) -> str | None:
    text = str(error)
    if isinstance(error, ImportError) and (found := _IMPORTED.search(text)) is not None:
        full = f"{found[2]}.{found[1]}"
        return full if full in NAMES else None
    if isinstance(error, AttributeError):
        owner = error.obj
        if isinstance(owner, ModuleType):
            full = f"{owner.__name__}.{error.name}"
        else:
            full = f"asyncio.Task.{error.name}" if getattr(owner, "__name__", "") == "Task" else ""
        return full if full in NAMES else None
    if isinstance(error, TypeError):
        if "Passing coroutines is forbidden" in text:
            return "asyncio.wait of coroutines"
        if (found := _ARGUMENT.search(text)) is not None:
            name = "json.loads" if found[3] == "encoding" else f"asyncio.{found[1]}"
            return f"the argument {found[3]}= of {name}" if name in ARGUMENTS else None
    return None
