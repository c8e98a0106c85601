from sanic import Sanic
from sanic.response import stream, text
import asyncio
app = Sanic('a', load_env=False)

class Service:
    async def process(self, req):
        return await req.stream.get()
service = Service()
@app.stream("/x")
async def x(request):
    return text(str(await service.process(request)))
