"""The routes of ``payload`` in Starlette."""

import asyncio
from collections.abc import AsyncIterator

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from benchmarks.apps.payload import HELLO, SMALL, piece

OCTETS = "application/octet-stream"


async def index(request: Request) -> PlainTextResponse:
    return PlainTextResponse(HELLO)


async def item(request: Request) -> PlainTextResponse:
    return PlainTextResponse(request.path_params["number"])


async def down(request: Request) -> StreamingResponse:
    data = piece(request.path_params["size"])

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(request.path_params["count"]):
            yield data

    return StreamingResponse(pieces(), media_type=OCTETS)


async def up(request: Request) -> PlainTextResponse:
    total = pieces = 0
    async for data in request.stream():
        if data:
            total += len(data)
            pieces += 1
    return PlainTextResponse(f"{total} {pieces}")


class EchoResponse(StreamingResponse):
    """A response without Starlette's wait for a disconnect, which would consume the request's body."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.stream_response(send)


async def echo(request: Request) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        async for data in request.stream():
            if data:
                yield data

    return EchoResponse(pieces(), media_type=OCTETS)


def _slowly(count: int, pause: float) -> StreamingResponse:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(count):
            yield piece(SMALL)
            await asyncio.sleep(pause)

    return StreamingResponse(pieces(), media_type=OCTETS)


async def slow(request: Request) -> StreamingResponse:
    return _slowly(request.path_params["count"], request.path_params["milliseconds"] / 1000)


async def first(request: Request) -> StreamingResponse:
    return _slowly(2, request.path_params["milliseconds"] / 1000)


app = Starlette(
    routes=[
        Route("/", index),
        Route("/item/{number}", item),
        Route("/down/{size:int}/{count:int}", down),
        Route("/up", up, methods=["POST"]),
        Route("/echo", echo, methods=["POST"]),
        Route("/slow/{count:int}/{milliseconds:int}", slow),
        Route("/first/{milliseconds:int}", first),
    ]
)
