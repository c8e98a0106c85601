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
        response.write("d") if x else None
        x and response.write(x)
        return response.write("e")
    return stream(s)
@app.stream("/y")
async def y(request):
    while True: b = await request.stream.get(); break
    return text(str(b))
