"""What a route leads to: a handler, ready to be called, and what the route says of the request's body.

The rule: all that can be known when a handler is registered is worked out then.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.response import HTTPResponse
from streamcompat.kernel.routes.views import Handler
from streamcompat_engine import Exchange, OnDisconnect


@dataclass(frozen=True, slots=True)
class Options:
    """What a route says beside its path, methods and handler.

    Attributes:
        stream: the request's body is read through `request.stream`.
        owner: the app or blueprint that the handler was registered on.
        name: for `url_for`; the handler's own where it is `None`.
        prefix: the blueprint's name, for `url_for`.
        on_disconnect: `"raise"`, `"cancel"` or `"ignore"`: what a handler learns of a client that leaves.
        body_limit: bytes; `None` for the application's limit.
        body_idle: seconds between two arrivals of the body; `math.inf` for no limit, `None` for the engine's.
        body_rate: the least bytes a second; 0 for none, `None` for the engine's.
        static: the route serves files; its name is kept apart from those of handlers.
    """

    stream: bool = False
    owner: Any = None
    name: str | None = None
    prefix: str | None = None
    on_disconnect: OnDisconnect | None = None
    body_limit: int | None = None
    body_idle: float | None = None
    body_rate: int | None = None
    static: bool = False


class Endpoint:
    """One handler for one method of one route, ready to be called as `call(request, **parameters)`.

    Attributes:
        request_stream: makes `request.stream`, in the words of what the handler was registered on.
    """

    __slots__ = (
        "body_idle",
        "body_limit",
        "body_rate",
        "call",
        "handler",
        "on_disconnect",
        "request_stream",
        "stream",
        "has_options",
        "uri",
    )

    def __init__(
        self, handler: Handler, call: Handler, uri: str, stream: bool, options: Options, dialect: Dialect
    ) -> None:
        self.request_stream = (getattr(options.owner, "dialect", None) or dialect).request_stream
        self.handler = handler
        self.call = call
        self.uri = uri
        self.stream = stream
        self.on_disconnect = options.on_disconnect
        self.body_limit = options.body_limit
        self.body_idle = options.body_idle
        self.body_rate = options.body_rate
        self.has_options = (self.on_disconnect, self.body_idle, self.body_rate) != (None, None, None)

    def apply_options(self, exchange: Exchange) -> None:
        """Tells the exchange what the route asks for, where `has_options` says that it does."""
        if self.on_disconnect is not None:
            exchange.on_disconnect = self.on_disconnect
        if self.body_idle is not None or self.body_rate is not None:
            exchange.pace(self.body_idle, self.body_rate)

    @property
    def label(self) -> str:
        """The route as a log names it."""
        handler = self.handler
        return f"{self.uri} ({getattr(handler, '__qualname__', type(handler).__qualname__)})"


def answers_asterisk(methods: Iterable[str], dialect: Dialect) -> Endpoint:
    """What answers `OPTIONS *`, which is about the whole server and no route of it (RFC 9110 §9.3.7):
    204, with the methods of all its routes."""
    allowed = ", ".join(sorted({"OPTIONS", *methods}))

    def asterisk(request: BaseRequest) -> HTTPResponse:
        return dialect.response(status=204, headers={"Allow": allowed}, content_type=None)

    return Endpoint(asterisk, asterisk, "*", False, Options(), dialect)
