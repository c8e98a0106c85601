"""What a callable is taken for: ASGI 3, ASGI 2, WSGI or nothing."""

from __future__ import annotations

import functools
from typing import Any

import pytest

from streamcompat.asgi_api import ASGIApp, hosted
from streamcompat.asgi_api.interface import interface_of
from tests.support.asgi_apps import START, body
from tests.support.servers import serve


async def three(scope: Any, receive: Any, send: Any) -> None:
    await send(START)
    await send(body(b"ok", more=False))


class Instance:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


class Double:
    def __init__(self, scope: Any) -> None:
        self.scope = scope

    async def __call__(self, receive: Any, send: Any) -> None:
        await three(self.scope, receive, send)


def double(scope: Any) -> Any:
    return functools.partial(three, scope)


class Wsgi:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...


async def wrapper(*args: Any, **kwargs: Any) -> None: ...
async def handler(request: Any) -> None: ...
def helper(x: int) -> int:
    return x


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (three, "asgi3"),
        (Instance(), "asgi3"),
        (functools.partial(three), "asgi3"),
        (wrapper, "asgi3"),
        (lambda scope, receive, send: three(scope, receive, send), "asgi3"),
        (Double, "asgi2"),
        (double, "asgi2"),
        (Wsgi(), "wsgi"),
        (lambda environ, start_response: [], "wsgi"),
        (handler, None),
        (helper, None),
        (Instance, None),
        (Wsgi, None),
        (dict, None),
        (print, None),
        (lambda a, b: a, None),
    ],
)
def test_a_callable_is_what_its_signature_says(found: Any, kind: str | None) -> None:
    assert interface_of(found) == kind


def test_what_is_in_doubt_is_what_the_user_says() -> None:
    assert hosted(lambda s, r, n: three(s, r, n)) is None
    assert isinstance(hosted(lambda s, r, n: three(s, r, n), "asgi"), ASGIApp)
    assert hosted("text", "asgi") is None
    assert hosted(handler) is None


def test_a_wsgi_application_is_refused_with_a_way() -> None:
    with pytest.raises(ValueError, match="a2wsgi"):
        hosted(Wsgi())


@pytest.mark.parametrize("found", [three, Double, double, lambda scope: Double(scope)])
def test_both_signatures_are_served(found: Any) -> None:
    app = hosted(found)
    assert app is not None
    with serve(app.handle, "asyncio") as served:
        assert served.get().chunks == [b"ok"]
