"""Blueprints: routes, middleware, exception handlers and listeners that an application registers later.

The rule: a blueprint only stores what is registered on it, and passes it on in order when the blueprint is
registered on an application.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.routes.endpoints import Host, RouteOptions
from streamcompat.kernel.routes.registration import ExceptionClasses, H, Registration
from streamcompat.kernel.routes.views import Handler

if TYPE_CHECKING:
    from streamcompat.kernel.registry import Registry


class FutureRoute(NamedTuple):
    """A route that waits for its application."""

    handler: Handler
    uri: str
    methods: Collection[str] | None
    options: RouteOptions


class Blueprint(Registration):
    """A part of an application.

    Args:
        name: unique in an application; the names of its routes begin with it (`name.handler`).
        url_prefix: put before the path of every route.
        host, version, strict_slashes: the defaults for its routes.

    Attributes:
        dialect: the flavour whose API its handlers use to read a request's body; `None` for the
            application's.
    """

    dialect: ClassVar[Dialect | None] = None

    def __init__(
        self,
        name: str,
        url_prefix: str | None = None,
        host: Host = None,
        version: object = None,
        strict_slashes: bool | None = None,
    ) -> None:
        self.name = name
        self.url_prefix = url_prefix
        self.host = host
        self.version = version
        self.strict_slashes = strict_slashes
        self.routes: list[FutureRoute] = []
        self.middlewares: list[tuple[Handler, str]] = []
        self.exceptions: list[tuple[tuple[ExceptionClasses, ...], Handler]] = []
        self.listeners: dict[str, list[Handler]] = defaultdict(list)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @staticmethod
    def group(*blueprints: Blueprints, url_prefix: str = "") -> list[Blueprint]:
        """All blueprints of nested lists, each with `url_prefix` before its own."""
        flat: list[Blueprint] = []
        for blueprint in blueprints:
            if isinstance(blueprint, (list, tuple)):
                flat += Blueprint.group(*blueprint, url_prefix=url_prefix)
            else:
                blueprint.url_prefix = url_prefix + (blueprint.url_prefix or "")
                flat.append(blueprint)
        return flat

    def _add_route(
        self, handler: Handler, uri: str, methods: Collection[str] | None, options: RouteOptions
    ) -> None:
        self.routes.append(FutureRoute(handler, uri, methods, options))

    def register_middleware(self, middleware: H, attach_to: str = "request") -> H:
        self.middlewares.append((middleware, attach_to))
        return middleware

    def register_exception(self, exceptions: Iterable[ExceptionClasses], handler: Handler) -> None:
        self.exceptions.append((tuple(exceptions), handler))

    def register_listener(self, listener: H, event: str) -> H:
        self.listeners[event].append(listener)
        return listener

    def register(self, app: Registry, options: Mapping[str, str | None]) -> None:
        """Tells `app` everything; `options` may have an `url_prefix` that replaces the blueprint's."""
        url_prefix = options.get("url_prefix", self.url_prefix) or ""
        for handler, uri, methods, route_options in self.routes:
            path = url_prefix + uri
            app._add_route(
                handler, path[1:] if path.startswith("//") else path, methods, self._completed(route_options)
            )
        for middleware, attach_to in self.middlewares:
            app.register_middleware(middleware, attach_to)
        for exceptions, handler in self.exceptions:
            app.register_exception(exceptions, handler)
        for event, listeners in self.listeners.items():
            for listener in listeners:
                app.register_listener(listener, event)

    def _completed(self, options: RouteOptions) -> RouteOptions:
        """The options of a route, with the blueprint's where the route does not say."""
        strict = options.strict_slashes
        return replace(
            options,
            host=self.host if options.host is None else options.host,
            version=self.version if options.version is None else options.version,
            strict_slashes=self.strict_slashes if strict is None else strict,
            owner=self,
            prefix=self.name,
        )


Blueprints = Blueprint | list["Blueprints"] | tuple["Blueprints", ...]
"""One, or lists of them that may hold further lists."""
