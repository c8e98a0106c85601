"""A long poll: writers and readers meet in queues; the readers' responses never leave the handler."""

import asyncio

from sanic import Sanic
from sanic.response import json, stream

app = Sanic("chat", is_request_stream=True)
history = []


@app.stream("/say/<who:alpha>")
async def say(request, who):
    said = []
    while True:
        body = await asyncio.wait_for(request.stream.get(), timeout=30)
        if body is None:
            break
        said.append(body.decode("utf-8", "replace"))
    history.append((who, "".join(said)))
    return json({"said": len(history[-1][1])})


@app.get("/listen")
async def listen(request):
    last = int(request.args.get("last", "3")) if request.args.get("last", "3").isdigit() else 3

    async def streaming(response):
        for who, words in history[-last:]:
            await asyncio.wait_for(response.write(f"{who}: {words}\n"), 30)
        if not history:
            await response.write("")

    return stream(streaming, content_type="text/plain; charset=utf-8")
