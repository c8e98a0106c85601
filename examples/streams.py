"""What the example site's page streams: a table, an echo and events.

Serve it with `streamcompat run examples/streams.py`.
"""

import asyncio

from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import Event, csv_rows, sse, stream

app = Sanic("streams_example")


@app.get("/table.csv")
async def table(request):
    """A row is made when the client has room for it."""
    count = int(request.args.get("rows", 1_000_000))
    rows = ((number, number**2, number**3) for number in range(1, count + 1))
    return csv_rows(rows, header=["number", "square", "cube"], filename="powers.csv")


@app.stream("/echo")
async def echo(request):
    """Send each line back as a chunk of its own, a moment after the one before."""

    async def lines(response):
        rest = b""
        while (piece := await request.stream.get()) is not None:
            *whole, rest = (rest + piece).split(b"\n")
            for line in whole:
                await response.write(line + b"\n")
                await asyncio.sleep(0.3)
        if rest:
            await response.write(rest)

    return stream(lines)


@app.get("/ticks")
async def ticks(request):
    async def events(response):
        number = int(response.last_event_id or 0)
        while True:
            number += 1
            await response.write(Event({"tick": number}, id=number))
            await asyncio.sleep(1)

    return sse(events)
