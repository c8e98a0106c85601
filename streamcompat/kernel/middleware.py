"""Middleware: what runs before a handler and after it.

The rule: the first middleware that answers ends its round; one that fails is the handler's failure before
the response, and only logged after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from inspect import isawaitable

from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.response import BaseHTTPResponse
from streamcompat.kernel.routes.views import Handler


async def before(middleware: Iterable[Handler], request: BaseRequest) -> object:
    """The first answer that is not empty; `None` where the handler is to be asked."""
    for function in middleware:
        response = function(request)
        if isawaitable(response):
            response = await response
        if response:
            return response
    return None


async def after(middleware: Iterable[Handler], request: BaseRequest, response: BaseHTTPResponse) -> object:
    """The first replacement for `response` that is not empty, else `response`."""
    for function in middleware:
        replacement = function(request, response)
        if isawaitable(replacement):
            replacement = await replacement
        if replacement:
            return replacement
    return response
