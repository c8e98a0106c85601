import asyncio
import json

from sanic import Sanic
from sanic.response import stream

app = Sanic("events")


def event(data, name=None, number=None):
    lines = []
    if name:
        lines.append("event: " + name)
    if number is not None:
        lines.append("id: {}".format(number))
    lines.append("data: " + json.dumps(data, sort_keys=True))
    return "\n".join(lines) + "\n\n"


@app.route("/events")
async def events(request):
    last = int(request.headers.get("Last-Event-ID", 0))

    async def send_events(response):
        await response.write(event({"retry": 1000}, name="hello"))
        for number in range(last + 1, last + 4):
            await asyncio.sleep(0)
            await response.write(event({"tick": number}, number=number))

    return stream(
        send_events,
        headers={"Cache-Control": "no-cache", "X-Accel-Buffering": "no"},
        content_type="text/event-stream",
    )
