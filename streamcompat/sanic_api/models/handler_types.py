"""The types of handlers, for annotations."""

from __future__ import annotations

from asyncio import AbstractEventLoop
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from streamcompat.sanic_api.request import Request
from streamcompat.sanic_api.response import BaseHTTPResponse, HTTPResponse

__all__ = [
    "ErrorMiddlewareType",
    "ListenerType",
    "MiddlewareResponse",
    "MiddlewareType",
    "RequestMiddlewareType",
    "ResponseMiddlewareType",
    "RouteHandler",
    "Sanic",
    "SignalHandler",
]

Sanic = TypeVar("Sanic")

MiddlewareResponse = HTTPResponse | None | Coroutine[Any, Any, HTTPResponse | None]
RequestMiddlewareType = Callable[[Request], MiddlewareResponse]
ResponseMiddlewareType = Callable[[Request, BaseHTTPResponse], MiddlewareResponse]
ErrorMiddlewareType = Callable[[Request, BaseException], Coroutine[Any, Any, None] | None]
MiddlewareType = RequestMiddlewareType | ResponseMiddlewareType
ListenerType = Callable[[Sanic, AbstractEventLoop], Coroutine[Any, Any, None] | None]
RouteHandler = Callable[..., Coroutine[Any, Any, HTTPResponse | None]]
SignalHandler = Callable[..., Coroutine[Any, Any, None]]
