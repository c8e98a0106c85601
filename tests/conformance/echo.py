"""Apps of both flavours that send every message back."""

from __future__ import annotations

from typing import Any

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import websocket
from streamcompat.sanic_api import Sanic


def sanic_echo(most: int) -> Sanic:
    """In Sanic's words; `most` is the longest message, in bytes."""
    app = Sanic("echo", load_env=False)
    app.config.WEBSOCKET_MAX_SIZE = most

    @app.websocket("/")
    async def echo(request: Any, ws: Any) -> None:
        async for message in ws:
            await ws.send(message)

    return app


def mach9_echo(most: int) -> Mach9:
    """In Mach9's."""
    app = Mach9("echo", load_env=False)
    app.config.WEBSOCKET_MAX_SIZE = most

    @app.get("/", websocket=True)
    async def echo(request: Any) -> Any:
        async def serve(channel: Any) -> None:
            while (message := await request.stream.get())["channel"] == "websocket.receive":
                await channel.send(message["bytes"] if message["text"] is None else message["text"])

        return websocket(serve)

    return app
