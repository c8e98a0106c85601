"""Mach9's error handler."""

from __future__ import annotations

from typing import Any

from streamcompat import handlers as kernel
from streamcompat.mach9_api.response import HTTPResponse
from streamcompat.views import Handler

__all__ = ["INTERNAL_SERVER_ERROR_HTML", "ErrorHandler"]

INTERNAL_SERVER_ERROR_HTML = kernel.INTERNAL_SERVER_ERROR_HTML


class ErrorHandler(kernel.ErrorHandler):
    """Answers exceptions: `add`, `lookup`, `response`, `default`, `log`."""

    response_class = HTTPResponse

    def call(self, handler: Handler, request: Any, exception: BaseException) -> Any:
        # By keyword, as Mach9 did: its handlers may have the two in any order.
        return handler(request=request, exception=exception)
