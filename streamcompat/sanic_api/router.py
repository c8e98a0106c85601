"""Sanic's router."""

from typing import Any

from streamcompat.kernel.routes import router as kernel
from streamcompat.kernel.routes.parameters import REGEX_TYPES, Parameter
from streamcompat.kernel.routes.router import Route, RouteDoesNotExist, RouteExists
from streamcompat.sanic_api.dialect import SANIC
from streamcompat.sanic_api.overridden import warn_of_overridden

__all__ = ["REGEX_TYPES", "Parameter", "Route", "RouteDoesNotExist", "RouteExists", "Router"]


class Router(kernel.Router):
    """The routes of one application."""

    def __init__(self) -> None:
        super().__init__(SANIC)

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overridden(cls, "Router")

    def get(self, request: Any, method: str | None = None, host: str | None = None) -> tuple[Any, ...]:
        """What answers a request, as the chosen release gives it: (handler, [], parameters, path of the
        route), with the name of the route and the handler's since 19.12 and 20.12; for a path and a method,
        as since 21.3, (route, handler, parameters). Raises as `resolve`.

        A subclass may override it; an app with such a router asks it for each request.
        """
        if isinstance(request, str):
            endpoint, parameters = self.resolve(request, method or "GET", host)
            return endpoint, endpoint.handler, parameters
        endpoint, parameters = self.resolve(request.path, request.method, request.host)
        found: tuple[Any, ...] = (endpoint.handler, [], parameters, endpoint.uri)
        release = self.dialect.release
        if release < (19, 3):
            return found
        return (*found, endpoint.name) if release < (20, 12) else (*found, endpoint.name, endpoint.name)
