"""What an extension of Sanic 21 makes by hand and gives to an app: `app._apply_route(FutureRoute(...))`.

The rule: each of these methods ends in what the decorators do; they are for extensions that call them, such
as sanic-plugin-toolkit, and nothing here calls them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from streamcompat.kernel.app import App
from streamcompat.kernel.routes.views import Handler
from streamcompat.sanic_api.models.futures import (
    FutureException,
    FutureListener,
    FutureMiddleware,
    FutureRoute,
    FutureSignal,
    FutureStatic,
)
from streamcompat.sanic_api.named import TakesNamed
from streamcompat.sanic_api.streaming import ListensAndRoutes

__all__ = ["AppliesFutures"]


class AppliesFutures(ListensAndRoutes, TakesNamed, App):
    """Registers what was made by hand."""

    def _apply_route(self, route: FutureRoute) -> list[Any]:
        """Registers a route, or a WebSocket. The list is empty: there is no route to change."""
        options = route._asdict()
        handler, uri = options.pop("handler"), options.pop("uri")
        context = options.pop("route_context") or {}
        subprotocols = options.pop("subprotocols")
        if options.pop("websocket"):
            names = ("host", "strict_slashes", "version", "name")
            chosen = {name: options[name] for name in names}
            self.websocket(uri, subprotocols=subprotocols, **chosen)(handler)
        else:
            context = {f"ctx_{name}": value for name, value in context.items()}
            self.route(uri, **options, **context)(handler)
        return []

    def _apply_static(self, static: FutureStatic) -> None:
        """Registers files."""
        options = static._asdict()
        del options["resource_type"]
        self.static(**options)

    def _apply_middleware(
        self, middleware: FutureMiddleware, route_names: Sequence[str] | None = None
    ) -> Handler:
        """Registers middleware; only for these routes, if any are named."""
        function, attach_to = middleware
        if route_names:
            return self.register_named_middleware(function, route_names, attach_to)
        return self.register_middleware(function, attach_to)

    def _apply_listener(self, listener: FutureListener) -> Handler:
        """Registers a listener."""
        return self.register_listener(listener.listener, listener.event)

    def _apply_exception_handler(
        self, handler: FutureException, route_names: Sequence[str] | None = None
    ) -> Handler:
        """Registers an exception handler. `route_names` has no effect: it is for all routes."""
        self.register_exception(tuple(handler.exceptions), handler.handler)
        return handler.handler

    def _apply_signal(self, signal: FutureSignal) -> Handler:
        """Registers the handler of a signal."""
        return self.add_signal(*signal)
