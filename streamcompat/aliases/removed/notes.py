"""The line in the log that says what was given back, and where it was used first."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Final

_log: Final = logging.getLogger("streamcompat")
_noted: Final[set[str]] = set()
_NOT_THE_USER: Final = (str(Path(__file__).parent), "<frozen ")


def note(what: str, since: str, instead: str) -> None:
    """Logs the first use of something; later uses of it are not told."""
    if what in _noted:
        return
    _noted.add(what)
    _log.warning(
        "old_python: %s, which Python %s removed, was given back to %s; today: %s",
        what,
        since,
        _caller(),
        instead,
    )


def note_missing(what: str, since: str, package: str) -> None:
    """Logs that a package has to be installed."""
    if what not in _noted:
        _noted.add(what)
        _log.warning(
            "old_python: %s, which Python %s removed, is not installed, for %s: pip install %s",
            what,
            since,
            _caller(),
            package,
        )


def _caller() -> str:
    """`file:line` of the innermost frame outside of this package and of the import system."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_NOT_THE_USER):
        frame = frame.f_back
    return f"{frame.f_code.co_filename}:{frame.f_lineno}"
