"""What sanic_testing, the package of 21.x, does with an app: its clients are built on Sanic's own calls.

The package is not installed here; these are its steps.
"""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.asgi import ASGIApp
from streamcompat.sanic_api.response import text


def app_with_listeners() -> tuple[Sanic, list[str]]:
    app = Sanic("app")
    ran: list[str] = []
    for event in ("before_server_start", "after_server_start", "before_server_stop", "after_server_stop"):
        app.register_listener(lambda app, loop, event=event: ran.append(event), event)

    @app.get("/")
    async def handler(request):
        return text("found")

    return app, ran


ALL = ["before_server_start", "after_server_start", "before_server_stop", "after_server_stop"]


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_client_without_a_server():
    class Connection(ASGIApp):
        async def __call__(self):
            await super().__call__()
            return self.request

    class Tested(Sanic):
        pass

    async def call(self: Any, scope: Any, receive: Any, send: Any) -> Any:
        connection = await Connection.create(self, scope, receive, send)
        return await connection()

    app, ran = app_with_listeners()
    app.__class__ = Tested
    Tested.__call__ = call
    app.asgi = True
    seen: list[str] = []
    app.request_middleware.appendleft(lambda request: seen.append(request.path))
    app.router.reset()
    app.signal_router.reset()
    await app._startup()
    await app._server_event("init", "before")
    await app._server_event("init", "after")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://x") as client:
        assert (await client.get("/")).text == "found"
    await app._server_event("shutdown", "before")
    await app._server_event("shutdown", "after")
    assert (seen, ran) == (["/"], ALL)
    assert (await Connection.create(app, {}, None, None)).sanic_app is app


def test_a_server_between_the_events_runs_no_listener_again():
    app, ran = app_with_listeners()

    async def life() -> None:
        await app._server_event("init", "before")
        server = await app.create_server(port=0, return_asyncio_server=True)
        await app._server_event("init", "after")
        port = server.sockets[0].getsockname()[1]
        async with httpx.AsyncClient() as client:
            assert (await client.get(f"http://127.0.0.1:{port}/")).text == "found"
        await app._server_event("shutdown", "before")
        server.close()
        await server.wait_closed()
        await app._server_event("shutdown", "after")

    asyncio.run(life())
    assert ran == ALL
    app.test_client.get("/")
    assert ran == ALL * 2


def test_the_clients_are_those_of_its_manager():
    app, _ = app_with_listeners()
    assert app.test_client is not None
    app._test_manager = SimpleNamespace(test_client="its own", asgi_client="its other")
    assert (app.test_client, app.asgi_client) == ("its own", "its other")
