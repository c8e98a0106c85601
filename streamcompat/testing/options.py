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
  streamcompat probe app.py --header 'Authorization: Bearer x' --param user=ada
  streamcompat probe app.py --report html > probe.html
  streamcompat probe --url http://127.0.0.1:8000 --route 'POST /upload'
  streamcompat probe --url http://127.0.0.1:8000 --protocol

exit status: 0 if everything holds, 1 if something is broken, 4 if something was
not checked, 2 and 3 for a wrong command line or an app that does not load
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
    parser.add_argument(
        "target", metavar="TARGET", nargs="?", help="package.module:app or path/to/file.py:app"
    )
    _add_server(parser)
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
    _add_needs(parser)
    _add_effort(parser)
    _add_reports(parser)
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


def _add_server(parser: argparse.ArgumentParser) -> None:
    """Add the options for a server at an address, instead of an app."""
    parser.add_argument(
        "--url",
        metavar="URL",
        help="probe the server that listens there, in any language, instead of an app: http, https, or "
        "http+unix://%%2Fpath%%2Fof%%2Fsocket; each --route is METHOD /path",
    )
    parser.add_argument(
        "--protocol",
        action="store_true",
        help="check how the server at --url keeps the rules of HTTP/1.1, instead of its routes; --route "
        "names what answers a GET and a POST (default: / of both)",
    )
    parser.add_argument(
        "--check",
        metavar="NAME",
        action="append",
        default=[],
        help="with --protocol: only this rule, those of this section ('9112 §6.3') or level (must, should); "
        "repeatable",
    )
    parser.add_argument("--checks", action="store_true", help="with --protocol: list the rules")
    parser.add_argument(
        "--against",
        metavar="URL",
        help="with --protocol: look for requests that this other server reads differently",
    )
    add_connecting(parser)


def add_connecting(parser: argparse.ArgumentParser) -> None:
    """Add the options for connections to servers."""
    parser.add_argument(
        "--remote", action="store_true", help="allow servers on other machines; they must be yours"
    )
    parser.add_argument(
        "--rate",
        metavar="N",
        type=seconds,
        help="connections per second at the most (default: 400 to this machine, 10 to others)",
    )
    parser.add_argument(
        "--insecure", action="store_true", help="do not check the certificates of other machines"
    )


def _add_needs(parser: argparse.ArgumentParser) -> None:
    """Add the options for what routes need beside a body."""
    parser.add_argument(
        "--header",
        metavar="'NAME: VALUE'",
        type=_header,
        action="append",
        default=[],
        help="a field of each request; repeatable",
    )
    parser.add_argument("--content-type", metavar="TYPE", help="the Content-Type of each request")
    parser.add_argument(
        "--cookie",
        metavar="NAME=VALUE",
        type=_pair,
        action="append",
        default=[],
        help="a cookie of each request; repeatable",
    )
    parser.add_argument(
        "--query",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="a part of each request's query, percent-encoded; repeatable",
    )
    parser.add_argument(
        "--param",
        metavar="NAME=VALUE",
        type=_pair,
        action="append",
        default=[],
        help="the value of a parameter in the paths of routes; repeatable",
    )
    parser.add_argument(
        "--setup",
        metavar="FILE",
        type=Path,
        help="requests in TOML that come first, such as a login: their cookies are kept, and ${NAME} in the "
        "options above is a value that they take from their answers",
    )


def _add_effort(parser: argparse.ArgumentParser) -> None:
    """Add the options for how long to search."""
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
        "--patience",
        metavar="SECONDS",
        type=seconds,
        default=30.0,
        help="seconds after which a handler hangs; its own sleeps take no real time (default: %(default)g)",
    )
    parser.add_argument(
        "--budget",
        metavar="SECONDS",
        type=seconds,
        help="seconds after which the probe ends, and reports what it has found",
    )
    parser.add_argument(
        "-j",
        "--jobs",
        metavar="N",
        type=_count,
        default=1,
        help="processes that probe the routes, each with an app of its own (default: %(default)s)",
    )


def _add_reports(parser: argparse.ArgumentParser) -> None:
    """Add the options for the report and the exit status."""
    parser.add_argument(
        "--report",
        choices=["text", "json", "html", "junit", "github"],
        default="text",
        help="format of the report; html draws each counterexample as a picture, junit and github are for "
        "continuous integration (default: %(default)s)",
    )
    parser.add_argument(
        "--baseline",
        metavar="FILE",
        type=Path,
        help="an earlier report in JSON: only failures that it does not have count",
    )
    parser.add_argument(
        "--allow-unchecked",
        action="store_true",
        help="exit with 0 also if there is no stream route, or one that could not be checked",
    )


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip() or any(character in text for character in "\r\n"):
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form 'Name: value'")
    return name.strip(), value.strip()


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise argparse.ArgumentTypeError(f"{text!r} is not of the form name=value")
    return name, value


def seconds(text: str) -> float:
    """A positive number of seconds, or of anything else. Raises: ArgumentTypeError."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if 0 < number < float("inf"):
        return number
    raise argparse.ArgumentTypeError(f"{text!r} is not a positive number of seconds")


def _count(text: str) -> int:
    if text.isascii() and text.isdigit() and int(text) > 0:
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 up")
