"""Which interface a callable has: ASGI 3, ASGI 2 (a double callable) or WSGI.

The rule: a callable is recognised by its signature alone, without a call; in doubt it is not one of them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from streamcompat.asgi_api.app import ASGIApp
from streamcompat.asgi_api.messages import Application, Receive, Scope, Send
from streamcompat.asgi_api.wsgi import WSGIApplication

Interface = Literal["asgi3", "asgi2", "wsgi"]

_SCOPE = "scope"


def hosted(found: object, interface: str = "auto") -> ASGIApp | None:
    """The application to be served for a callable; `None` if it is not known to be one.

    Args:
        interface: `"auto"`, or what it is where its signature does not say: `"asgi"` or `"wsgi"`.
    """
    if isinstance(found, ASGIApp):
        return found
    if not callable(found):
        return None
    kind = interface_of(found)
    if kind is None and interface == "wsgi":
        kind = "wsgi"
    elif kind is None and interface == "asgi":
        kind = "asgi3" if _is_coroutine_function(found) or _takes(found) == 3 else "asgi2"
    if kind is None:
        return None
    if kind == "wsgi":
        return ASGIApp(WSGIApplication(found))
    return ASGIApp(single(found) if kind == "asgi2" else found)


def interface_of(found: Callable[..., Any]) -> Interface | None:
    """The interface of a callable; `None` in doubt."""
    names = _names(found)
    if names is None:
        return None
    if _is_coroutine_function(found):
        is_three = len(names) == 3 or (names[:1] == [_SCOPE] and _takes(found) >= 3)
        return "asgi3" if names == ["*"] or is_three else None
    is_wsgi = len(names) == 2 and (names[0] in ("environ", "env") or names[1] == "start_response")
    if inspect.isclass(found):
        if is_wsgi:  # PEP 3333: an object that is made for each request, and is its answer
            return "wsgi" if hasattr(found, "__iter__") else None
        makes = _names(found.__call__, bound=True)
        return "asgi2" if names[:1] == [_SCOPE] and len(names) == 1 and makes and len(makes) == 2 else None
    if names[:1] == [_SCOPE]:
        return "asgi2" if len(names) == 1 else "asgi3" if len(names) == 3 else None
    return "wsgi" if is_wsgi else None


def single(application: Callable[..., Any]) -> Application:
    """An application of ASGI 2 as one of ASGI 3."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        instance: Callable[[Receive, Send], Awaitable[None]] = application(scope)
        await instance(receive, send)

    return call


def _takes(found: Callable[..., Any]) -> int:
    """How many positional arguments it takes, with those that may be left out."""
    return len(_names(found, optional=True) or ())


def _names(found: Callable[..., Any], bound: bool = False, optional: bool = False) -> list[str] | None:
    """The names of the positional parameters that a call must give; `["*"]` if it takes any.

    Args:
        bound: without the first, which is `self`.
        optional: also those that a call may leave out.
    """
    try:
        parameters = list(inspect.signature(found).parameters.values())
    except (TypeError, ValueError):
        return None
    names = [
        one.name
        for one in parameters
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)
        and (optional or one.default is one.empty)
    ]
    if not names and any(one.kind is one.VAR_POSITIONAL for one in parameters):
        return ["*"]
    return names[1:] if bound else names


def _is_coroutine_function(found: Any) -> bool:
    while isinstance(found, functools.partial):
        found = found.func
    if inspect.isclass(found):
        return False
    return inspect.iscoroutinefunction(found) or inspect.iscoroutinefunction(type(found).__call__)
