"""The same small application in each framework that speaks ASGI: a sound echo, a broken one, and routes with
parameters, methods and prefixes.

`POST /echo` streams back what it reads, `POST /upper` decodes each piece, `PUT /api/items/{n}` has a
number in its path and sits below a prefix, `GET /` says OK.
"""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest


def starlette() -> Any:
    pytest.importorskip("starlette", reason="starlette is not installed")
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import PlainTextResponse, StreamingResponse
    from starlette.routing import Mount, Route, WebSocketRoute

    async def index(request: Request) -> Any:
        return PlainTextResponse("OK")

    async def echo(request: Request) -> Any:
        async def copy() -> AsyncIterator[bytes]:
            async for piece in request.stream():
                yield piece

        return StreamingResponse(copy())

    async def upper(request: Request) -> Any:
        return PlainTextResponse("".join([piece.decode().upper() async for piece in request.stream()]))

    async def item(request: Request) -> Any:
        return PlainTextResponse(str(request.path_params["n"] + len(await request.body())))

    async def chat(socket: Any) -> None:
        await socket.accept()

    return Starlette(
        routes=[
            Route("/", index),
            Route("/echo", echo, methods=["POST"]),
            Route("/upper", upper, methods=["POST"]),
            Mount("/api", routes=[Route("/items/{n:int}", item, methods=["PUT"])]),
            WebSocketRoute("/chat", chat),
        ]
    )


def fastapi() -> Any:
    pytest.importorskip("fastapi", reason="fastapi is not installed")
    from fastapi import APIRouter, FastAPI, WebSocket
    from fastapi.responses import PlainTextResponse, StreamingResponse
    from starlette.requests import Request

    app = FastAPI(openapi_url=None)
    router = APIRouter(prefix="/api")

    # The future import makes annotations texts, which FastAPI looks for in the module's globals.
    async def index() -> Any:
        return PlainTextResponse("OK")

    async def echo(request: Any) -> Any:
        async def copy() -> AsyncIterator[bytes]:
            async for piece in request.stream():
                yield piece

        return StreamingResponse(copy())

    async def upper(request: Any) -> Any:
        return PlainTextResponse("".join([piece.decode().upper() async for piece in request.stream()]))

    async def item(n: Any, request: Any) -> Any:
        return PlainTextResponse(str(n + len(await request.body())))

    async def chat(socket: Any) -> None:
        await socket.accept()

    for handler in (echo, upper, item):
        handler.__annotations__ = {"request": Request}
    item.__annotations__["n"] = int
    chat.__annotations__ = {"socket": WebSocket}
    app.get("/")(index)
    app.post("/echo", response_model=None)(echo)
    app.post("/upper", response_model=None)(upper)
    router.put("/items/{n}", response_model=None)(item)
    app.include_router(router)
    app.websocket("/chat")(chat)
    return app


def quart() -> Any:
    library = pytest.importorskip("quart", reason="quart is not installed")
    app = library.Quart("framework_apps", static_folder=None)
    blueprint = library.Blueprint("api", "api", url_prefix="/api")

    @app.get("/")
    async def index() -> Any:
        return "OK"

    @app.post("/echo")
    async def echo() -> Any:
        body = library.request.body

        async def copy() -> AsyncIterator[bytes]:
            async for piece in body:
                yield piece

        return copy()

    @app.post("/upper")
    async def upper() -> Any:
        return "".join([piece.decode().upper() async for piece in library.request.body])

    @blueprint.put("/items/<int:n>")
    async def item(n: int) -> Any:
        return str(n + len(await library.request.get_data()))

    @app.websocket("/chat")
    async def chat() -> None:
        await library.websocket.accept()

    app.register_blueprint(blueprint)
    return app


def litestar() -> Any:
    library = pytest.importorskip("litestar", reason="litestar is not installed")
    response = importlib.import_module("litestar.response")

    async def index() -> str:
        return "OK"

    async def echo(request: Any) -> Any:
        # While it streams a response, Litestar drops what arrives of the request.
        pieces = [piece async for piece in request.stream()]

        async def copy() -> AsyncIterator[bytes]:
            for piece in pieces:
                yield piece

        return response.Stream(copy())

    async def upper(request: Any) -> str:
        return "".join([piece.decode().upper() async for piece in request.stream()])

    async def item(n: int, request: Any) -> str:
        return str(n + len(await request.body()))

    async def chat(socket: Any) -> None:
        await socket.accept()

    for handler in (echo, upper, item):
        handler.__annotations__ = {"request": library.Request, "return": str}
    echo.__annotations__["return"] = response.Stream
    item.__annotations__["n"] = importlib.import_module("litestar.params").FromPath[int]
    index.__annotations__["return"] = str
    chat.__annotations__ = {"socket": library.WebSocket, "return": None}
    text = library.MediaType.TEXT
    return library.Litestar(
        [
            library.get("/", media_type=text)(index),
            library.post("/echo", status_code=200)(echo),
            library.post("/upper", media_type=text, status_code=200)(upper),
            library.Router("/api", route_handlers=[library.put("/items/{n:int}", media_type=text)(item)]),
            library.websocket("/chat")(chat),
        ],
        openapi_config=None,
    )


def sanic() -> Any:
    library = pytest.importorskip("sanic", reason="today's Sanic is not installed")
    if not hasattr(library, "__version__") or "streamcompat" in library.Sanic.__module__:
        pytest.skip("today's Sanic is not installed")
    library.Sanic._app_registry.clear()
    library.Sanic.test_mode = True
    app = library.Sanic("framework_apps")
    blueprint = library.Blueprint("api", url_prefix="/api")

    @app.get("/")
    async def index(request: Any) -> Any:
        return library.text("OK")

    @app.post("/echo", stream=True)
    async def echo(request: Any) -> Any:
        answer = await request.respond()
        async for piece in request.stream:
            await answer.send(piece)
        await answer.eof()

    @app.post("/upper", stream=True)
    async def upper(request: Any) -> Any:
        return library.text("".join([piece.decode().upper() async for piece in request.stream]))

    @blueprint.put("/items/<n:int>")
    async def item(request: Any, n: int) -> Any:
        return library.text(str(n + len(request.body)))

    @app.websocket("/chat")
    async def chat(request: Any, socket: Any) -> None:
        pass

    app.blueprint(blueprint)
    return app


def django() -> Any:
    library = pytest.importorskip("django", reason="django is not installed")
    conf = importlib.import_module("django.conf")
    if not conf.settings.configured:
        conf.settings.configure(ROOT_URLCONF=f"{__name__}_django", ALLOWED_HOSTS=["*"], MIDDLEWARE=[])
        library.setup()
    return importlib.import_module("django.core.asgi").get_asgi_application()


FRAMEWORKS: dict[str, Callable[[], Any]] = {
    one.__name__: one for one in (starlette, fastapi, quart, litestar, sanic, django)
}
