from sanic import Sanic
from sanic.response import stream, text
import asyncio
app = Sanic('a', load_env=False)

async def emit(x, *, out):
    out.write(x)
async def s(response):
    await emit(1, out=response)
@app.get("/x")
async def x(request):
    return stream(s)
@app.get("/y")
async def y(request):
    return stream(lambda response: response.write("x"))
app.add_route(lambda request: text("z"), "/z")
