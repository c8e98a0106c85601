"""Mach9's router."""

from __future__ import annotations

from typing import Any

from streamcompat import routing as kernel
from streamcompat.mach9_api.dialect import MACH9
from streamcompat.routing import REGEX_TYPES, Parameter, Route, RouteDoesNotExist, RouteExists

__all__ = ["REGEX_TYPES", "Parameter", "Route", "RouteDoesNotExist", "RouteExists", "Router"]


class Router(kernel.Router):
    """The routes of one application; the arguments of the original are accepted, without effect."""

    def __init__(
        self, composition_view_class: Any = None, not_found: Any = None, invalid_usage: Any = None
    ) -> None:
        super().__init__(MACH9)
