"""Small apps of both flavours that the tests of the toolkit talk to."""

from __future__ import annotations

import itertools
from typing import Any

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import stream as mach9_stream
from streamcompat.mach9_api.response import text as mach9_text
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream as sanic_stream
from streamcompat.sanic_api.response import text as sanic_text

_names = itertools.count()


def sanic_app() -> Sanic:
    """`/echo` streams back what it reads, `/count` says in what pieces it came, `/large` streams without
    awaiting its writes, `/` says OK."""
    app = Sanic(f"sanic{next(_names)}")

    @app.route("/")
    async def index(request: Any) -> Any:
        return sanic_text("OK")

    @app.stream("/echo")
    async def echo(request: Any) -> Any:
        async def copy(response: Any) -> None:
            while (piece := await request.stream.get()) is not None:
                response.write(piece)

        return sanic_stream(copy)

    @app.stream("/count")
    async def count(request: Any) -> Any:
        sizes = []
        while (piece := await request.stream.get()) is not None:
            sizes.append(str(len(piece)))
        return sanic_text(" ".join(sizes))

    @app.route("/large")
    async def large(request: Any) -> Any:
        async def produce(response: Any) -> None:
            for _ in range(1024):
                response.write(b"x" * 1024)

        return sanic_stream(produce)

    return app


def mach9_app() -> Mach9:
    """The same."""
    app = Mach9(f"mach9{next(_names)}")

    @app.route("/")
    async def index(request: Any) -> Any:
        return mach9_text("OK")

    @app.post("/echo", stream=True)
    async def echo(request: Any) -> Any:
        async def copy(channel: Any) -> None:
            while (message := await request.stream.receive())["more_content"]:
                await channel.send(message["content"])

        return mach9_stream(copy)

    @app.post("/count", stream=True)
    async def count(request: Any) -> Any:
        sizes = []
        while (message := await request.stream.receive())["more_content"]:
            sizes.append(str(len(message["content"])))
        return mach9_text(" ".join(sizes))

    @app.route("/large")
    async def large(request: Any) -> Any:
        async def produce(channel: Any) -> None:
            for _ in range(1024):
                await channel.send(b"x" * 1024)

        return mach9_stream(produce)

    return app


APPS = {"sanic": sanic_app, "mach9": mach9_app}
