"""Sanic's router."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator
from dataclasses import replace
from inspect import Parameter as Argument
from inspect import signature
from types import SimpleNamespace
from typing import Any, Final

from streamcompat.kernel.routes import router as kernel
from streamcompat.kernel.routes.endpoints import RouteOptions
from streamcompat.kernel.routes.parameters import REGEX_TYPES, Parameter
from streamcompat.kernel.routes.router import Route, RouteDoesNotExist, RouteExists
from streamcompat.kernel.routes.views import Handler
from streamcompat.sanic_api.dialect import SANIC
from streamcompat.sanic_api.listed import ListedRoute, RouteGroup, groups_of
from streamcompat.sanic_api.overridden import warn_of_overridden

__all__ = [
    "REGEX_TYPES",
    "Parameter",
    "Route",
    "RouteDoesNotExist",
    "RouteExists",
    "Router",
    "url_hash",
]

_OF_21: Final = ("stream", "unquote", "static", "version_prefix", "error_format")


def url_hash(url: str) -> int:
    """The number of slashes in a path, by which `routes_dynamic` has its lists."""
    return url.count("/")


def _open(patterns: Iterable[str]) -> Iterator[str]:
    return (pattern for pattern in patterns if not pattern.startswith("[^/]"))


class Router(kernel.Router):
    """The routes of one application.

    A subclass may override `add`, with the arguments of any release, and `get`.

    Attributes:
        ctx: `app` is the app that it belongs to.
    """

    def __init__(self) -> None:
        super().__init__(SANIC)
        self._registered: RouteOptions | None = None
        self.ctx: SimpleNamespace = SimpleNamespace()

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overridden(cls, "Router")

    def reset(self) -> None:
        """Does nothing, for tests that call it: routes can be registered at any time."""

    def register(
        self,
        uri: str,
        methods: Collection[str] | None,
        handler: Handler,
        host: str | Iterable[str] | None,
        strict_slashes: bool,
        version: object,
        options: RouteOptions,
    ) -> None:
        if "add" not in vars(self) and type(self).add is Router.add:
            super().register(uri, methods, handler, host, strict_slashes, version, options)
            return
        given: dict[str, Any] = {
            "host": host,
            "strict_slashes": strict_slashes,
            "version": version,
            "name": options.name,
        }
        given |= {name: getattr(options, name) for name in _OF_21}
        takes = signature(self.add).parameters
        if not any(one.kind is Argument.VAR_KEYWORD for one in takes.values()):
            given = {name: value for name, value in given.items() if name in takes}
        self._registered = options
        try:
            self.add(uri, methods, handler, **given)
        finally:
            self._registered = None

    def add(
        self,
        uri: str,
        methods: Collection[str] | None,
        handler: Handler,
        host: str | Iterable[str] | None = None,
        strict_slashes: bool = False,
        version: object = None,
        name: str | None = None,
        *,
        options: RouteOptions | None = None,
        **of_21: Any,
    ) -> None:
        """As in the kernel.

        Args:
            options: all that a decorator was told; by default those of the decorator that this is called for.
            of_21: `stream`, `unquote`, `static`, `version_prefix` and `error_format`, in their place;
                `ignore_body` has no effect.
        Raises: as in the kernel; TypeError: another argument.
        """
        of_21.pop("ignore_body", None)
        if unknown := sorted(of_21.keys() - set(_OF_21)):
            raise TypeError(f"add() got an unexpected keyword argument {unknown[0]!r}")
        changed = {key: value for key, value in {"name": name, **of_21}.items() if value is not None}
        chosen = options or self._registered or RouteOptions()
        if changed:
            chosen = replace(chosen, **changed)
        super().add(uri, methods, handler, host, strict_slashes, version, options=chosen)

    @property
    def groups(self) -> dict[tuple[str, ...], RouteGroup]:
        """The routes of each path, as Sanic 21 lists them."""
        return groups_of(self, self.ctx.app.name)

    @property
    def routes(self) -> tuple[ListedRoute, ...]:
        """All routes, as Sanic 21 lists them."""
        return tuple(route for group in self.groups.values() for route in group)

    @property
    def routes_static(self) -> dict[Any, Any]:
        """The routes without parameters: by path, or since 21.3 as in `groups`."""
        if self._lists_groups:
            return {key: group for key, group in self.groups.items() if not group.params}
        return {uri: route for uri, route in self.routes_all.items() if not route.parameters}

    @property
    def routes_dynamic(self) -> dict[Any, Any]:
        """The routes whose parameters hold no slash: lists by `url_hash`, or since 21.3 as in `groups`."""
        if self._lists_groups:
            return {key: group for key, group in self.groups.items() if group.params and not group.regex}
        found: dict[int, list[Route]] = defaultdict(list)
        for uri, route in self.routes_all.items():
            if route.parameters and route not in self.routes_always_check:
                found[url_hash(uri)].append(route)
        return found

    @property
    def routes_regex(self) -> dict[Any, Any]:
        """The routes with an expression, as in `groups`; of 21.x."""
        return {key: group for key, group in self.groups.items() if group.regex}

    @property
    def routes_always_check(self) -> list[Route]:
        """The routes with a parameter that may hold a slash; before 21.3."""
        return [
            route for route in self.routes_all.values() if any("/" in one for one in _open(route.patterns))
        ]

    @property
    def _lists_groups(self) -> bool:
        return self.dialect.release >= (21, 3)

    def get(self, request: Any, method: str | None = None, host: str | None = None) -> tuple[Any, ...]:
        """What answers a request, as the chosen release gives it: (handler, [], parameters, path of the
        route), with the name of the route and the handler's since 19.12 and 20.12; for a path and a method,
        as since 21.3, (route, handler, parameters). Raises as `resolve`.

        A subclass may override it; an app with such a router asks it for each request.
        """
        if isinstance(request, str):
            endpoint, parameters = self.resolve(request, method or "GET", host)
            return endpoint, endpoint.handler, parameters
        endpoint, parameters = self.resolve(request.path, request.method, request.headers.get("host"))
        found: tuple[Any, ...] = (endpoint.handler, [], parameters, endpoint.uri)
        release = self.dialect.release
        if release < (19, 3):
            return found
        return (*found, endpoint.name) if release < (20, 12) else (*found, endpoint.name, endpoint.name)
