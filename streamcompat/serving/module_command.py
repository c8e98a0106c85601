"""`python -m sanic module.app`: the command line that Sanic had, and its options.

The rule: what it takes is what Sanic 0.5 to 21.12 took, as far as it concerns how the app is made and served.
Everything else is `streamcompat run`.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
from collections.abc import Sequence

from streamcompat.serving import targets

FAILED = 3
"""The exit status for an app that cannot be served, as of `streamcompat run`."""


def main(prog: str, argv: Sequence[str] | None = None) -> int:
    """Serves the app that the arguments name, until SIGINT or SIGTERM; returns the exit status.

    What the module's own `app.run(...)` says applies where the arguments say nothing.

    Args:
        argv: `sys.argv[1:]` by default.
    Raises: SystemExit: with 2 for arguments that are not valid.
    """
    given = vars(_parser(prog).parse_args(argv))
    target = str(given.pop("module"))
    certificate = {name: given.pop(name) for name in ("cert", "key") if name in given}
    if certificate:
        given["ssl"] = certificate
    try:
        loaded = targets.load_module(_target(target, given.pop("factory", False)))
    except targets.TargetError as error:
        with contextlib.suppress(OSError):  # the exit status tells
            print(f"{prog}: {error}", file=sys.stderr)  # noqa: T201
        return FAILED
    own = [run.options.given() for run in loaded.runs if run.app is loaded.app]
    loaded.app.run(**(own[-1] if own else {}) | given)
    return 0


def _parser(prog: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=prog, argument_default=argparse.SUPPRESS)
    parser.add_argument("-H", "--host", help="default: 127.0.0.1")
    parser.add_argument("-p", "--port", type=int, help="default: 8000")
    parser.add_argument("-u", "--unix", help="the path of a Unix socket, instead of host and port")
    parser.add_argument("--cert", help="the file with the certificate for TLS")
    parser.add_argument("--key", help="the file with its key")
    parser.add_argument("-w", "--workers", type=int, help="processes that serve (default: 1)")
    parser.add_argument("--debug", action="store_true", help="show tracebacks in error pages")
    parser.add_argument(
        "--tls", metavar="DIR", dest="ssl", help="the folder with fullchain.pem and privkey.pem"
    )
    parser.add_argument("--fast", action="store_true", help="as many workers as there are processors")
    logs = "--access-logs", "--access-log"
    parser.add_argument(*logs, dest="access_log", action="store_true", help="log each request")
    parser.add_argument(
        "--no-access-logs", "--no-access-log", dest="access_log", action="store_false", help="log none"
    )
    parser.add_argument("--factory", action="store_true", help="the module's function makes the app")
    parser.add_argument("module", help="package.module.app, or package.module:app as later releases had it")
    return parser


def _target(module: str, factory: bool) -> str:
    """`package.module.app` as a TARGET; what has a colon or is a file is one already."""
    if ":" not in module and "." in module and not module.endswith(".py"):
        module = "{}:{}".format(*module.rsplit(".", 1))
    return f"{module}()" if factory and not module.endswith(")") else module
