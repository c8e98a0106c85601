"""`streamcompat verify`: compares two servers at addresses, or two apps."""

from __future__ import annotations

import argparse
import importlib.util
from typing import Final

from streamcompat.cli.errors import CommandError
from streamcompat.porting.options import add_verification
from streamcompat.testing.options import add_connecting, seconds
from streamcompat.testing.remote.address import BadAddress, is_url

DESCRIPTION: Final = """\
Search for a request to which two servers, or two apps, respond differently: an
old app on its original Python and its port, or an app before and after a
change. Servers may be in any language. An app may be of either flavour or any
ASGI application; apps run in memory. Both get the same generated requests (cut,
and from clients that leave), and the smallest one that shows a difference is
printed.
"""
EXAMPLES: Final = """\
examples:
  streamcompat verify http://127.0.0.1:8000 http://127.0.0.1:8001 --route 'POST /upload'
  streamcompat verify old_app.py fastapi_app.py --alias
  streamcompat verify shop.v1:app shop.v2:app --route 'POST /orders' --ignore-header etag

exit status: 0 if every request is answered alike, 1 for a difference, 4 if a route
was not checked to its end or there is none, 2 and 3 for a wrong command line or
what cannot be compared
"""


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser(
        "verify",
        help="search for a request to which two servers or apps respond differently",
        description=DESCRIPTION,
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "before", metavar="BEFORE", help="the URL of a server, or package.module:app or path/to/file.py:app"
    )
    parser.add_argument("after", metavar="AFTER", help="the same")
    parser.add_argument(
        "--route",
        metavar="'METHOD /PATH'",
        action="append",
        default=[],
        help="only this route, also one that no table lists; servers need at least one; parameters as "
        "<name:int> or {name}; repeatable",
    )
    parser.add_argument(
        "--ignore-header",
        metavar="NAME",
        action="append",
        default=[],
        help="a field of responses that may differ; repeatable",
    )
    parser.add_argument(
        "--patience",
        metavar="SECONDS",
        type=seconds,
        default=30.0,
        help="seconds that one answer of a server may take (default: %(default)g)",
    )
    add_connecting(parser)
    add_verification(parser)
    parser.set_defaults(carry_out=_verify, traceback=False, force_alias=False)


def _verify(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("hypothesis") is None:
        raise CommandError("this needs hypothesis: pip install 'streamcompat[testing]'")
    from streamcompat import verification
    from streamcompat.verification.requests import route_of

    for route in options.route:
        try:
            route_of(route)
        except ValueError as error:
            raise CommandError(f"--route {error}") from error
    urls = [is_url(one) for one in (options.before, options.after)]
    if any(urls):
        if not all(urls):
            options.parser.error("give two URLs or two apps: `streamcompat run` serves an app at a URL")
        return _verify_servers(options)
    return verification.run(
        options.before,
        options.after,
        requests=options.requests,
        alias=options.alias,
        headers=options.headers,
        budget=options.budget,
        only=options.route,
        ignore_headers=options.ignore_header,
    )


def _verify_servers(options: argparse.Namespace) -> int:
    from streamcompat.testing.remote.client import NoResponse, Unreachable
    from streamcompat.testing.remote.command import connected
    from streamcompat.verification import servers

    if options.alias:
        options.parser.error("--alias is for apps, not for servers")
    try:
        with connected(options, options.before) as before, connected(options, options.after) as after:
            return servers.run(
                before,
                after,
                options.route,
                requests=options.requests,
                headers=options.headers,
                ignore_headers=options.ignore_header,
                budget=options.budget,
            )
    except (BadAddress, NoResponse, Unreachable, servers.NoRoute) as error:
        raise CommandError(str(error)) from error
