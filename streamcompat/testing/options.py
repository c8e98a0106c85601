"""The command line of `streamcompat probe`, which needs nothing but Python until it is carried out."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

DESCRIPTION = """\
Look for what the network's cuts do to an app's stream routes, without a test
to write: each route is sent bodies that it takes, cut in many ways, of many
sizes, and by clients that leave. For each invariant that does not hold, the
smallest counterexample is shown, and how to mend it.
"""
EXAMPLES = """\
examples:
  streamcompat probe app.py                          every stream route of the only app of a file
  streamcompat probe app.py --alias                  of an app that says `from sanic import Sanic`
  streamcompat probe app.py --route 'POST /upload' --body sample.json
  streamcompat probe app.py --report html > probe.html
"""


def add_parser(commands: Any) -> argparse.ArgumentParser:
    """Adds `probe` to the commands; the words are in the values of the namespace."""
    parser: argparse.ArgumentParser = commands.add_parser(
        "probe",
        help="find what the network's cuts do to an app's stream routes",
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
        help="only this route, as it was registered; repeatable. Also one that does not stream its request",
    )
    parser.add_argument(
        "--body",
        metavar="FILE",
        type=Path,
        action="append",
        default=[],
        help="a body that the routes take; repeatable. Without any, text, lines, JSON, forms, event streams, "
        "CSV, base64, gzip and binary bodies are tried",
    )
    parser.add_argument(
        "--examples",
        metavar="N",
        type=_count,
        default=50,
        help="bodies for each route, each in many cuts (default: %(default)s)",
    )
    parser.add_argument(
        "--seed", metavar="S", type=int, default=0, help="for other bodies (default: %(default)s)"
    )
    parser.add_argument(
        "--report",
        choices=["text", "json", "html"],
        default="text",
        help="html shows each counterexample as a picture (default: %(default)s)",
    )
    parser.add_argument(
        "--alias",
        action="store_true",
        help="let `import sanic` and `import mach9` find streamcompat, so that old apps run unedited",
    )
    parser.add_argument(
        "--traceback", action="store_true", help="show the whole traceback where an app fails to import"
    )
    parser.set_defaults(force_alias=False)
    return parser


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is no number of examples")
