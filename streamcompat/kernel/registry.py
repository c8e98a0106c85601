"""The registry of an application: routes, middleware, exception handlers, listeners, blueprints.

The rule: registering only stores, and happens before the application is served.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import replace
from typing import Any

from streamcompat.kernel.config import Config
from streamcompat.kernel.errorhandler import ErrorHandler
from streamcompat.kernel.routes.blueprints import Blueprint, Blueprints
from streamcompat.kernel.routes.endpoints import RouteOptions
from streamcompat.kernel.routes.registration import ExceptionClasses, H, Registration
from streamcompat.kernel.routes.router import Router
from streamcompat.kernel.routes.urls import build_url
from streamcompat.kernel.routes.views import Handler
from streamcompat.kernel.websocket.routes import WebSocketSwitch


class Registry(Registration, WebSocketSwitch):
    """The part of an application that handlers are registered on.

    Attributes:
        router: holds the routes.
        error_handler: makes responses to exceptions.
        strict_slashes: the default for routes.
        request_middleware, response_middleware: in the order in which they are called.
        listeners: by the name of the event.
        blueprints: by name.
    """

    config: Config

    def __init__(self, router: Router, error_handler: ErrorHandler, strict_slashes: bool) -> None:
        super().__init__()
        self.router = router
        self.error_handler = error_handler
        self.strict_slashes = strict_slashes
        self.request_middleware: deque[Handler] = deque()
        self.response_middleware: deque[Handler] = deque()
        self.listeners: dict[str, list[Handler]] = defaultdict(list)
        self.blueprints: dict[str, Blueprint] = {}

    def _add_route(
        self, handler: Handler, uri: str, methods: Collection[str] | None, options: RouteOptions
    ) -> None:
        if getattr(handler, "is_websocket", False):
            self.websocket_enabled: bool = True
        self.router.register(
            uri if uri.startswith("/") else "/" + uri,
            methods,
            handler,
            options.host,
            self.strict_slashes if options.strict_slashes is None else options.strict_slashes,
            options.version,
            replace(options, owner=options.owner or self),
        )

    def register_middleware(self, middleware: H, attach_to: str = "request") -> H:
        if attach_to == "request":
            self.request_middleware.append(middleware)
        elif attach_to == "response":
            # The one that was registered last sees the response first.
            self.response_middleware.appendleft(middleware)
        else:
            raise ValueError(f"middleware attaches to 'request' or 'response', not to {attach_to!r}")
        return middleware

    def register_exception(self, exceptions: Sequence[ExceptionClasses], handler: Handler) -> None:
        for exception in exceptions:
            if isinstance(exception, (tuple, list)):
                self.register_exception(tuple(exception), handler)
            else:
                self.error_handler.add(exception, handler)

    def register_listener(self, listener: H, event: str) -> H:
        self.listeners[event].append(listener)
        return listener

    def blueprint(self, blueprint: Blueprints, **options: Any) -> None:
        """Takes on a blueprint, or a list of them; for the options see `Blueprint.register`.

        Raises: AssertionError: another blueprint has the same name.
        """
        if isinstance(blueprint, (list, tuple)):
            for one in blueprint:
                self.blueprint(one, **options)
            return
        known = self.blueprints.setdefault(blueprint.name, blueprint)
        if known is not blueprint:
            raise AssertionError(
                f'A blueprint with the name "{blueprint.name}" is already registered.  '
                "Blueprint names must be unique."
            )
        blueprint.register(self, options)

    register_blueprint = blueprint

    def remove_route(self, uri: str, clean_cache: bool = True, host: str | None = None) -> None:
        """Removes the route of exactly this path; RouteDoesNotExist if there is none."""
        self.router.remove(uri, clean_cache, host)

    def url_for(self, view_name: str, **values: Any) -> str:
        """The URL of a handler, by its name (`blueprint.handler` on a blueprint).

        The route's parameters are taken from `values`, and the remaining values become the query; `_anchor`,
        `_external`, `_scheme` and `_server` set the other parts. During a request the URL begins with the
        request's `root_path`; outside of one it has no prefix. Raises the flavour's URLBuildError.
        """
        return build_url(self.router, view_name, self.config.get("SERVER_NAME", ""), values)
