"""The routes of ``payload`` on Sanic 0.7.0 and Python 3.6: ``... -m benchmarks.apps.sanic_original PORT``.

``response.write`` is not awaited, as in Sanic's documentation, so it has no back-pressure.
"""

import asyncio
import sys

from sanic import Sanic
from sanic.response import stream, text

from benchmarks.apps.payload import HELLO, SMALL, piece

OCTETS = "application/octet-stream"

app = Sanic("benchmark", configure_logging=False)
app.config.REQUEST_MAX_SIZE = 1 << 40
app.config.REQUEST_TIMEOUT = app.config.RESPONSE_TIMEOUT = 600
app.config.KEEP_ALIVE_TIMEOUT = 120
app.config.LOGO = None


@app.get("/")
async def index(request):
    return text(HELLO.decode())


@app.get("/item/<number>")
async def item(request, number):
    return text(number)


@app.get("/down/<size:int>/<count:int>")
async def down(request, size, count):
    data = piece(size)

    async def streaming(response):
        for _ in range(count):
            response.write(data)

    return stream(streaming, content_type=OCTETS)


@app.post("/up", stream=True)
async def up(request):
    total = pieces = 0
    while True:
        data = await request.stream.get()
        if data is None:
            break
        total += len(data)
        pieces += 1
    return text(f"{total} {pieces}")


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(response):
        while True:
            data = await request.stream.get()
            if data is None:
                break
            response.write(data)

    return stream(streaming, content_type=OCTETS)


def _slowly(count, pause):
    async def streaming(response):
        for _ in range(count):
            response.write(piece(SMALL))
            await asyncio.sleep(pause)

    return stream(streaming, content_type=OCTETS)


@app.get("/slow/<count:int>/<milliseconds:int>")
async def slow(request, count, milliseconds):
    return _slowly(count, milliseconds / 1000)


@app.get("/first/<milliseconds:int>")
async def first(request, milliseconds):
    return _slowly(2, milliseconds / 1000)


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]), access_log=False, backlog=2048)
