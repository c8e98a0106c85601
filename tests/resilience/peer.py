"""The routes of `apps` that a comparison needs, as a plain ASGI app for other servers."""

from __future__ import annotations

from typing import Any

PIECE = b"x" * 65536


async def app(scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        while (message := await receive())["type"] != "lifespan.shutdown":
            await send({"type": message["type"] + ".complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    _, route, *arguments = scope["path"].split("/")
    if route == "download":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for left in range(int(arguments[0]), 0, -len(PIECE)):
            await send({"type": "http.response.body", "body": PIECE[:left], "more_body": True})
        await send({"type": "http.response.body", "body": b""})
        return
    if route == "refuse":
        await _text(send, 413, b"too large")
        return
    size = 0
    if route in ("buffered", "upload"):
        more = True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
    await _text(send, 200, arguments[0].encode() if route == "text" else b"%d" % size)


async def _text(send: Any, status: int, body: bytes) -> None:
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
