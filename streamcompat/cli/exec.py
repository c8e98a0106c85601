"""`streamcompat exec`: execute a Python program in which `import sanic` and `import mach9` find streamcompat.

The rule: the program is an ordinary `python ARGUMENTS`, and so are the Python programs that it starts itself.
Nothing is installed but a folder on their PYTHONPATH, or two.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from streamcompat import aliases
from streamcompat.aliases.removed import START
from streamcompat.cli.errors import CommandError

USAGE: Final = (
    "streamcompat exec [--force-alias] [--old-python] [--compat RELEASE] "
    "{SCRIPT | -m MODULE | -c CODE} [ARGUMENTS ...]"
)
DESCRIPTION: Final = """\
Execute a Python program in which `import sanic` and `import mach9` find
streamcompat, also in the Python programs that it starts. What follows `exec` is
what would follow `python`.
"""
EPILOG: Final = """\
options:
  --force-alias     the same, even where the real package is installed
  --old-python      give back what Python itself has removed since the program was written
  --compat RELEASE  the release of Sanic whose behaviour applies where releases contradict each
                    other, such as 0.5 or 20.12 (default: 0.8)

examples:
  streamcompat exec main.py --port 9000       an old script that ends with `app.run(...)`
  streamcompat exec -m pytest tests           the tests of an old app
  streamcompat exec -m sanic shop.web.app     Sanic's own command line
  streamcompat exec --compat 20.12 main.py    a program of a later release
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    # No argument of the program may be taken for an option of ours, so no prefix makes an option here.
    parser = commands.add_parser(
        "exec",
        help="execute an old script, or old tests, unedited",
        usage=USAGE,
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        prefix_chars="\0",
        add_help=False,
    )
    parser.add_argument("arguments", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    parser.set_defaults(carry_out=_exec, traceback=False)


def _exec(options: argparse.Namespace) -> int:
    arguments: list[str] = options.arguments
    given, release = _own(options, arguments)
    if arguments[:1] in (["-h"], ["--help"]):
        options.parser.print_help()
        return 0
    if not arguments:
        options.parser.error("give a SCRIPT, or -m MODULE")
    _check(arguments, "--force-alias" in given)
    sys.stdout.flush()
    environment = os.environ | {"PYTHONPATH": _search_path("--old-python" in given)}
    if release is not None:
        environment[aliases.RELEASE] = release
    command = [sys.executable, *arguments]
    if sys.platform == "win32":  # its exec returns to the shell at once
        return subprocess.call(command, env=environment)
    os.execve(sys.executable, command, environment)


def _own(options: argparse.Namespace, arguments: list[str]) -> tuple[set[str], str | None]:
    """Takes the options that stand before the program; gives the switches and the release."""
    given: set[str] = set()
    release: str | None = None
    while arguments[:1]:
        name, equals, value = arguments[0].partition("=")
        if name == "--compat":
            del arguments[0]
            if not equals:
                value = arguments.pop(0) if arguments else ""
            try:
                from streamcompat.sanic_api.versions import checked  # imports the flavour

                release = checked(value)
            except ValueError as error:
                options.parser.error(f"argument --compat: {error}")
        elif arguments[0] in ("--force-alias", "--old-python"):
            given.add(arguments.pop(0))
        else:
            break
    return given, release


def _search_path(old_python: bool) -> str:
    before = os.environ.get("PYTHONPATH")
    ours = [str(aliases.STAND_INS), *([str(START)] if old_python else [])]
    return os.pathsep.join(ours + ([before] if before else []))


def _check(arguments: Sequence[str], force: bool) -> None:
    """Raises CommandError for a script that is not there, and AliasError for a real package in the way."""
    script = None if arguments[0].startswith("-") else Path(arguments[0])
    if script is not None and not script.exists():
        module = arguments[0].replace("-", "_")
        known = module.isidentifier() and aliases.real_package(module) is not None
        hint = f": for the module, streamcompat exec -m {module}" if known else ""
        raise CommandError(f"there is no file {arguments[0]}{hint}")
    # Python itself looks there before it looks at PYTHONPATH.
    first = str(Path.cwd() if script is None else script.resolve().parent)
    for name in aliases.FACADES:
        if (origin := aliases.real_package(name, [first])) is not None:
            raise CommandError(
                f"{name} is a package beside the program, at {origin}, which Python finds first: rename it"
            )
        if not force and (origin := aliases.real_package(name)) is not None:
            found = f"a real package {name} is installed, at {origin}"
            raise aliases.AliasError(found, name=name, installed=found)
