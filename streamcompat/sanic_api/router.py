"""Sanic's router."""

from streamcompat.kernel.routes import router as kernel
from streamcompat.kernel.routes.router import REGEX_TYPES, Parameter, Route, RouteDoesNotExist, RouteExists
from streamcompat.sanic_api.dialect import SANIC

__all__ = ["REGEX_TYPES", "Parameter", "Route", "RouteDoesNotExist", "RouteExists", "Router"]


class Router(kernel.Router):
    """The routes of one application."""

    def __init__(self) -> None:
        super().__init__(SANIC)
