from mach9 import Mach9
from mach9.response import stream, text
import asyncio
from streamcompat.ported import content
app = Mach9('a', load_env=False)

class Service:
    async def process(self, req):
        return content(await req.stream.receive())
service = Service()
@app.post("/x", stream=True)
async def x(request):
    return text(str(await service.process(request)))
