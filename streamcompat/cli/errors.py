"""Reports errors of the user in one line."""

from __future__ import annotations

import sys
import traceback
from typing import Final

from streamcompat.aliases import AliasError
from streamcompat.serving.targets import TargetError
from streamcompat_engine import HOPELESS

FAILED: Final = HOPELESS
"""The exit status of a command that cannot be carried out; the supervisor does not replace a worker that
exits with it."""


class CommandError(Exception):
    """The command cannot be carried out; its text is one line that says why."""


ERRORS: Final = (AliasError, TargetError, CommandError)


def report(error: Exception, with_traceback: bool) -> int:
    """Prints the error; returns the exit status."""
    if with_traceback and error.__cause__ is not None:
        traceback.print_exception(error.__cause__)
    print(f"streamcompat: {error}", file=sys.stderr)
    return FAILED
