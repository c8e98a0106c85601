"""The routes of ``payload`` in current Sanic: ``python -m benchmarks.apps.sanic_current PORT``."""

import asyncio
import sys

from sanic import HTTPResponse, Request, Sanic, text

from benchmarks.apps.payload import HELLO, SMALL, piece

OCTETS = "application/octet-stream"

app = Sanic("benchmark")
app.config.REQUEST_MAX_SIZE = 1 << 40
app.config.RESPONSE_TIMEOUT = app.config.REQUEST_TIMEOUT = 600
app.config.MOTD = False


@app.get("/")
async def index(request: Request) -> HTTPResponse:
    return text(HELLO.decode())


@app.get("/item/<number>")
async def item(request: Request, number: str) -> HTTPResponse:
    return text(number)


@app.get("/down/<size:int>/<count:int>")
async def down(request: Request, size: int, count: int) -> None:
    data = piece(size)
    response = await request.respond(content_type=OCTETS)
    for _ in range(count):
        await response.send(data)
    await response.eof()


@app.post("/up", stream=True)
async def up(request: Request) -> HTTPResponse:
    total = pieces = 0
    async for data in request.stream:
        total += len(data)
        pieces += 1
    return text(f"{total} {pieces}")


@app.post("/echo", stream=True)
async def echo(request: Request) -> None:
    response = await request.respond(content_type=OCTETS)
    async for data in request.stream:
        await response.send(data)
    await response.eof()


async def _slowly(request: Request, count: int, pause: float) -> None:
    data = piece(SMALL)
    response = await request.respond(content_type=OCTETS)
    for _ in range(count):
        await response.send(data)
        await asyncio.sleep(pause)
    await response.eof()


@app.get("/slow/<count:int>/<milliseconds:int>")
async def slow(request: Request, count: int, milliseconds: int) -> None:
    await _slowly(request, count, milliseconds / 1000)


@app.get("/first/<milliseconds:int>")
async def first(request: Request, milliseconds: int) -> None:
    await _slowly(request, 2, milliseconds / 1000)


if __name__ == "__main__":
    app.run("127.0.0.1", int(sys.argv[1]), single_process=True, access_log=False, backlog=2048)
