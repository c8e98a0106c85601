"""Applications of frameworks on our server, over real sockets: what each answers, in both directions, and
what a client that leaves ends.

`make test-frameworks` installs the frameworks that the environment of `make test` does not have.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import anyio
import httpx
import pytest

from streamcompat.asgi_api import ASGIApp, WSGIApplication
from streamcompat.asgi_api.response import sse
from streamcompat.serving.lifespan import DelegatingLifespan
from streamcompat.serving.site import Site
from streamcompat_engine import Server
from tests.support.asgi_apps import Told
from tests.support.clients import PATIENCE, connect, get, parse_address
from tests.support.servers import every_driver, serve_app, settings
from tests.testing.framework_apps import FRAMEWORKS

pytestmark = pytest.mark.filterwarnings("ignore:Async generator .* was garbage collected:ResourceWarning")

ONLY_ASYNCIO = frozenset({"quart", "sanic", "django"})


@contextlib.contextmanager
def serving(application: Any, driver: str) -> Iterator[str]:
    """Serves an application, and gives its URL. Unlike in `tests.support.servers` it may log, and have tasks
    of its own to the end of its lifespan, as frameworks do."""
    app = ASGIApp(application)
    listening, ended = threading.Event(), threading.Event()
    failures: list[BaseException] = []
    lifespan = DelegatingLifespan(app.lifespan(), lambda addresses: listening.set())
    server = Server(app.handle, settings(driver), lifespan=lifespan, overdue=app.overdue)

    def run() -> None:
        try:
            server.run()
        except BaseException as failure:
            failures.append(failure)
        finally:
            ended.set()
            listening.set()

    threading.Thread(target=run, daemon=True).start()
    assert listening.wait(PATIENCE)
    try:
        if not failures:
            yield server.addresses[0]
    finally:
        server.stop()
        assert ended.wait(PATIENCE)
        if failures:
            raise failures[0]


def watched(application: Any, told: Told) -> Any:
    """The application, telling the path of each request that it is done with."""

    async def call(scope: Any, receive: Any, send: Any) -> None:
        try:
            await application(scope, receive, send)
        finally:
            if scope["type"] == "http":
                told.tell(scope["path"])

    return call


@every_driver
@pytest.mark.parametrize("make", FRAMEWORKS.values(), ids=FRAMEWORKS)
def test_a_body_goes_both_ways(driver: str, make: Callable[[], Any]) -> None:
    if driver == "trio" and make.__name__ in ONLY_ASYNCIO:
        pytest.skip(f"{make.__name__} needs asyncio")
    sent = [bytes([number]) * 40_000 for number in range(5)]
    with serving(make(), driver) as url:
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            assert client.get("/").text == "OK"
            assert client.post("/echo", content=iter(sent)).content == b"".join(sent)
            assert client.post("/echo", content=b"".join(sent)).content == b"".join(sent)
            assert client.post("/upper", content="naïve").text == "NAÏVE"
            assert client.put("/api/items/7", content=b"abc").text == "10"
            assert client.get("/none").status_code == 404


# ---- FastAPI: dependencies, streaming, the lifespan ----


@every_driver
def test_fastapi_with_dependencies_and_streaming(driver: str) -> None:
    fastapi = pytest.importorskip("fastapi", reason="fastapi is not installed")
    responses = pytest.importorskip("fastapi.responses", reason="fastapi is not installed")
    told = Told()

    async def session() -> AsyncIterator[str]:
        told.tell("opened")
        try:
            yield "session"
        finally:
            told.tell("closed")

    def number(n: int) -> int:
        if n < 0:
            raise fastapi.HTTPException(422, "negative")
        return n

    async def ticks() -> AsyncIterator[bytes]:
        while True:
            yield b"data: tick\n\n"
            await anyio.sleep(0.01)

    async def dependent(n: Any, one: Any) -> Any:
        return {"n": n, "one": one}

    async def events() -> Any:
        return responses.StreamingResponse(ticks(), media_type="text/event-stream")

    async def items() -> AsyncIterator[int]:
        try:
            number = 0
            while True:
                yield number
                number += 1
                await anyio.sleep(0.01)
        finally:
            told.tell("items closed")

    async def ours(background: Any) -> Any:
        background.add_task(told.tell, "in the background")
        return sse(items())

    ours.__annotations__["background"] = fastapi.BackgroundTasks

    async def fails() -> None:
        raise ValueError("on purpose")

    dependent.__annotations__.update(n=int, one=str)
    number.__annotations__["n"] = int
    dependent.__defaults__ = (fastapi.Depends(number), fastapi.Depends(session))
    app = fastapi.FastAPI(openapi_url=None)
    app.get("/dependent")(dependent)
    app.get("/events")(events)
    app.get("/ours", response_model=None)(ours)
    app.get("/fails")(fails)
    with serving(watched(app, told), driver) as url:
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            assert client.get("/dependent?n=3").json() == {"n": 3, "one": "session"}
            assert [told.next(), told.next(), told.next()] == ["opened", "closed", "/dependent"]
            for wrong in ("/dependent?n=-3", "/dependent?n=x"):
                assert client.get(wrong).status_code == 422
            assert client.get("/fails").status_code == 500
        with connect(*parse_address(url)) as client:
            client.send(get("/events"))
            assert client.receive()
        while told.next() != "/events":
            pass
        with connect(*parse_address(url)) as client:
            client.send(get("/ours"))
            received = b""
            while b"data: 1" not in received:
                received += client.receive()
            assert b"content-type: text/event-stream" in received
        assert {told.next(), told.next(), told.next()} == {"items closed", "in the background", "/ours"}


@every_driver
def test_sse_starlette_ends_with_its_client(driver: str) -> None:
    pytest.importorskip("starlette", reason="starlette is not installed")
    sse = pytest.importorskip("sse_starlette.sse", reason="sse-starlette is not installed")
    from starlette.applications import Starlette
    from starlette.routing import Route

    told = Told()

    async def ticks() -> AsyncIterator[dict[str, str]]:
        while True:
            yield {"event": "tick", "data": "é"}
            await anyio.sleep(0.01)

    async def events(request: Any) -> Any:
        return sse.EventSourceResponse(ticks())

    app = Starlette(routes=[Route("/events", events)])
    with serving(watched(app, told), driver) as url:
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            with client.stream("GET", "/events") as response:
                assert response.headers["content-type"].startswith("text/event-stream")
                lines = response.iter_lines()
                assert [next(lines), next(lines)] == ["event: tick", "data: é"]
        assert told.next() == "/events"


@every_driver
def test_an_mcp_server_by_its_own_client(driver: str) -> None:
    mcp = pytest.importorskip("mcp", reason="mcp is not installed")
    servers = pytest.importorskip("mcp.server.mcpserver", reason="mcp is not installed")
    sse = pytest.importorskip("mcp.client.sse", reason="mcp is not installed")
    server = servers.MCPServer("sums")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Adds."""
        return a + b

    async def over_http(url: str) -> str:
        async with mcp.Client(f"{url}/mcp") as client:
            return str((await client.call_tool("add", {"a": 2, "b": 3})).content[0].text)

    async def over_events(url: str) -> str:
        async with sse.sse_client(f"{url}/sse") as ends, mcp.ClientSession(*ends) as session:
            await session.initialize()
            return str((await session.call_tool("add", {"a": 2, "b": 3})).content[0].text)

    for make, ask in ((server.streamable_http_app, over_http), (server.sse_app, over_events)):
        with serving(make(), driver) as url:
            assert anyio.run(ask, url) == "5"


