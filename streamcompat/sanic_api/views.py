"""Sanic's class views."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from streamcompat.kernel.exceptions import HTTPException
from streamcompat.kernel.routes import views as kernel
from streamcompat.kernel.routes.registration import Registration
from streamcompat.kernel.routes.views import stream
from streamcompat.sanic_api.constants import HTTP_METHODS
from streamcompat.sanic_api.exceptions import InvalidUsage

__all__ = ["HTTP_METHODS", "CompositionView", "HTTPMethodView", "InvalidUsage", "stream"]


class HTTPMethodView(kernel.HTTPMethodView):
    """A view with a method for each of HTTP.

    Since 21.12 a subclass may say where it belongs: `class Users(HTTPMethodView, attach=app, uri="/users")`.
    """

    def __init_subclass__(cls, attach: Registration | None = None, uri: str = "", **options: Any) -> None:
        super().__init_subclass__()
        if attach is not None:
            cls.attach(attach, uri, **options)

    @classmethod
    def attach(cls, to: Registration, uri: str, **options: Any) -> None:
        """Registers the view on an app or a blueprint; the options are those of `add_route`."""
        to.add_route(cls.as_view(), uri, **options)


class CompositionView(kernel.CompositionView):
    """A view made of functions: `view.add(["GET"], handler, stream=False)`."""

    invalid_usage: Callable[[str], HTTPException] = InvalidUsage
