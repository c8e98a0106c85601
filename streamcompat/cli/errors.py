"""Reports errors of the user in one line.

The rule: it imports next to nothing, since every command imports it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from typing import Final

from streamcompat.aliases import AliasError
from streamcompat.serving.errors import TargetError

FAILED: Final = 3
"""The exit status of a command that cannot be carried out: the engine's HOPELESS, so that the supervisor does
not replace a worker that exits with it."""


class CommandError(Exception):
    """The command cannot be carried out; its text is one line that says why."""


class OutputError(Exception):
    """The standard output cannot be written, for the reason of an OSError."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(reason)
        self.reason = reason


def say(line: str) -> None:
    """Prints a line about the command; where the standard error cannot be written, the command goes on."""
    with contextlib.suppress(OSError):
        print(f"streamcompat: {line}", file=sys.stderr, flush=True)


ERRORS: Final = (AliasError, TargetError, CommandError)


def report(error: Exception, with_traceback: bool, can_force: bool = True) -> int:
    """Prints the error; returns the exit status.

    Args:
        can_force: the command has the option `--force-alias`.
    """
    if with_traceback and error.__cause__ is not None:
        traceback.print_exception(error.__cause__)
    line = str(error)
    if isinstance(error, AliasError) and error.installed is not None:
        how = "--force-alias" if can_force else "`streamcompat exec --force-alias -m streamcompat ...`"
        line = f"{error.installed}: uninstall it, or hide it with {how}"
    say(line)
    return FAILED


def interrupted(error: KeyboardInterrupt) -> int:
    """Says where it was, and ends the process by SIGINT, as its parent expects; returns an exit status where
    the system has no such end."""
    from streamcompat.serving.targets import place_of  # too slow for a command that nobody interrupts

    place = place_of(error)
    say(f"interrupted{'' if place is None else f' at {place}'}")
    with contextlib.suppress(OSError):
        sys.stdout.flush()
    if sys.platform != "win32":
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGINT)
    return 128 + signal.SIGINT
