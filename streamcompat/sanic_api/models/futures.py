"""What a blueprint keeps of routes, middleware, listeners and exception handlers, by its names of 21.x.

The rule: for extensions that make them by hand and give them to an app; a blueprint reads those of
`_future_middleware` as plain tuples. Fields that came after 21.3 have defaults, so that each release's
arguments make one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from streamcompat.kernel.response.files import Location
from streamcompat.kernel.routes.endpoints import Host
from streamcompat.kernel.routes.views import Handler

__all__ = [
    "FutureException",
    "FutureListener",
    "FutureMiddleware",
    "FutureRoute",
    "FutureSignal",
    "FutureStatic",
]


class FutureRoute(NamedTuple):
    """A route and its options, as those of `Sanic.route`; of a WebSocket where `websocket` is true."""

    handler: Handler
    uri: str
    methods: Collection[str] | None
    host: Host
    strict_slashes: bool | None
    stream: bool
    version: object
    name: str | None
    ignore_body: bool
    websocket: bool
    subprotocols: Sequence[str] | None
    unquote: bool
    static: bool
    version_prefix: str = "/v"
    error_format: str | None = None
    route_context: Mapping[str, object] | None = None


class FutureStatic(NamedTuple):
    """Files and their options, as those of `Sanic.static`; `resource_type` has no effect."""

    uri: str
    file_or_directory: Location
    pattern: str
    use_modified_since: bool
    use_content_range: bool
    stream_large_files: bool | int
    name: str
    host: Host
    strict_slashes: bool | None
    content_type: str | None
    resource_type: str | None = None


class FutureListener(NamedTuple):
    """A listener and the event that it is for."""

    listener: Handler
    event: str


class FutureMiddleware(NamedTuple):
    """Middleware: `attach_to` is `request` or `response`."""

    middleware: Handler
    attach_to: str


class FutureException(NamedTuple):
    """An exception handler and the classes that it answers for."""

    handler: Handler
    exceptions: Iterable[type[BaseException]]


class FutureSignal(NamedTuple):
    """The handler of a signal, the name of the signal and its condition."""

    handler: Callable[..., Any]
    event: str
    condition: Mapping[str, Any] | None
    exclusive: bool = True
