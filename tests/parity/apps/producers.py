"""Handlers that produce or take as much as they are asked for, in every way of writing there is."""

from __future__ import annotations

import asyncio
import csv

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import stream as mach9_stream
from streamcompat.mach9_api.response import text as mach9_text
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream, text

PIECE = b"x" * 65_536
FIELD = "x" * 65_533  # a row of one field and its line end is 65,535 bytes

sanic = Sanic("sanic")
mach9 = Mach9("mach9")
seen = {"written": 0, "read": 0}
go_on: asyncio.Event | None = None


@sanic.get("/seen")
async def progress(request):
    return text(f"{seen['written']} {seen['read']}")


@sanic.get("/plain/<count:int>")
async def plain(request, count):
    async def produce(response):
        for _ in range(count):
            response.write(PIECE)
            seen["written"] += len(PIECE)

    return stream(produce)


@sanic.get("/awaited/<count:int>")
async def awaited(request, count):
    async def produce(response):
        for _ in range(count):
            await response.write(PIECE)
            seen["written"] += len(PIECE)

    return stream(produce)


@sanic.get("/csv/<count:int>")
async def rows(request, count):
    async def produce(response):
        writer = csv.writer(response)
        for _ in range(count):
            writer.writerow([FIELD])
            seen["written"] += len(FIELD) + 2

    return stream(produce)


@sanic.stream("/echo")
async def echo(request):
    async def copy(response):
        while True:
            piece = await request.stream.get()
            if piece is None:
                break
            response.write(piece)
            seen["written"] += len(piece)

    return stream(copy)


@mach9.get("/sent/<count:int>")
async def sent(request, count):
    async def produce(channel):
        for _ in range(count):
            await channel.send(PIECE)
            seen["written"] += len(PIECE)

    return mach9_stream(produce)


async def _wait() -> None:
    """Stop reading until `/go-on`, by whatever loop this is."""
    import anyio

    global go_on
    go_on = anyio.Event()
    await go_on.wait()


@sanic.get("/go-on")
async def resume(request):
    if go_on is None:
        return text("nobody waits", status=409)
    go_on.set()
    return text("on")


@sanic.stream("/take")
async def take(request):
    seen["read"] = 0
    piece = await request.stream.get()
    await _wait()
    while piece is not None:
        seen["read"] += len(piece)
        piece = await request.stream.get()
    return text(str(seen["read"]))


@mach9.post("/take", stream=True)
async def mach9_take(request):
    seen["read"] = 0
    message = await request.stream.receive()
    await _wait()
    while message["more_content"]:
        seen["read"] += len(message["content"])
        message = await request.stream.receive()
    return mach9_text(str(seen["read"]))
