"""What the kernel must know of a flavour: a small frozen value.

The rule: whatever can be a name or a signature is one, in the facade; whatever a flavour, or a release of it,
does in its own way is a field here, and nowhere else.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from streamcompat.kernel.exceptions import (
        ContentRangeError,
        FileNotFound,
        HeaderNotFound,
        HTTPException,
        InvalidRangeType,
    )
    from streamcompat.kernel.request.streams import RequestStream
    from streamcompat.kernel.response.response import HTTPResponse
    from streamcompat.kernel.routes.views import CompositionView
    from streamcompat_engine import Exchange


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """One flavour.

    Attributes:
        name: as messages name it.
        release: of the original, major and minor: it decides where releases contradict each other.
        env_prefix: of the environment's variables that become settings.
        env_numbers: such a variable that reads as a number becomes one.
        self_handlers: a handler outside of a class may take `self`: the app or blueprint it is on.
        unquote_path: routes are matched against the path with its percent-encoding undone.
        body_before_middleware: on a route that does not stream, request middleware sees the body.
        first_name_wins: of several routes with one name `url_for` builds the first, not the last.
        ip_has_port: `request.ip` is the address and the port, as a tuple.
        token: makes `request.token` of the Authorization field, which may be missing.
        error_handlers_by_keyword: a handler of exceptions is called as `handler(request=, exception=)`.
        bad_response: the message of the 500 for an answer that is no response.
        bad_handshake: of the 400 for a request on a WebSocket's route that is no handshake.
        request_stream: makes `request.stream` of an exchange.
        response: the class of responses that the kernel itself makes.
        composition_view: the class of views that the router makes.
        base: every exception of the flavour that is an answer is one of these.
        method_not_allowed: makes the 405 of a message, the method and the methods that are allowed.
        log: the logger of the application's own messages.
        access_log: the logger with one record a response.
    """

    name: str
    release: tuple[int, int]
    env_prefix: str
    env_numbers: bool
    self_handlers: bool
    unquote_path: bool
    body_before_middleware: bool
    first_name_wins: bool
    ip_has_port: bool
    token: Callable[[str | None], str | None]
    error_handlers_by_keyword: bool
    bad_response: str
    bad_handshake: str
    request_stream: Callable[[Exchange], RequestStream]
    response: type[HTTPResponse]
    composition_view: type[CompositionView]
    base: type[HTTPException]
    not_found: type[HTTPException]
    method_not_allowed: Callable[[str, str, Sequence[str]], HTTPException]
    invalid_usage: type[HTTPException]
    server_error: type[HTTPException]
    payload_too_large: type[HTTPException]
    request_timeout: type[HTTPException]
    service_unavailable: Callable[[str], HTTPException]
    url_build_error: type[HTTPException]
    file_not_found: type[FileNotFound]
    header_not_found: type[HeaderNotFound]
    content_range_error: type[ContentRangeError]
    invalid_range_type: type[InvalidRangeType]
    log: str
    access_log: str


answering: Final[ContextVar[Dialect]] = ContextVar("answering")
"""The dialect of the application that answers the request in this context, for functions that are given no
request. Only applications of a flavour in `told_apart` set it, as it costs time."""

told_apart: Final[set[str]] = set()
"""The names of the flavours of which more than one release may be in this process."""
