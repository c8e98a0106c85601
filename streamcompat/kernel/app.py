"""The application: its settings, its life, and the way of one request through it.

The rule: `handle` catches everything. Whatever goes wrong before the first byte becomes an answer in the
flavour's words; after it the response is cut, visibly, and the log says so once.
"""

from __future__ import annotations

import logging
import logging.config
import sys
from asyncio import AbstractEventLoop
from collections.abc import AsyncGenerator, Callable, Generator
from inspect import isawaitable
from types import CoroutineType
from typing import Any, ClassVar

from streamcompat.kernel import accesslog, logs, middleware
from streamcompat.kernel.config import Config
from streamcompat.kernel.dialect import Dialect, answering, told_apart
from streamcompat.kernel.errorhandler import ErrorHandler, describe
from streamcompat.kernel.exceptions import HTTPException
from streamcompat.kernel.registry import Registry
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.response import BaseHTTPResponse, to_bytes
from streamcompat.kernel.routes.endpoints import Endpoint
from streamcompat.kernel.routes.router import Router
from streamcompat.kernel.routes.urls import below
from streamcompat.kernel.statuses import STATUS_CODES
from streamcompat.kernel.tasks import Tasks
from streamcompat.kernel.websocket.connection import WebSocketConnection
from streamcompat.kernel.websocket.routes import WebSocketResponse, end_upgraded
from streamcompat_engine import (
    BodyTooLarge,
    ClientDisconnected,
    Exchange,
    ProtocolError,
    RequestTimeout,
)

_CLOSE = (b"Connection", b"close")
# The originals' phrases: the standard library has another for 418, and renamed four in Python 3.13.
_reason = STATUS_CODES.get


