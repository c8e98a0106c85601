"""What our own engine costs by itself: the routes of ``payload`` on plain exchanges, without the kernel.

The difference to a facade's row is the cost of the kernel: routing, request and response objects, middleware.
``python -m benchmarks.apps.engine_only PORT DRIVER``; DRIVER as in ``benchmarks.apps.serve``.
"""

import sys
from asyncio import sleep

from benchmarks.apps.payload import HELLO, SMALL, piece
from streamcompat_engine import Exchange, Server, ServerConfig

TEXT = [(b"content-type", b"text/plain; charset=utf-8")]
OCTETS = [(b"content-type", b"application/octet-stream")]


async def app(exchange: Exchange) -> None:
    _, route, *arguments = exchange.head.raw_path.split(b"/")
    if route == b"":
        exchange.respond(200, TEXT, HELLO)
    elif route == b"item":
        exchange.respond(200, TEXT, arguments[0])
    elif route == b"up":
        await up(exchange)
    else:
        exchange.start(200, OCTETS)
        if route == b"down":
            data = piece(int(arguments[0]))
            for _ in range(int(arguments[1])):
                await exchange.write(data)
        elif route == b"echo":
            while (data := await exchange.receive()) is not None:
                await exchange.write(data)
        elif route == b"slow":
            await slow(exchange, int(arguments[0]), int(arguments[1]) / 1000)
        elif route == b"first":
            await slow(exchange, 2, int(arguments[0]) / 1000)
        exchange.finish()


async def up(exchange: Exchange) -> None:
    total = pieces = 0
    while (data := await exchange.receive()) is not None:
        total += len(data)
        pieces += 1
    exchange.respond(200, TEXT, b"%d %d" % (total, pieces))


async def slow(exchange: Exchange, count: int, pause: float) -> None:
    data = piece(SMALL)
    for _ in range(count):
        await exchange.write(data)
        await sleep(pause)


if __name__ == "__main__":
    port, driver = int(sys.argv[1]), sys.argv[2]
    uvloop = driver == "uvloop"
    config = ServerConfig(port=port, driver="anyio" if driver == "anyio" else "asyncio", uvloop=uvloop)
    Server(app, config).run()
