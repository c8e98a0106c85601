import asyncio

from sanic import Sanic
from sanic.response import stream

app = Sanic(__name__, load_env=False)


@app.stream("/echo")
async def echo(request):
    async def streaming(response):
        while True:
            body = await asyncio.wait_for(request.stream.get(), 5)
            if body is None:
                break
            await asyncio.wait_for(response.write(body), timeout=5)

    return stream(streaming)
