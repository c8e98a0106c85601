"""Sanic's behaviour, one dialect for each release."""

from dataclasses import replace

from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.request.request import after_token
from streamcompat.sanic_api import exceptions, versions
from streamcompat.sanic_api.body import StreamQueue
from streamcompat.sanic_api.response import HTTPResponse
from streamcompat.sanic_api.views import CompositionView


def _token(authorization: str | None) -> str | None:
    """The value of `request.token` since 0.6."""
    if authorization is not None:
        for scheme in ("Bearer", "Token"):
            _, found, token = authorization.partition(scheme)
            if found:
                return token.strip()
    return authorization


SANIC = Dialect(
    name="Sanic",
    release=versions.DEFAULT,
    env_prefix="SANIC_",
    env_numbers=True,
    self_handlers=False,
    unquote_path=True,
    negative_numbers=False,
    text_files_are_utf8=False,
    by_segment=False,
    typed_by_annotation=False,
    files_without_name=False,
    body_before_middleware=True,
    route_before_middleware=False,
    first_name_wins=False,
    ip_has_port=False,
    request_timeout_for_answer=False,
    token=_token,
    error_handlers_by_keyword=False,
    bad_response="Invalid response type",
    bad_handshake="Invalid websocket request",
    request_stream=StreamQueue,
    response=HTTPResponse,
    composition_view=CompositionView,
    base=exceptions.SanicException,
    not_found=exceptions.NotFound,
    method_not_allowed=exceptions.MethodNotSupported,
    invalid_usage=exceptions.InvalidUsage,
    server_error=exceptions.ServerError,
    payload_too_large=exceptions.PayloadTooLarge,
    request_timeout=exceptions.RequestTimeout,
    service_unavailable=exceptions.ServiceUnavailable,
    url_build_error=exceptions.URLBuildError,
    file_not_found=exceptions.FileNotFound,
    header_not_found=exceptions.HeaderNotFound,
    content_range_error=exceptions.ContentRangeError,
    invalid_range_type=exceptions.InvalidRangeType,
    log="root",
    access_log="sanic.access",
)

# Paths were matched as sent, and parameters kept them so; exception handlers were called by keyword.
_SANIC_07 = replace(SANIC, release=(0, 7), unquote_path=False, error_handlers_by_keyword=True)
# Before 0.7 the loggers had other names, and one time was for the client and for the handler: a 408.
_SANIC_06 = replace(
    _SANIC_07,
    release=(0, 6),
    ip_has_port=True,
    request_timeout_for_answer=True,
    log="sanic",
    access_log="network",
    service_unavailable=lambda message: exceptions.RequestTimeout("Request Timeout"),
)
_SANIC_05 = replace(
    _SANIC_06,
    release=(0, 5),
    token=lambda authorization: authorization and after_token(authorization),
)
# Since 18.12 the logger has a name of its own.
_SANIC_18 = replace(SANIC, release=(18, 12), log="sanic.root")
_BY_RELEASE = {dialect.release: dialect for dialect in (_SANIC_05, _SANIC_06, _SANIC_07, SANIC)}


def of_release(release: str) -> Dialect:
    """The dialect of a release that `versions.parsed` takes. ValueError for another release."""
    return _dialect(versions.parsed(release))


def _dialect(release: tuple[int, int]) -> Dialect:
    if release not in _BY_RELEASE:
        since_19 = release >= (19, 3)
        _BY_RELEASE[release] = replace(
            _SANIC_18,
            release=release,
            negative_numbers=since_19,
            files_without_name=since_19,
            route_before_middleware=(19, 12) <= release < (21, 3),
            unquote_path=release < (21, 3),
            text_files_are_utf8=release >= (21, 3),
            by_segment=release >= (21, 3),
            typed_by_annotation=release >= (21, 9),
        )
    return _BY_RELEASE[release]


def chosen() -> Dialect:
    """The dialect of the release that was chosen for the process."""
    return _dialect(versions.chosen())
