"""The decorators that an application and a blueprint have in common.

The rule: each decorator ends in one call of `_add_route`, `register_middleware`, `register_exception` or
`register_listener`; an application acts on the call, a blueprint stores it for the application.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

from streamcompat.kernel.response.files import Location
from streamcompat.kernel.routes.endpoints import OF_DECORATORS, Host, RouteOptions
from streamcompat.kernel.routes.signatures import options_of, takes_options
from streamcompat.kernel.routes.static import file_handler
from streamcompat.kernel.routes.views import CompositionView, Handler
from streamcompat.kernel.statuses import HTTP_METHODS
from streamcompat.kernel.websocket.routes import upgrading

H = TypeVar("H", bound=Handler)
ExceptionClasses = type[BaseException] | tuple["ExceptionClasses", ...] | list["ExceptionClasses"]

GET = frozenset({"GET"})

_ORDER = ("host", "strict_slashes", "version", "name")
_ORDER_WITH_STREAM = ("host", "strict_slashes", "stream", "version", "name")
OF_WEBSOCKETS = {name: OF_DECORATORS[name] for name in _ORDER}


class Decorator(Protocol):
    """Registers the decorated handler, and returns it unchanged."""

    def __call__(self, handler: H, /) -> H: ...


def view_methods(handler: Handler, methods: Collection[str] | None) -> Collection[str] | None:
    """The methods to register: those of a class view or a composed view, else `methods`."""
    view_class = getattr(handler, "view_class", None)
    if view_class is not None:
        return {method for method in HTTP_METHODS if getattr(view_class, method.lower(), None)}
    if isinstance(handler, CompositionView):
        return list(handler.handlers)
    return methods


def verb(route: Callable[..., Decorator], method: str, *order: str) -> Callable[..., Decorator]:
    """The decorator for one HTTP method; `order` has the names of its arguments after the path."""

    def register(self: Registration, uri: str, **options: object) -> Decorator:
        return self.route(uri, (method,), **options)

    register.__name__ = method.lower()
    register.__doc__ = f"As `route`, for {method}."
    # `route` itself refuses what it does not take; a flavour's may take more than the kernel's.
    return takes_options(options_of(route, "methods"), *order, refuses=False)(register)


class Registration:
    """The decorators for routes, WebSockets, middleware, exceptions and listeners.

    Each route decorator takes, beside the path, the options that `RouteOptions` describes.
    """

    def _add_route(
        self, handler: Handler, uri: str, methods: Collection[str] | None, options: RouteOptions
    ) -> None:
        raise NotImplementedError

    def register_middleware(self, middleware: H, attach_to: str = "request") -> H:
        """Adds middleware: `"request"` gets the request, `"response"` gets the request and the response."""
        raise NotImplementedError

    def register_exception(self, exceptions: Sequence[ExceptionClasses], handler: Handler) -> None:
        """Adds a handler for exceptions of these classes; a class may be a tuple or list of classes."""
        raise NotImplementedError

    def register_listener(self, listener: H, event: str) -> H:
        """Adds a listener for `before_server_start`, `after_server_start`, `before_server_stop` or
        `after_server_stop`; it is called with the app and the event loop."""
        raise NotImplementedError

    @takes_options(OF_DECORATORS, "host", "strict_slashes", "stream", "version", "name")
    def route(self, uri: str, methods: Collection[str] | None = GET, **options: Any) -> Decorator:
        """Registers the decorated handler for `methods`, or for any method if `None`."""
        route_options = RouteOptions(**options)

        def register(handler: H) -> H:
            self._add_route(handler, uri, methods, route_options)
            return self._decorated(handler)

        return register

    def _decorated(self, handler: H) -> H:
        """What a decorator of a route leaves in the place of the handler."""
        return handler

    @takes_options(options_of(route), "methods", "host", "strict_slashes", "version", "name", "stream")
    def add_route(self, handler: H, uri: str, **options: Any) -> H:
        """Registers a handler, a class view's `as_view()` or a composed view; a view defines its methods."""
        methods = view_methods(handler, options.pop("methods", GET))
        return self.route(uri, methods, **options)(handler)

    get: Callable[..., Decorator] = verb(route, "GET", *_ORDER)
    head: Callable[..., Decorator] = verb(route, "HEAD", *_ORDER)
    options: Callable[..., Decorator] = verb(route, "OPTIONS", *_ORDER)
    delete: Callable[..., Decorator] = verb(route, "DELETE", *_ORDER)
    post: Callable[..., Decorator] = verb(route, "POST", *_ORDER_WITH_STREAM)
    put: Callable[..., Decorator] = verb(route, "PUT", *_ORDER_WITH_STREAM)
    patch: Callable[..., Decorator] = verb(route, "PATCH", *_ORDER_WITH_STREAM)

    def static(
        self,
        uri: str,
        file_or_directory: Location,
        pattern: str = r"/?.+",
        use_modified_since: bool = True,
        use_content_range: bool = False,
        stream_large_files: bool | int = False,
        name: str = "static",
        host: Host = None,
        strict_slashes: bool | None = None,
        content_type: str | None = None,
    ) -> None:
        """Serves a file at `uri`, or the files of a folder below it.

        Args:
            pattern: for a folder, the pattern of the path after `uri`.
            use_modified_since: send Last-Modified, and answer 304 to a client that has this version.
            use_content_range: serve ranges of bytes.
            stream_large_files: the size in bytes from which a file is sent in pieces; 1 MiB for a bool.
            name: for `url_for("static", name=..., filename=...)`.
            content_type: replaces the one that is guessed from the file's name.
        """
        handler = file_handler(
            file_or_directory, use_modified_since, use_content_range, stream_large_files, content_type
        )
        if not os.path.isfile(file_or_directory):
            uri += f"<file_uri:{pattern}>"
            strict_slashes = True
        self._add_route(
            handler,
            uri,
            ("GET", "HEAD"),
            RouteOptions(host, strict_slashes, name=name, static=True),
        )

    @takes_options(OF_WEBSOCKETS, "host", "strict_slashes", "subprotocols", "name", "version")
    def websocket(
        self, uri: str, *, subprotocols: Collection[str] | None = None, **options: Any
    ) -> Decorator:
        """Registers the decorated handler for a WebSocket: `async def handler(request, ws, **parameters)`.

        Args:
            subprotocols: that it speaks; of the client's the first that is among them is agreed on.
        """
        route_options = RouteOptions(**options)

        def register(handler: H) -> H:
            self._add_route(upgrading(handler, subprotocols or ()), uri, ("GET",), route_options)
            return self._decorated(handler)

        return register

    @takes_options(options_of(websocket), "host", "strict_slashes", "subprotocols", "name", "version")
    def add_websocket_route(self, handler: H, uri: str, **options: object) -> H:
        """As `websocket`, for a function that is there."""
        self.websocket(uri, **options)(handler)
        return handler

    def middleware(self, middleware_or_attach_to: Any, attach_to: str | None = None) -> Any:
        """`@app.middleware`, `@app.middleware("request")` or `@app.middleware("response")`."""
        if callable(middleware_or_attach_to):
            return self.register_middleware(middleware_or_attach_to, attach_to or "request")
        return partial(self.register_middleware, attach_to=attach_to or middleware_or_attach_to)

    def exception(self, *exceptions: ExceptionClasses) -> Decorator:
        """The decorated function answers for exceptions of these classes: `(request, exception)`."""

        def register(handler: H) -> H:
            self.register_exception(exceptions, handler)
            return handler

        return register

    def listener(self, event: str) -> Decorator:
        """Registers the decorated function for `event`; it is called with the app and the event loop."""

        def register(listener: H) -> H:
            return self.register_listener(listener, event)

        return register
