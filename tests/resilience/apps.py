"""The same routes in both flavours: what the loads ask for. `site` has both, below `/mach9` and `/sanic`."""

from __future__ import annotations

import gc
import os
import sys
import time
from typing import Any

import anyio
from anyio.lowlevel import checkpoint

from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api import response as mach9_response
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api import response as sanic_response
from streamcompat.site import Site

PIECE = b"x" * 65536
MOST = 1_000_000
"""Bytes of a body on a buffered route."""

mach9, sanic = Mach9("resilience"), Sanic("resilience")
noticed: dict[str, float] = {}
"""When a handler saw its client leave, by the client's name; seconds of the machine's monotonic clock."""

for app in (mach9, sanic):
    app.config.REQUEST_MAX_SIZE = MOST
    app.config.ACCESS_LOG = False


@mach9.get("/text/<number>")
async def mach9_text(request: Any, number: str) -> Any:
    return mach9_response.text(number)


@sanic.get("/text/<number>")
async def sanic_text(request: Any, number: str) -> Any:
    return sanic_response.text(number)


@mach9.get("/pid")
async def mach9_pid(request: Any) -> Any:
    return mach9_response.text(str(os.getpid()))


@sanic.get("/pid")
async def sanic_pid(request: Any) -> Any:
    return sanic_response.text(str(os.getpid()))


@mach9.get("/tasks")
async def mach9_tasks(request: Any) -> Any:
    return mach9_response.text(str(len(anyio.get_running_tasks())))


@sanic.get("/tasks")
async def sanic_tasks(request: Any) -> Any:
    return sanic_response.text(str(len(anyio.get_running_tasks())))


@mach9.get("/blocks")
async def blocks(request: Any) -> Any:
    """How many pieces of memory are in use, once what is not in use any more is freed."""
    gc.collect()
    return mach9_response.text(str(sys.getallocatedblocks()))


@mach9.post("/buffered")
async def mach9_buffered(request: Any) -> Any:
    return mach9_response.text(str(len(request.body)))


@sanic.post("/buffered")
async def sanic_buffered(request: Any) -> Any:
    return sanic_response.text(str(len(request.body)))


@mach9.post("/upload", stream=True)
async def mach9_upload(request: Any) -> Any:
    size = 0
    while (chunk := await request.stream.receive())["more_content"]:
        size += len(chunk["content"])
    return mach9_response.text(str(size))


@sanic.stream("/upload")
async def sanic_upload(request: Any) -> Any:
    size = 0
    while (piece := await request.stream.get()) is not None:
        size += len(piece)
    return sanic_response.text(str(size))


@mach9.get("/download/<size:int>")
async def mach9_download(request: Any, size: int) -> Any:
    async def pieces(channel: Any) -> None:
        for left in range(size, 0, -len(PIECE)):
            await channel.send(PIECE[:left])

    return mach9_response.stream(pieces)


@sanic.get("/download/<size:int>")
async def sanic_download(request: Any, size: int) -> Any:
    async def pieces(response: Any) -> None:
        for left in range(size, 0, -len(PIECE)):
            response.write(PIECE[:left])  # as old apps did: nobody awaits it

    return sanic_response.stream(pieces)


@mach9.get("/watch/<name>", on_disconnect="cancel")
async def mach9_watch(request: Any, name: str) -> Any:
    try:
        await anyio.sleep_forever()
    finally:
        noticed[name] = time.monotonic()


@sanic.get("/watch/<name>", on_disconnect="cancel")
async def sanic_watch(request: Any, name: str) -> Any:
    try:
        await anyio.sleep_forever()
    finally:
        noticed[name] = time.monotonic()


@mach9.post("/read/<name>", stream=True)
async def mach9_read(request: Any, name: str) -> Any:
    while (chunk := await request.stream.receive())["more_content"] and not chunk["closed"]:
        await checkpoint()
    noticed[name] = time.monotonic()
    return mach9_response.text("gone")


@sanic.stream("/read/<name>")
async def sanic_read(request: Any, name: str) -> Any:
    try:
        while await request.stream.get() is not None:
            pass
    finally:
        noticed[name] = time.monotonic()


@mach9.get("/sink", websocket=True)
async def mach9_sink(request: Any) -> Any:
    async def take(channel: Any) -> None:
        while (await request.stream.get())["channel"] == "websocket.receive":
            pass

    return mach9_response.websocket(take)


@sanic.websocket("/sink")
async def sanic_sink(request: Any, ws: Any) -> None:
    async for _ in ws:
        pass


@mach9.get("/noticed")
async def mach9_noticed(request: Any) -> Any:
    return mach9_response.json(noticed)


@sanic.get("/noticed")
async def sanic_noticed(request: Any) -> Any:
    return sanic_response.json(noticed)


site = Site()
site.mount(mach9, "/mach9")
site.mount(sanic, "/sanic")
