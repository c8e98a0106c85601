"""An application of old Sanic's: the `shop/web.py` of the page on deployment, which the proxies' tests serve.

What its handlers do is noted in files of the folder that it runs in, since several processes serve it.
"""

import asyncio
import os

from sanic import Sanic
from sanic.response import stream, text

app = Sanic("shop")
app.config.REQUEST_MAX_SIZE = 1_000_000
PIECE = b"x" * 65536
LONG = 4096
"""Pieces of a response, or of a request, that nobody wants to see whole."""


def note(name):
    """One byte more in a file."""
    with open(name, "ab") as file:
        file.write(b".")


async def until_there(name):
    while not os.path.exists(name):
        await asyncio.sleep(0.01)


@app.route("/text/<number>")
async def get_text(request, number):
    return text(number)


@app.route("/buffered", methods=["POST"])
async def buffered(request):
    return text(str(len(request.body)))


@app.route("/folder")
async def folder(request):
    return text(os.getcwd())


@app.route("/client")
async def client(request):
    return text(f"{request.ip} {request.scheme} {request.host}")


@app.route("/echo", methods=["POST"], stream=True)
async def echo(request):
    async def send(response):
        while (piece := await request.stream.get()) is not None:
            await response.write(piece)

    return stream(send)


@app.route("/upload/<name>", methods=["POST"], stream=True)
async def upload(request, name):
    size = 0
    while (piece := await request.stream.get()) is not None:
        size += len(piece)
        note(name)
    return text(f"{size} {dict(request.trailers)}")


@app.route("/unread/<name>", methods=["POST"], stream=True)
async def unread(request, name):
    note(name)
    await until_there(f"read-{name}")
    return text("")


@app.route("/download/<name>")
async def download(request, name):
    async def send(response):
        for _ in range(LONG):
            await response.write(PIECE)
            note(name)

    return stream(send)


@app.route("/events/<name>")
async def events(request, name):
    async def send(response):
        for number in range(3):
            await until_there(f"{name}-{number}")
            await response.write(f"data: {number}\n\n")

    return stream(send, content_type="text/event-stream")


@app.route("/ticks/<count:int>")
async def ticks(request, count):
    async def send(response):
        for number in range(count):
            await response.write(f"{number}\n")
            await asyncio.sleep(0.05)

    return stream(send)


@app.route("/cut")
async def cut(request):
    async def send(response):
        await response.write("a part")
        raise RuntimeError("on purpose")

    return stream(send)


@app.route("/watch/<name>", on_disconnect="cancel")
async def watch(request, name):
    note(f"here-{name}")
    try:
        await asyncio.sleep(1000)
    finally:
        note(f"left-{name}")


@app.websocket("/messages")
async def messages(request, ws):
    while True:
        await ws.send(await ws.recv())
