"""Sanic's error handler."""

from __future__ import annotations

from collections.abc import Callable, Collection
from inspect import signature
from typing import Any, Final

from streamcompat.kernel import errorhandler as kernel
from streamcompat.kernel.exceptions import answers_for
from streamcompat.kernel.request.request import BaseRequest
from streamcompat.kernel.response.files import ContentRange
from streamcompat.kernel.response.response import BaseHTTPResponse
from streamcompat.kernel.routes.views import Handler
from streamcompat.sanic_api import errorpages
from streamcompat.sanic_api.dialect import SANIC, chosen
from streamcompat.sanic_api.overridden import warn_of_overridden

__all__ = ["INTERNAL_SERVER_ERROR_HTML", "ContentRangeHandler", "ErrorHandler"]

INTERNAL_SERVER_ERROR_HTML = kernel.INTERNAL_SERVER_ERROR_HTML
_NEAREST_SINCE: Final = (21, 6)
_OF_ROUTES_SINCE: Final = (21, 9)


class ContentRangeHandler(ContentRange):
    """The range that `request` asks for, of a file with these `stats`; see the kernel's `ContentRange`."""

    def __init__(self, request: Any, stats: Any) -> None:
        super().__init__(request, stats, SANIC)


class ErrorHandler(kernel.ErrorHandler):
    """Makes responses to exceptions: `add`, `lookup`, `response`, `default`, `log`.

    Args:
        fallback: the form of the error pages, `html`, `json`, `text` or `auto`; of 21.x, for the setting
            FALLBACK_ERROR_FORMAT.
        base: makes the pages where nothing tells which; of 21.x.
    """

    def __init__(
        self, fallback: str | None = None, base: type[errorpages.BaseRenderer] | None = None
    ) -> None:
        super().__init__(chosen())
        self._added: list[tuple[type[BaseException], Handler, Collection[str] | None]] = []
        self._found: dict[tuple[type[BaseException], str | None], Handler | None] = {}
        self.fallback = fallback
        self.base: type[errorpages.BaseRenderer] = base or errorpages.HTMLRenderer

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        warn_of_overridden(cls, "ErrorHandler")

    def add(
        self, exception: type[BaseException], handler: Handler, route_names: Collection[str] | None = None
    ) -> None:
        """As in the kernel.

        Args:
            route_names: the routes whose exceptions it answers, since 21.9; `None` for all.
        """
        super().add(exception, handler)
        self._added.append((exception, handler, route_names))
        self._found.clear()

    def add_for(self, exception: type[BaseException], handler: Handler, route_names: Collection[str]) -> None:
        """As `add`, which a subclass may have overridden with the arguments of before 21.9."""
        if _takes(self.add) > 2:
            self.add(exception, handler, route_names)
        else:
            self.add(exception, handler)

    def lookup(self, exception: BaseException, route_name: str | None = None) -> Handler | None:
        """The handler for an exception; `None` if `default` answers it.

        Before 21.6 it is the first that fits. Since then it is the last one of the nearest class, and since
        21.9 one of the route comes before one of the app.
        """
        if self.dialect.release < _NEAREST_SINCE:
            return super().lookup(exception)
        key = type(exception), route_name
        if key not in self._found:
            self._found[key] = self._nearest(*key)
        return self._found[key]

    def _nearest(self, kind: type[BaseException], route_name: str | None) -> Handler | None:
        levels = [self._added]
        if self.dialect.release >= _OF_ROUTES_SINCE:
            levels = [
                [one for one in self._added if one[2] is not None and route_name in one[2]],
                [one for one in self._added if one[2] is None],
            ]
        line = kind.__mro__
        for level in levels:
            # One of the other flavour, which `answers_for` matches too, has none of these classes as a base.
            fits = [
                (line.index(known) if known in line else len(line), -place, handler)
                for place, (known, handler, _) in enumerate(level)
                if answers_for(known, kind)
            ]
            if fits:
                return min(fits, key=lambda one: one[:2])[2]
        return None

    def _handler_of(self, request: BaseRequest, exception: BaseException) -> Handler | None:
        endpoint = getattr(request, "_endpoint", None)
        if endpoint is None or _takes(self.lookup) < 2:
            return self.lookup(exception)
        return self.lookup(exception, f"{request.app.name}.{endpoint.route_name}")

    def default_page(self, request: BaseRequest, exception: BaseException) -> BaseHTTPResponse:
        """Until 19.12 a line of text, and since 20.3 the pages of `errorpages`."""
        page = super().default_page(request, exception)
        if self.dialect.release < errorpages.SINCE or page.status == 204:
            return page
        return errorpages.exception_response(request, exception, bool(self.debug), self.fallback, self.base)


def _takes(method: Callable[..., object]) -> int:
    """How many arguments a method takes, one that a subclass may have overridden."""
    return len(signature(method).parameters)
