"""All rules for today's Sanic, over one file."""

from __future__ import annotations

from streamcompat.porting.patches import scan_left, scan_texts_of_code
from streamcompat.porting.scan import Scan
from streamcompat.porting.to_sanic.apps import scan_apps
from streamcompat.porting.to_sanic.bodies import scan_bodies
from streamcompat.porting.to_sanic.compositions import find_compositions, take_apart
from streamcompat.porting.to_sanic.cookies import scan_cookies
from streamcompat.porting.to_sanic.decorators import give_requests
from streamcompat.porting.to_sanic.doubts import scan_doubts
from streamcompat.porting.to_sanic.requests import scan_requests
from streamcompat.porting.to_sanic.routes import scan_routes
from streamcompat.porting.to_sanic.streams import Sends, scan_streams
from streamcompat.porting.to_sanic.uses import scan_uses


def scan_for_sanic(scan: Scan) -> None:
    """Record the edits and the findings of a file."""
    give_requests(scan)
    scan_bodies(scan)
    Sends(scan)
    scan_apps(scan)
    scan_routes(scan)
    scan_requests(scan)
    scan_cookies(scan)
    scan_left(scan)
    scan_texts_of_code(scan)
    compositions = find_compositions(scan)
    scan_uses(scan)
    scan_streams(scan)
    for one in compositions:
        take_apart(scan, one)
    scan.find_mixed()
    scan_doubts(scan)
    for node, references in scan.roles.unseen.items():
        if references:
            scan.say(
                node,
                "unknown",
                f"`{scan.tree.code(node)}` is registered as a handler, but its definition cannot be found",
                "port the file together with the one that defines it, or register a function by its name",
            )
