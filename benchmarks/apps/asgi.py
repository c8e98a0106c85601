"""The routes of ``payload`` as a plain ASGI app: for uvicorn, hypercorn and granian."""

import asyncio
from typing import Any

from benchmarks.apps.payload import HELLO, SMALL, piece

TEXT = (b"content-type", b"text/plain; charset=utf-8")
STREAM_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/octet-stream")],
}


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    _, route, *arguments = scope["path"].split("/")
    if route == "":
        await _text(send, HELLO)
    elif route == "item":
        await _text(send, arguments[0].encode())
    elif route == "down":
        await _down(send, int(arguments[0]), int(arguments[1]))
    elif route == "up":
        await _up(receive, send)
    elif route == "echo":
        await _echo(receive, send)
    elif route == "slow":
        await _slow(send, int(arguments[0]), int(arguments[1]) / 1000)
    elif route == "first":
        await _slow(send, 2, int(arguments[0]) / 1000)


async def _lifespan(receive: Any, send: Any) -> None:
    while True:
        message = await receive()
        await send({"type": message["type"] + ".complete"})
        if message["type"] == "lifespan.shutdown":
            return


async def _text(send: Any, body: bytes) -> None:
    headers = [TEXT, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _down(send: Any, size: int, count: int) -> None:
    data = piece(size)
    await send(STREAM_START)
    for _ in range(count):
        await send({"type": "http.response.body", "body": data, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


async def _up(receive: Any, send: Any) -> None:
    total = pieces = 0
    more = True
    while more:
        message = await receive()
        if body := message.get("body"):
            total += len(body)
            pieces += 1
        more = message.get("more_body", False)
    await _text(send, b"%d %d" % (total, pieces))


async def _echo(receive: Any, send: Any) -> None:
    await send(STREAM_START)
    more = True
    while more:
        message = await receive()
        if body := message.get("body"):
            await send({"type": "http.response.body", "body": body, "more_body": True})
        more = message.get("more_body", False)
    await send({"type": "http.response.body", "body": b""})


async def _slow(send: Any, count: int, pause: float) -> None:
    data = piece(SMALL)
    await send(STREAM_START)
    for _ in range(count):
        await send({"type": "http.response.body", "body": data, "more_body": True})
        await asyncio.sleep(pause)
    await send({"type": "http.response.body", "body": b""})
