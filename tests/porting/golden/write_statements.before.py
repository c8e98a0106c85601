from sanic import Sanic
from sanic.response import stream, text
import asyncio
app = Sanic('a', load_env=False)

@app.get("/x")
async def x(request):
    async def s(response):
        await response.write("a"); response.write("b")
        if request.args: response.write(1)
        x = response.write("c")
        response.write("d") if request.args else None
        request.args and response.write("f")
        await (response.write("g") if request.args else response.write("h"))
        await asyncio.wait_for(response.write("i") if request.args else response.write("j"), 5)
        task = asyncio.ensure_future(response.write("k"))
        await task
        return response.write("e")
    return stream(s)
@app.stream("/y")
async def y(request):
    while True: b = await request.stream.get(); break
    return text(str(b))
