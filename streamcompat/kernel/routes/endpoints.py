"""The endpoint of a route: a handler, ready to be called, and the route's options for the request's body.

The rule: everything that can be computed when a handler is registered is computed then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass
from inspect import signature
from typing import Final

from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.request.streams import RequestStream
from streamcompat.kernel.response.response import HTTPResponse
from streamcompat.kernel.routes.views import Handler
from streamcompat_engine import Exchange, OnDisconnect

Host = str | Iterable[str] | None


@dataclass(frozen=True, slots=True)
class RouteOptions:
    """What a route says beside its path, methods and handler; the one place for the options' defaults.

    Attributes:
        host: a host name or several; the route is for these only.
        strict_slashes: `/x` and `/x/` are two paths; `None` for what the application says.
        stream: the request's body is read through `request.stream`.
        version: the path gets `/v<version>` before it.
        name: for `url_for`; the handler's own where it is `None`.
        on_disconnect: what a handler learns of a client that leaves: `"raise"` (its next read or write
            fails, or says so in the flavour's way), `"cancel"` (it is cancelled) or `"ignore"` (writes are
            dropped).
        body_limit: the most bytes that the request's body may have; `None` for what the configuration says.
        body_idle: seconds that may pass between two arrivals of the body; `math.inf` for no limit, `None`
            for 60.
        body_rate: the least bytes a second of the body, counted after 10 s, and only while the client may
            send; 0 for none. `None` is 500 on a route that does not stream, and none on one that does.
        owner: the app or blueprint that the handler was registered on.
        prefix: the blueprint's name, for `url_for`.
        static: the route serves files; its name is kept apart from those of handlers.
        version_prefix: what stands before `version` in the path; `/v` where it is `None`.
        context: values of the route's own, for `request.route.ctx` of Sanic.
        unquote: parameters are percent-decoded where the path is matched as it was sent.
        error_format: of the route's error pages; `None` for what the configuration says.
    """

    host: Host = None
    strict_slashes: bool | None = None
    stream: bool = False
    version: object = None
    name: str | None = None
    _: KW_ONLY
    on_disconnect: OnDisconnect | None = None
    body_limit: int | None = None
    body_idle: float | None = None
    body_rate: int | None = None
    owner: object = None
    prefix: str | None = None
    static: bool = False
    version_prefix: str | None = None
    context: Mapping[str, object] | None = None
    unquote: bool = False
    error_format: str | None = None


OF_DECORATORS: Final = {
    name: parameter
    for name, parameter in signature(RouteOptions).parameters.items()
    if name not in ("owner", "prefix", "static", "version_prefix", "context", "unquote", "error_format")
}
"""The options that a decorator takes; the others are said by what registers the route."""


class Endpoint:
    """One handler for one method of one route, ready to be called as `call(request, **parameters)`.

    Attributes:
        name: the handler's own, behind the name of its blueprint: `blueprint.handler`.
        route_name: the same with the name that the route was given, if it was.
        request_stream: makes `request.stream`, with the API of the app's or blueprint's flavour.
        context, error_format: as the route's options.
    """

    __slots__ = (
        "body_idle",
        "body_limit",
        "body_rate",
        "call",
        "context",
        "error_format",
        "handler",
        "on_disconnect",
        "request_stream",
        "stream",
        "has_options",
        "name",
        "route_name",
        "uri",
    )

    def __init__(
        self, handler: Handler, call: Handler, uri: str, stream: bool, options: RouteOptions, dialect: Dialect
    ) -> None:
        self.request_stream: Callable[[Exchange], RequestStream] = (
            getattr(options.owner, "dialect", None) or dialect
        ).request_stream
        self.handler: Handler = handler
        self.call: Handler = call
        self.uri: str = uri
        name = getattr(handler, "__name__", type(handler).__name__)
        prefix = f"{options.prefix}." if options.prefix else ""
        self.name: str = prefix + name
        self.route_name: str = prefix + (options.name or name).removeprefix(prefix)
        self.stream: bool = stream
        self.context: Mapping[str, object] | None = options.context
        self.error_format: str | None = options.error_format
        self.on_disconnect: OnDisconnect | None = options.on_disconnect
        self.body_limit: int | None = options.body_limit
        self.body_idle: float | None = options.body_idle
        self.body_rate: int | None = options.body_rate
        self.has_options: bool = (self.on_disconnect, self.body_idle, self.body_rate) != (None, None, None)

    def apply_options(self, exchange: Exchange) -> None:
        """Sets the route's options on the exchange; needed only if `has_options`."""
        if self.on_disconnect is not None:
            exchange.on_disconnect = self.on_disconnect
        if self.body_idle is not None or self.body_rate is not None:
            exchange.pace(self.body_idle, self.body_rate)

    @property
    def label(self) -> str:
        """The route in log messages."""
        handler = self.handler
        return f"{self.uri} ({getattr(handler, '__qualname__', type(handler).__qualname__)})"


def answers_asterisk(methods: Iterable[str], dialect: Dialect) -> Endpoint:
    """The endpoint for `OPTIONS *`, which asks about the server as a whole (RFC 9110 §9.3.7): it answers 204,
    with the methods of all routes."""
    allowed = ", ".join(sorted({"OPTIONS", *methods}))

    def asterisk(request: BaseRequest) -> HTTPResponse:
        return dialect.response(status=204, headers={"Allow": allowed}, content_type=None)

    return Endpoint(asterisk, asterisk, "*", False, RouteOptions(), dialect)
