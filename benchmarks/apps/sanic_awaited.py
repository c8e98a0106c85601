"""The routes of ``payload`` in streamcompat's Sanic API, with awaited ``response.write``."""

import sys

from benchmarks.apps.payload import HELLO, SMALL, piece
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import HTTPResponse, StreamingHTTPResponse, stream, text

if "trio" in sys.argv:
    from trio import sleep
else:
    from asyncio import sleep

OCTETS = "application/octet-stream"

app = Sanic("benchmark")
app.config.REQUEST_MAX_SIZE = 1 << 40


@app.get("/")
async def index(request) -> HTTPResponse:
    return text(HELLO.decode())


@app.get("/item/<number>")
async def item(request, number: str) -> HTTPResponse:
    return text(number)


@app.get("/down/<size:int>/<count:int>")
async def down(request, size: int, count: int) -> StreamingHTTPResponse:
    data = piece(size)

    async def streaming(response) -> None:
        for _ in range(count):
            await response.write(data)

    return stream(streaming, content_type=OCTETS)


@app.post("/up", stream=True)
async def up(request) -> HTTPResponse:
    total = pieces = 0
    while True:
        data = await request.stream.get()
        if data is None:
            break
        total += len(data)
        pieces += 1
    return text(f"{total} {pieces}")


@app.post("/echo", stream=True)
async def echo(request) -> StreamingHTTPResponse:
    async def streaming(response) -> None:
        while True:
            data = await request.stream.get()
            if data is None:
                break
            await response.write(data)

    return stream(streaming, content_type=OCTETS)


def _slowly(count: int, pause: float) -> StreamingHTTPResponse:
    async def streaming(response) -> None:
        for _ in range(count):
            await response.write(piece(SMALL))
            await sleep(pause)

    return stream(streaming, content_type=OCTETS)


@app.get("/slow/<count:int>/<milliseconds:int>")
async def slow(request, count: int, milliseconds: int) -> StreamingHTTPResponse:
    return _slowly(count, milliseconds / 1000)


@app.get("/first/<milliseconds:int>")
async def first(request, milliseconds: int) -> StreamingHTTPResponse:
    return _slowly(2, milliseconds / 1000)
