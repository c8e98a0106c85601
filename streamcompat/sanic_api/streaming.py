"""The decorators that Sanic and its Blueprint have beside the shared ones.

The rule: spellings of all releases; each ends in what the shared decorators do.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from enum import Enum
from functools import partial
from inspect import Parameter
from typing import Any, Final

from streamcompat.kernel.routes.endpoints import OF_DECORATORS, RouteOptions
from streamcompat.kernel.routes.registration import GET, Decorator, H, Registration, view_methods
from streamcompat.kernel.routes.signatures import options_of, takes_options
from streamcompat.sanic_api import errorforms
from streamcompat.sanic_api.exceptions import SanicException

__all__ = ["ListensAndRoutes", "RoutesAndHandler", "StreamRoutes"]

_SINCE_18: Final = (
    "version_prefix",
    "ignore_body",
    "apply",
    "error_format",
    "unquote",
    "static",
    "websocket",
)
_OPTIONS: Final = OF_DECORATORS | {
    name: Parameter(name, Parameter.KEYWORD_ONLY, default=None) for name in _SINCE_18
}
ERROR_FORMS: Final = ("auto", "html", "json", "text")
_ROUTE_ORDER: Final = ("host", "strict_slashes", "stream", "version", "name", "ignore_body")
_ADD_ORDER: Final = ("methods", "host", "strict_slashes", "version", "name", "stream")


_LEFT: Final = (19, 12)
_LEFT_NO_MORE: Final = (21, 3)


class RoutesAndHandler(tuple[list[Any], Callable[..., Any]]):
    """A handler behind a list of its routes, which is empty here; it is called as the handler, and has its
    attributes."""

    @property
    def handler(self) -> Callable[..., Any]:
        """The function that was decorated."""
        return self[1]

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self[1](*arguments, **options)

    def __getattr__(self, name: str) -> Any:
        return getattr(self[1], name)


class StreamRoutes(Registration):
    """The routes."""

    @takes_options(_OPTIONS, *_ROUTE_ORDER, refuses=False)
    def route(self, uri: str, methods: Collection[str] | None = GET, **options: Any) -> Decorator:
        """Registers the decorated handler for `methods`, or for any method if `None`.

        Of 21.x: `version_prefix` stands in the place of `/v`; `ctx_NAME=` are values of
        `request.route.ctx`; `unquote` decodes the parameters where paths are matched as they were sent, and
        `error_format` is that of the route's error pages. `ignore_body`, `apply`, `static` and `websocket`
        are accepted without effect.

        Raises: TypeError: there is no such option. SanicException: there is no such form of error pages.
        """
        context = {
            name.removeprefix("ctx_"): options.pop(name) for name in list(options) if _is_context(name)
        }
        prefix = options.pop("version_prefix", None)
        unquotes, form = bool(options.pop("unquote", False)), options.pop("error_format", None)
        if form and form not in ERROR_FORMS:
            raise SanicException(f"Unknown format: {form}")
        for name in _SINCE_18:
            options.pop(name, None)
        unknown = sorted(options.keys() - _OPTIONS.keys())
        if unknown:
            raise TypeError(f"route() got an unexpected keyword argument {unknown[0]!r}")
        route_options = RouteOptions(
            **options,
            version_prefix=None if prefix == "/v" else prefix,
            context=context or None,
            unquote=unquotes,
            error_format=form or None,
        )

        def register(handler: Any) -> Any:
            function = handler.handler if isinstance(handler, RoutesAndHandler) else handler
            named = replace(route_options, prefix=getattr(function, "__blueprintname__", None))
            self._add_route(function, uri, methods, self._with_error_form(function, named))
            return self._decorated(function)

        return register

    def _decorated(self, handler: Any) -> Any:
        """The handler; from 19.12 to 20.12 what an app's decorators left, and extensions unpack."""
        return RoutesAndHandler(([], handler)) if _LEFT <= self._release() < _LEFT_NO_MORE else handler

    def _with_error_form(self, handler: Callable[..., Any], options: RouteOptions) -> RouteOptions:
        """The options; where they tell no form of error pages, an app of 21.9 or later takes that of the
        handler's answers."""
        if options.error_format not in (None, "auto") or self._release() < errorforms.SINCE:
            return options
        return replace(options, error_format=errorforms.of_handler(handler) or options.error_format)

    def _release(self) -> tuple[int, int]:
        """That of the app; the oldest where there is no app yet, on a blueprint."""
        return (0, 0)

    @takes_options(options_of(route), *_ADD_ORDER, refuses=False)
    def add_route(self, handler: H, uri: str, **options: Any) -> H:
        """Registers a handler, a class view's `as_view()` or a composed view; a view defines its methods."""
        methods = view_methods(handler, options.pop("methods", GET))
        self.route(uri, methods, **options)(handler)
        return handler

    @takes_options(options_of(route, "methods", "stream"), "host", "strict_slashes", refuses=False)
    def stream(self, uri: str, methods: Collection[str] = ("POST",), **options: object) -> Decorator:
        """As `route`; the handler reads the request's body through `request.stream.get()`."""
        return self.route(uri, methods, stream=True, **options)


