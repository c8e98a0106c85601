"""The routes of an app, and for each a request line that reaches it.

The rule: no route is left out; one for whose parameters no values were found has an empty target.
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
"""What stands in a path as it is (RFC 3986 §3.3)."""


@dataclass(frozen=True)
class Target:
    """A route and a request line that reaches it.

    Attributes:
        uri: as it was registered, with the prefix of its app.
        target: with a value for each of its parameters; empty where none were found.
        host: that it is for, where it is for one.
        streams: it reads its request's body as a stream.
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
    """A route that was asked for is not there; the text says which are."""


def routes_of(app: Any, prefix: str = "", host: str | None = None) -> list[Target]:
    """Every route of an app, or of a site's apps, once for each method."""
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
    """The route's path with a value for each parameter; `None` where none was found that fits."""
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
    """What matches it, in plain characters if that can be."""
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
    """The routes to probe: those that are named, as `/path` or `METHOD /path`; else all that stream.

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
