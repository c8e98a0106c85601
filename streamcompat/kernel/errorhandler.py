"""Responses to exceptions.

The rule: an HTTPException becomes `Error: <message>`; any other exception is logged with its traceback and
becomes a page without details, unless the application is in debug mode.
"""

from __future__ import annotations

import logging
import traceback

from streamcompat.kernel.debugpage import UNTOLD, debug_page
from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.exceptions import HTTPException, answers_for
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.response import BaseHTTPResponse
from streamcompat.kernel.routes.views import Handler

# The bytes of both originals, white space included.
INTERNAL_SERVER_ERROR_HTML = """
    <h1>Internal Server Error</h1>
    <p>
        The server encountered an internal error and cannot complete
        your request.
    </p>
"""
_TEXT = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"
ERROR_IN_ERROR = "An error occurred while handling an error"


def sendable(text: str) -> str:
    """Text that can be encoded: a lone surrogate, as JSON or a file's name may have, becomes its escape."""
    return text.encode(errors="backslashreplace").decode()


def describe(request: BaseRequest | None) -> str:
    """A request in a log message: its method, path and route."""
    if request is None:
        return "a request"
    endpoint = request._endpoint
    route = f" on route {endpoint.label}" if endpoint is not None else ""
    return f"{request.method} {request.path}{route}"


class ErrorHandler:
    """The exception handlers of an application; the first registered one that fits is called.

    Args:
        log: the logger for errors; `None` for the dialect's.

    Attributes:
        debug: error pages show the traceback.
        dialect: the application's, once it has one.
    """

    def __init__(self, dialect: Dialect, log: logging.Logger | None = None) -> None:
        self.dialect = dialect
        self.handlers: list[tuple[type[BaseException], Handler]] = []
        self.cached_handlers: dict[type[BaseException], Handler | None] = {}
        self.debug: bool | None = False
        self._log = log

    def add(self, exception: type[BaseException], handler: Handler) -> None:
        """Registers `handler(request, exception)` for `exception`, its subclasses, and the corresponding
        exceptions of the other flavour."""
        self.handlers.append((exception, handler))
        self.cached_handlers.clear()

    def lookup(self, exception: BaseException) -> Handler | None:
        """The handler for an exception; `None` if `default` answers it."""
        kind = type(exception)
        if kind not in self.cached_handlers:
            self.cached_handlers[kind] = next(
                (handler for known, handler in self.handlers if answers_for(known, kind)), None
            )
        return self.cached_handlers[kind]

    def response(self, request: BaseRequest, exception: BaseException) -> object:
        """The response to an exception, or an awaitable of it."""
        handler = self._handler_of(request, exception)
        response = None
        try:
            if handler is not None:
                response = self.call(handler, request, exception)
            if response is None:
                response = self.default(request, exception)
        except Exception as error:
            return self.failed(request, error, handler)
        return response

    def _handler_of(self, request: BaseRequest, exception: BaseException) -> Handler | None:
        return self.lookup(exception)

    def call(self, handler: Handler, request: BaseRequest, exception: BaseException) -> object:
        """Calls a registered handler."""
        if self.dialect.error_handlers_by_keyword:
            return handler(request=request, exception=exception)
        return handler(request, exception)

    def failed(
        self, request: BaseRequest, error: BaseException, handler: Handler | None = None
    ) -> BaseHTTPResponse:
        """The response if calling the exception handler failed."""
        trace = _traceback(error)
        name = getattr(handler, "__name__", repr(handler))
        message = f'Exception raised in exception handler "{name}" for uri: "{_url(request)}"\n{trace}'
        self.log(message)
        page = sendable(message) if self.debug else ERROR_IN_ERROR
        return self.dialect.response(page, 500, content_type=_TEXT)

    def failed_within(self, request: BaseRequest, error: BaseException) -> BaseHTTPResponse:
        """The response if awaiting the exception handler failed, or if `response` itself did."""
        trace = _traceback(error)
        self.log(f"An exception handler of {describe(request)} failed\n{trace}")
        message = f"Error while handling error: {error}\nStack: {trace}" if self.debug else ERROR_IN_ERROR
        return self.dialect.response(sendable(message), 500, content_type="text/plain")

    def log(self, message: str, level: str = "error") -> None:
        """Logs an exception; override it to keep the log quiet."""
        getattr(self._log or logging.getLogger(self.dialect.log), level)(message)

    def default(self, request: BaseRequest, exception: BaseException) -> object:
        """The response to an exception without a registered handler; override it for other pages."""
        return self.default_page(request, exception)

    def default_page(self, request: BaseRequest, exception: BaseException) -> BaseHTTPResponse:
        """The flavour's own error page; for OPTIONS that no route has, the methods of the path's routes."""
        if isinstance(exception, HTTPException):
            status = exception.status_code
            if status == 405 and request.method == "OPTIONS" and request._endpoint is None:
                return self._options(exception)
            if status >= 500 and not exception.quiet:
                self.log(f"{describe(request)} failed\n{_traceback(exception)}")
            message = sendable(f"Error: {exception}")
            return self.dialect.response(message, status, dict(exception.headers), content_type=_TEXT)
        self.log(f"{describe(request)} failed\n{_traceback(exception)}")
        page = sendable(debug_page(*_asked(request), exception)) if self.debug else INTERNAL_SERVER_ERROR_HTML
        return self.dialect.response(page, 500, content_type=_HTML)

    def _options(self, refused: HTTPException) -> BaseHTTPResponse:
        """The answer to OPTIONS in the place of a 405 (RFC 9110 §9.3.7)."""
        methods = {"OPTIONS", *str(refused.headers.get("Allow", "")).split(", ")} - {""}
        headers = {"Allow": ", ".join(sorted(methods))}
        return self.dialect.response(status=204, headers=headers, content_type=None)


def _traceback(error: BaseException) -> str:
    try:
        return "".join(traceback.format_exception(error))
    except Exception:  # of its own text or notes
        return "".join(traceback.format_tb(error.__traceback__)) + f"{type(error).__name__}: {UNTOLD}\n"


def _url(request: BaseRequest) -> str:
    try:
        return str(request.url)
    except Exception:
        return "unknown"


def _asked(request: BaseRequest) -> tuple[str, str]:
    """The method and path of a request, even of one that could not be read."""
    return getattr(request, "method", "a request"), getattr(request, "path", "unknown")
