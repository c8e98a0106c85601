"""Mach9's router."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any

from streamcompat.kernel.routes import router as kernel
from streamcompat.kernel.routes.parameters import REGEX_TYPES, Parameter
from streamcompat.kernel.routes.router import Route, RouteDoesNotExist, RouteExists
from streamcompat.mach9_api.dialect import MACH9, method_not_allowed

__all__ = ["REGEX_TYPES", "Parameter", "Route", "RouteDoesNotExist", "RouteExists", "Router"]


class Router(kernel.Router):
    """The routes of one application.

    Args:
        composition_view_class: the class of the views that are made from several handlers on a path.
        not_found, invalid_usage: the exceptions for 404 and for 405.
    """

    def __init__(
        self, composition_view_class: Any = None, not_found: Any = None, invalid_usage: Any = None
    ) -> None:
        super().__init__(
            dataclasses.replace(
                MACH9,
                composition_view=composition_view_class or MACH9.composition_view,
                not_found=not_found or MACH9.not_found,
                method_not_allowed=partial(method_not_allowed, invalid_usage or MACH9.invalid_usage),
            )
        )
