"""The behaviour of a flavour, as a frozen value that the kernel reads.

The rule: names and signatures belong to the facade; every difference in behaviour between flavours, or
between releases of one, is a field here and nowhere else.
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
        name: the flavour's name in messages.
        release: major and minor number of the original's release; it decides where releases contradict each
            other.
        env_prefix: the prefix of environment variables that become settings.
        env_numbers: such a variable becomes a number if its text is one.
        self_handlers: a handler outside of a class may take `self`: the app or blueprint that it is
            registered on.
        unquote_path: routes are matched against the percent-decoded path.
        negative_numbers: `<n:int>` and `<n:number>` take them.
        text_files_are_utf8: a static file's type says so, and an unknown type is that of any bytes.
        by_segment: routes are read by the rules of `routes.segmented`.
        typed_by_annotation: a parameter without a type has that of the handler's annotation.
        files_without_name: a part of a form whose file name is empty is a file, not a field.
        body_before_middleware: request middleware sees the body on a route that does not stream.
        route_before_middleware: where no route matches, request middleware does not run.
        first_name_wins: if several routes have one name, `url_for` builds the first, not the last.
        ip_has_port: `request.ip` is a tuple of the address and the port.
        request_timeout_for_answer: REQUEST_TIMEOUT is also the time of a handler, as there was no
            RESPONSE_TIMEOUT.
        token: makes `request.token` from the value of the Authorization field, `None` if it is missing.
        error_handlers_by_keyword: an exception handler is called as `handler(request=, exception=)`.
        bad_response: the message of the 500 for a handler that does not return a response.
        bad_handshake: the message of the 400 for a request on a WebSocket route that is not a handshake.
        request_stream: makes `request.stream` from an exchange.
        response: the class of responses that the kernel itself makes.
        composition_view: the class of views that the router makes.
        base: the base class of the flavour's exceptions.
        method_not_allowed: makes the 405 from a message, the method and the allowed methods.
        log: the name of the logger for the application's own messages.
        access_log: the name of the logger that gets one record per response.
    """

    name: str
    release: tuple[int, int]
    env_prefix: str
    env_numbers: bool
    self_handlers: bool
    unquote_path: bool
    negative_numbers: bool
    text_files_are_utf8: bool
    by_segment: bool
    typed_by_annotation: bool
    files_without_name: bool
    body_before_middleware: bool
    route_before_middleware: bool
    first_name_wins: bool
    ip_has_port: bool
    request_timeout_for_answer: bool
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
"""The dialect of the application that answers the request in this context, for functions that get no
request. Only applications of a flavour in `told_apart` set it, because it costs time."""

told_apart: Final[set[str]] = set()
"""The names of flavours of which this process may use more than one release."""
