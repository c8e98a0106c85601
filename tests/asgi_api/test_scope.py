"""The scope: what an ASGI application is told of a request, against what the client has sent."""

from __future__ import annotations

from typing import Any

import pytest

from streamcompat.asgi_api import ASGIApp
from streamcompat.serving.site import Site
from tests.support.asgi_apps import START, body, without_lifespan
from tests.support.clients import request
from tests.support.servers import every_driver, serve
from tests.support.websocket_clients import serving

seen: list[dict[str, Any]] = []


async def keep(scope: Any, receive: Any, send: Any) -> None:
    seen.append(scope)
    await send(START)
    await send(body(b"", more=False))


def scope_of(sent: bytes, app: Any = None, **config: Any) -> dict[str, Any]:
    seen.clear()
    app = app or without_lifespan(keep)
    with serving(app, **config) as served, served.connect() as client:
        client.send(sent)
        client.response()
        address = client.socket.getsockname(), client.socket.getpeername()
    (scope,) = seen
    assert (scope["client"], scope["server"]) == address
    return scope


@every_driver
def test_the_scope_of_a_request(driver: str) -> None:
    scope = scope_of(request("PUT", "/a%20b/%C3%A9?x=%20&y", "X-B: 1", "x-a: 2", "X-b: 3"), driver=driver)
    del scope["client"], scope["server"]
    assert scope == {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.5"},
        "http_version": "1.1",
        "method": "PUT",
        "scheme": "http",
        "path": "/a b/é",
        "raw_path": b"/a%20b/%C3%A9",
        "query_string": b"x=%20&y",
        "root_path": "",
        "headers": [(b"host", b"test"), (b"x-b", b"1"), (b"x-a", b"2"), (b"x-b", b"3")],
        "state": {},
        "extensions": {
            "http.response.trailers": {},
            "http.response.early_hint": {},
            "http.response.pathsend": {},
        },
    }


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (request("GET", "/%ff%2F%25"), {"path": "/\ufffd/%", "raw_path": b"/%ff%2F%25"}),
        (
            request("GET", "/", version="1.0"),
            {"http_version": "1.0", "extensions": {"http.response.pathsend": {}}},
        ),
        (request("get", "/"), {"method": "GET"}),
        (request("OPTIONS", "*"), {"path": "*", "method": "OPTIONS"}),
        (
            request("GET", "http://other:81/p?q"),
            {"path": "/p", "query_string": b"q", "headers": [(b"host", b"other:81")]},
        ),
    ],
)
def test_what_is_unusual(sent: bytes, expected: dict[str, Any]) -> None:
    scope = scope_of(sent)
    assert {key: scope[key] for key in expected} == expected


@pytest.mark.parametrize(
    ("prefix", "target", "root_path", "path"),
    [
        ("/api", "/api/x", "/api", "/api/x"),
        ("/api", "/api", "/api", "/api"),
        ("/a%20b", "/a%20b/x", "/a b", "/a b/x"),
    ],
)
def test_root_path_is_the_prefix_and_path_is_whole(
    prefix: str, target: str, root_path: str, path: str
) -> None:
    site = Site()
    site.mount(without_lifespan(keep), prefix=prefix)
    scope = scope_of(request("GET", target), site)
    assert (scope["root_path"], scope["path"]) == (root_path, path)


def test_a_unix_socket_has_a_path_and_no_client(tmp_path: Any) -> None:
    seen.clear()
    app: ASGIApp = without_lifespan(keep)
    place = str(tmp_path / "s")
    with serve(app.handle, "asyncio", uds=place) as served:
        served.get()
    assert (seen[0]["client"], seen[0]["server"]) == (None, (place, None))
