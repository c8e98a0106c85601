"""The routes of ``payload`` in streamcompat's Mach9 API."""

import sys

from benchmarks.apps.payload import HELLO, SMALL, piece
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import HTTPResponse, StreamHTTPResponse, stream, text

if "trio" in sys.argv:
    from trio import sleep
else:
    from asyncio import sleep

OCTETS = "application/octet-stream"

app = Mach9("benchmark")
app.config.REQUEST_MAX_SIZE = 1 << 40


@app.get("/")
async def index(request) -> HTTPResponse:
    return text(HELLO.decode())


@app.get("/item/<number>")
async def item(request, number: str) -> HTTPResponse:
    return text(number)


@app.get("/down/<size:int>/<count:int>")
async def down(request, size: int, count: int) -> StreamHTTPResponse:
    data = piece(size)

    async def streaming(channel) -> None:
        for _ in range(count):
            await channel.send(data)

    return stream(streaming, content_type=OCTETS)


@app.post("/up", stream=True)
async def up(request) -> HTTPResponse:
    total = pieces = 0
    while True:
        chunk = await request.stream.receive()
        if chunk["more_content"] is False:
            break
        total += len(chunk["content"])
        pieces += 1
    return text(f"{total} {pieces}")


@app.post("/echo", stream=True)
async def echo(request) -> StreamHTTPResponse:
    async def streaming(channel) -> None:
        while True:
            chunk = await request.stream.receive()
            if chunk["more_content"] is False:
                break
            await channel.send(chunk["content"])

    return stream(streaming, content_type=OCTETS)


def _slowly(count: int, pause: float) -> StreamHTTPResponse:
    async def streaming(channel) -> None:
        for _ in range(count):
            await channel.send(piece(SMALL))
            await sleep(pause)

    return stream(streaming, content_type=OCTETS)


@app.get("/slow/<count:int>/<milliseconds:int>")
async def slow(request, count: int, milliseconds: int) -> StreamHTTPResponse:
    return _slowly(count, milliseconds / 1000)


@app.get("/first/<milliseconds:int>")
async def first(request, milliseconds: int) -> StreamHTTPResponse:
    return _slowly(2, milliseconds / 1000)
