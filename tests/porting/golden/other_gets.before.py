from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__)


import asyncio

settings = {"size": 1}
jobs = asyncio.Queue()


@app.stream("/told/apart")
async def handler(request):
    job = await jobs.get()
    size = settings.get("size")
    body = await request.stream.get()
    with open("/tmp/x", "wb") as response:
        response.write(body)
    return text(f"{job} {size}")
