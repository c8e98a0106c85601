"""Sanic's class views."""

from __future__ import annotations

from collections.abc import Callable

from streamcompat.kernel.exceptions import HTTPException
from streamcompat.kernel.routes import views as kernel
from streamcompat.kernel.routes.views import HTTPMethodView, stream
from streamcompat.sanic_api.constants import HTTP_METHODS
from streamcompat.sanic_api.exceptions import InvalidUsage

__all__ = ["HTTP_METHODS", "CompositionView", "HTTPMethodView", "InvalidUsage", "stream"]


class CompositionView(kernel.CompositionView):
    """A view made of functions: `view.add(["GET"], handler, stream=False)`."""

    invalid_usage: Callable[[str], HTTPException] = InvalidUsage
