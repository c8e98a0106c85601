"""Middleware of some routes, as Sanic's since 19.12.

The rule: it runs behind the middleware of all routes, in the same order among itself. One function in the
application's list runs it all, so that an application without it pays nothing.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from typing import Any, Final

from streamcompat.kernel import middleware
from streamcompat.kernel.app import App
from streamcompat.kernel.response.response import BaseHTTPResponse
from streamcompat.kernel.routes.registration import H
from streamcompat.kernel.routes.views import Handler

__all__ = ["NamedMiddleware", "TakesNamed"]

EVENTS: Final = ("request", "response")
_OF_APP_SINCE: Final = (21, 3)


class NamedMiddleware:
    """The middleware of some routes.

    Attributes:
        request, response: by the name of the route, `app.blueprint.handler`.
    """

    def __init__(self) -> None:
        self.request: dict[str, deque[Handler]] = {}
        self.response: dict[str, deque[Handler]] = {}

    def add(self, function: H, route_names: Collection[str], attach_to: str) -> H:
        """Raises: ValueError: `attach_to` is neither `request` nor `response`."""
        if attach_to not in EVENTS:
            raise ValueError(f"middleware attaches to 'request' or 'response', not to {attach_to!r}")
        for name in route_names:
            if attach_to == "request":
                known = self.request.setdefault(name, deque())
                if function not in known:
                    known.append(function)
            else:
                known = self.response.setdefault(name, deque())
                if function not in known:
                    known.appendleft(function)
        return function

    async def before(self, request: Any) -> object:
        """Runs that of the request's route, as one request middleware of the app."""
        functions = self.request.get(request.name)
        return await middleware.before(functions, request) if functions else None

    async def after(self, request: Any, response: BaseHTTPResponse) -> object:
        """Runs that of the request's route, as one response middleware of the app."""
        functions = self.response.get(request.name)
        return await middleware.after(functions, request, response) if functions else None


class TakesNamed(App):
    """An app that takes middleware of some routes.

    Attributes:
        named_request_middleware, named_response_middleware: by the name of the route.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._named = NamedMiddleware()
        self._before_named: Handler = self._named.before
        self._after_named: Handler = self._named.after

    @property
    def named_request_middleware(self) -> dict[str, deque[Handler]]:
        """The middleware of requests by the name of its route."""
        return self._named.request

    @property
    def named_response_middleware(self) -> dict[str, deque[Handler]]:
        """The middleware of responses by the name of its route."""
        return self._named.response

    def _run_named_apart(self) -> None:
        """From now on the app's lists do not run it: a method that stands in the place of the original's runs
        the lists, and then what `named_request_middleware` has for the route."""
        before, after = self.request_middleware, self.response_middleware
        if self._before_named in before:
            before[before.index(self._before_named)] = _before_nothing
        if self._after_named in after:
            after[after.index(self._after_named)] = _after_nothing
        self._before_named = _before_nothing
        self._after_named = _after_nothing

    def _functions(self, request: Any, attach_to: str) -> list[Handler]:
        """All middleware for a request, in order, where that of named routes runs apart."""
        if attach_to == "request":
            functions, named = self.request_middleware, self._named.request
        else:
            functions, named = self.response_middleware, self._named.response
        of_all = [one for one in functions if one not in (_before_nothing, _after_nothing)]
        return [*of_all, *named.get(request.name, ())] if named else of_all

    def register_named_middleware(
        self, middleware: H, route_names: Collection[str], attach_to: str = "request"
    ) -> H:
        """Middleware of the routes with these names, `app.blueprint.handler`; it runs behind that of all
        routes. Before 21.3 the names may be without that of the app.

        Raises: ValueError: `attach_to` is neither `request` nor `response`.
        """
        if self.dialect.release < _OF_APP_SINCE:
            own = f"{self.name}."
            route_names = [name if name.startswith(own) else own + name for name in route_names]
        self._register_named(middleware, route_names, attach_to)
        return middleware

    def _register_named(self, middleware: Handler, route_names: Collection[str], attach_to: str) -> None:
        self._named.add(middleware, route_names, attach_to)
        functions = self.request_middleware if attach_to == "request" else self.response_middleware
        last = self._before_named if attach_to == "request" else self._after_named
        if last not in functions:
            functions.append(last)

    def register_middleware(self, middleware: H, attach_to: str = "request") -> H:
        super().register_middleware(middleware, attach_to)
        functions = self.request_middleware
        if attach_to == "request" and self._before_named in functions:
            functions.remove(self._before_named)
            functions.append(self._before_named)
        return middleware


async def _before_nothing(request: Any) -> None:
    """Stands in the list of an app whose named middleware runs apart."""


async def _after_nothing(request: Any, response: BaseHTTPResponse) -> None:
    """As `_before_nothing`; a list with it is not empty, so that the method that runs it is called."""
