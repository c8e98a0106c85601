from sanic import Sanic
from sanic.response import stream, text
import asyncio
app = Sanic('a', load_env=False)

def limit(f):
    async def wrapper(request, *a, **k):
        first = await request.stream.get()
        return await f(request, *a, **k)
    return wrapper
@app.stream("/x")
@limit
async def x(request):
    return text(str(await request.stream.get()))
