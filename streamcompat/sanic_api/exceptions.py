"""Sanic's exceptions; each becomes a response with its status."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NoReturn

from streamcompat.kernel import exceptions as kernel
from streamcompat.kernel.config import PyFileError
from streamcompat.kernel.errorhandler import INTERNAL_SERVER_ERROR_HTML
from streamcompat.kernel.statuses import STATUS_CODES
from streamcompat.sanic_api import versions
from streamcompat_engine import ClientDisconnected

__all__ = [
    "INTERNAL_SERVER_ERROR_HTML",
    "STATUS_CODES",
    "ClientDisconnected",
    "ContentRangeError",
    "FileNotFound",
    "Forbidden",
    "HeaderExpectationFailed",
    "HeaderNotFound",
    "InvalidHeader",
    "InvalidRangeType",
    "InvalidSignal",
    "InvalidUsage",
    "LoadFileException",
    "MethodNotSupported",
    "NotFound",
    "PayloadTooLarge",
    "PyFileError",
    "RequestTimeout",
    "SanicException",
    "ServerError",
    "ServiceUnavailable",
    "URLBuildError",
    "Unauthorized",
    "WebsocketClosed",
    "abort",
    "add_status_code",
]

_by_status = kernel.ByStatus()
_NOT_GIVEN: Any = object()


def add_status_code(code: int, quiet: bool | None = None) -> Callable[[kernel.E], kernel.E]:
    """The decorated exception has this status, and is the one that `abort` raises for it.

    Args:
        quiet: a status of 500 and more is not logged.
    """
    register = _by_status.registering(code)

    def decorate(cls: kernel.E) -> kernel.E:
        if quiet is not None:
            cls.quiet = quiet
        return register(cls)

    return decorate


class _ClassMessage:
    """The message of a class that has none: empty since 21.9. Before, an exception has no such attribute:
    apps ask `getattr(exception, "message", str(exception))`."""

    def __get__(self, exception: object, owner: type | None = None) -> str:
        if exception is not None and versions.before(21, 9):
            raise AttributeError("message")
        return ""


class SanicException(kernel.HTTPException):
    """The base class of Sanic's exceptions; the status is 500 unless `status_code` sets another.

    Without a message it has that of its class, else the status's reason phrase, as since 21.12.

    Attributes:
        quiet: a status of 500 and more is not logged.
        context, extra: the application's own values; error pages of 21.12 show `context`.
    """

    if TYPE_CHECKING:
        message: str = ""
    else:
        message = _ClassMessage()

    def __init__(
        self,
        message: object = _NOT_GIVEN,
        *arguments: Any,
        quiet: bool | None = None,
        context: dict[str, Any] | None = None,
        extra: dict[str, Any] | None = None,
        **further: Any,
    ) -> None:
        if message is _NOT_GIVEN or (message is None and not versions.before(21, 6)):
            status = arguments[0] if arguments else further.get("status_code")
            named = getattr(self, "message", "") or STATUS_CODES.get(status or 0, b"").decode()
            message = named or (None if message is None else "")
        super().__init__(message, *arguments, **further)
        if quiet is not None:
            self.quiet: bool | None = quiet
        self.context = context
        self.extra = extra


@add_status_code(404)
class NotFound(SanicException, kernel.NotFound):
    """No route has this path."""


@add_status_code(400)
class InvalidUsage(SanicException, kernel.InvalidUsage):
    """The application cannot make sense of the request."""


@add_status_code(405)
class MethodNotSupported(SanicException, kernel.MethodNotSupported):
    """The path has no route for this method: (message, method, allowed_methods)."""


@add_status_code(500)
class ServerError(SanicException, kernel.ServerError):
    """The server failed."""


@add_status_code(503)
class ServiceUnavailable(SanicException, kernel.ServiceUnavailable):
    """The server is overloaded, in maintenance, or its handler took too long."""


class URLBuildError(ServerError, kernel.URLBuildError):
    """`url_for` has no such endpoint, or its values do not fit the route."""


class FileNotFound(NotFound, kernel.FileNotFound):
    """A static file does not exist: (message, path, relative_url)."""


@add_status_code(408)
class RequestTimeout(SanicException, kernel.RequestTimeout):
    """The client took too long to send its request."""


@add_status_code(413)
class PayloadTooLarge(SanicException, kernel.PayloadTooLarge):
    """The body is larger than allowed."""


class HeaderNotFound(InvalidUsage, kernel.HeaderNotFound):
    """A header field that the operation needs is missing."""


@add_status_code(416)
class ContentRangeError(SanicException, kernel.ContentRangeError):
    """The requested range is not within the file: (message, content_range)."""


@add_status_code(403)
class Forbidden(SanicException, kernel.Forbidden):
    """The client may not do this."""


class InvalidHeader(InvalidUsage):
    """The value of a header field cannot be parsed."""


@add_status_code(417)
class HeaderExpectationFailed(SanicException):
    """What the request expects cannot be done."""


class InvalidSignal(SanicException):
    """A signal's name is not one of three parts, or is Sanic's own."""


class WebsocketClosed(SanicException):
    """The client has closed the WebSocket."""

    quiet: bool | None = True
    message = "Client has closed the websocket connection"


class LoadFileException(SanicException):
    """A file of settings cannot be found."""


class InvalidRangeType(ContentRangeError, kernel.InvalidRangeType):
    """The range's unit is not `bytes`."""


@add_status_code(401)
class Unauthorized(SanicException, kernel.Unauthorized):
    """The client must authenticate: (message, status_code=None, scheme=None, **challenge), or
    (message, scheme, **challenge) as in 0.6."""

    def __init__(
        self,
        message: object = _NOT_GIVEN,
        status_code: int | str | None = None,
        scheme: str | None = None,
        **challenge: Any,
    ) -> None:
        if isinstance(status_code, str):
            status_code, scheme = None, status_code
        super().__init__(message, status_code, scheme, **challenge)

    @staticmethod
    def quote(value: object) -> str:
        return repr(value) if versions.before(0, 8) else kernel.Unauthorized.quote(value)


def abort(status_code: int, message: str | None = None) -> NoReturn:
    """Raises the exception for a status; the default message is the status's reason phrase."""
    raise _by_status.build(status_code, message, SanicException)
