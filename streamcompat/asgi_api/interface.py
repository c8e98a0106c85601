"""Which interface a callable has: ASGI 3, ASGI 2 (a double callable) or WSGI.

The rule: a callable is recognised by its signature alone, without a call; in doubt it is none.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Literal

from streamcompat.asgi_api.app import ASGIApp
from streamcompat.asgi_api.messages import Application, Receive, Scope, Send

Interface = Literal["asgi3", "asgi2", "wsgi"]

_SCOPE = "scope"


def hosted(found: object, interface: str = "auto") -> ASGIApp | None:
    """The application to be served for a callable; `None` if it is not known to be one.

    Args:
        interface: `"auto"`, or what it is where it cannot be told: `"asgi"`.
    Raises: ValueError: it has an interface that is not served.
    """
    if isinstance(found, ASGIApp):
        return found
    if not callable(found):
        return None
    kind = interface_of(found)
    if interface == "asgi" and kind != "asgi2":
        kind = "asgi3" if kind == "asgi3" or _is_coroutine_function(found) or _takes(found) == 3 else "asgi2"
    if kind == "wsgi":
        raise ValueError("it is a WSGI application: wrap it, for example with a2wsgi.WSGIMiddleware(app)")
    if kind is None:
        return None
    return ASGIApp(single(found) if kind == "asgi2" else found)


def interface_of(found: Callable[..., Any]) -> Interface | None:
    """The interface of a callable; `None` in doubt."""
    names = _names(found)
    if names is None:
        return None
    if _is_coroutine_function(found):
        return "asgi3" if names == ["*"] or len(names) == 3 else None
    if inspect.isclass(found):
        makes = _names(found.__call__, bound=True)
        return "asgi2" if names[:1] == [_SCOPE] and len(names) == 1 and makes and len(makes) == 2 else None
    if names[:1] == [_SCOPE]:
        return "asgi2" if len(names) == 1 else "asgi3" if len(names) == 3 else None
    if len(names) == 2 and (names[0] in ("environ", "env") or names[1] == "start_response"):
        return "wsgi"
    return None


def single(application: Callable[..., Any]) -> Application:
    """An application of ASGI 2 as one of ASGI 3."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        instance: Callable[[Receive, Send], Awaitable[None]] = application(scope)
        await instance(receive, send)

    return call


def _takes(found: Callable[..., Any]) -> int:
    return len(_names(found) or ())


def _names(found: Callable[..., Any], bound: bool = False) -> list[str] | None:
    """The names of the positional parameters that a call must give; `["*"]` if it takes any.

    Args:
        bound: without the first, which is `self`.
    """
    try:
        parameters = list(inspect.signature(found).parameters.values())
    except (TypeError, ValueError):
        return None
    names = [
        one.name
        for one in parameters
        if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) and one.default is one.empty
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
