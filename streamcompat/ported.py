"""Helpers for ported apps, for behaviour of Sanic that Mach9's API cannot express: `content` for reads,
`encoded` for writes, and the errors and classes that Mach9 does not have.

`streamcompat port` inserts calls to them; an app written for Mach9 may call them too. The errors derive from
Mach9's, so that handlers registered for `Mach9Exception` or a subclass also get what `abort` raises.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from streamcompat.kernel import exceptions as kernel
from streamcompat.kernel.response.response import HTTPResponse, to_bytes
from streamcompat.mach9_api import exceptions as mach9
from streamcompat.mach9_api.response import StreamHTTPResponse
from streamcompat.sanic_api import exceptions as sanic
from streamcompat.sanic_api.response import StreamingHTTPResponse
from streamcompat_engine import ClientDisconnected

__all__ = [
    "Forbidden",
    "ServiceUnavailable",
    "StreamedResponse",
    "Unauthorized",
    "WholeResponse",
    "abort",
    "add_status_code",
    "content",
    "encoded",
]


def content(message: Mapping[str, Any]) -> bytes | None:
    """The content of a message from `await request.stream.receive()`, as Sanic's `get()` returns it.

    Returns: a piece of the body, never empty; None at its end.
    Raises: ClientDisconnected: the client disconnected before the end of the body.
    """
    if message["more_content"]:
        piece: bytes = message["content"]
        return piece
    if message["closed"]:
        raise ClientDisconnected
    return None


def encoded(data: Any) -> bytes:
    """The bytes that Sanic's `response.write(data)` sends, for `await channel.send(...)`.

    Text as UTF-8, bytes and other buffers as they are, anything else as the text that `str` makes of it.
    """
    return to_bytes(data)


class _InstanceCheck(type):
    """The metaclass of classes that exist only for `isinstance`: an instance is one of `of` and not one of
    `but`."""

    of: tuple[type, ...]
    but: tuple[type, ...]

    def __instancecheck__(cls, response: object) -> bool:
        return isinstance(response, cls.of) and not isinstance(response, cls.but)


class StreamedResponse(metaclass=_InstanceCheck):
    """`isinstance(response, StreamedResponse)`: the response is streamed; of either flavour."""

    of: tuple[type, ...] = (StreamHTTPResponse, StreamingHTTPResponse)
    but: tuple[type, ...] = ()


class WholeResponse(metaclass=_InstanceCheck):
    """`isinstance(response, WholeResponse)`: the response is not streamed, as `isinstance` with Sanic's
    `HTTPResponse` tells."""

    of: tuple[type, ...] = (HTTPResponse,)
    but: tuple[type, ...] = (StreamHTTPResponse,)


class Forbidden(sanic.Forbidden, mach9.Mach9Exception):
    """The client may not do this: 403."""


class ServiceUnavailable(sanic.ServiceUnavailable, mach9.Mach9Exception):
    """The server is overloaded, or in maintenance: 503."""


class Unauthorized(sanic.Unauthorized, mach9.Mach9Exception):
    """The client must authenticate: 401, with the challenge that Sanic's arguments describe."""


_by_status = kernel.ByStatus(
    {
        cls.status_code: cls
        for cls in (
            mach9.InvalidUsage,
            Unauthorized,
            Forbidden,
            mach9.NotFound,
            mach9.RequestTimeout,
            mach9.PayloadTooLarge,
            mach9.ContentRangeError,
            mach9.ServerError,
            ServiceUnavailable,
        )
    }
)


def add_status_code(code: int) -> Callable[[kernel.E], kernel.E]:
    """The decorated exception has this status, and is the one that `abort` raises for it."""
    return _by_status.registering(code)


def abort(status_code: int, message: str | None = None) -> NoReturn:
    """Raises the exception for a status; the default message is the status's reason phrase."""
    raise _by_status.build(status_code, message, mach9.Mach9Exception)
