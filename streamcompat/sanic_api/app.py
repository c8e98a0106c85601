"""Sanic's application."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine, Mapping
from enum import Enum
from typing import Any, ClassVar, Self, overload

from streamcompat.application import Application
from streamcompat.asgi.app import ASGI
from streamcompat.asgi.scope import Receive, Scope, Send
from streamcompat.kernel.config import Config as KernelConfig
from streamcompat.kernel.dialect import Dialect, told_apart
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.routes.blueprints import Blueprints
from streamcompat.sanic_api import versions
from streamcompat.sanic_api.applied import AppliesFutures
from streamcompat.sanic_api.config import SANIC_PREFIX, Config
from streamcompat.sanic_api.dialect import SANIC, chosen, of_release
from streamcompat.sanic_api.exceptions import InvalidSignal, SanicException
from streamcompat.sanic_api.handlers import ErrorHandler
from streamcompat.sanic_api.hooks import Hooked
from streamcompat.sanic_api.overridden import warn_of_overridden
from streamcompat.sanic_api.registered import Registered
from streamcompat.sanic_api.request import Request
from streamcompat.sanic_api.response import encode_json_with
from streamcompat.sanic_api.router import Router
from streamcompat.sanic_api.testing import SanicASGITestClient, SanicTestClient
from streamcompat.serving.arguments import takes
from streamcompat.serving.options import OF_PROCESS, RunOptions
from streamcompat.serving.protocol import with_protocol
from streamcompat.serving.running import RunningServer
from streamcompat.serving.test_client import SocketTestClient
from streamcompat_engine import Lifespan

__all__ = ["Sanic", "compat"]


class Sanic(Hooked, AppliesFutures, Registered, Application):
    """An application with Sanic's API.

    `is_request_stream` is accepted; whether a request is streamed depends on its route alone.
    """

    dialect: Dialect = SANIC
    config_class: ClassVar[type[KernelConfig]] = Config
    default_request_class: ClassVar[type[BaseRequest]] = Request
    test_client_class: ClassVar[type[SocketTestClient]] = SanicTestClient

    def __init__(
        self,
        name: str | None = None,
        router: Router | None = None,
        error_handler: Any = None,
        load_env: bool | str = True,
        request_class: type[BaseRequest] | None = None,
        strict_slashes: bool = False,
        log_config: dict[str, Any] | None = None,
        configure_logging: bool = True,
        is_request_stream: bool = False,
        *,
        config: Config | None = None,
        ctx: Any = None,
        env_prefix: str | None = SANIC_PREFIX,
        register: bool | None = None,
        dumps: Callable[..., str] | None = None,
    ) -> None:
        """The arguments by position are those of 0.7 to 20.12; those of 21.x are taken by name.

        Args:
            config: the settings, instead of new ones.
            ctx: `app.ctx`, instead of a new namespace.
            env_prefix: of the environment's variables that are settings; empty for none.
            register: `False` hides the app from `Sanic.get_app`.
            dumps: what `json` encodes with, in the whole process.
        """
        self.dialect = chosen()
        super().__init__(
            name,
            router,
            error_handler,
            load_env if env_prefix == SANIC_PREFIX else env_prefix or False,
            request_class,
            strict_slashes,
            configure_logging,
            log_config,
            ctx=ctx,
        )
        self.router.dialect = self.dialect
        if isinstance(self.router, Router):
            self.router.ctx.app = self
        if config is not None:
            self.config: Config = config
        if register is not False:
            self.register_app(self)
        if dumps is not None:
            encode_json_with(dumps)
        self._is_request_stream = is_request_stream
        self._asgi = ASGI(self)
        self.go_fast: Callable[..., None] = self.run
        # ASGI servers ask whether this is a coroutine function; Python itself calls that of the class.
        vars(self)["__call__"] = self.asgi.__call__

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overridden(cls, "Sanic")

    @property
    def is_request_stream(self) -> bool:
        """Whether any route streams its request's body, or this was set to True."""
        endpoints = (
            endpoint for route in self.router.routes_all.values() for endpoint in route.endpoints.values()
        )
        return self._is_request_stream or any(endpoint.stream for endpoint in endpoints)

    @is_request_stream.setter
    def is_request_stream(self, value: bool) -> None:
        self._is_request_stream = value

    def usual_request_class(self) -> type[BaseRequest] | None:
        return Request if self._release() >= (21, 12) else None

    def make_router(self) -> Router:
        return Router()

    def make_error_handler(self) -> ErrorHandler:
        return ErrorHandler()

    def request_arguments(self, request: BaseRequest) -> dict[str, Any]:
        return {
            "url_bytes": request.raw_url,
            "headers": request.headers,
            "version": request.version,
            "method": request.method,
            "transport": request.transport,
        }

    def _release(self) -> tuple[int, int]:
        return self.dialect.release

    def use_dialect(self, dialect: Dialect) -> None:
        super().use_dialect(dialect)
        self.router.use_dialect(dialect)

    def take_settings(self, settings: Mapping[str, Any]) -> None:
        """Takes over what a protocol class sets."""
        self.config.update(settings)

    def _add_signal(
        self,
        handler: Callable[..., Any],
        event: str | Enum,
        condition: Mapping[str, Any] | None,
        exclusive: bool,
    ) -> None:
        super()._add_signal(handler, event, condition, exclusive)
        if self.signal_router.of_requests and "handle" not in vars(self):
            if self.is_running:
                raise InvalidSignal(f"{event} is registered before the app is served, or not at all")
            self._call_hooks()

    def register_blueprint(self, blueprint: Blueprints, **options: Any) -> None:
        """As `blueprint`, which a subclass may override."""
        self.blueprint(blueprint, **options)

    @with_protocol
    @takes(
        (
            "host",
            "port",
            "debug",
            "ssl",
            "sock",
            "workers",
            "protocol",
            "backlog",
            "stop_event",
            "register_sys_signals",
            "access_log",
        )
    )
    def run(self, options: RunOptions) -> None:
        """Serves until SIGINT or SIGTERM, or until `stop`; the arguments are the fields of `RunOptions`."""
        self._serve(options)

    @with_protocol
    @takes(
        ("host", "port", "debug", "ssl", "sock", "protocol", "backlog", "stop_event", "access_log"),
        without=OF_PROCESS,
    )
    async def create_server(self, options: RunOptions) -> RunningServer:
        """Serves within the running loop until `stop`, or `close` of the result; arguments as for `run`."""
        return await self._serve_within(options)

    @overload
    def __call__(self) -> Self: ...
    @overload
    def __call__(self, scope: Scope, receive: Receive, send: Send, /) -> Coroutine[Any, Any, None]: ...
    def __call__(self, *arguments: Any) -> Any:
        """Returns the app itself, for servers that call the object that they import; with the three arguments
        of an ASGI server it serves one connection."""
        return self.asgi(*arguments) if arguments else self

    @property
    def asgi(self) -> ASGI:
        """The app for an ASGI 3 server, and for nothing else: `uvicorn module:app.asgi`. What is assigned to
        it is ignored: in Sanic it told how the app is served."""
        return self._asgi

    @asgi.setter
    def asgi(self, value: object) -> None:
        pass

    _listens_by_hand = False

    def lifespan(self, access_log: bool | None = None) -> Lifespan:
        return Lifespan() if self._listens_by_hand else super().lifespan(access_log)

    async def _server_event(self, concern: str, action: str, loop: Any = None) -> None:
        """Runs the listeners of one event, `init` or `shutdown`, `before` or `after`, for tests. A server
        that is started between the first and the last of these events runs none."""
        lifespan = super().lifespan()
        self._listens_by_hand = (concern, action) != ("shutdown", "after")
        events = {
            ("init", "before"): lifespan.before_start,
            ("init", "after"): lifespan.after_start,
            ("shutdown", "before"): lifespan.before_stop,
            ("shutdown", "after"): lifespan.after_stop,
        }
        await events[concern, action](loop or asyncio.get_running_loop())

    @property
    def test_client(self) -> SocketTestClient:
        """A client for tests: `request, response = app.test_client.get("/")`; that of sanic_testing's
        `TestManager(app)`, where there is one."""
        return super().test_client if self._test_manager is None else self._test_manager.test_client

    @property
    def asgi_client(self) -> SanicASGITestClient:
        """A client for tests, whose methods are awaited; as `test_client`."""
        return SanicASGITestClient(self) if self._test_manager is None else self._test_manager.asgi_client

    _test_manager: Any = None

    @property
    def loop(self) -> Any:
        """The event loop that serves the app; SanicException while the app is not served."""
        if self._loop is None:
            raise SanicException("Loop can only be retrieved after the app has started running.")
        return self._loop


def compat(release: str, app: Sanic | None = None) -> None:
    """Chooses the release of Sanic whose behaviour applies where releases contradict each other; default 0.8.

    Args:
        release: "0.5", "0.6", "0.7", "0.8", or one from "18.12" to "21.12"; a third number is ignored.
        app: change this app only; call it before the app is served. Without it the release applies to every
            app that is made afterwards, and to functions that are called outside of a request.
    Raises: ValueError: another release.
    """
    told_apart.add(SANIC.name)
    if app is None:
        versions.choose(release)
        vars(sys.modules["streamcompat.sanic_api"])["__version__"] = versions.of_chosen()
    else:
        app.use_dialect(of_release(release))
