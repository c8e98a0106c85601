"""`streamcompat verify`: compares two servers at addresses, or two apps."""

from __future__ import annotations

import argparse
import contextlib
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
ASGI application; apps run in memory. Of a server and an app, the
app is served at an address of its own. Both get the same generated requests (cut,
and from clients that leave), and the smallest one that shows a difference is
printed.
"""
EXAMPLES: Final = """\
examples:
  streamcompat verify http://127.0.0.1:8000 http://127.0.0.1:8001 --route 'POST /upload'
  streamcompat verify old_app.py fastapi_app.py --alias
  streamcompat verify old_app.py http://127.0.0.1:8001 --alias
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
        "<name:int> or {name}; the method WEBSOCKET for a WebSocket; repeatable",
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
    if is_url(options.before) or is_url(options.after):
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
    """Two servers, or one and an app, which is served at an address of its own."""
    from streamcompat.testing.remote.client import NoResponse, Unreachable
    from streamcompat.testing.remote.command import connected
    from streamcompat.verification import processes, servers

    apps = [one for one in (options.before, options.after) if not is_url(one)]
    if options.alias and not apps:
        options.parser.error("--alias is for apps, not for servers")
    try:
        with contextlib.ExitStack() as stack:
            urls = [
                one if is_url(one) else stack.enter_context(processes.served(one, options.alias))
                for one in (options.before, options.after)
            ]
            before, after = (stack.enter_context(connected(options, url)) for url in urls)
            return servers.run(
                before,
                after,
                servers.routes_of(options.route, *apps, alias=options.alias),
                requests=options.requests,
                headers=options.headers,
                ignore_headers=options.ignore_header,
                budget=options.budget,
            )
    except (BadAddress, NoResponse, Unreachable, servers.NoRoute) as error:
        raise CommandError(str(error)) from error
