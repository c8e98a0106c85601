"""What the kernel does in Sanic's way."""

from dataclasses import replace

from streamcompat.kernel.dialect import Dialect
from streamcompat.sanic_api import exceptions
from streamcompat.sanic_api.request import StreamQueue
from streamcompat.sanic_api.response import HTTPResponse
from streamcompat.sanic_api.views import CompositionView

SANIC = Dialect(
    name="Sanic",
    self_handlers=False,
    unquote_path=True,
    body_before_middleware=True,
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

# Before 0.7 the loggers had other names, and a handler that was too slow was the client's timeout.
SANIC_BEFORE_07 = replace(
    SANIC,
    log="sanic",
    access_log="network",
    service_unavailable=lambda message: exceptions.RequestTimeout("Request Timeout"),
)
