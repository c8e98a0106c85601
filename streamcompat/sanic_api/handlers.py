"""Sanic's error handler."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from streamcompat.kernel import errorhandler as kernel
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.files import ContentRange
from streamcompat.kernel.response.response import BaseHTTPResponse
from streamcompat.kernel.routes.views import Handler
from streamcompat.sanic_api import errorpages
from streamcompat.sanic_api.dialect import SANIC, chosen
from streamcompat.sanic_api.overridden import warn_of_overridden

__all__ = ["INTERNAL_SERVER_ERROR_HTML", "ContentRangeHandler", "ErrorHandler"]

INTERNAL_SERVER_ERROR_HTML = kernel.INTERNAL_SERVER_ERROR_HTML


class ContentRangeHandler(ContentRange):
    """The range that `request` asks for, of a file with these `stats`; see the kernel's `ContentRange`."""

    def __init__(self, request: Any, stats: Any) -> None:
        super().__init__(request, stats, SANIC)


class ErrorHandler(kernel.ErrorHandler):
    """Makes responses to exceptions: `add`, `lookup`, `response`, `default`, `log`.

    Args:
        fallback: the form of the error pages, `html`, `json`, `text` or `auto`; of 21.x, for the setting
            FALLBACK_ERROR_FORMAT.
        base: makes the pages where nothing tells which; of 21.x.
    """

    def __init__(
        self, fallback: str | None = None, base: type[errorpages.BaseRenderer] | None = None
    ) -> None:
        super().__init__(chosen())
        self.fallback = fallback
        self.base: type[errorpages.BaseRenderer] = base or errorpages.HTMLRenderer

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overridden(cls, "ErrorHandler")

    def add(
        self, exception: type[BaseException], handler: Handler, route_names: Collection[str] | None = None
    ) -> None:
        super().add(exception, handler)

    def lookup(self, exception: BaseException, route_name: str | None = None) -> Handler | None:
        return super().lookup(exception)

    def default_page(self, request: BaseRequest, exception: BaseException) -> BaseHTTPResponse:
        """Until 19.12 a line of text, and since 20.3 the pages of `errorpages`."""
        page = super().default_page(request, exception)
        if self.dialect.release < errorpages.SINCE or page.status == 204:
            return page
        return errorpages.exception_response(request, exception, bool(self.debug), self.fallback, self.base)
