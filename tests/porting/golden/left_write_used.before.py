from sanic import Sanic
from sanic.response import stream
import asyncio

app = Sanic("a", load_env=False)


@app.get("/x")
async def x(request):
    async def streaming(response):
        pending = response.write("a")
        await pending

    return stream(streaming)


@app.get("/y")
async def y(request):
    async def streaming(response):
        both = [response.write("a"), response.write("b")]
        await asyncio.gather(*both)

    return stream(streaming)


@app.get("/z")
async def z(request):
    async def streaming(response):
        response.write("a") and response.write("b")
        response.write("c") if request.args else response.write("d")

    return stream(streaming)