@every_driver
@pytest.mark.parametrize(
    "transports", [["websocket"], ["polling", "websocket"]], ids=["websocket", "upgrade"]
)
def test_socket_io_by_its_own_client(driver: str, transports: list[str]) -> None:
    socketio = pytest.importorskip("socketio", reason="python-socketio is not installed")
    pytest.importorskip("websocket", reason="websocket-client is not installed")
    if driver == "trio":
        pytest.skip("socket.io needs asyncio")
    server = socketio.AsyncServer(async_mode="asgi")
    left, got = Told(), Told()

    @server.event
    async def echo(sid: str, data: Any) -> int:
        await server.emit("told", data, to=sid)
        return len(data)

    @server.event
    async def disconnect(sid: str, reason: str) -> None:
        left.tell(reason)

    with serving(socketio.ASGIApp(server), driver) as url:
        client = socketio.Client(reconnection=False)
        client.on("told", got.tell)
        client.connect(url, transports=transports, wait_timeout=PATIENCE)
        for data in ("é", [1, "b"], bytes(100_000)):
            assert client.call("echo", data, timeout=PATIENCE) == len(data)
            assert got.next() == data
        assert client.transport() == "websocket"
        client.disconnect()
        assert left.next() in ("client disconnect", "transport close")


# ---- WSGI ----


def flask_app() -> Any:
    flask = pytest.importorskip("flask", reason="flask is not installed")
    app = flask.Flask("app")

    def echo() -> Any:
        stream = flask.request.stream
        return flask.Response(iter(lambda: stream.read(1024), b""), mimetype="application/octet-stream")

    def item(n: int) -> Any:
        return {"n": n, "prefix": flask.request.script_root, "url": flask.url_for("item", n=n)}

    app.post("/echo")(echo)
    app.get("/items/<int:n>")(item)
    return app


@every_driver
def test_flask_below_a_prefix_with_streams_in_both_directions(driver: str) -> None:
    site = Site()
    site.mount(ASGIApp(WSGIApplication(flask_app())), "/shop")
    sent = [bytes([number]) * 40_000 for number in range(5)]
    with serve_app(site, driver) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
        answer = client.get("/shop/items/7")
        assert answer.json() == {"n": 7, "prefix": "/shop", "url": "/shop/items/7"}
        assert client.get("/shop/none").status_code == 404
        assert client.post("/shop/echo", content=b"".join(sent)).content == b"".join(sent)
        assert client.post("/shop/echo", content=iter(sent)).content == b"".join(sent)


@every_driver
def test_djangos_wsgi_handler(driver: str) -> None:
    asgi = FRAMEWORKS["django"]()  # configures Django
    from django.core.handlers.wsgi import WSGIHandler

    assert asgi is not None
    with serve_app(ASGIApp(WSGIApplication(WSGIHandler())), driver) as url:
        with httpx.Client(base_url=url, timeout=PATIENCE) as client:
            assert client.get("/").text == "OK"
            assert client.get("/none").status_code == 404
