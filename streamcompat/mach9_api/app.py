"""Mach9's application."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, ClassVar

from streamcompat.application import Application
from streamcompat.kernel.config import Config as KernelConfig
from streamcompat.kernel.dialect import Dialect
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.routes.endpoints import OF_DECORATORS
from streamcompat.kernel.routes.registration import GET, Decorator, H, verb
from streamcompat.kernel.routes.signatures import takes_options
from streamcompat.mach9_api.config import Config
from streamcompat.mach9_api.dialect import MACH9
from streamcompat.mach9_api.handlers import ErrorHandler
from streamcompat.mach9_api.request import Request
from streamcompat.mach9_api.response import StreamHTTPResponse
from streamcompat.mach9_api.router import Router
from streamcompat.mach9_api.server import Server
from streamcompat.mach9_api.testing import Mach9TestClient
from streamcompat.mach9_api.views import CompositionView
from streamcompat.mach9_api.websocket import WebsocketResponse, messages
from streamcompat.serving.arguments import takes
from streamcompat.serving.options import RunOptions
from streamcompat.serving.protocol import with_protocol
from streamcompat.serving.settings import ServerSettings, server_settings
from streamcompat.serving.test_client import SocketTestClient

__all__ = ["Mach9"]


class Mach9(Application):
    """An application with Mach9's API.

    Arguments that only Mach9's own server could use are accepted without effect: `get_current_time`,
    `stream_http_response_class`.

    Attributes:
        composition_view_class: the class of the views that the router makes from several handlers on a path.
        server: the server that `run` made.
        request_timeout: REQUEST_TIMEOUT as it was when the app was made; the server takes it from here.
        request_max_size, keep_alive: the settings of these names.
    """

    dialect: Dialect = MACH9
    config_class: ClassVar[type[KernelConfig]] = Config
    default_request_class: ClassVar[type[BaseRequest]] = Request
    test_client_class: ClassVar[type[SocketTestClient]] = Mach9TestClient

    def __init__(
        self,
        name: str | None = None,
        router: Router | None = None,
        error_handler: Any = None,
        load_env: bool | str = True,
        request_class: type[BaseRequest] | None = None,
        debug: bool | None = None,
        log: logging.Logger | None = None,
        netlog: logging.Logger | None = None,
        log_config: Any = None,
        get_current_time: Any = None,
        composition_view: Any = None,
        stream_http_response_class: Any = None,
        websocket_response_class: Any = None,
    ) -> None:
        self.composition_view_class: Any = composition_view or CompositionView
        super().__init__(
            name,
            router,
            error_handler,
            load_env,
            request_class,
            log_config=log_config,
            log=log,
            access_log=netlog,
        )
        self.request_timeout: Any = self.config.REQUEST_TIMEOUT
        self._request_timeout_read = self.request_timeout
        self.stream_http_response_class: Any = stream_http_response_class or StreamHTTPResponse
        self.websocket_response_class: Any = websocket_response_class or WebsocketResponse
        self.server: Server | None = None
        self.netlog: logging.Logger = self.access_log
        if debug is not None:
            self.set_debug(debug)

    def make_router(self) -> Router:
        return Router(self.composition_view_class)

    @takes_options(OF_DECORATORS, "host", "strict_slashes", "stream", "websocket")
    def route(
        self, uri: str, methods: Collection[str] | None = GET, *, websocket: bool = False, **options: object
    ) -> Decorator:
        """As the kernel's `route`.

        Args:
            websocket: the handler returns `response.websocket(...)`, and `request.stream` gives the messages.
        """
        register = super().route(uri, methods, **options)
        if not websocket:
            return register

        def register_websocket(handler: H) -> H:
            register(messages(handler))
            return handler

        return register_websocket

    get: Callable[..., Decorator] = verb(route, "GET", "host", "strict_slashes", "websocket")

    @property
    def request_max_size(self) -> Any:
        """The setting REQUEST_MAX_SIZE, in bytes."""
        return self.config.REQUEST_MAX_SIZE

    @request_max_size.setter
    def request_max_size(self, size: Any) -> None:
        self.config.REQUEST_MAX_SIZE = size

    @property
    def keep_alive(self) -> Any:
        """The setting KEEP_ALIVE."""
        return self.config.KEEP_ALIVE

    @keep_alive.setter
    def keep_alive(self, keeps: Any) -> None:
        self.config.KEEP_ALIVE = keeps

    def _server_settings(self) -> ServerSettings:
        setting = self.config.REQUEST_TIMEOUT
        if setting not in (self._request_timeout_read, self.request_timeout):
            self.log.warning(
                "REQUEST_TIMEOUT was set when Mach9 had read it: set app.request_timeout instead"
            )
        return server_settings(self.config, self.request_timeout, self.dialect.request_timeout_for_answer)

    def make_error_handler(self) -> ErrorHandler:
        return ErrorHandler(self.log)

    def request_arguments(self, request: BaseRequest) -> dict[str, Any]:
        return {
            "message": {
                "channel": "http.request",
                "method": request.method,
                "path": request.path,
                "query_string": request.query_string.encode(),
                "http_version": request.version,
                "scheme": request.scheme,
                "headers": [
                    [name.encode(), str(value).encode()] for name, value in request.headers.multi_items()
                ],
            }
        }

    def take_settings(self, settings: Mapping[str, Any]) -> None:
        """Takes over what a protocol class sets."""
        given = dict(settings)
        self.request_timeout = given.pop("REQUEST_TIMEOUT", self.request_timeout)
        self.config.update(given)

    @with_protocol
    @takes(("host", "port", "ssl", "debug", "sock", "workers", "backlog", "protocol"))
    def run(self, options: RunOptions) -> None:
        """Serves until SIGINT or SIGTERM, or until `stop`; the arguments are the fields of `RunOptions`."""
        self.server = Server(self)
        self._serve(options)
