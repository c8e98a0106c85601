"""Spans of requests by the API of OpenTelemetry, which has to be installed.

The rule: one span for each request, and none for its messages. It is current while the handler runs, so that
the handler's own spans are its children; what the tracing library raises is logged once and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from opentelemetry import context, propagate, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

from streamcompat_engine import App, End, Exchange, Observer

_METHODS: Final = frozenset("CONNECT DELETE GET HEAD OPTIONS PATCH POST PUT TRACE".split())
_LONGEST: Final = 8192
"""Bytes of a field that says what the parent is; W3C Baggage has this limit, Trace Context a lower one."""
_log: Final = logging.getLogger(__name__)


class Tracing(Observer):
    """Makes a span of each exchange; its attributes have the names of the semantic conventions for HTTP."""

    def __init__(self) -> None:
        self._tracer = trace.get_tracer("streamcompat")
        self._spans: dict[Exchange, Span] = {}
        self._failed = False

    def around(self, app: App) -> App:
        """The application within a span."""

        async def traced(exchange: Exchange) -> None:
            within = self._begin(exchange)
            if within is None:
                await app(exchange)
                return
            token = context.attach(within)
            try:
                await app(exchange)
            finally:
                context.detach(token)

        return traced

    def _begin(self, exchange: Exchange) -> context.Context | None:
        try:
            parent = propagate.extract(_carrier(exchange))
            method = exchange.head.method
            span = self._tracer.start_span(
                method if method in _METHODS else "HTTP",
                parent,
                SpanKind.SERVER,
                _request_attributes(exchange),
            )
            self._spans[exchange] = span
            return trace.set_span_in_context(span, parent)
        except Exception:
            if not self._failed:
                self._failed = True
                _log.exception("a span could not be begun; later failures are not logged")
            return None

    def ended(self, exchange: Exchange, end: End, now: float) -> None:
        span = self._spans.pop(exchange, None)
        if span is None:
            return
        try:
            if span.is_recording():
                _describe(span, exchange, end)
        finally:
            span.end()


def _carrier(exchange: Exchange) -> Mapping[str, str]:
    """The header fields that the configured propagators read.

    What is longer than W3C Baggage allows is left out: the propagators drop it too, and log all of it first.
    """
    wanted = {name.lower().encode() for name in propagate.get_global_textmap().fields}
    return {
        name.decode(): value.decode("latin-1")
        for name, value in exchange.head.headers
        if name in wanted and len(value) <= _LONGEST
    }


def _request_attributes(exchange: Exchange) -> dict[str, str | int]:
    head, peer = exchange.head, exchange.peer
    attributes: dict[str, str | int] = {
        "http.request.method": head.method if head.method in _METHODS else "_OTHER",
        "url.path": head.raw_path.decode("latin-1"),
        "url.scheme": exchange.scheme,
        "network.protocol.version": head.http_version,
    }
    if head.method not in _METHODS:
        attributes["http.request.method_original"] = head.method
    if head.query:
        attributes["url.query"] = head.query.decode("latin-1")
    if peer:
        attributes["client.address"], attributes["client.port"] = peer[0], peer[1]
    if head.host:
        attributes["server.address"] = head.host
    for name, value in head.headers:
        if name == b"user-agent":
            attributes["user_agent.original"] = value.decode("latin-1")
    return attributes


def _describe(span: Span, exchange: Exchange, end: End) -> None:
    """Add what is known at the end."""
    request, status, method = exchange.context, exchange.status, exchange.head.method
    endpoint = None if request is None else request._endpoint
    if endpoint is not None:
        route = request.root_path + endpoint.uri
        span.set_attribute("http.route", route)
        span.update_name(f"{method if method in _METHODS else 'HTTP'} {route}")
    span.set_attribute("http.request.body.size", exchange.bytes_received)
    span.set_attribute("http.response.body.size", exchange.bytes_sent)
    if status is not None:
        span.set_attribute("http.response.status_code", status)
    if end is End.LEFT:
        span.set_attribute("error.type", "client_left")
    elif end is End.CUT:
        span.set_attribute("error.type", "cut")
        span.set_status(Status(StatusCode.ERROR, "the response was cut"))
    elif status is not None and status >= 500:
        span.set_attribute("error.type", str(status))
        span.set_status(Status(StatusCode.ERROR))
