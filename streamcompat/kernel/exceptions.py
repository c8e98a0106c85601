"""Exceptions that become responses: each has a status, and may have header fields.

The rule: behaviour lives here, names live in the facades. A facade's `NotFound` derives from this module's
and from the facade's own base, so that `except SanicException` and `except NotFound` catch it by either name.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Protocol, TypeVar

from streamcompat.kernel.statuses import STATUS_CODES

_NO_HEADERS: Mapping[str, object] = MappingProxyType({})


class HTTPException(Exception):
    """An error that is answered with `status_code` and `Error: <message>`.

    Attributes:
        status_code: the response's status; 500 unless the class or the constructor sets another.
        headers: header fields of the response.
        quiet: a status of 500 and more is not logged.
    """

    status_code: int = 500
    quiet: bool | None = None
    headers: Mapping[str, object] = _NO_HEADERS

    def __init__(self, message: object = "", status_code: int | None = None) -> None:
        super().__init__(message)
        if status_code is not None:
            self.status_code = status_code


class NotFound(HTTPException):
    """No route has this path."""

    status_code = 404


class InvalidUsage(HTTPException):
    """The application cannot make sense of the request."""

    status_code = 400


class MethodNotSupported(HTTPException):
    """The path has routes, but none for this method; `Allow` lists the methods that it has."""

    status_code = 405

    def __init__(self, message: object, method: str, allowed_methods: Iterable[str]) -> None:
        super().__init__(message)
        self.method = method
        self.headers: Mapping[str, object] = {"Allow": ", ".join(allowed_methods)}


class ServerError(HTTPException):
    """The server failed."""

    status_code = 500


class ServiceUnavailable(HTTPException):
    """The server is overloaded, in maintenance, or its handler took too long."""

    status_code = 503


class URLBuildError(ServerError):
    """`url_for` has no such endpoint, or its values do not fit the route."""


class FileNotFound(NotFound):
    """A static file does not exist; `path` is the folder that was searched."""

    def __init__(self, message: object, path: object, relative_url: object) -> None:
        super().__init__(message)
        self.path = path
        self.relative_url = relative_url


class RequestTimeout(HTTPException):
    """The client took too long to send its request."""

    status_code = 408


class PayloadTooLarge(HTTPException):
    """The body is larger than the route or the application allows."""

    status_code = 413


class HeaderNotFound(InvalidUsage):
    """A header field that the operation needs is missing."""


class HasTotal(Protocol):
    """The attribute of a range that `ContentRangeError` reads: `total`, the size of the file in bytes."""

    total: int


class ContentRangeError(HTTPException):
    """The requested range is not within the file (RFC 9110 §15.5.17)."""

    status_code = 416

    def __init__(self, message: object, content_range: HasTotal) -> None:
        super().__init__(message)
        self.headers: Mapping[str, object] = {
            "Content-Type": "text/plain",
            "Content-Range": f"bytes */{content_range.total}",
        }


class InvalidRangeType(ContentRangeError):
    """The range's unit is not `bytes`."""


class Forbidden(HTTPException):
    """The client may not do this."""

    status_code = 403


class Unauthorized(HTTPException):
    """The client must authenticate; `scheme` and the other keywords become `WWW-Authenticate`."""

    status_code = 401

    def __init__(
        self, message: object, status_code: int | None = None, scheme: str | None = None, **challenge: object
    ) -> None:
        super().__init__(message, status_code)
        if scheme is not None:
            values = ", ".join(f"{key}={self.quote(value)}" for key, value in challenge.items())
            self.headers: Mapping[str, object] = {"WWW-Authenticate": f"{scheme} {values}".rstrip()}

    @staticmethod
    def quote(value: object) -> str:
        """A value of the challenge (RFC 9110 §11.2)."""
        return f'"{value}"'


E = TypeVar("E", bound=type[HTTPException])


class ByStatus(dict[int, type[HTTPException]]):
    """The class that `abort` raises for a status; a facade holds one and fills it with `add_status_code`."""

    def registering(self, code: int) -> Callable[[E], E]:
        """The decorated exception has this status, and is the one that `abort` raises for it."""

        def register(cls: E) -> E:
            cls.status_code = code
            self[code] = cls
            return cls

        return register

    def build(self, status_code: int, message: str | None, base: type[HTTPException]) -> HTTPException:
        """The exception for `status_code`; `base` if no class has that status."""
        if message is None:
            message = STATUS_CODES.get(status_code, b"").decode()
        error = self.get(status_code, base)
        try:
            return error(message=message, status_code=status_code)
        except TypeError:
            # A class with a different constructor (405 takes the allowed methods) cannot be built from a
            # status alone; the originals raised the TypeError.
            return base(message, status_code)


_KERNELS_OWN = frozenset(
    kind for kind in globals().values() if isinstance(kind, type) and issubclass(kind, HTTPException)
)


def _flavour_of(kind: type[BaseException]) -> type[BaseException] | None:
    """The facade's base that a class derives from; `None` if it belongs to no facade."""
    found = None
    for parent in kind.__mro__:
        if issubclass(parent, HTTPException) and parent not in _KERNELS_OWN:
            found = parent
    return found


def _facades(base: type[BaseException]) -> Iterator[type[BaseException]]:
    """`base` and its subclasses that derive directly from one of the kernel's classes too. An application's
    own classes derive from a facade's class only, so they are left out."""
    if not _KERNELS_OWN.isdisjoint(base.__bases__):
        yield base
        for derived in base.__subclasses__():
            yield from _facades(derived)


def answers_for(known: type[BaseException], kind: type[BaseException]) -> bool:
    """Whether a handler that was registered for `known` handles exceptions of class `kind`.

    It handles subclasses, as usual. An exception of the other flavour counts as the class of this flavour
    that derives from the same class of the kernel, or from that class's nearest parent that this flavour
    has a class for.
    """
    flavour = _flavour_of(known)
    if issubclass(kind, known) or flavour is None or issubclass(kind, flavour):
        return issubclass(kind, known)
    facades = {parent: facade for facade in _facades(flavour) for parent in facade.__bases__}
    own = next((facades[parent] for parent in kind.__mro__ if parent in _KERNELS_OWN & facades.keys()), None)
    return own is not None and issubclass(own, known)
