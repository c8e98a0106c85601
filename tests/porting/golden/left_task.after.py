import asyncio

from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


@app.stream("/task")
async def task(request):
    reading = asyncio.ensure_future(request.stream.get())
    return text(str(await reading))
