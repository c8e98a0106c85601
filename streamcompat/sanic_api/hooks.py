"""Methods of Sanic that an app overrides, and that the server called for each request.

The rule: they are called only where an app overrides one: `Sanic.handle_request`, `_run_request_middleware`,
`_run_response_middleware`, in a subclass or on an app, and `Router.get`; or where it handles one of the
signals that Sanic 21 sends for each request; `Sanic._startup` when the app starts. Any other app goes the
kernel's way, which asks nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from functools import partial
from inspect import Parameter, isawaitable, signature
from operator import is_
from typing import Any, Final, NamedTuple

from streamcompat.kernel import middleware
from streamcompat.kernel.app import App
from streamcompat.kernel.dialect import answering
from streamcompat.kernel.errorhandler import describe
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.response import BaseHTTPResponse
from streamcompat.kernel.routes.endpoints import Endpoint, RouteOptions
from streamcompat.kernel.websocket.routes import WebSocketResponse
from streamcompat.sanic_api.named import TakesNamed
from streamcompat.sanic_api.router import Router
from streamcompat.sanic_api.signals import Event, Signals
from streamcompat_engine import ClientDisconnected, Exchange

__all__ = ["Hooked"]


class _Found(NamedTuple):
    """What is called for a request."""

    endpoint: Endpoint
    handler: Callable[..., Any]
    arguments: tuple[Any, ...]
    values: dict[str, Any]


class Hooked(TakesNamed, App):
    """The methods that an app may override, and the signals of each request."""

    router: Router
    signal_router: Signals

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        methods = [getattr(type(self), name) for name in _METHODS]
        # A wrapper of instrumentation is equal to what it wraps.
        if not all(map(is_, methods, _OURS)) or _gets_itself(self.router):
            self._call_hooks()
        if type(self)._startup is not Hooked._startup:
            self._replaced("_startup")

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)
        if name in _REPLACED:
            self._replaced(name)

    def _replaced(self, name: str) -> None:
        """A method has another in its place, on this app."""
        if name == "_startup" and self._run_startup not in self.listeners["before_server_start"]:
            self.listeners["before_server_start"].insert(0, self._run_startup)
        # A new `_startup` may replace the other methods once the server, which has asked for `handle`, runs.
        self._call_hooks()

    async def _startup(self) -> None:
        """Does nothing; a method in its place is awaited before the first listener."""
        self._has_started_up = True

    _has_started_up = False

    async def _run_startup(self, *_: object) -> None:
        if not self._has_started_up:  # else a test has called it by hand
            await self._startup()
        self._has_started_up = False

    def _call_hooks(self) -> None:
        if "handle" not in vars(self):
            self._run_named_apart()
        if self._after_named not in self.response_middleware:
            # The kernel asks for response middleware only where the list has any.
            self.response_middleware.append(self._after_named)
        vars(self)["handle"] = self._handle_by_hooks
        vars(self)["_answer"] = self._answer_by_hooks
        vars(self)["_sending_failed"] = self._sending_failed_by_hooks

    async def _tell(
        self, event: Event, condition: Mapping[str, str] | None = None, **context: object
    ) -> None:
        """Calls the handlers of one of Sanic's own signals."""
        if self.signal_router.of_requests:
            name = str(event.value)
            await self.signal_router.dispatch(
                name, condition=condition, context=context, fail_not_found=False, inline=True
            )

    async def _handle_by_hooks(self, exchange: Exchange, root_path: str = "") -> None:
        """As `handle`, for an app that overrides something."""
        answering.set(self.dialect)
        request = self._new_request(exchange, self, root_path)
        exchange.context = request
        written: list[BaseHTTPResponse] = []

        async def stream(response: BaseHTTPResponse) -> None:
            await self._deliver(request, exchange, response)

        callbacks = (written.append, stream) if _takes(self.handle_request) > 1 else ()
        try:
            await self._tell(Event.HTTP_LIFECYCLE_REQUEST, request=request)
            result = self.handle_request(request, *callbacks)
            if isawaitable(result):
                await result
            if not written and exchange.status is None and not hasattr(request, "_answered"):
                raise self._not_a_response(request, None)
        except Exception as error:
            await self._sending_failed(request, exchange, error)
            return
        for response in written[:1]:
            await self._deliver(request, exchange, response)

    async def _deliver(self, request: Any, exchange: Exchange, response: BaseHTTPResponse) -> None:
        request._answered = True
        told = {"request": request, "response": response}
        try:
            if not response.is_stream:
                await self._tell(Event.HTTP_LIFECYCLE_RESPONSE, **told)
            await self._send(request, exchange, response, middleware=False)
            if response.is_stream:
                await self._tell(Event.HTTP_LIFECYCLE_RESPONSE, **told)
        except Exception as error:
            await self._sending_failed(request, exchange, error)

    async def _answer_by_hooks(
        self, request: Any, exchange: Exchange, error: Exception
    ) -> BaseHTTPResponse | None:
        """As `_answer`, for an app that overrides something."""
        await self._tell_of(request, error)
        return await App._answer(self, request, exchange, error)

    async def _sending_failed_by_hooks(self, request: Any, exchange: Exchange, error: Exception) -> None:
        """As `_sending_failed`, for an app that overrides something."""
        if exchange.committed:
            await self._tell_of(request, error)
        await App._sending_failed(self, request, exchange, error)

    async def _tell_of(self, request: Any, error: Exception) -> None:
        if isinstance(error, ClientDisconnected):
            return
        try:
            await self._tell(
                Event.HTTP_LIFECYCLE_EXCEPTION, request=request, exception=self._in_flavour(error)
            )
        except Exception:
            self.log.exception("A handler of http.lifecycle.exception failed")

    async def handle_request(
        self,
        request: Any,
        write_callback: Callable[[Any], object] | None = None,
        stream_callback: Callable[[Any], Any] | None = None,
    ) -> None:
        """Answers a request.

        Args:
            write_callback: called with a response that does not stream; before 20.9.
            stream_callback: awaited with one that does. Without callbacks the response is sent.
        """
        exchange: Exchange = request._exchange
        response: Any
        try:
            await self._tell(Event.HTTP_LIFECYCLE_HANDLE, request=request)
            response = await self._respond(request, exchange)
        except Exception as error:
            if exchange.committed:
                await self._sending_failed(request, exchange, error)
                response = None
            else:
                response = await self._answer(request, exchange, error)
        if response is None:
            request._answered = True
            return
        if response.begun is not exchange:
            response = await self._after_hook(request, response)
        if write_callback is None or stream_callback is None:
            await self._deliver(request, exchange, response)
        elif response.is_stream:
            await stream_callback(response)
        else:
            write_callback(response)

    async def _run_request_middleware(self, request: Any, request_name: str | None = None) -> object:
        """Runs the request middleware; what it returns is the response, if it is true."""
        if not self.signal_router.of_requests:
            return await middleware.before(self._functions(request, "request"), request)
        told, attached = {"request": request, "response": None}, {"attach_to": "request"}
        for function in self._functions(request, "request"):
            await self._tell(Event.HTTP_MIDDLEWARE_BEFORE, attached, **told)
            response = await _awaited(function(request))
            await self._tell(Event.HTTP_MIDDLEWARE_AFTER, attached, **told)
            if response:
                return response
        return None

    async def _run_response_middleware(
        self, request: Any, response: Any, request_name: str | None = None
    ) -> Any:
        """Runs the response middleware; returns the response that is to be sent."""
        functions = self._functions(request, "response")
        if not self.signal_router.of_requests:
            try:
                replacement = await middleware.after(functions, request, response)
            except Exception:
                self.log.exception(_FAILED, describe(request))
                return response
            if isinstance(replacement, BaseHTTPResponse):
                return replacement
            raise self._not_a_response(request, replacement)
        attached = {"attach_to": "response"}
        for function in functions:
            await self._tell(Event.HTTP_MIDDLEWARE_BEFORE, attached, request=request, response=response)
            replaced = await _awaited(function(request, response))
            told = replaced or response
            await self._tell(Event.HTTP_MIDDLEWARE_AFTER, attached, request=request, response=told)
            if replaced:
                return replaced
        return response

    async def _respond(self, request: Any, exchange: Exchange) -> BaseHTTPResponse | None:
        """The response of middleware or of the handler; `None` where a WebSocket was served."""
        if self.dialect.route_before_middleware:
            self._found(request, exchange)
        if self.dialect.body_before_middleware:
            await self._read_early(request, exchange)
        response = await _awaited(self._run_request_middleware(request, *_name(self, request, 1)))
        if not response:
            await self._tell(Event.HTTP_ROUTING_BEFORE, request=request)
            found = self._found(request, exchange)
            endpoint = request._endpoint = found.endpoint
            request._match_info = found.values
            await self._tell(
                Event.HTTP_ROUTING_AFTER,
                request=request,
                route=request.route,
                kwargs=found.values,
                handler=endpoint.handler,
            )
            if endpoint.has_options:
                endpoint.apply_options(exchange)
            if endpoint.stream:
                if request.stream is None:
                    self._open_stream(request, exchange, endpoint)
            elif not exchange.body_complete:
                request.body = await self._read_body(exchange, endpoint)
            response = await _awaited(found.handler(request, *found.arguments, **found.values))
        if isinstance(response, BaseHTTPResponse):
            return response
        if isinstance(response, WebSocketResponse) and self.websocket_enabled:
            await response.answer(request, exchange, lambda error: self._answer(request, exchange, error))
            return None
        return self._begun_or_refused(request, response)

    async def _after_hook(self, request: Any, response: BaseHTTPResponse) -> BaseHTTPResponse:
        if request.stream is None:
            # Methods that were written for 21.x give it a response, which it returns.
            request.stream = self.dialect.request_stream(request._exchange)
        try:
            replaced = await _awaited(
                self._run_response_middleware(request, response, *_name(self, request, 2))
            )
        except Exception:
            self.log.exception(_FAILED, describe(request))
            return response
        return replaced if isinstance(replaced, BaseHTTPResponse) else response

    def _found(self, request: BaseRequest, exchange: Exchange) -> _Found:
        """The route, by `router.get` where an app overrides it."""
        router = self.router
        host = exchange.head.host if router.hosts else None
        if not _gets_itself(router):
            endpoint, values = router.resolve(request.path, request.method, host)
            return _Found(endpoint, endpoint.call, (), values)
        if _takes(router.get) > 1:
            route, handler, values = router.get(request.path, request.method, request.headers.get("host"))
            arguments: tuple[Any, ...] = ()
            uri = str(getattr(route, "uri", request.path))
        else:
            handler, arguments, values, uri, *_ = router.get(request)
        streams = bool(getattr(handler, "is_stream", False))
        endpoint = Endpoint(handler, handler, uri or request.path, streams, RouteOptions(), self.dialect)
        with contextlib.suppress(self.dialect.base):
            known, _ = router.resolve(request.path, request.method, host)
            endpoint = known if known.handler is handler else endpoint
        return _Found(endpoint, endpoint.call, tuple(arguments), values)


