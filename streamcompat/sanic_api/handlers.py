"""Sanic's error handler."""

from typing import Any

from streamcompat.kernel import errorhandler as kernel
from streamcompat.kernel.response.files import ContentRange
from streamcompat.sanic_api import versions
from streamcompat.sanic_api.dialect import SANIC
from streamcompat.sanic_api.log import log, logger
from streamcompat.sanic_api.response import HTTPResponse

__all__ = ["INTERNAL_SERVER_ERROR_HTML", "ContentRangeHandler", "ErrorHandler"]

INTERNAL_SERVER_ERROR_HTML = kernel.INTERNAL_SERVER_ERROR_HTML


class ContentRangeHandler(ContentRange):
    """The range that `request` asks for of a file with these `stats`; see the kernel's."""

    def __init__(self, request: Any, stats: Any) -> None:
        super().__init__(request, stats, SANIC)


class ErrorHandler(kernel.ErrorHandler):
    """Answers exceptions: `add`, `lookup`, `response`, `default`, `log`."""

    response_class = HTTPResponse

    def __init__(self) -> None:
        super().__init__(log if versions.before(0, 7) else logger)
