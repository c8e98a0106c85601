"""Mach9's class views."""

from __future__ import annotations

from collections.abc import Callable

from streamcompat.kernel.exceptions import HTTPException
from streamcompat.kernel.routes import views as kernel
from streamcompat.kernel.routes.views import HTTPMethodView, stream
from streamcompat.mach9_api.exceptions import InvalidUsage

__all__ = ["CompositionView", "HTTPMethodView", "InvalidUsage", "stream"]


class CompositionView(kernel.CompositionView):
    """A view made of functions: `view.add(["GET"], handler, stream=False)`."""

    def __init__(self, invalid_usage: type[HTTPException] = InvalidUsage) -> None:
        super().__init__()
        self.invalid_usage: Callable[[str], HTTPException] = invalid_usage
