import asyncio

from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


@app.stream("/queue")
async def queue(request):
    assert isinstance(request.stream, asyncio.Queue)
    body = await request.stream.get()
    request.stream.task_done()
    return text(f"{body} {request.stream.qsize()}")


@app.stream("/beside")
async def beside(request):
    return text(str(await request.stream.get()))
