from sanic import Sanic
from sanic.response import stream, text
import asyncio
app = Sanic('a', load_env=False)

@app.stream("/x")
async def x(request):
    q = request.stream
    q = asyncio.Queue()
    return text(str(await q.get()))
