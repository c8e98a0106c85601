"""What a callable is taken for: ASGI 3, ASGI 2, WSGI or nothing."""

from __future__ import annotations

import functools
import inspect
from typing import Any

import pytest

from streamcompat.asgi_api import ASGIApp, WSGIApplication, hosted
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


class OfEachRequest:
    def __init__(self, environ: Any, start_response: Any) -> None: ...

    def __iter__(self) -> Any: ...


class NoAnswer:
    def __init__(self, environ: Any, start_response: Any) -> None: ...


def wrapped(function: Any) -> Any:
    def call(*args: Any) -> Any:
        return function(*args)

    return functools.wraps(function if inspect.isfunction(function) else function.__call__)(call)


async def optional(scope: Any, receive: Any = None, send: Any = None) -> None: ...
async def with_more(scope: Any, receive: Any, send: Any, timer: Any = None) -> None: ...
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
        (OfEachRequest, "wsgi"),
        (NoAnswer, None),
        (Wsgi().__call__, "wsgi"),
        (functools.partial(Wsgi()), "wsgi"),
        (wrapped(Wsgi()), "wsgi"),
        (wrapped(three), "asgi3"),
        (optional, "asgi3"),
        (with_more, "asgi3"),
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
    assert isinstance(application_of(lambda e, s: [], "wsgi"), WSGIApplication)
    assert hosted("text", "asgi") is None
    assert hosted(handler) is None


@pytest.mark.parametrize("interface", ["auto", "asgi", "wsgi"])
def test_what_is_known_stays_what_it_is(interface: str) -> None:
    assert application_of(three, interface) is three
    assert isinstance(application_of(Wsgi(), interface), WSGIApplication)


def application_of(found: Any, interface: str) -> Any:
    app = hosted(found, interface)
    return None if app is None else app.application


@pytest.mark.parametrize("found", [three, Double, double, lambda scope: Double(scope)])
def test_both_signatures_are_served(found: Any) -> None:
    app = hosted(found)
    assert app is not None
    with serve(app.handle, "asyncio") as served:
        assert served.get().chunks == [b"ok"]
