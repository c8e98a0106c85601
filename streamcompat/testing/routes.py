"""The routes of an app, each with a request target that reaches it.

The rule: no route is left out. A route has an empty target if no values were found for its parameters, and an
application whose routes cannot be listed stands for them.
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote

from streamcompat.serving.served_app import ServedApp
from streamcompat.serving.site import Site
from streamcompat.testing.applications import own
from streamcompat.testing.cookies import Cookies
from streamcompat.testing.frameworks import Listed, Parameter, framework_of
from streamcompat.testing.schemas import Described, described
from streamcompat.testing.wire import WITH_BODY

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
WEBSOCKET: Final = "WEBSOCKET"
"""Stands for the method of a WebSocket."""
_UNLISTED: Final = "its routes cannot be listed: give them with --route 'METHOD {prefix}/...'"
_ANY: Final = "*"
"""The method of an application whose routes cannot be listed."""
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
        takes_body: its requests have a body that its handler takes whole, or may.
        described: what the app's own document says of its requests.
    """

    method: str
    uri: str
    target: str
    host: str | None
    streams: bool
    headers: tuple[tuple[str, str], ...] = ()
    why_not: str = ""
    where: tuple[str, int] = ("", 0)
    takes_body: bool = False
    described: Described = Described()

    @property
    def is_probed(self) -> bool:
        """Whether it is probed where no routes are named."""
        return self.streams or self.takes_body or self.is_websocket

    @property
    def is_websocket(self) -> bool:
        """Whether it serves WebSockets; its method is `WEBSOCKET` then."""
        return self.method == WEBSOCKET

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


@dataclass(frozen=True)
class _Below:
    """The place of an app within others.

    Attributes:
        prefix: as registered.
        path: the same with a value for each parameter, quoted.
        why_not: why there is none.
    """

    prefix: str = ""
    path: str = ""
    host: str | None = None
    why_not: str = ""


def routes_of(app: Any, needs: Needs = NOTHING) -> list[Target]:
    """Every route of an app, or of each app of a site or within an application, once per method."""
    return _routes(app, needs, _Below())


def _routes(app: Any, needs: Needs, below: _Below) -> list[Target]:
    if isinstance(app, Site):
        return [
            route
            for mount in app.mounts
            for route in _routes(
                mount.app,
                needs,
                replace(
                    below,
                    prefix=below.prefix + mount.prefix,
                    path=below.path + quote(mount.prefix, safe=_SAFE),
                    host=mount.host or below.host,
                ),
            )
        ]
    if isinstance(app, ServedApp):
        return _of_flavour(app, needs, below)
    known = framework_of(own(app))
    if known is None:
        why_not = _UNLISTED.format(prefix=below.prefix)
        uri = f"{below.prefix}/*"
        return [Target(_ANY, uri, "", below.host, streams=True, why_not=why_not, where=_where(own(app)))]
    framework, application = known
    document = framework.document(application)
    found: list[Target] = []
    for one in framework.routes(application):
        found += _listed(one, needs, below, document)
    return found


def _listed(one: Listed, needs: Needs, below: _Below, document: Mapping[str, Any]) -> list[Target]:
    """The routes of an entry in the table of a framework."""
    path, why_not = _joined(one.parts, needs.parameters)
    here = _Below(
        below.prefix + one.path,
        below.path + quote(path, safe=_SAFE),
        one.host or below.host,
        below.why_not or why_not,
    )
    if not one.method:
        return _routes(one.handler, needs, here)
    method = WEBSOCKET if one.is_websocket else one.method
    found = _target(method, here, needs, one.streams, here.why_not, one.handler, method in WITH_BODY)
    path = "".join(part if isinstance(part, str) else f"{{{part.name}}}" for part in one.parts)
    return [_as_described(found, described(document, path, one.method), needs)]


