"""Tokens of a language model, as lines of JSON; the prompt comes as a stream."""

import asyncio
import ujson

from sanic import Sanic
from sanic.exceptions import InvalidUsage
from sanic.response import stream, json

app = Sanic(__name__, is_request_stream=True)


class Model:
    async def generate(self, prompt, limit=20):
        for token in prompt.split()[:limit]:
            await asyncio.sleep(0)
            yield token


model = Model()


@app.stream("/generate")
async def generate(request):
    prompt = ""
    while True:
        body = await request.stream.get()
        if body is None:
            break
        prompt += body.decode("utf-8", errors="replace")
    if not prompt.strip():
        raise InvalidUsage("no prompt")

    async def tokens(response):
        total = 0
        async for token in model.generate(prompt):
            total += 1
            await response.write(ujson.dumps({"token": token}) + "\n")
        await response.write(ujson.dumps({"done": True, "total": total}))

    return stream(tokens, content_type="application/x-ndjson", status=201)


@app.get("/model")
async def about(request):
    return json({"name": "echo"})
