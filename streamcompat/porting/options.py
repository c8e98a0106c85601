"""The command line of `streamcompat port`; needs only the standard library until the command runs."""

from __future__ import annotations

import argparse
import sys
from typing import Any

DESCRIPTION = """\
Port apps from Sanic's streaming API (0.5 to 21.x) to Mach9's, or to today's
Sanic, without running them. A handler that cannot be ported completely is left unchanged and reported,
with what to do by hand; the file still runs.
"""
EXAMPLES = """\
examples:
  streamcompat port .                       show what would change
  streamcompat port . --write               change the files
  streamcompat port . --to sanic            show it for today's Sanic
  streamcompat port . --check               exit with 1 if something would change
  streamcompat port - --write < old.py      from standard input to standard output
  streamcompat port . --statistics          count the findings by their reason
  streamcompat port --verify old.py new.py --alias
                                            search for a request to which the
                                            two apps respond differently
  streamcompat port --to sanic --verify old.py new.py --python venv/bin/python
                                            the same, with the new app on the
                                            real Sanic

exit status: 0 nothing to do, 1 something would change (--check) or differs
(--verify), 2 usage, 3 a file failed, 4 something changes and something is unknown
"""


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1")


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if colon and name.strip():
        return name.strip(), value.strip()
    raise argparse.ArgumentTypeError(f"{text!r} is not a header field: write 'Name: value'")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add `port` to the commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "port",
        help="port apps from Sanic's streaming API to Mach9's",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="*",
        help="files and folders to port together, without files that a .gitignore excludes; "
        "and without what `exclude` in [tool.streamcompat.port] of pyproject.toml names; "
        "`-` for standard input",
    )
    parser.add_argument(
        "--from",
        dest="origin",
        choices=["auto", "sanic"],
        default="auto",
        help="auto ports files that import Sanic; sanic treats every `request` as Sanic's, even without an "
        "import (default: %(default)s)",
    )
    parser.add_argument(
        "--to",
        choices=["mach9", "sanic"],
        default="mach9",
        help="the API to port to: Mach9's, or today's Sanic, release 25.12 (default: %(default)s)",
    )
    mode = parser.add_mutually_exclusive_group()
    for name, text in (
        ("diff", "show what would change and write nothing (the default)"),
        ("check", "write nothing, and exit with 1 if something would change"),
        ("write", "change the files"),
    ):
        mode.add_argument(f"--{name}", dest="mode", action="store_const", const=name, help=text)
    parser.add_argument(
        "--report",
        choices=["text", "json", "github"],
        default="text",
        help="format of the report; github prints annotations for a workflow (default: %(default)s)",
    )
    parser.add_argument(
        "--statistics", action="store_true", help="also count the findings of the report by their reason"
    )
    _add_proof(parser)
    parser.set_defaults(mode="diff", traceback=False, usage_error=parser.error)
    return parser


def _add_proof(parser: argparse.ArgumentParser) -> None:
    verify = parser.add_argument_group("verification")
    verify.add_argument(
        "--verify",
        nargs=2,
        metavar=("BEFORE", "AFTER"),
        help="as `streamcompat verify BEFORE AFTER`: serve both in memory, send both the same generated "
        "requests, and show the smallest request to which they respond differently",
    )
    verify.add_argument(
        "--python",
        metavar="PATH",
        default=sys.executable,
        help="with `--to sanic`: the Python in whose environment today's Sanic is installed; it serves AFTER "
        "(default: this one)",
    )
    add_verification(verify)


def add_verification(parser: argparse._ActionsContainer) -> None:
    """Add the options of a comparison of two apps."""
    parser.add_argument(
        "--requests",
        metavar="N",
        type=_count,
        default=100,
        help="requests to each route (default: %(default)s)",
    )
    parser.add_argument(
        "--header",
        metavar="'NAME: VALUE'",
        dest="headers",
        type=_header,
        action="append",
        default=[],
        help="a header field of every request; may be given several times",
    )
    parser.add_argument(
        "--budget",
        metavar="SECONDS",
        type=_count,
        default=600,
        help="seconds after which no further request is sent (default: %(default)s)",
    )
    parser.add_argument("--alias", action="store_true", help="as for `streamcompat run`")
