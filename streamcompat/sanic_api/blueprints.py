"""Sanic's blueprints."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from copy import copy
from enum import Enum
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Final

from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.routes import blueprints as kernel
from streamcompat.kernel.routes.blueprints import Blueprints
from streamcompat.kernel.routes.endpoints import Host
from streamcompat.kernel.routes.registration import Decorator, ExceptionClasses, H, Registration
from streamcompat.kernel.routes.signatures import options_of, takes_options
from streamcompat.kernel.routes.views import Handler
from streamcompat.sanic_api.blueprint_group import BlueprintGroup
from streamcompat.sanic_api.dialect import SANIC
from streamcompat.sanic_api.exceptions import SanicException
from streamcompat.sanic_api.handlers import ErrorHandler
from streamcompat.sanic_api.named import TakesNamed
from streamcompat.sanic_api.overridden import warn_of_overridden
from streamcompat.sanic_api.streaming import ListensAndRoutes

if TYPE_CHECKING:
    from streamcompat.kernel.registry import Registry

__all__ = ["Blueprint", "BlueprintGroup"]

MIDDLEWARE_OF_ITS_ROUTES = (19, 12)
"""The release since which a blueprint's middleware runs for its own routes only."""
_STATIC_TOO: Final = (20, 9)
"""The release since which files are among these."""


class Blueprint(ListensAndRoutes, kernel.Blueprint):
    """A part of an application.

    `strict_slashes` is the blueprint's own setting; `None` uses the application's.

    Attributes:
        ctx: a namespace for the application's own values.
        signals: (handler, event, condition, exclusive) of each.
    """

    dialect: ClassVar[Dialect | None] = SANIC
    __fake_slots__: ClassVar[tuple[str, ...]] = ()  # extensions of 21.x add what they set

    def __init__(
        self,
        name: str,
        url_prefix: str | None = None,
        host: Host = None,
        version: object = None,
        strict_slashes: bool | None = False,
        version_prefix: str = "/v",
    ) -> None:
        super().__init__(name, url_prefix, host, version, strict_slashes)
        self.version_prefix: str | None = None if version_prefix == "/v" else version_prefix
        self.ctx: SimpleNamespace = SimpleNamespace()
        self.signals: list[tuple[Callable[..., Any], str | Enum, Mapping[str, Any] | None, bool]] = []
        self._apps: list[Any] = []

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overridden(cls, "Blueprint")

    @property
    def apps(self) -> list[Any]:
        """The apps that it is registered on; SanicException while there is none."""
        if not self._apps:
            raise SanicException(f"{self} has not yet been registered to an app")
        return self._apps

    @property
    def _future_middleware(self) -> list[tuple[Handler, str]]:
        """The middleware, by the name that extensions of 21.x add to."""
        return self.middlewares

    @property
    def registered(self) -> bool:
        """Whether it is registered on an app."""
        return bool(self._apps)

    @staticmethod
    def group(
        *blueprints: Blueprints,
        url_prefix: str | None = "",
        version: object = None,
        strict_slashes: bool | None = None,
        version_prefix: str = "/v",
    ) -> BlueprintGroup:
        """All blueprints of nested lists and groups, each with `url_prefix` before its own; the other
        arguments are for those that do not say."""
        group = BlueprintGroup(url_prefix, version, strict_slashes, version_prefix)
        group += kernel.Blueprint.group(*blueprints, url_prefix=url_prefix or "")
        for blueprint in group:
            if blueprint.version is None:
                blueprint.version = version
            if blueprint.version_prefix is None and version_prefix != "/v":
                blueprint.version_prefix = version_prefix
            if strict_slashes is not None and not blueprint.strict_slashes:
                blueprint.strict_slashes = strict_slashes
        return group

    def copy(self, name: str, **changed: Any) -> Blueprint:
        """Another blueprint with the same routes, by another name.

        Args:
            changed: `url_prefix`, `version`, `version_prefix` and `strict_slashes`, where they differ;
                `with_registration` (default) registers it on the apps of this one, `with_ctx` keeps `ctx`.
        """
        register = changed.pop("with_registration", True)
        keeps_context = changed.pop("with_ctx", False)
        unknown = sorted(changed.keys() - {"url_prefix", "version", "version_prefix", "strict_slashes"})
        if unknown:
            raise TypeError(f"copy() got an unexpected keyword argument {unknown[0]!r}")
        made = copy(self)
        made.name = name
        made.routes = list(self.routes)
        made.middlewares, made.exceptions = list(self.middlewares), list(self.exceptions)
        made.signals = list(self.signals)
        made.listeners = defaultdict(list, {event: list(one) for event, one in self.listeners.items()})
        made._apps = []
        for attribute, value in changed.items():
            setattr(made, attribute, value)
        if not keeps_context:
            made.ctx = SimpleNamespace()
        if register:
            for app in self._apps:
                app.blueprint(made)
        return made

    def register(self, app: Registry, options: Mapping[str, Any]) -> None:
        super().register(app, options)
        self._apps.append(app)
        for handler, event, condition, exclusive in self.signals:
            if isinstance(app, ListensAndRoutes):
                app.add_signal(handler, event, condition, exclusive)

    def _register_middleware(self, app: Registry) -> None:
        if not isinstance(app, TakesNamed) or app.dialect.release < MIDDLEWARE_OF_ITS_ROUTES:
            super()._register_middleware(app)
            return
        names = self._route_names(app)
        for middleware, attach_to in self.middlewares:
            app._register_named(middleware, names, attach_to)

    def _register_exceptions(self, app: Registry) -> None:
        if not isinstance(app, TakesNamed) or not isinstance(app.error_handler, ErrorHandler):
            super()._register_exceptions(app)
            return
        names = self._route_names(app)
        for exceptions, handler in self.exceptions:
            for exception in _flat(exceptions):
                app.error_handler.add_for(exception, handler, names)

    def _route_names(self, app: TakesNamed) -> list[str]:
        """The names of its routes, as `request.name` has them."""
        prefix = f"{self.name}."
        return [
            f"{app.name}.{prefix}{(route.options.name or _name(route.handler)).removeprefix(prefix)}"
            for route in self.routes
            if not route.options.static or app.dialect.release >= _STATIC_TOO
        ]

    def _add_signal(
        self,
        handler: Callable[..., Any],
        event: str | Enum,
        condition: Mapping[str, Any] | None,
        exclusive: bool,
    ) -> None:
        self.signals.append((handler, event, condition, exclusive))

    @takes_options(
        options_of(Registration.websocket), "host", "strict_slashes", "version", "name", "subprotocols"
    )
    def websocket(self, uri: str, **options: object) -> Decorator:
        """As an application's; `version` comes earlier."""
        return super().websocket(uri, **options)

    @takes_options(
        options_of(Registration.websocket), "host", "version", "name", "strict_slashes", "subprotocols"
    )
    def add_websocket_route(self, handler: H, uri: str, **options: object) -> H:
        """As `websocket`, for a function that is there."""
        self.websocket(uri, **options)(handler)
        return handler


def _flat(exceptions: Iterable[ExceptionClasses]) -> Iterator[type[BaseException]]:
    for one in exceptions:
        if isinstance(one, (tuple, list)):
            yield from _flat(one)
        else:
            yield one


def _name(handler: Handler) -> str:
    """The handler's own name, as `request.name` ends in it."""
    return str(getattr(handler, "__name__", type(handler).__name__))
