"""The routes of ``payload`` on Mach9 0.0.4 and Python 3.6: ``... -m benchmarks.apps.mach9_original PORT``.

``channel.send`` is awaited, but the original never waits in it, so it has no back-pressure.
"""

import asyncio
import sys

from mach9 import Mach9
from mach9.response import stream, text

from benchmarks.apps.payload import HELLO, SMALL, piece

OCTETS = "application/octet-stream"

app = Mach9("benchmark", log_config=None)
app.request_max_size = 1 << 40
app.request_timeout = 600


@app.get("/")
async def index(request):
    return text(HELLO.decode())


@app.get("/item/<number>")
async def item(request, number):
    return text(number)


@app.get("/down/<size:int>/<count:int>")
async def down(request, size, count):
    data = piece(size)

    async def streaming(channel):
        for _ in range(count):
            await channel.send(data)

    return stream(streaming, content_type=OCTETS)


@app.post("/up", stream=True)
async def up(request):
    total = pieces = 0
    while True:
        chunk = await request.stream.receive()
        if chunk["more_content"] is False:
            break
        total += len(chunk["content"])
        pieces += 1
    return text(f"{total} {pieces}")


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(channel):
        while True:
            chunk = await request.stream.receive()
            if chunk["more_content"] is False:
                break
            await channel.send(chunk["content"])

    return stream(streaming, content_type=OCTETS)


def _slowly(count, pause):
    async def streaming(channel):
        for _ in range(count):
            await channel.send(piece(SMALL))
            await asyncio.sleep(pause)

    return stream(streaming, content_type=OCTETS)


@app.get("/slow/<count:int>/<milliseconds:int>")
async def slow(request, count, milliseconds):
    return _slowly(count, milliseconds / 1000)


@app.get("/first/<milliseconds:int>")
async def first(request, milliseconds):
    return _slowly(2, milliseconds / 1000)


if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(sys.argv[1]))
