"""Starlette on the engine: each kind of response, forms, middleware, WebSockets, and clients that leave."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest

pytest.importorskip("starlette", reason="starlette is not installed")

import httpx
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import Request
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from streamcompat.asgi_api import ASGIApp
from streamcompat.serving.site import Site
from tests.support.asgi_apps import Told
from tests.support.clients import get
from tests.support.servers import PATIENCE, every_driver
from tests.support.websocket_clients import open_, serving

# Starlette leaves generators that are not read to their end to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:Async generator .* was garbage collected:ResourceWarning")


def site(told: Told, wrapped: bool) -> Site:
    """A Starlette application below /api, within middleware or bare."""

    @contextlib.asynccontextmanager
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        async with anyio.create_task_group():
            yield {"name": "state"}
        told.tell("down")

    async def forever(ended: str) -> AsyncIterator[str]:
        try:
            while True:
                yield "data: tick\n\n"
                await anyio.sleep(0.01)
        finally:
            told.tell(ended)

    async def texts() -> AsyncIterator[str]:
        for text in ("a", "b", "c"):
            yield text

    async def form(request: Request) -> Response:
        async with request.form() as fields:
            upload: Any = fields["file"]
            return JSONResponse({"text": fields["text"], "size": len(await upload.read())})

    async def watches(request: Request) -> Response:
        await request.body()
        told.tell(await request.is_disconnected())
        while not await request.is_disconnected():  # noqa: ASYNC110
            await anyio.sleep(0.005)
        told.tell(await Request(request.scope, request.receive).is_disconnected())
        return Response()

    async def sized(request: Request) -> Response:
        return PlainTextResponse(str(sum([len(piece) async for piece in request.stream()])))

    async def fails(request: Request) -> Response:
        raise ValueError("on purpose")

    async def echo(socket: WebSocket) -> None:
        await socket.accept()
        async for text in socket.iter_text():
            await socket.send_text(text.upper())
        told.tell("closed")

    async def passed(request: Request, call_next: Any) -> Response:
        response: Response = await call_next(request)
        response.headers["x-passed"] = "1"
        return response

    def answer(make: Any) -> Any:
        async def handler(request: Request) -> Response:
            response: Response = make(request)
            return response

        return handler

    handlers: dict[str, Any] = {
        "/text": answer(lambda request: PlainTextResponse(request.state.name)),
        "/html": answer(lambda request: HTMLResponse("<p>")),
        "/json": answer(lambda request: JSONResponse({"path": request.url.path})),
        "/redirect": answer(lambda request: RedirectResponse(request.url_for("target"))),
        "/texts": answer(lambda request: StreamingResponse(texts())),
        "/forever": answer(lambda request: StreamingResponse(forever("ended"))),
        "/file": answer(lambda request: FileResponse(__file__)),
        "/empty": answer(lambda request: Response(status_code=204)),
        "/background": answer(
            lambda request: Response("now", background=BackgroundTask(told.tell, "background"))
        ),
        "/watches": watches,
        "/fails": fails,
    }
    routes: list[Any] = [Route(path, handler) for path, handler in handlers.items()]
    routes += [
        Route("/form", form, methods=["POST"]),
        Route("/sized", sized, methods=["POST"]),
        Route("/target", handlers["/text"], name="target"),
        WebSocketRoute("/ws", echo),
    ]
    middleware = wrapped * [Middleware(GZipMiddleware), Middleware(BaseHTTPMiddleware, dispatch=passed)]
    place = Site()
    place.mount(ASGIApp(Starlette(routes=routes, middleware=middleware, lifespan=lifespan)), "/api")
    return place


@every_driver
def test_each_kind_of_response(driver: str) -> None:
    told = Told()
    with serving(site(told, wrapped=True), driver, logged=("GET /api/fails failed",)) as served:
        with httpx.Client(base_url=served.server.addresses[0], timeout=PATIENCE) as client:
            answers = {
                name: client.get(f"/api/{name}", follow_redirects=True)
                for name in ("text", "html", "json", "redirect", "texts", "empty", "background", "fails")
            }
            file = client.get("/api/file", headers={"Range": "bytes=3-9"})
            whole = client.get("/api/file")
            head = client.head("/api/text")
            sent = client.post("/api/form", data={"text": "é"}, files={"file": bytes(300_000)})
            size = client.post("/api/sized", content=iter([bytes(70_000)] * 3))
            lost = client.get("/api/none")
        assert told.next() == "background"
    assert {name: answer.text for name, answer in answers.items()} == {
        "text": "state",
        "html": "<p>",
        "json": '{"path":"/api/json"}',
        "redirect": "state",
        "texts": "abc",
        "empty": "",
        "background": "now",
        "fails": "Internal Server Error",
    }
    assert [answer.status_code for answer in answers.values()] == [200, 200, 200, 200, 200, 204, 200, 500]
    source = Path(__file__).read_bytes()
    assert (file.status_code, file.content, whole.content) == (206, source[3:10], source)
    assert (head.status_code, head.content) == (200, b"")
    assert sent.json() == {"text": "é", "size": 300_000}
    assert (size.text, lost.status_code) == ("210000", 404)
    assert all("x-passed" in one.headers for one in (whole, head, lost, answers["texts"]))
    assert told.next() == "down"


@every_driver
def test_a_client_that_leaves(driver: str) -> None:
    told = Told()
    with serving(site(told, wrapped=False), driver) as served:
        with served.connect() as client:
            client.send(get("/api/forever"))
            assert client.receive()
        assert told.next() == "ended"
        with served.connect() as client:
            client.send(get("/api/watches"))
            assert told.next() is False
        assert told.next() is True
        with open_(served, "/api/ws") as socket:
            socket.send("text")
            assert socket.recv(PATIENCE) == "TEXT"
        assert told.next() == "closed"
