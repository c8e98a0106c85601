"""Runs the middleware before and after a handler.

The rule: the first middleware that returns something ends the run. An exception in request middleware is
handled as one of the handler; one in response middleware is only logged.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import isawaitable

from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.response import BaseHTTPResponse
from streamcompat.kernel.routes.views import Handler


async def before(middleware: Iterable[Handler], request: BaseRequest) -> object:
    """The first result that is true; `None` if the handler is to be called."""
    for function in middleware:
        response = function(request)
        if isawaitable(response):
            response = await response
        if response:
            return response
    return None


async def after(middleware: Iterable[Handler], request: BaseRequest, response: BaseHTTPResponse) -> object:
    """The first replacement for `response` that is true, else `response`."""
    for function in middleware:
        replacement = function(request, response)
        if isawaitable(replacement):
            replacement = await replacement
        if replacement:
            return replacement
    return response
