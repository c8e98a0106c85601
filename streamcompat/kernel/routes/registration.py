"""What an application and a blueprint can both be told.

The rule: each decorator says one thing to `add_route`, `register_middleware`, `register_exception` or
`register_listener`; an application acts on it, a blueprint keeps it for the application.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable
from functools import partial
from typing import Any, Protocol, TypeVar

from streamcompat.kernel.routes.static import file_handler
from streamcompat.kernel.routes.views import CompositionView, Handler
from streamcompat.kernel.statuses import HTTP_METHODS
from streamcompat.kernel.websocket.routes import WebSocketRoutes
from streamcompat_engine import OnDisconnect

H = TypeVar("H", bound=Handler)
Host = str | Iterable[str] | None

GET = frozenset({"GET"})


class Decorator(Protocol):
    """Registers what it decorates, and gives it back as it is."""

    def __call__(self, handler: H, /) -> H: ...


def view_methods(handler: Handler, methods: Collection[str] | None) -> Collection[str] | None:
    """The methods to register: those that a class view or a composed view has, else `methods`."""
    view_class = getattr(handler, "view_class", None)
    if view_class is not None:
        return {method for method in HTTP_METHODS if getattr(view_class, method.lower(), None)}
    if isinstance(handler, CompositionView):
        return list(handler.handlers)
    return methods


class Registration(WebSocketRoutes):
    """The decorators for routes, middleware, exceptions and listeners.

    Each route decorator takes, beside the path:

    - `host`: a host name or several; the route is for these only.
    - `strict_slashes`: `/x` and `/x/` are two paths.
    - `stream`: the request's body is read through `request.stream`.
    - `version`: the path gets `/v<version>` before it.
    - `name`: for `url_for`.
    - `on_disconnect`: what the handler learns of a client that leaves: `"raise"` (its next read or write
      fails, or says so in the flavour's way), `"cancel"` (it is cancelled) or `"ignore"` (writes are
      dropped).
    - `body_limit`: the most bytes that the request's body may have; else the configuration says it.
    - `body_idle`: seconds that may pass between two arrivals of the body, `math.inf` for no limit; else 60.
    - `body_rate`: the least bytes a second of the body, counted after 10 s, and only while the client may
      send; 0 for none. Else 500 on a route that does not stream, and none on one that does.
    """

    def _add_route(self, handler: Handler, uri: str, methods: Collection[str] | None, **options: Any) -> None:
        raise NotImplementedError

    def register_middleware(self, middleware: H, attach_to: str = "request") -> H:
        """Adds middleware: `"request"` is called with the request, `"response"` with request and response."""
        raise NotImplementedError

    def register_exception(self, exceptions: tuple[Any, ...], handler: Handler) -> None:
        """Adds a handler for exceptions of these classes; a class may be a tuple or list of classes."""
        raise NotImplementedError

    def register_listener(self, listener: H, event: str) -> H:
        """Adds a listener for `before_server_start`, `after_server_start`, `before_server_stop` or
        `after_server_stop`; it is called with the app and the event loop."""
        raise NotImplementedError

    def route(
        self,
        uri: str,
        methods: Collection[str] | None = GET,
        host: Host = None,
        strict_slashes: bool | None = None,
        stream: bool = False,
        version: Any = None,
        name: str | None = None,
        *,
        on_disconnect: OnDisconnect | None = None,
        body_limit: int | None = None,
        body_idle: float | None = None,
        body_rate: int | None = None,
    ) -> Decorator:
        """Registers the decorated handler for `methods`, or for any method if `None`."""

        def register(handler: H) -> H:
            self._add_route(
                handler,
                uri,
                methods,
                host=host,
                strict_slashes=strict_slashes,
                stream=stream,
                version=version,
                name=name,
                on_disconnect=on_disconnect,
                body_limit=body_limit,
                body_idle=body_idle,
                body_rate=body_rate,
            )
            return handler

        return register

    def add_route(
        self,
        handler: H,
        uri: str,
        methods: Collection[str] | None = GET,
        host: Host = None,
        strict_slashes: bool | None = None,
        version: Any = None,
        name: str | None = None,
        stream: bool = False,
        *,
        on_disconnect: OnDisconnect | None = None,
        body_limit: int | None = None,
        body_idle: float | None = None,
        body_rate: int | None = None,
    ) -> H:
        """Registers a handler, a class view's `as_view()` or a composed view; views bring their methods."""
        return self.route(
            uri,
            view_methods(handler, methods),
            host,
            strict_slashes,
            stream,
            version=version,
            name=name,
            on_disconnect=on_disconnect,
            body_limit=body_limit,
            body_idle=body_idle,
            body_rate=body_rate,
        )(handler)

    def get(
        self,
        uri: str,
        host: Host = None,
        strict_slashes: bool | None = None,
        version: Any = None,
        name: str | None = None,
        **options: Any,
    ) -> Decorator:
        """As `route`, for GET."""
        return self.route(uri, GET, host, strict_slashes, version=version, name=name, **options)

    def post(
        self,
        uri: str,
        host: Host = None,
        strict_slashes: bool | None = None,
        stream: bool = False,
        version: Any = None,
        name: str | None = None,
        **options: Any,
    ) -> Decorator:
        """As `route`, for POST."""
        return self.route(uri, ("POST",), host, strict_slashes, stream, version=version, name=name, **options)

    def put(
        self,
        uri: str,
        host: Host = None,
        strict_slashes: bool | None = None,
        stream: bool = False,
        version: Any = None,
        name: str | None = None,
        **options: Any,
    ) -> Decorator:
        """As `route`, for PUT."""
        return self.route(uri, ("PUT",), host, strict_slashes, stream, version=version, name=name, **options)

    def patch(
        self,
        uri: str,
        host: Host = None,
        strict_slashes: bool | None = None,
        stream: bool = False,
        version: Any = None,
        name: str | None = None,
        **options: Any,
    ) -> Decorator:
        """As `route`, for PATCH."""
        return self.route(
            uri, ("PATCH",), host, strict_slashes, stream, version=version, name=name, **options
        )

    def head(
        self,
        uri: str,
        host: Host = None,
        strict_slashes: bool | None = None,
        version: Any = None,
        name: str | None = None,
        **options: Any,
    ) -> Decorator:
        """As `route`, for HEAD."""
        return self.route(uri, ("HEAD",), host, strict_slashes, version=version, name=name, **options)

    def options(
        self,
        uri: str,
        host: Host = None,
        strict_slashes: bool | None = None,
        version: Any = None,
        name: str | None = None,
        **options: Any,
    ) -> Decorator:
        """As `route`, for OPTIONS."""
        return self.route(uri, ("OPTIONS",), host, strict_slashes, version=version, name=name, **options)

    def delete(
        self,
        uri: str,
        host: Host = None,
        strict_slashes: bool | None = None,
        version: Any = None,
        name: str | None = None,
        **options: Any,
    ) -> Decorator:
        """As `route`, for DELETE."""
        return self.route(uri, ("DELETE",), host, strict_slashes, version=version, name=name, **options)

    def static(
        self,
        uri: str,
        file_or_directory: Any,
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
            pattern: what may follow `uri` where it is a folder.
            use_modified_since: send Last-Modified, and answer 304 to a client that has this version.
            use_content_range: serve ranges of bytes.
            stream_large_files: from how many bytes on a file is sent in pieces; 1 MiB for a bool.
            name: for `url_for("static", name=..., filename=...)`.
            content_type: in place of the one that the file's name tells.
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
            host=host,
            strict_slashes=strict_slashes,
            version=None,
            name=name,
            static=True,
        )

    def middleware(self, middleware_or_attach_to: Any, attach_to: str | None = None) -> Any:
        """`@app.middleware`, `@app.middleware("request")` or `@app.middleware("response")`."""
        if callable(middleware_or_attach_to):
            return self.register_middleware(middleware_or_attach_to, attach_to or "request")
        return partial(self.register_middleware, attach_to=attach_to or middleware_or_attach_to)

    def exception(self, *exceptions: Any) -> Decorator:
        """The decorated function answers for exceptions of these classes: `(request, exception)`."""

        def register(handler: H) -> H:
            self.register_exception(exceptions, handler)
            return handler

        return register

    def listener(self, event: str) -> Decorator:
        """The decorated function is called at `event`, with the app and the event loop."""

        def register(listener: H) -> H:
            return self.register_listener(listener, event)

        return register
