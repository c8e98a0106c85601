"""Mach9's exceptions; each becomes a response with its status."""

from __future__ import annotations

from streamcompat.kernel import exceptions as kernel
from streamcompat.kernel.errorhandler import INTERNAL_SERVER_ERROR_HTML
from streamcompat_engine import ClientDisconnected

__all__ = [
    "INTERNAL_SERVER_ERROR_HTML",
    "ClientDisconnected",
    "ContentRangeError",
    "FileNotFound",
    "HeaderNotFound",
    "InvalidRangeType",
    "InvalidUsage",
    "Mach9Exception",
    "NotFound",
    "PayloadTooLarge",
    "RequestTimeout",
    "ServerError",
    "URLBuildError",
]


class Mach9Exception(kernel.HTTPException):
    """The base class of Mach9's exceptions; the status is 500 unless `status_code` sets another."""


class NotFound(Mach9Exception, kernel.NotFound):
    """No route has this path."""


class InvalidUsage(Mach9Exception, kernel.InvalidUsage):
    """The application cannot make sense of the request, or of its method with `status_code=405`."""


class ServerError(Mach9Exception, kernel.ServerError):
    """The server failed."""


class URLBuildError(Mach9Exception, kernel.URLBuildError):
    """`url_for` has no such endpoint, or its values do not fit the route."""


class FileNotFound(NotFound, kernel.FileNotFound):
    """A static file does not exist: (message, path, relative_url)."""


class RequestTimeout(Mach9Exception, kernel.RequestTimeout):
    """The client took too long to send its request."""


class PayloadTooLarge(Mach9Exception, kernel.PayloadTooLarge):
    """The body is larger than allowed."""


class HeaderNotFound(Mach9Exception, kernel.HeaderNotFound):
    """A header field that the operation needs is missing."""


class ContentRangeError(Mach9Exception, kernel.ContentRangeError):
    """The requested range is not within the file: (message, content_range)."""


class InvalidRangeType(ContentRangeError, kernel.InvalidRangeType):
    """The range's unit is not `bytes`."""
