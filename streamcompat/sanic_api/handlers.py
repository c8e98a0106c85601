"""Sanic's error handler."""

from streamcompat import handlers as kernel
from streamcompat.sanic_api.log import logger
from streamcompat.sanic_api.response import HTTPResponse

__all__ = ["INTERNAL_SERVER_ERROR_HTML", "ErrorHandler"]

INTERNAL_SERVER_ERROR_HTML = kernel.INTERNAL_SERVER_ERROR_HTML


class ErrorHandler(kernel.ErrorHandler):
    """Answers exceptions: `add`, `lookup`, `response`, `default`, `log`."""

    response_class = HTTPResponse

    def __init__(self) -> None:
        super().__init__(logger)
