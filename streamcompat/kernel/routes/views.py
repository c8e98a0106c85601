"""Class views and views composed of functions: one route with a handler for each method.

The rule: the handler of each method is known when the route is registered, so that each method can stream or
not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, ClassVar, TypeVar

from streamcompat.kernel.exceptions import HTTPException, InvalidUsage
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.statuses import HTTP_METHODS

Handler = Callable[..., Any]
H = TypeVar("H", bound=Handler)


def stream(handler: H) -> H:
    """Marks a handler, or a method of a view, that reads the request's body through `request.stream`."""
    marked: Any = handler
    marked.is_stream = True
    return handler


def marked_stream(handler: object) -> bool:
    """Whether `stream` marked the handler, or the function that a partial or a bound method calls."""
    while handler is not None:
        if getattr(handler, "is_stream", False):
            return True
        handler = getattr(handler, "func", None)
    return False


class HTTPMethodView:
    """A view whose methods `get`, `post`, `put`, `head`, `options`, `patch` and `delete` are its handlers.

    Each request is served by a new instance. `decorators` are applied to the view function, in order.
    """

    decorators: ClassVar[Iterable[Callable[[Handler], Handler]]] = []

    def dispatch_request(self, request: BaseRequest, *args: Any, **kwargs: Any) -> Any:
        """Calls the handler of the request's method; override it to run code for every method."""
        handler = getattr(self, request.method.lower())
        return handler(request, *args, **kwargs)

    @classmethod
    def as_view(cls, *class_args: object, **class_kwargs: object) -> Handler:
        """The function to register; the arguments are the constructor's, for each request."""

        def dispatch(*args: object, **kwargs: object) -> object:
            self = view.view_class(*class_args, **class_kwargs)
            return self.dispatch_request(*args, **kwargs)

        view: Any = dispatch
        if cls.decorators:
            view.__module__ = cls.__module__
            for decorator in cls.decorators:
                view = decorator(view)
        view.view_class = cls
        view.__doc__ = cls.__doc__
        view.__module__ = cls.__module__
        view.__name__ = cls.__name__
        handler: Handler = view
        return handler


class CompositionView:
    """A view made of functions: `view.add(["GET"], handler)`."""

    invalid_usage: Callable[[str], HTTPException] = InvalidUsage

    def __init__(self) -> None:
        self.handlers: dict[str, Handler] = {}
        self._streams: set[str] = set()

    def add(self, methods: Iterable[str], handler: Handler, stream: bool = False) -> None:
        """Adds a handler.

        Args:
            methods: the methods that it serves.
            stream: it reads the request's body through `request.stream`.
        Raises: the flavour's InvalidUsage: a method is unknown or has a handler already.
        """
        for method in methods:
            if method not in HTTP_METHODS:
                raise self.invalid_usage(f"{method} is not a valid HTTP method.")
            if method in self.handlers:
                raise self.invalid_usage(f"Method {method} is already registered.")
            self.handlers[method] = handler
            if stream or marked_stream(handler):
                self._streams.add(method)

    def streams(self, method: str) -> bool:
        """Whether the handler of `method` streams."""
        return method in self._streams

    def __call__(self, request: BaseRequest, *args: object, **kwargs: object) -> object:
        return self.handlers[request.method.upper()](request, *args, **kwargs)
