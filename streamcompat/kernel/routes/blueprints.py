"""Blueprints: routes, middleware, exception handlers and listeners that an application registers later.

The rule: a blueprint only stores what is registered on it, and passes it on in order when the blueprint is
registered on an application.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from functools import wraps
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.routes.endpoints import Host, RouteOptions
from streamcompat.kernel.routes.registration import ExceptionClasses, H, Registration
from streamcompat.kernel.routes.views import Handler

if TYPE_CHECKING:
    from streamcompat.kernel.registry import Registry
    from streamcompat.kernel.request.request import BaseRequest


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
        version_prefix: what stands before the version in a path; `/v` where it is `None`.
    """

    dialect: ClassVar[Dialect | None] = None
    version_prefix: str | None = None

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

    def register(self, app: Registry, options: Mapping[str, Any]) -> None:
        """Tells `app` everything.

        Args:
            options: `url_prefix` replaces the blueprint's; `version`, `version_prefix` and `strict_slashes`
                are for the routes that do not say.
        """
        url_prefix = options.get("url_prefix", self.url_prefix) or ""
        for handler, uri, methods, route_options in self.routes:
            path = url_prefix + uri
            app._add_route(
                handler,
                path[1:] if path.startswith("//") else path,
                methods,
                self._completed(route_options, options),
            )
        self._register_middleware(app)
        self._register_exceptions(app)
        for event, listeners in self.listeners.items():
            for listener in listeners:
                app.register_listener(listener, event)

    def _register_middleware(self, app: Registry) -> None:
        for middleware, attach_to in self.middlewares:
            app.register_middleware(middleware, attach_to)

    def _register_exceptions(self, app: Registry) -> None:
        for exceptions, handler in self.exceptions:
            app.register_exception(exceptions, self._called_as_here(handler, app))

    def _called_as_here(self, handler: Handler, app: Registry) -> Handler:
        """An exception handler that an app of the other flavour calls as this flavour does."""
        own = self.dialect
        if own is None or own.name == app.error_handler.dialect.name:
            return handler  # in an app of its own flavour the app's release counts
        return _by_keyword(handler) if own.error_handlers_by_keyword else _by_position(handler)

    def _completed(self, options: RouteOptions, given: Mapping[str, Any]) -> RouteOptions:
        """The options of a route; where it does not say, those of the registration or the blueprint's."""
        return replace(
            options,
            host=_first(options.host, self.host),
            version=_first(options.version, given.get("version"), self.version),
            version_prefix=_first(options.version_prefix, given.get("version_prefix"), self.version_prefix),
            strict_slashes=_first(options.strict_slashes, given.get("strict_slashes"), self.strict_slashes),
            owner=self,
            prefix=self.name,
        )


def _by_keyword(handler: Handler) -> Handler:
    @wraps(handler)
    def call(request: BaseRequest, exception: BaseException) -> Any:
        return handler(request=request, exception=exception)

    return call


def _by_position(handler: Handler) -> Handler:
    @wraps(handler)
    def call(request: BaseRequest, exception: BaseException) -> Any:
        return handler(request, exception)

    return call


def _first(*values: Any) -> Any:
    """The first value that is given."""
    return next((value for value in values if value is not None), None)


Blueprints = Blueprint | list["Blueprints"] | tuple["Blueprints", ...]
"""One, or lists of them that may hold further lists."""
