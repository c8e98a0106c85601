from sanic import Sanic
from sanic.response import stream, text
import asyncio
app = Sanic('a', load_env=False)

class Feed:
    async def __call__(self, response):
        response.write("a")
@app.get("/x")
async def x(request):
    return stream(Feed())
