"""What an application and a blueprint can both be told.

The rule: each decorator says one thing to `add_route`, `register_middleware`, `register_exception` or
`register_listener`; an application acts on it, a blueprint keeps it for the application.
"""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Collection, Iterable, Sequence
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

R = TypeVar("R")
_ORDER = ("host", "strict_slashes", "version", "name")
_ORDER_WITH_STREAM = ("host", "strict_slashes", "stream", "version", "name")


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


def _ordered(route: Callable[..., Decorator], *order: str) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """Lets a method that takes the options of `route` by name take some of them by position too.

    Args:
        order: what the positional arguments after the method's own are called.
    """

    def decorate(method: Callable[..., R]) -> Callable[..., R]:
        signature = inspect.signature(method)
        own = [
            parameter
            for parameter in signature.parameters.values()
            if parameter.kind is not parameter.VAR_KEYWORD
        ]

        @functools.wraps(method)
        def call(*positional: Any, **options: Any) -> R:
            further = positional[len(own) :]
            if len(further) > len(order):
                most = len(own) + len(order) - 1
                raise TypeError(f"{method.__name__}() takes at most {most} positional arguments")
            named = dict(zip(order, further, strict=False))
            if twice := sorted(named.keys() & options):
                raise TypeError(f"{method.__name__}() got two values for {twice[0]!r}")
            return method(*positional[: len(own)], **named, **options)

        vars(call)["__signature__"] = signature.replace(parameters=_parameters(route, own, order))
        return call

    return decorate


def _parameters(
    route: Callable[..., Decorator], own: Sequence[inspect.Parameter], order: Sequence[str]
) -> list[inspect.Parameter]:
    """What `help` and editors show: the method's own arguments, then those of `route` in its order."""
    rest = dict(inspect.signature(route).parameters)
    for name in ("self", "uri", "methods"):
        if name not in order:
            del rest[name]
    parameters = [*own, *(rest.pop(name) for name in order)]
    for parameter in rest.values():
        by_name = parameter.kind is parameter.POSITIONAL_OR_KEYWORD
        parameters.append(parameter.replace(kind=parameter.KEYWORD_ONLY) if by_name else parameter)
    return parameters


def verb(route: Callable[..., Decorator], method: str, *order: str) -> Callable[..., Decorator]:
    """The decorator for one method; `order` is what its arguments after the path are called."""

    def register(self: Registration, uri: str, **options: Any) -> Decorator:
        return self.route(uri, (method,), **options)

    register.__name__ = method.lower()
    register.__doc__ = f"As `route`, for {method}."
    return _ordered(route, *order)(register)


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

    @_ordered(route, "methods", "host", "strict_slashes", "version", "name", "stream")
    def add_route(self, handler: H, uri: str, **options: Any) -> H:
        """Registers a handler, a class view's `as_view()` or a composed view; views bring their methods."""
        methods = view_methods(handler, options.pop("methods", GET))
        return self.route(uri, methods, **options)(handler)

    get = verb(route, "GET", *_ORDER)
    head = verb(route, "HEAD", *_ORDER)
    options = verb(route, "OPTIONS", *_ORDER)
    delete = verb(route, "DELETE", *_ORDER)
    post = verb(route, "POST", *_ORDER_WITH_STREAM)
    put = verb(route, "PUT", *_ORDER_WITH_STREAM)
    patch = verb(route, "PATCH", *_ORDER_WITH_STREAM)

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
