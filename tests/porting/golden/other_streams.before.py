from sanic import Sanic
from sanic.response import stream, text
import asyncio
app = Sanic('a', load_env=False)

class Jobs:
    def __init__(self):
        self.stream = asyncio.Queue()
    async def one(self):
        return await self.stream.get()
@app.stream("/x")
async def x(request):
    return text(str(await Jobs().one()) + str(await request.stream.get()))
