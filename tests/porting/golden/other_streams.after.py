from mach9 import Mach9
from mach9.response import stream, text
import asyncio
from streamcompat.ported import content
app = Mach9('a', load_env=False)

class Jobs:
    def __init__(self):
        self.stream = asyncio.Queue()
    async def one(self):
        return await self.stream.get()
@app.post("/x", stream=True)
async def x(request):
    return text(str(await Jobs().one()) + str(content(await request.stream.receive())))
