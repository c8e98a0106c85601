from mach9 import Mach9
from mach9.response import text, stream as mach9_stream
from sanic.response import stream
import asyncio
from streamcompat.ported import encoded
app = Mach9('a', load_env=False)

async def emit(x, *, out):
    await out.send(encoded(x))
async def s(channel):
    await emit(1, out=channel)
@app.get("/x")
async def x(request):
    return mach9_stream(s)
@app.get("/y")
async def y(request):
    return stream(lambda response: response.write("x"))
app.add_route(lambda request: text("z"), "/z")
