"""The command line of `streamcompat probe`; needs only the standard library until the command runs."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

DESCRIPTION = """\
Find stream routes of an app that depend on how the network cuts a request. No
test is needed: the probe sends each route bodies that it accepts, cut in many
ways, in many sizes, and from clients that disconnect. For each broken invariant
it shows the smallest counterexample and how to fix the handler.
"""
EXAMPLES = """\
examples:
  streamcompat probe app.py                          every stream route of the only app in a file
  streamcompat probe app.py --alias                  an app with `from sanic import Sanic`
  streamcompat probe app.py --route 'POST /upload' --body sample.json
  streamcompat probe app.py --report html > probe.html
"""


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Add `probe` to the commands."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "probe",
        help="find stream routes that depend on how the network cuts a request",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("target", metavar="TARGET", help="package.module:app or path/to/file.py:app")
    parser.add_argument(
        "--route",
        metavar="[METHOD ]PATH",
        action="append",
        default=[],
        help="only this route, spelled as registered, also if it does not stream its request; repeatable",
    )
    parser.add_argument(
        "--body",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a body that the routes accept; repeatable. By default the probe tries text, lines, JSON, "
        "forms, event streams, CSV, base64, gzip and binary bodies",
    )
    parser.add_argument(
        "--examples",
        metavar="N",
        type=_count,
        default=50,
        help="bodies for each route, each cut in many ways (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", metavar="S", type=int, default=0, help="seed for the bodies (default: %(default)s)"
    )
    parser.add_argument(
        "--report",
        choices=["text", "json", "html"],
        default="text",
        help="format of the report; html draws each counterexample as a picture (default: %(default)s)",
    )
    parser.add_argument(
        "--alias",
        action="store_true",
        help="let `import sanic` and `import mach9` find streamcompat, so that old apps run unedited",
    )
    parser.add_argument(
        "--traceback", action="store_true", help="show the full traceback if the app fails to import"
    )
    parser.set_defaults(force_alias=False)
    return parser


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a valid number of examples")
