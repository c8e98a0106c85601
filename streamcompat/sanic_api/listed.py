"""The routes as Sanic 21 lists them: `app.router.routes` and `app.router.groups`.

The rule: they are made when they are asked for, and requests do not go by them: what is changed in the list
changes no route.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Final, NamedTuple

from streamcompat.kernel.routes.endpoints import Endpoint
from streamcompat.kernel.routes.parameters import PARAMETER
from streamcompat.kernel.routes.router import Route, Router
from streamcompat.kernel.routes.views import Handler

__all__ = ["ListedParameter", "ListedRoute", "RouteGroup", "groups_of"]


_FILES: Final = "<file_uri:/?.+>"
_NUMBERS: Final[Mapping[str, Callable[[str], object]]] = {"int": int, "float": float, "number": float}


class ListedParameter(NamedTuple):
    """A parameter of a path: its type is `label`, or an expression, and `cast` makes the value."""

    name: str
    raw_path: str
    label: str
    cast: Callable[[str], object]
    pattern: re.Pattern[str]
    regex: bool


class ListedRoute:
    """One handler of one path.

    Attributes:
        name: `app.blueprint.handler`.
        path: without the slash at its begin, each parameter with its type; `raw_path` as registered.
        parts: the path's segments.
        params: by the index of the segment.
        strict: a slash at the end makes another path.
        ctx: the values that the decorator was given as `ctx_NAME=`.
    """

    def __init__(self, name: str, route: Route, endpoint: Endpoint, methods: frozenset[str], strict: bool):
        self.name = name
        self.handler: Handler = endpoint.handler
        self.methods = methods
        self.strict = strict
        self.requirements: Mapping[str, str] = {"host": route.host} if route.host else {}
        self.ctx: SimpleNamespace = SimpleNamespace(**endpoint.context or {})
        raw = route.uri[1:]
        if route.uri.endswith(_FILES):
            raw, self.strict = f"{raw.removesuffix(_FILES).rstrip('/')}/<__file_uri__:path>", False
        self.raw_path: str = raw if self.strict else raw.rstrip("/")
        self.path: str = PARAMETER.sub(_typed, self.raw_path)
        # A slash in an expression ends no segment.
        pieces = PARAMETER.sub(lambda found: found[0].replace("/", "\0"), self.path).split("/")
        self.parts: tuple[str, ...] = tuple(piece.replace("\0", "/") for piece in pieces)
        self.params: dict[int, ListedParameter] = {}
        indices = [index for index, part in enumerate(self.parts) for _ in PARAMETER.findall(part)]
        texts = PARAMETER.findall(self.path)
        for index, text, (_, cast), pattern in zip(
            indices, texts, route.parameters, route.patterns, strict=True
        ):
            name, _, label = text.partition(":")
            self.params[index] = ListedParameter(
                name,
                self.raw_path,
                label,
                _NUMBERS.get(label, cast),
                re.compile(pattern),
                not label.isidentifier(),
            )

    @property
    def uri(self) -> str:
        """The path with the slash at its begin."""
        return f"/{self.path}"

    @property
    def static(self) -> bool:
        """Whether it has no parameters."""
        return not self.params

    @property
    def regex(self) -> bool:
        """Whether a parameter is an expression."""
        return any(one.regex for one in self.params.values())

    @property
    def segments(self) -> tuple[str, ...]:
        """The path's segments, of parameters the types alone."""
        return tuple(
            f"<__dynamic__:{self.params[index].label}>" if index in self.params else part
            for index, part in enumerate(self.parts)
        )

    def __repr__(self) -> str:
        return f"<Route: name={self.name} path={self.path or '/'}>"


class RouteGroup:
    """The routes of one path; what they have in common, such as `path` and `params`, is its own too."""

    def __init__(self, routes: tuple[ListedRoute, ...]) -> None:
        self.routes = routes
        first = routes[0]
        self.path, self.raw_path, self.uri = first.path, first.raw_path, first.uri
        self.parts, self.segments = first.parts, first.segments
        self.params, self.strict, self.regex = first.params, first.strict, first.regex

    def __iter__(self) -> Iterator[ListedRoute]:
        return iter(self.routes)

    def __getitem__(self, index: int) -> ListedRoute:
        return self.routes[index]

    def __len__(self) -> int:
        return len(self.routes)

    def __repr__(self) -> str:
        return f"<RouteGroup: path={self.path or '/'} len={len(self.routes)}>"


def groups_of(router: Router, app: str) -> dict[tuple[str, ...], RouteGroup]:
    """All groups, by their `segments`: those without parameters first, then those without expressions; in a
    group the last registered route first.

    Args:
        app: the name of the app, which those of the routes begin with.
    """
    listed: dict[tuple[str, ...], list[ListedRoute]] = {}
    for route in router.routes_all.values():
        if route.implied:
            continue
        other = route.uri[:-1] if route.uri.endswith("/") else f"{route.uri}/"
        twin = router.routes_all.get((route.host or "") + other)
        strict = (twin is None or not twin.implied) and route.uri != "/"
        methods: dict[Endpoint, set[str]] = {}
        by_handler: dict[tuple[int, str], Endpoint] = {}
        for method, endpoint in route.endpoints.items():
            kept = by_handler.setdefault((id(endpoint.handler), endpoint.route_name), endpoint)
            methods.setdefault(kept, set()).update({method} if method else ())
        for endpoint, names in methods.items():
            name = f"{app}.{endpoint.route_name}"
            one = ListedRoute(name, route, endpoint, frozenset(names), strict)
            listed.setdefault(one.segments, []).insert(0, one)
    groups = [RouteGroup(tuple(routes)) for routes in listed.values()]
    groups.sort(key=lambda group: (group.regex, bool(group.params)))
    return {group.segments: group for group in groups}


def _typed(parameter: re.Match[str]) -> str:
    text = parameter[1]
    return f"<{text}>" if ":" in text else f"<{text}:str>"
