"""The command `streamcompat`: serve, port and probe apps from the command line.

The rule: an error of the user is one line on standard error and exit status 3, without a traceback; a
misspelt option is argparse's own message and status 2.
"""

from __future__ import annotations

import argparse
import importlib.metadata
from collections.abc import Sequence

from streamcompat.cli import port, probe, run
from streamcompat.cli.errors import ERRORS, report

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """Executes a command line.

    Args:
        argv: the arguments after the program's name; `sys.argv[1:]` by default.

    Returns:
        The exit status: 0 after a graceful stop, 3 after an error of the user; 1 if `port` finds something
        to change or a difference, or if `probe` finds a failure.

    Raises:
        SystemExit: with 0 after `--help` and `--version`, with 2 for a command line that is not valid.
    """
    options = _parser().parse_args(argv)
    try:
        return int(options.carry_out(options) or 0)
    except ERRORS as error:
        return report(error, options.traceback)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="streamcompat", description=run.DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"streamcompat {_version()}")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for command in (run, port, probe):
        command.add_parser(commands)
    return parser


def _version() -> str:
    try:
        return importlib.metadata.version("streamcompat")
    except importlib.metadata.PackageNotFoundError:
        return "(not installed)"
