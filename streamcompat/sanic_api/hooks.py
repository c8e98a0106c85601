"""Methods of Sanic that an app overrides, and that the server called for each request.

The rule: they are called only where an app overrides one: `Sanic.handle_request`, `_run_request_middleware`,
`_run_response_middleware`, in a subclass or on an app, and `Router.get`; or where it handles one of the
signals that Sanic 21 sends for each request. Any other app goes the kernel's way, which asks nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from inspect import Parameter, isawaitable, signature
from types import MethodType
from typing import Any, Final, NamedTuple, cast

from streamcompat.kernel import middleware
from streamcompat.kernel.app import App
from streamcompat.kernel.dialect import answering
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.response import BaseHTTPResponse
from streamcompat.kernel.routes.endpoints import Endpoint, RouteOptions
from streamcompat.kernel.websocket.routes import WebSocketResponse
from streamcompat.sanic_api.router import Router
from streamcompat.sanic_api.signals import Event, Signals
from streamcompat_engine import ClientDisconnected, Exchange

__all__ = ["Hooked"]


class _Hook:
    """A method whose replacement on an app is noticed."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self._name = ""
        self.__doc__ = method.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, app: Hooked | None, owner: type | None = None) -> Callable[..., Any]:
        if app is None:
            return self._method
        own: Callable[..., Any] | None = vars(app).get(self._name)
        return MethodType(self._method, app) if own is None else own

    def __set__(self, app: Hooked, replacement: Callable[..., Any]) -> None:
        vars(app)[self._name] = replacement
        app._call_hooks()


class _Found(NamedTuple):
    """What is called for a request."""

    endpoint: Endpoint
    handler: Callable[..., Any]
    arguments: tuple[Any, ...]
    values: dict[str, Any]


class Hooked(App):
    """The methods that an app may override, and the signals of each request."""

    signal_router: Signals

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        methods = [getattr(type(self), name) for name in _METHODS]
        if methods != _OURS or type(self.router).get is not Router.get:
            self._call_hooks()

    def _call_hooks(self) -> None:
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

    @_Hook
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

    @_Hook
    async def _run_request_middleware(self, request: Any, request_name: str | None = None) -> object:
        """Runs the request middleware; what it returns is the response, if it is true."""
        if not self.signal_router.of_requests:
            return await middleware.before(self.request_middleware, request)
        told, attached = {"request": request, "response": None}, {"attach_to": "request"}
        for function in self.request_middleware:
            await self._tell(Event.HTTP_MIDDLEWARE_BEFORE, attached, **told)
            response = await _awaited(function(request))
            await self._tell(Event.HTTP_MIDDLEWARE_AFTER, attached, **told)
            if response:
                return response
        return None

    @_Hook
    async def _run_response_middleware(
        self, request: Any, response: Any, request_name: str | None = None
    ) -> Any:
        """Runs the response middleware; returns the response that is to be sent."""
        if not self.signal_router.of_requests:
            return await App._run_response_middleware(self, request, response)
        attached = {"attach_to": "response"}
        for function in self.response_middleware:
            await self._tell(Event.HTTP_MIDDLEWARE_BEFORE, attached, request=request, response=response)
            replaced = await _awaited(function(request, response))
            told = replaced or response
            await self._tell(Event.HTTP_MIDDLEWARE_AFTER, attached, request=request, response=told)
            if replaced:
                return replaced
        return response

    async def _respond(self, request: Any, exchange: Exchange) -> BaseHTTPResponse | None:
        """The response of middleware or of the handler; `None` where a WebSocket was served."""
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
        try:
            replaced = await _awaited(
                self._run_response_middleware(request, response, *_name(self, request, 2))
            )
        except Exception:
            self.log.exception("Exception occurred in one of response middleware handlers")
            return response
        return replaced if isinstance(replaced, BaseHTTPResponse) else response

    def _found(self, request: BaseRequest, exchange: Exchange) -> _Found:
        """The route, by `router.get` where an app overrides it."""
        router = cast("Router", self.router)
        host = exchange.head.host if router.hosts else None
        if type(router).get is Router.get:
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


_METHODS: Final = ("handle_request", "_run_request_middleware", "_run_response_middleware")
_OURS: Final = [getattr(Hooked, name) for name in _METHODS]


async def _awaited(result: Any) -> Any:
    return await result if isawaitable(result) else result


def _takes(function: Callable[..., Any]) -> int:
    """How many arguments a method takes by position; many where it takes any number."""
    kinds = [parameter.kind for parameter in signature(function).parameters.values()]
    if Parameter.VAR_POSITIONAL in kinds:
        return 99
    return sum(kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD) for kind in kinds)


def _name(app: Hooked, request: Any, known: int) -> tuple[str | None, ...]:
    """The name of the route, for a hook that takes it; `known` is the number of its other arguments."""
    hook = app._run_request_middleware if known == 1 else app._run_response_middleware
    return (request.name,) if known < _takes(hook) < 99 else ()
