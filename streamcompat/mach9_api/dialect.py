"""Mach9's behaviour."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from streamcompat.kernel import exceptions as kernel
from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.exceptions import HTTPException
from streamcompat.kernel.request.request import after_token
from streamcompat.mach9_api import exceptions
from streamcompat.mach9_api.http import BodyChannel
from streamcompat.mach9_api.response import HTTPResponse
from streamcompat.mach9_api.views import CompositionView


class MethodNotAllowed(kernel.MethodNotSupported, exceptions.InvalidUsage):
    """A 405 that Mach9's exception handlers see as InvalidUsage, and Sanic's as MethodNotSupported."""


MethodNotAllowed.__name__ = "InvalidUsage"  # the name that Mach9's apps expect


def method_not_allowed(
    invalid_usage: type[HTTPException], message: str, method: str, allowed: Sequence[str]
) -> HTTPException:
    """The exception for a 405, for which Mach9 has no class of its own."""
    if invalid_usage is exceptions.InvalidUsage:
        return MethodNotAllowed(message, method, allowed)
    error = invalid_usage(message, 405)
    error.headers = {"Allow": ", ".join(allowed)}
    return error


MACH9 = Dialect(
    name="Mach9",
    release=(0, 0),
    env_prefix="MACH9_",
    env_numbers=False,
    self_handlers=True,
    unquote_path=False,
    negative_numbers=False,
    text_files_are_utf8=False,
    by_segment=False,
    typed_by_annotation=False,
    files_without_name=False,
    body_before_middleware=False,
    route_before_middleware=False,
    first_name_wins=True,
    ip_has_port=False,
    request_timeout_for_answer=True,
    token=lambda authorization: after_token(authorization or ""),
    error_handlers_by_keyword=True,
    bad_response="response does not have get_message()",
    bad_handshake="Invalid Handshake",
    request_stream=BodyChannel,
    response=HTTPResponse,
    composition_view=CompositionView,
    base=exceptions.Mach9Exception,
    not_found=exceptions.NotFound,
    method_not_allowed=partial(method_not_allowed, exceptions.InvalidUsage),
    invalid_usage=exceptions.InvalidUsage,
    server_error=exceptions.ServerError,
    payload_too_large=exceptions.PayloadTooLarge,
    request_timeout=exceptions.RequestTimeout,
    service_unavailable=lambda message: exceptions.RequestTimeout("Request Timeout"),
    url_build_error=exceptions.URLBuildError,
    file_not_found=exceptions.FileNotFound,
    header_not_found=exceptions.HeaderNotFound,
    content_range_error=exceptions.ContentRangeError,
    invalid_range_type=exceptions.InvalidRangeType,
    log="mach9",
    access_log="network",
)
