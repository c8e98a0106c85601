"""Server-sent events: a task fills a queue, the handler sends what comes out of it."""

import asyncio
import json

from sanic import Sanic
from sanic.response import stream

app = Sanic("events")


async def produce(queue, count):
    for number in range(count):
        await queue.put({"number": number})
        await asyncio.sleep(0)
    await queue.put(None)


@app.route("/events/<count:int>")
async def events(request, count):
    queue = asyncio.Queue()

    async def send_events(response):
        task = asyncio.ensure_future(produce(queue, count))
        response.write(": hello\n\n")
        while True:
            event = await queue.get()
            if event is None:
                break
            response.write("event: tick\ndata: {}\n\n".format(json.dumps(event)))
        await task

    return stream(send_events, content_type="text/event-stream", headers={"Cache-Control": "no-cache"})
