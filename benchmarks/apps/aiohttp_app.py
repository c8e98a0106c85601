"""The routes of ``payload`` in aiohttp: ``python -m benchmarks.apps.aiohttp_app PORT LOOP``."""

import asyncio
import sys

import uvloop
from aiohttp import web

from benchmarks.apps.payload import HELLO, SMALL, piece

routes = web.RouteTableDef()


@routes.get("/")
async def index(request: web.Request) -> web.Response:
    return web.Response(body=HELLO, content_type="text/plain", charset="utf-8")


@routes.get("/item/{number}")
async def item(request: web.Request) -> web.Response:
    return web.Response(text=request.match_info["number"])


@routes.get("/down/{size}/{count}")
async def down(request: web.Request) -> web.StreamResponse:
    data = piece(int(request.match_info["size"]))
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(int(request.match_info["count"])):
        await response.write(data)
    await response.write_eof()
    return response


@routes.post("/up")
async def up(request: web.Request) -> web.Response:
    total = pieces = 0
    async for data in request.content.iter_any():
        total += len(data)
        pieces += 1
    return web.Response(text=f"{total} {pieces}")


@routes.post("/echo")
async def echo(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    async for data in request.content.iter_any():
        await response.write(data)
    await response.write_eof()
    return response


async def _slowly(request: web.Request, count: int) -> web.StreamResponse:
    data = piece(SMALL)
    pause = int(request.match_info["milliseconds"]) / 1000
    response = web.StreamResponse()
    await response.prepare(request)
    for _ in range(count):
        await response.write(data)
        await asyncio.sleep(pause)
    await response.write_eof()
    return response


@routes.get("/slow/{count}/{milliseconds}")
async def slow(request: web.Request) -> web.StreamResponse:
    return await _slowly(request, int(request.match_info["count"]))


@routes.get("/first/{milliseconds}")
async def first(request: web.Request) -> web.StreamResponse:
    return await _slowly(request, 2)


if __name__ == "__main__":
    port, loop_name = int(sys.argv[1]), sys.argv[2]
    loop = uvloop.new_event_loop() if loop_name == "uvloop" else asyncio.new_event_loop()
    app = web.Application()
    app.add_routes(routes)
    web.run_app(app, host="127.0.0.1", port=port, loop=loop, access_log=None, print=None, backlog=2048)
