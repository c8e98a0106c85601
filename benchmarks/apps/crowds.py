"""What the crowds of ``benchmarks.crowds`` ask of an app, once for each API.

``GET /lag`` answers the longest time, in milliseconds, for which the event loop stood still since the last
question. ``/ws`` sends each message back. There is an app for each API and number of routes; a server finds
it as an attribute of this module (``benchmarks.apps.crowds:starlette_4000``).
"""

import asyncio
import time
from functools import cache
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

from benchmarks.apps import sanic_flavour, starlette_app
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import HTTPResponse, text

TURN = 0.005  # seconds between two looks at the clock


class Lag:
    """Watches the event loop from the first question on."""

    def __init__(self) -> None:
        self.worst = 0.0
        self.watching = False

    def _look(self, last: float) -> None:
        now = time.perf_counter()
        self.worst = max(self.worst, now - last - TURN)
        asyncio.get_running_loop().call_later(TURN, self._look, now)

    def taken(self) -> str:
        """The longest lag since the last call, in milliseconds; the first call begins to watch."""
        if not self.watching:
            self.watching = True
            self._look(time.perf_counter())
        worst, self.worst = self.worst, 0.0
        return f"{worst * 1000:.3f}"


def sanic(routes: int) -> Sanic:
    app = sanic_flavour.app if routes == 0 else Sanic(f"routes-{routes}")
    lag = Lag()

    @app.get("/lag")
    async def lagging(request: Any) -> HTTPResponse:
        return text(lag.taken())

    @app.websocket("/ws")
    async def back(request: Any, ws: Any) -> None:
        async for message in ws:
            await ws.send(message)

    async def item(request: Any, name: str) -> HTTPResponse:
        return text(name)

    if routes:
        app.add_route(sanic_flavour.index, "/")
    for number in range(routes):
        app.add_route(item, f"/r{number}/<name>", name=f"r{number}")
    return app


def starlette(routes: int) -> Starlette:
    lag = Lag()

    async def lagging(request: Request) -> PlainTextResponse:
        return PlainTextResponse(lag.taken())

    async def back(ws: WebSocket) -> None:
        await ws.accept()
        try:
            while True:
                await ws.send_text(await ws.receive_text())
        except WebSocketDisconnect:
            pass

    async def item(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.path_params["name"])

    own = [Route("/lag", lagging), WebSocketRoute("/ws", back)]
    many = [Route(f"/r{number}/{{name}}", item) for number in range(routes)]
    return Starlette(routes=[*own, *starlette_app.app.routes, *many])


APPS = {"sanic": sanic, "starlette": starlette}


@cache  # a server may ask twice
def __getattr__(name: str) -> Any:
    kind, _, routes = name.partition("_")
    if kind not in APPS or not routes.isdecimal():
        raise AttributeError(name)
    return APPS[kind](int(routes))