def _as_described(route: Target, what: Described, needs: Needs) -> Target:
    """The route with the parameters and fields that its app's document requires, unless others are given."""
    target = route.target
    if target and what.query and not needs.query:
        target += f"?{what.query}"
    given = {name.lower() for name, _ in route.headers}
    fields = tuple(one for one in what.headers if one[0].lower() not in given)
    return replace(route, target=target, headers=route.headers + fields, described=what)


def _target(
    method: str,
    here: _Below,
    needs: Needs,
    streams: bool,
    why_not: str,
    handler: Any,
    takes_body: bool = False,
) -> Target:
    target = "" if here.why_not else here.path or "/"
    if target and needs.query:
        target += f"?{needs.query}"
    return Target(
        method,
        here.prefix or "/",
        target,
        here.host,
        streams,
        needs.fields(target),
        why_not,
        _where(handler),
        takes_body,
    )


def _joined(parts: Sequence[str | Parameter], given: Mapping[str, str]) -> tuple[str, str]:
    """A path with a value for each parameter, and why there is none."""
    path = ""
    for part in parts:
        value = part if isinstance(part, str) else given.get(part.name) or _value(part.pattern)
        if value is None:
            named = part.name if isinstance(part, Parameter) else ""
            return "", f"{_NO_VALUES}: give one with --param {named}=..." if named else _NO_VALUES
        path += value
    return path, ""


def _of_flavour(app: ServedApp, needs: Needs, below: _Below) -> list[Target]:
    found: list[Target] = []
    for route in app.router.routes_all.values():
        if route.implied:
            continue
        path, why_not = _filled(route, needs.parameters)
        here = _Below(
            below.prefix + route.uri,
            below.path + quote(path, safe=_SAFE),
            route.host or below.host,
            below.why_not or why_not,
        )
        for method, endpoint in route.endpoints.items():
            serves, streams = is_websocket(endpoint.handler), endpoint.stream
            name = WEBSOCKET if serves else method or "POST"
            found.append(_target(name, here, needs, streams and not serves, here.why_not, endpoint.handler))
    return found


def is_websocket(handler: Any) -> bool:
    """Whether the handler of a route serves WebSockets."""
    return inspect.isfunction(handler) and "is_websocket" in vars(handler)


def _where(handler: Any) -> tuple[str, int]:
    function = inspect.unwrap(handler) if callable(handler) else handler
    if not inspect.isfunction(function):  # a bound method, or an object
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
    """The routes to probe: the wanted ones, given as `/path` or `METHOD /path`; by default all stream routes,
    and of an ASGI application those whose method has a body.

    Raises: NoSuchRoute.
    """
    routes = routes_of(app, needs)
    if not wanted:
        return [route for route in routes if route.is_probed]
    found: list[Target] = []
    for name in wanted:
        matches = [route for route in routes if name in (route.uri, route.name)]
        found += matches or [_given(name, routes, needs)]
    return list(dict.fromkeys(found))


def _given(name: str, routes: Sequence[Target], needs: Needs) -> Target:
    """A route that is in no table, of an application whose routes cannot be listed.

    Raises: NoSuchRoute.
    """
    method, _, path = name.rpartition(" ")
    above = [one for one in routes if one.method == _ANY and path.startswith(one.uri.removesuffix("*"))]
    if not above:
        known = ", ".join(route.name for route in routes) or "none"
        raise NoSuchRoute(f"there is no route {name!r}: the app has {known}")
    if not method:
        raise NoSuchRoute(f"the routes of {above[0].uri} are not known: give the method of {path} too")
    parts: list[str | Parameter] = []
    for number, part in enumerate(re.split(r"[<{](\w+)[^<>{}]*[>}]", path)):
        parts.append(Parameter(part, "[^/]+") if number % 2 else part)
    filled, why_not = _joined(parts, needs.parameters)
    here = _Below(path, quote(filled, safe=_SAFE + "%?"), above[0].host, why_not)
    method = method.upper()
    return _target(method, here, needs, method != WEBSOCKET, why_not, None)
