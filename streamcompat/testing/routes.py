"""The routes of an app, each with a request target that reaches it.

The rule: no route is left out. A route has an empty target if no values were found for its parameters.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

try:
    import hypothesis
    from hypothesis import strategies as st
except ImportError as error:
    raise ImportError(
        "streamcompat.testing.routes needs Hypothesis: pip install 'streamcompat[testing]'"
    ) from error

_VALUES: Final = ("x", "1", "1.0", "00000000-0000-0000-0000-000000000000", "x/y")
_PLAIN: Final = st.characters(codec="ascii", categories=["L", "N"], include_characters="._~@:-")
_IN_A_PATH: Final = st.characters(exclude_categories=["C"], exclude_characters="/?# ")
_SAFE: Final = "/@:!$&'()*+,;=~"
"""Characters that a path may contain unescaped (RFC 3986 §3.3)."""


@dataclass(frozen=True)
class Target:
    """A route and a request target that reaches it.

    Attributes:
        uri: the pattern as registered, with the prefix of the app.
        target: the path with a value for each parameter; empty if no values were found.
        host: the host of the route, or `None` for any host.
        streams: the handler reads the request's body as a stream.
    """

    method: str
    uri: str
    target: str
    host: str | None
    streams: bool

    @property
    def name(self) -> str:
        return f"{self.method} {self.uri}"


class NoSuchRoute(LookupError):
    """A requested route does not exist; the message lists the existing ones."""


def routes_of(app: Any, prefix: str = "", host: str | None = None) -> list[Target]:
    """Every route of an app, or of each app of a site, once per method."""
    if hasattr(app, "mounts"):
        return [
            route
            for mount in app.mounts
            for route in routes_of(mount.app, prefix + mount.prefix, mount.host or host)
        ]
    found: list[Target] = []
    for route in app.router.routes_all.values():
        if route.implied:
            continue
        path = _filled(route)
        target = "" if path is None else quote(prefix + path, safe=_SAFE)
        for method, endpoint in route.endpoints.items():
            found.append(
                Target(method or "POST", prefix + route.uri, target, route.host or host, endpoint.stream)
            )
    return found


def _filled(route: Any) -> str | None:
    """The route's path with a value for each parameter; `None` if no fitting values were found."""
    path, end = "", 0
    places = list(re.finditer(r"<.+?>", route.uri))
    if len(places) != len(route.patterns):
        return None
    for place, pattern in zip(places, route.patterns, strict=True):
        value = _value(pattern)
        if value is None:
            return None
        path += route.uri[end : place.start()] + value
        end = place.end()
    path += route.uri[end:]
    return path if route.match(path) is not None else None


def _value(pattern: str) -> str | None:
    """A string that matches the pattern, of plain characters if possible."""
    if value := next((value for value in _VALUES if re.fullmatch(pattern, value)), None):
        return value
    for characters in (_PLAIN, _IN_A_PATH):
        with contextlib.suppress(hypothesis.errors.HypothesisException):
            return hypothesis.find(
                st.from_regex(pattern, fullmatch=True, alphabet=characters),
                lambda _: True,
                settings=hypothesis.settings(database=None, derandomize=True),
            )
    return None


def chosen(app: Any, wanted: Sequence[str]) -> list[Target]:
    """The routes to probe: the wanted ones, given as `/path` or `METHOD /path`; by default all stream routes.

    Raises: NoSuchRoute.
    """
    routes = routes_of(app)
    if not wanted:
        return [route for route in routes if route.streams]
    found: list[Target] = []
    for name in wanted:
        matches = [route for route in routes if name in (route.uri, route.name)]
        if not matches:
            known = ", ".join(route.name for route in routes) or "none"
            raise NoSuchRoute(f"there is no route {name!r}: the app has {known}")
        found += matches
    return list(dict.fromkeys(found))