_FAILED: Final = "Exception occurred in one of response middleware handlers of %s"
_METHODS: Final = ("handle_request", "_run_request_middleware", "_run_response_middleware")
_REPLACED: Final = frozenset({*_METHODS, "_startup"})
_OURS: Final = [getattr(Hooked, name) for name in _METHODS]


def _gets_itself(router: Any) -> bool:
    """Whether a router, or its class, has a `get` of the app's or of an extension's."""
    return "get" in vars(router) or type(router).get is not Router.get


async def _awaited(result: Any) -> Any:
    return await result if isawaitable(result) else result


def _takes(function: Callable[..., Any]) -> int:
    """How many arguments a method takes by position; many where it takes any number."""
    # A partial that was given the name of what it wraps has fewer arguments than that.
    wraps = not isinstance(function, partial)
    kinds = [one.kind for one in signature(function, follow_wrapped=wraps).parameters.values()]
    if Parameter.VAR_POSITIONAL in kinds:
        return 99
    return sum(kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds)


def _name(app: Hooked, request: Any, known: int) -> tuple[str | None, ...]:
    """The name of the route, for a hook that takes it; `known` is the number of its other arguments."""
    hook = app._run_request_middleware if known == 1 else app._run_response_middleware
    return (request.name,) if known < _takes(hook) < 99 else ()