class ListensAndRoutes(StreamRoutes):
    """The routes, and the spellings of 21.x for middleware, listeners and signals."""

    def listener(self, event: Any, event_or_none: str | None = None, apply: bool = True) -> Any:
        """`@app.listener("before_server_start")`, or a function and the event, as since 21.3."""
        if callable(event):
            return self.register_listener(event, event_or_none or "before_server_start")
        return super().listener(event)

    def before_server_start(self, listener: H) -> H:
        """A listener of this event."""
        return self.register_listener(listener, "before_server_start")

    def after_server_start(self, listener: H) -> H:
        """A listener of this event."""
        return self.register_listener(listener, "after_server_start")

    def before_server_stop(self, listener: H) -> H:
        """A listener of this event."""
        return self.register_listener(listener, "before_server_stop")

    def after_server_stop(self, listener: H) -> H:
        """A listener of this event."""
        return self.register_listener(listener, "after_server_stop")

    def main_process_start(self, listener: H) -> H:
        """A listener of the start; with workers it runs in each, before `before_server_start`."""
        return self.register_listener(listener, "main_process_start")

    def main_process_stop(self, listener: H) -> H:
        """A listener of the stop; with workers it runs in each, behind `after_server_stop`."""
        return self.register_listener(listener, "main_process_stop")

    def on_request(self, middleware: Any = None) -> Any:
        """`@app.on_request`, with or without parentheses."""
        return self._attached(middleware, "request")

    def on_response(self, middleware: Any = None) -> Any:
        """`@app.on_response`, with or without parentheses."""
        return self._attached(middleware, "response")

    def _attached(self, middleware: Any, attach_to: str) -> Any:
        if callable(middleware):
            return self.register_middleware(middleware, attach_to)
        return partial(self.register_middleware, attach_to=attach_to)

    def signal(
        self,
        event: str | Enum,
        *,
        apply: bool = True,
        condition: Mapping[str, Any] | None = None,
        exclusive: bool = True,
    ) -> Callable[[H], H]:
        """The decorated function handles an event of the app, see `app.dispatch`; the server's own events
        are listeners.

        Args:
            condition: `dispatch` reaches it with the same one only; unless `exclusive`, without one too.
        Raises: InvalidSignal: the name is not one of three parts, or is one of Sanic's for requests.
        """

        def register(handler: H) -> H:
            self.add_signal(handler, event, condition, exclusive)
            return handler

        return register

    def add_signal(
        self,
        handler: Callable[..., Any] | None,
        event: str | Enum,
        condition: Mapping[str, Any] | None = None,
        exclusive: bool = True,
    ) -> Callable[..., Any]:
        """As `signal`, for a function that is there; without one the event can be waited for."""
        handler = handler or _nothing
        self._add_signal(handler, event, condition, exclusive)
        return handler

    def _add_signal(
        self,
        handler: Callable[..., Any],
        event: str | Enum,
        condition: Mapping[str, Any] | None,
        exclusive: bool,
    ) -> None:
        raise NotImplementedError


def _is_context(name: str) -> bool:
    return name.startswith("ctx_")


def _nothing(**values: Any) -> None:
    """The handler of an event that is only waited for."""
