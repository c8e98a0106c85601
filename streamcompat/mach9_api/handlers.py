"""Mach9's error handler."""

from __future__ import annotations

from typing import Any

from streamcompat.kernel import errorhandler as kernel
from streamcompat.kernel.response.files import ContentRange
from streamcompat.kernel.routes.views import Handler
from streamcompat.mach9_api.dialect import MACH9
from streamcompat.mach9_api.response import HTTPResponse

__all__ = ["INTERNAL_SERVER_ERROR_HTML", "ContentRangeHandler", "ErrorHandler"]

INTERNAL_SERVER_ERROR_HTML = kernel.INTERNAL_SERVER_ERROR_HTML


class ContentRangeHandler(ContentRange):
    """The range that `request` asks for of a file with these `stats`; see the kernel's."""

    def __init__(self, request: Any, stats: Any) -> None:
        super().__init__(request, stats, MACH9)


class ErrorHandler(kernel.ErrorHandler):
    """Answers exceptions: `add`, `lookup`, `response`, `default`, `log`."""

    response_class = HTTPResponse

    def call(self, handler: Handler, request: Any, exception: BaseException) -> Any:
        # By keyword, as Mach9 did: its handlers may have the two in any order.
        return handler(request=request, exception=exception)
