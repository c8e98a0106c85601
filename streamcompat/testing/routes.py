"""The routes of an app, each with a request target that reaches it.

The rule: no route is left out. A route has an empty target if no values were found for its parameters.
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from streamcompat.testing.cookies import Cookies

try:
    import hypothesis
    from hypothesis import strategies as st
except ImportError as _error:
    raise ImportError(
        "streamcompat.testing.routes needs Hypothesis: pip install 'streamcompat[testing]'"
    ) from _error

_VALUES: Final = ("x", "1", "1.0", "00000000-0000-0000-0000-000000000000", "x/y")
_PLAIN: Final = st.characters(codec="ascii", categories=["L", "N"], include_characters="._~@:-")
_IN_A_PATH: Final = st.characters(exclude_categories=["C"], exclude_characters="/?# ")
_NO_VALUES: Final = "no values were found for its parameters"
_IS_WEBSOCKET: Final = "it is a WebSocket, which has no body that could be cut"
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
        headers: fields of each request.
        why_not: why the route cannot be probed; empty if it can.
        where: the file and the line of its handler; an empty file if they are unknown.
    """

    method: str
    uri: str
    target: str
    host: str | None
    streams: bool
    headers: tuple[tuple[str, str], ...] = ()
    why_not: str = ""
    where: tuple[str, int] = ("", 0)

    @property
    def name(self) -> str:
        """The method and the path of the route."""
        return f"{self.method} {self.uri}"


@dataclass(frozen=True)
class Needs:
    """What the routes need beside a body.

    Attributes:
        headers: (name, value) of fields.
        query: what follows the `?`, percent-encoded.
        parameters: values for parameters of the paths, by name.
        cookies: those that earlier answers have set.
    """

    headers: tuple[tuple[str, str], ...] = ()
    query: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    cookies: Cookies = field(default_factory=Cookies)

    def fields(self, target: str) -> tuple[tuple[str, str], ...]:
        """The fields of a request for this target. A Cookie that was given is joined with the others."""
        given = [value for name, value in self.headers if name.lower() == "cookie"]
        sent = "; ".join([*given, *filter(None, [self.cookies.field(target)])])
        others = tuple(one for one in self.headers if one[0].lower() != "cookie")
        return (*others, ("Cookie", sent)) if sent else others


NOTHING: Final = Needs()


class NoSuchRoute(LookupError):
    """A requested route does not exist; the message lists the existing ones."""


def routes_of(app: Any, prefix: str = "", host: str | None = None, needs: Needs = NOTHING) -> list[Target]:
    """Every route of an app, or of each app of a site, once per method."""
    if hasattr(app, "mounts"):
        return [
            route
            for mount in app.mounts
            for route in routes_of(mount.app, prefix + mount.prefix, mount.host or host, needs)
        ]
    found: list[Target] = []
    for route in app.router.routes_all.values():
        if route.implied:
            continue
        path, why_not = _filled(route, needs.parameters)
        target = quote(prefix + path, safe=_SAFE) if path else ""
        if target and needs.query:
            target += f"?{needs.query}"
        for method, endpoint in route.endpoints.items():
            found.append(
                Target(
                    method or "POST",
                    prefix + route.uri,
                    target,
                    route.host or host,
                    endpoint.stream,
                    needs.fields(target),
                    _IS_WEBSOCKET if is_websocket(endpoint.handler) else why_not,
                    _where(endpoint.handler),
                )
            )
    return found


def is_websocket(handler: Any) -> bool:
    """Whether the handler of a route serves WebSockets."""
    return inspect.isfunction(handler) and "is_websocket" in vars(handler)


def _where(handler: Any) -> tuple[str, int]:
    function = inspect.unwrap(handler) if callable(handler) else handler
    if not inspect.isfunction(function):
        return "", 0
    return function.__code__.co_filename, function.__code__.co_firstlineno


def _filled(route: Any, given: Mapping[str, str]) -> tuple[str, str]:
    """The route's path with a value for each parameter, and why there is none."""
    path, end = "", 0
    places = list(re.finditer(r"<.+?>", route.uri))
    if len(places) != len(route.patterns):
        return "", _NO_VALUES
    for place, pattern in zip(places, route.patterns, strict=True):
        name = place[0][1:-1].partition(":")[0]
        value = given.get(name) or _value(pattern)
        if value is None:
            return "", f"{_NO_VALUES}: give one with --param {name}=..."
        path += route.uri[end : place.start()] + value
        end = place.end()
    path += route.uri[end:]
    if route.match(path) is None:
        return "", f"the route does not match {path}, which was made for it: give values with --param"
    return path, ""


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


def chosen(app: Any, wanted: Sequence[str], needs: Needs = NOTHING) -> list[Target]:
    """The routes to probe: the wanted ones, given as `/path` or `METHOD /path`; by default all stream routes.

    Raises: NoSuchRoute.
    """
    routes = routes_of(app, needs=needs)
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
