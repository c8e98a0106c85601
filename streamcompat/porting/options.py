"""The command line of `streamcompat port`, which needs nothing but Python until it is carried out."""

from __future__ import annotations

import argparse
from typing import Any

DESCRIPTION = """\
Port apps from Sanic's streaming API (0.5 to 21.x) to Mach9's, without running
them. What cannot be ported as a whole handler is left as it is and reported,
with what to do by hand; such a file still runs.
"""
EXAMPLES = """\
examples:
  streamcompat port .                       show what would change
  streamcompat port . --write               change the files
  streamcompat port . --check               exit with 1 where something would change
  streamcompat port - --write < old.py      from standard input to standard output
  streamcompat port --verify old.py new.py --alias
                                            look for a request that the two
                                            answer differently
"""


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of requests")


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Adds `port` to the commands; the words are in the values of the namespace."""
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
        help="files and folders, ported together; what a .gitignore leaves out is left out. "
        "`-` for standard input",
    )
    parser.add_argument(
        "--from",
        dest="origin",
        choices=["auto", "sanic"],
        default="auto",
        help="auto looks at what imports Sanic's names; sanic takes any `request` for one of Sanic's "
        "(default: %(default)s)",
    )
    parser.add_argument("--to", choices=["mach9"], default="mach9", help="(default: %(default)s)")
    mode = parser.add_mutually_exclusive_group()
    for name, text in (
        ("diff", "show what would change and write nothing, which is the default"),
        ("check", "write nothing, and exit with 1 where something would change"),
        ("write", "change the files"),
    ):
        mode.add_argument(f"--{name}", dest="mode", action="store_const", const=name, help=text)
    parser.add_argument(
        "--report",
        choices=["text", "json", "github"],
        default="text",
        help="how to tell what is left alone; github is for annotations of a workflow (default: %(default)s)",
    )
    verify = parser.add_argument_group("proof")
    verify.add_argument(
        "--verify",
        nargs=2,
        metavar=("BEFORE", "AFTER"),
        help="two TARGETs as for `streamcompat run`: serve both in memory, send both the same generated "
        "requests, and show the smallest one that they answer differently",
    )
    verify.add_argument(
        "--requests", metavar="N", type=_count, default=100, help="to each route (default: %(default)s)"
    )
    verify.add_argument("--alias", action="store_true", help="as for `streamcompat run`")
    parser.set_defaults(mode="diff", traceback=False, usage_error=parser.error)
    return parser
