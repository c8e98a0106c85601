from mach9 import Mach9
from mach9.response import stream, text
import asyncio
from streamcompat.ported import content
app = Mach9('a', load_env=False)

def limit(f):
    async def wrapper(request, *a, **k):
        first = content(await request.stream.receive())
        return await f(request, *a, **k)
    return wrapper
@app.post("/x", stream=True)
@limit
async def x(request):
    return text(str(content(await request.stream.receive())))
