"""The command `streamcompat`: serve, execute, check, port, compare and probe apps, and test clients.

The rule: an error of the user is one line on standard error and exit status 3, without a traceback; a
misspelt option is one line below the usage, with a guess, and status 2. Only the module of the given command
is imported; the help text of all commands needs them all.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import importlib
import os
import re
import sys
from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from streamcompat import __version__
from streamcompat.cli.errors import ERRORS, FAILED, OutputError, interrupted, report, say

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

__all__ = ["DESCRIPTION", "main"]

DESCRIPTION: Final = "Serve apps of the streaming APIs of old Sanic and of Mach9, and ASGI applications."
_MODULES: Final = {
    "run": "run",
    "inspect": "run",
    "exec": "exec",
    "check": "check",
    "port": "port",
    "verify": "verify",
    "probe": "probe",
    "cut-server": "cut_server",
    "relay": "relay",
}
"""The module of each command, in the order of the help text."""
_OF_OTHER_SERVERS: Final = {
    "--bind": "--host and --port, or --uds",
    "-b": "--host and --port, or --uds",
    "--certfile": "--cert",
    "--chdir": "--app-dir",
    "--graceful-timeout": "--grace",
    "--keyfile": "--key",
    "--threads": "--workers",
    "--timeout": "--worker-timeout",
    "--tls": "--cert and --key",
    "--worker-class": "--driver",
    "-k": "--driver",
}
"""Options of gunicorn, hypercorn and Sanic that are not near to ours in their spelling."""
_USAGE: Final = 2
"""The exit status of argparse for a command line that is not valid."""
_UNWRITABLE: Final = (errno.ENOSPC, errno.EDQUOT, errno.EPIPE, errno.EIO)


def main(argv: Sequence[str] | None = None) -> int:
    """Executes a command line.

    Args:
        argv: the arguments after the program's name; `sys.argv[1:]` by default.

    Returns:
        The exit status: 0 after a graceful stop, 3 after an error of the user; 1 if `port` finds something
        to change or a difference, if `probe` finds a failure, or if `check` finds what has to be edited.

    Raises:
        SystemExit: with 0 after `--help` and `--version`, with 2 for a command line that is not valid.
    """
    _open_streams()
    try:
        with _written():
            words = sys.argv[1:] if argv is None else argv
            try:
                return _carried_out(words)
            except SystemExit as leave:
                if leave.code == _USAGE and _MODULES.get("".join(words[:1])) == "run" and "--check" in words:
                    return FAILED  # it has two answers: 0, and this
                raise
    except (OSError, OutputError) as failure:
        cause = failure.reason if isinstance(failure, OutputError) else failure
        if cause.errno not in _UNWRITABLE or cause.filename is not None:
            raise
        _close_output()
        if cause.errno != errno.EPIPE:  # else the reader has enough, as in `| head`
            say(f"cannot write to standard output: {cause.strerror}")
        return FAILED


def _carried_out(argv: Sequence[str]) -> int:
    options = _parsed(argv)
    try:
        return int(options.carry_out(options) or 0)
    except ERRORS as error:
        can_force = options.name == "exec" or "--force-alias" in options.parser.format_help()
        shows = "traceback" in options and options.traceback
        return report(error, shows, can_force)
    except KeyboardInterrupt as error:
        if "traceback" in options and options.traceback:
            raise
        return interrupted(error)


def _parsed(argv: Sequence[str]) -> argparse.Namespace:
    parser = _Parser(prog="streamcompat", description=DESCRIPTION)
    parser.add_argument("--version", action=_Version, nargs=0, help="show the version, and end")
    parser.add_argument(
        "--print-completion",
        choices=("bash", "zsh", "fish", "tcsh"),
        action=_Completion,
        help="print a script by which a shell completes the command; needs the extra `completion`",
    )
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    if argv and not argv[0].startswith("-") and argv[0] not in _MODULES:
        parser.error(f"there is no command {argv[0]!r}{_meant(argv[0], list(_MODULES))}")
    wanted = [_MODULES[argv[0]]] if argv and argv[0] in _MODULES else dict.fromkeys(_MODULES.values())
    for module in wanted:
        importlib.import_module(f"streamcompat.cli.{module}").add_parser(commands)
    for name, one in commands.choices.items():
        one.set_defaults(parser=one, name=name)
    options, unknown = parser.parse_known_args(argv)
    options.argv = list(argv[1:])
    if unknown:
        guesses = [_option(one, options.parser.format_help()) for one in unknown]
        guess = next((f": did you mean {one}?" for one in guesses if one is not None), "")
        if not guess and "mount" in options.parser.format_help() and not unknown[0].startswith("-"):
            guess = f": another app is one more --mount, such as --mount /name={unknown[0]}"
        options.parser.error(f"unrecognized arguments: {' '.join(unknown)}{guess}")
    return options


class _Parser(argparse.ArgumentParser):
    """A parser whose help raises what the output raises; argparse passes over it."""

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        (sys.stdout if file is None else file).write(self.format_help())


class _Version(argparse.Action):
    """Prints the version, and ends; argparse's own passes over an output that cannot be written."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        print(f"streamcompat {__version__}")
        parser.exit(0)


class _Completion(argparse.Action):
    """Prints the script of a shell, and ends."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: object,
        option_string: str | None = None,
    ) -> None:
        try:
            import shtab
        except ImportError:
            say("--print-completion needs shtab: pip install 'streamcompat[completion]'")
            parser.exit(FAILED)
        if values not in shtab.SUPPORTED_SHELLS:
            say(f"--print-completion {values} needs a newer shtab")
            parser.exit(FAILED)
        print(shtab.complete(parser, str(values)))
        parser.exit(0)


def _meant(word: str, commands: list[str]) -> str:
    """What was meant by a word that is no command."""
    if word.endswith(".py") or ":" in word or Path(f"{word}.py").is_file():
        return f": did you mean `streamcompat run {word}`?"
    near = get_close_matches(word, commands, 1)
    return f": did you mean {near[0]!r}?" if near else f": there are {', '.join(commands)}"


def _option(word: str, text: str) -> str | None:
    """The option that is meant by a word, of those that a help text shows: what an option of another server
    is called, else the nearest."""
    same = _OF_OTHER_SERVERS.get(word.partition("=")[0])
    if same is not None and same.partition(" ")[0] in text:
        return same
    names = [name[2:] for name in re.findall(r"--[a-z][\w-]*", text)]
    near = get_close_matches(word.partition("=")[0].lstrip("-"), names, 1)
    return f"--{near[0]}" if word.startswith("-") and near else None


def _open_streams() -> None:
    """Open the null device for standard streams that are closed. Otherwise the next socket would get one of
    their numbers, and get what is printed; libuv aborts in that case."""
    for number, name, how in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # gets the lowest number that is free
            setattr(sys, name, open(number, how, closefd=False))


@contextlib.contextmanager
def _written() -> Iterator[None]:
    """Writes out at the end, so that a failure to do so is ours to report."""
    try:
        yield
    finally:
        sys.stdout.flush()


def _close_output() -> None:
    """Lets what is still buffered go nowhere: the interpreter would write it at its end, and complain."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, sys.stdout.fileno())
        os.close(nowhere)