class App(Registry, Tasks):
    """The base of both flavours' applications.

    Args:
        name: found from the module that makes the app when left out.
        router: with the routes; a new one when left out.
        error_handler: answers exceptions.
        load_env: settings from the environment: `True`, `False` or another prefix.
        request_class: a subclass of the flavour's Request.
        strict_slashes: for routes that do not say.
        configure_logging: `run` lets the loggers write to the standard streams.
        log_config: for `logging.config.dictConfig`, at once.
        log, access_log: the loggers, where they are not those of the dialect.

    Attributes:
        dialect: the flavour and the release of it that the app is written for.
    """

    dialect: Dialect
    config_class: ClassVar[type[Config]] = Config
    default_request_class: ClassVar[type[BaseRequest]] = BaseRequest

    def __init__(
        self,
        name: str | None = None,
        router: Router | None = None,
        error_handler: ErrorHandler | None = None,
        load_env: bool | str = True,
        request_class: type[BaseRequest] | None = None,
        strict_slashes: bool = False,
        configure_logging: bool = True,
        log_config: dict[str, Any] | None = None,
        log: logging.Logger | None = None,
        access_log: logging.Logger | None = None,
    ) -> None:
        if log_config and configure_logging:
            logging.config.dictConfig(log_config)
        self.log_config = log_config
        self.name: str = name or _calling_module()
        self.log: logging.Logger = log or logging.getLogger(self.dialect.log)
        self.access_log: logging.Logger = access_log or logging.getLogger(self.dialect.access_log)
        self.config: Config = self.config_class(load_env=load_env)
        super().__init__(
            router or self.make_router(), error_handler or self.make_error_handler(), strict_slashes
        )
        if isinstance(error_handler, ErrorHandler):
            error_handler.dialect = self.dialect
        self.request_class = request_class
        self.debug: bool | None = None
        self.is_running: bool = False
        self.websocket_tasks: set[WebSocketConnection] = set()
        self._configure_logging = configure_logging
        self.logs_access: bool = False
        self._closes = False

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    def make_router(self) -> Router:
        """The router of an app that was given none."""
        return Router(self.dialect)

    def make_error_handler(self) -> ErrorHandler:
        """The error handler of an app that was given none."""
        return ErrorHandler(self.dialect, self.log)

    def use_dialect(self, dialect: Dialect) -> None:
        """Lets another release of the flavour decide, with its loggers; before the app is served."""
        self.dialect = dialect
        self.log = logging.getLogger(dialect.log)
        self.access_log = logging.getLogger(dialect.access_log)
        if isinstance(self.error_handler, ErrorHandler):
            self.error_handler.dialect = dialect

    @property
    def request_class(self) -> type[BaseRequest] | None:
        """The class of requests, where it is not the flavour's."""
        return self._request_class or self.usual_request_class()

    @request_class.setter
    def request_class(self, request_class: type[BaseRequest] | None) -> None:
        self._request_class = request_class
        self._new_request: Callable[[Exchange, App, str], BaseRequest] = self.request_factory(
            request_class or self.default_request_class
        )

    def usual_request_class(self) -> type[BaseRequest] | None:
        """What `request_class` is where the app was given none; a facade may override it."""
        return None

    def request_factory(
        self, request_class: type[BaseRequest]
    ) -> Callable[[Exchange, App, str], BaseRequest]:
        """What makes a request of this class; the constructor is run only where a subclass has its own."""
        if request_class.__init__ is self.default_request_class.__init__:
            return request_class.of

        def make(exchange: Exchange, app: App, root_path: str) -> BaseRequest:
            request = request_class.of(exchange, app, root_path)
            request_class.__init__(request, **self.request_arguments(request))
            return request

        return make

    def request_arguments(self, request: BaseRequest) -> dict[str, object]:
        """What the flavour's own server called the constructor of a request with."""
        return {}

    # Running

    def started(self, loop: AbstractEventLoop | None, access_log: bool | None) -> None:
        """The server is about to start; for its lifespan."""
        self.is_running = True
        self._closes = not self.config.KEEP_ALIVE
        if access_log is not None:
            self.config.ACCESS_LOG = access_log
        self.logs_access = bool(self.config.ACCESS_LOG) and self.access_log.isEnabledFor(logging.INFO)
        self._loop_started(loop)

    def stopped(self) -> None:
        """The server has stopped; for its lifespan."""
        self._loop = None
        self.is_running = False
        self.logs_access = False

    def configure_logging(self, debug: bool = False) -> None:
        """Gives the app's loggers a handler each, unless the app was told not to."""
        if self._configure_logging:
            logs.listen(self.log, self.access_log, debug)

    def set_access_format(self, text: str) -> None:
        """Sets the format of the access log: %-style, {}-style or `json`. Raises: ValueError."""
        accesslog.use_format(self.access_log, text)

    def log_client(self, line: str) -> None:
        """Logs an error of a client's: in one line, and of many such lines some."""
        logs.of_client(self.log, line)

    def set_debug(self, debug: bool) -> None:
        """Shows tracebacks in error pages, or does not."""
        self.debug = self.error_handler.debug = debug

    # The way of one request

    async def handle(self, exchange: Exchange, root_path: str = "") -> None:
        """Answers one request, by middleware, the route's handler and error handlers.

        Args:
            root_path: the prefix of the mount that the app is served below.
        """
        if told_apart and self.dialect.name in told_apart:
            answering.set(self.dialect)
        exchange.context = request = self._new_request(exchange, self, root_path)
        try:
            response = None
            if self.request_middleware:
                if self.dialect.route_before_middleware:
                    self.router.resolve(request.path, request.method, exchange.head.host)
                if self.dialect.body_before_middleware:
                    await self._read_early(request, exchange)
                response = await middleware.before(self.request_middleware, request)
            if response is None:
                router = self.router
                host = exchange.head.host if router.hosts else None
                endpoint, values = router.resolve(request.path, request.method, host)
                request._endpoint = endpoint
                request._match_info = values
                if endpoint.has_options:
                    endpoint.apply_options(exchange)
                if endpoint.stream:
                    if request.stream is None:
                        self._open_stream(request, exchange, endpoint)
                elif not exchange.body_complete:
                    request.body = await self._read_body(exchange, endpoint)
                response = endpoint.call(request, **values)
                if response.__class__ is CoroutineType:
                    response = await response
                elif not isinstance(response, BaseHTTPResponse) and isawaitable(response):
                    response = await response
            if not isinstance(response, BaseHTTPResponse):
                if isinstance(response, WebSocketResponse) and self.websocket_enabled:
                    await response.answer(request, exchange, lambda e: self._answer(request, exchange, e))
                    return
                response = self._begun_or_refused(request, response)
        except Exception as error:
            if exchange.committed:
                await self._sending_failed(request, exchange, error)
                return
            response = await self._answer(request, exchange, error)
            if response is None:
                return
        try:
            await self._send(request, exchange, response)
        except Exception as error:
            await self._sending_failed(request, exchange, error)

    async def answer_overdue(self, request: BaseRequest, exchange: Exchange) -> None:
        """Answers in the place of a handler that was cancelled, as it did not answer in its time."""
        if told_apart and self.dialect.name in told_apart:
            answering.set(self.dialect)
        late = self.dialect.service_unavailable("Response Timeout")
        with below(request.root_path):
            response = await self._answer(request, exchange, late)
            if response is None:
                return
            if response.status == 408:  # RFC 9110 §15.5.9
                response.headers["Connection"] = "close"
            await self._send_answer(request, exchange, response)

    async def _read_body(self, exchange: Exchange, endpoint: Endpoint | None) -> bytes:
        limit = endpoint.body_limit if endpoint is not None else None
        return await exchange.read_body(self._most() if limit is None else limit)

    async def gather_body(self, request: BaseRequest) -> None:
        """Reads what is left of a streamed body into `request.body`; at most as many bytes as the route
        allows, or REQUEST_MAX_SIZE where it does not say."""
        if request.stream is None or request.body:
            return
        exchange = request._exchange
        limit = exchange.body_limit
        request.body = await exchange.read_body(self._most() if limit is None else limit)
        request._form = None

    def _most(self) -> int | None:
        most = self.config.REQUEST_MAX_SIZE
        return None if most is None else int(most)

    def _open_stream(self, request: BaseRequest, exchange: Exchange, endpoint: Endpoint) -> None:
        limit = endpoint.body_limit
        if limit is None:
            limit = self.config.get("STREAM_MAX_SIZE")
        if limit is not None:
            exchange.body_limit = int(limit)
        request.stream = endpoint.request_stream(exchange)

    async def _read_early(self, request: BaseRequest, exchange: Exchange) -> None:
        """Reads the body of a route that does not stream, or opens the stream, so that request middleware has
        it."""
        if exchange.body_complete:
            return
        endpoint = None
        try:
            host = exchange.head.host if self.router.hosts else None
            endpoint, _ = self.router.resolve(request.path, request.method, host)
        except HTTPException:
            # Middleware may answer what no route does; if not, it is refused in its turn.
            pass
        else:
            if endpoint.has_options:
                endpoint.apply_options(exchange)
        if endpoint is not None and endpoint.stream:
            self._open_stream(request, exchange, endpoint)
        else:
            request.body = await self._read_body(exchange, endpoint)

    def _begun_or_refused(self, request: BaseRequest, response: object) -> BaseHTTPResponse:
        """For a handler that returned no response: the one that it has begun by itself."""
        if hasattr(request, "_upgraded"):
            return self.dialect.response()  # which is dropped
        begun: BaseHTTPResponse | None = getattr(request, "_begun", None)
        if begun is None or response is not None:
            raise self._not_a_response(request, response)
        return begun

    def _not_a_response(self, request: BaseRequest, response: object) -> HTTPException:
        self.log.error("%s answered with a %s, not a response", describe(request), type(response).__name__)
        return self.dialect.server_error(self.dialect.bad_response)

    async def begin(self, request: BaseRequest, response: BaseHTTPResponse) -> BaseHTTPResponse:
        """Starts a response whose body the handler writes to `response.begun` by itself, and which `handle`
        ends; response middleware may replace it.

        Raises: the flavour's ServerError: the request has one already.
        """
        if hasattr(request, "_begun"):
            raise self.dialect.server_error("Second respond call is not allowed.")
        if self.response_middleware:
            response = await self._run_response_middleware(request, response)
        headers = response.wire_headers()
        if self._closes:
            headers = [*headers, _CLOSE]
        exchange = request._exchange
        exchange.start(response.status, headers, _reason(response.status))
        response.begun = exchange
        request._begun = response
        return response

    async def _send(
        self, request: BaseRequest, exchange: Exchange, response: BaseHTTPResponse, middleware: bool = True
    ) -> None:
        if middleware and self.response_middleware and response.begun is not exchange:
            response = await self._run_response_middleware(request, response)
        headers = response.wire_headers()
        if self._closes:
            headers = [*headers, _CLOSE]
        if response.is_stream:
            if response.begun is not exchange:
                exchange.start(response.status, headers, _reason(response.status))
            # Nobody would see what is produced for HEAD, and it may never end.
            if exchange.head.method != "HEAD" and not exchange.committed:
                await exchange.run(_produce(response, exchange))
            if not exchange.finished:
                exchange.finish()
        elif response.begun is exchange and exchange.committed:
            if not exchange.finished:
                exchange.finish()
        else:
            body: Any = response.body
            if body.__class__ is not bytes:
                if body is None:
                    raise TypeError("a response's body is None")
                body = to_bytes(body)
            exchange.respond(response.status, headers, body, _reason(response.status))

    async def _run_response_middleware(
        self, request: BaseRequest, response: BaseHTTPResponse
    ) -> BaseHTTPResponse:
        try:
            replacement = await middleware.after(self.response_middleware, request, response)
        except Exception:
            self.log.exception(
                "Exception occurred in one of response middleware handlers of %s", describe(request)
            )
            return response
        if isinstance(replacement, BaseHTTPResponse):
            return replacement
        raise self._not_a_response(request, replacement)

    # What went wrong

    async def _answer(
        self, request: BaseRequest, exchange: Exchange, error: Exception
    ) -> BaseHTTPResponse | None:
        """The response to an exception; `None` where nobody is left to read it."""
        if isinstance(error, ClientDisconnected):
            exchange.abort()
            return None
        error = self._in_flavour(error)
        try:
            response = self.error_handler.response(request, error)
            if isawaitable(response):
                response = await response
            if isinstance(response, BaseHTTPResponse):
                return response
            raise self._not_a_response(request, response)
        except Exception as failure:
            return self._last_answer(request, failure)

    def _last_answer(self, request: BaseRequest, failure: Exception) -> BaseHTTPResponse:
        """Where an exception handler failed: no code of the application is asked any more."""
        handler = ErrorHandler(self.dialect, self.log)
        handler.debug = self.debug
        if isinstance(failure, HTTPException):
            return handler.default_page(request, failure)
        return handler.failed_within(request, failure)

    def _in_flavour(self, error: Exception) -> Exception:
        """What the engine says of a request's body, as the flavour's exception."""
        if isinstance(error, BodyTooLarge):
            return self.dialect.payload_too_large("Payload Too Large")
        if isinstance(error, RequestTimeout):
            return self.dialect.request_timeout("Request Timeout")
        if isinstance(error, ProtocolError):
            return self.dialect.base(error.reason, error.status)
        return error

    async def _sending_failed(self, request: BaseRequest, exchange: Exchange, error: Exception) -> None:
        if isinstance(error, ClientDisconnected):
            exchange.abort()
        elif hasattr(request, "_upgraded"):
            if await end_upgraded(request._upgraded, error):
                await self._answer(request, exchange, error)
        elif exchange.committed:
            self._cut(request, exchange, error)
        else:
            response = await self._answer(request, exchange, error)
            if response is not None:
                await self._send_answer(request, exchange, response)

    async def _send_answer(
        self, request: BaseRequest, exchange: Exchange, response: BaseHTTPResponse
    ) -> None:
        """Sends the answer to an exception."""
        try:
            await self._send(request, exchange, response)
        except Exception as error:
            await self._error_page_failed(request, exchange, error)

    async def _error_page_failed(self, request: BaseRequest, exchange: Exchange, error: Exception) -> None:
        """The answer to an exception could not be sent either."""
        if isinstance(error, ClientDisconnected):
            exchange.abort()
        elif exchange.committed:
            self._cut(request, exchange, error)
        else:
            response = self._last_answer(request, error)
            exchange.respond(response.status, response.wire_headers(), to_bytes(response.body))

    def _cut(self, request: BaseRequest, exchange: Exchange, error: Exception) -> None:
        if isinstance(error, (BodyTooLarge, ProtocolError, RequestTimeout)):
            raise error  # the client's doing: the engine cuts the response, and bounds what is logged of it
        if exchange.finished:
            self.log.error("%s failed after its response was complete", describe(request), exc_info=error)
            return
        self.log.error(
            "%s failed after %d bytes of its response, which is cut",
            describe(request),
            exchange.bytes_sent,
            exc_info=error,
        )
        exchange.abort()


async def _produce(response: BaseHTTPResponse, exchange: Exchange) -> None:
    result = response.produce(exchange)
    if isawaitable(result):
        await result
    elif isinstance(result, (Generator, AsyncGenerator)):
        raise TypeError("a streaming function may not yield: it writes its chunks")  # it would do nothing


def _calling_module() -> str:
    """The name of the module that makes an app: the first frame outside of this package."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("streamcompat."):
        frame = frame.f_back
    file = frame.f_globals.get("__file__")
    if file is None:
        return str(frame.f_globals.get("__name__", "app"))
    return str(file).replace("\\", "/").rpartition("/")[2].removesuffix(".py")
