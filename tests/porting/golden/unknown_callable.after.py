from mach9 import Mach9
from mach9.response import text
from sanic.response import stream
import asyncio
app = Mach9('a', load_env=False)

class Feed:
    async def __call__(self, response):
        response.write("a")
@app.get("/x")
async def x(request):
    return stream(Feed())
