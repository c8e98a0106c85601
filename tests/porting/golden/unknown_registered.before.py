from sanic import Sanic
from sanic.response import stream, text
import asyncio
app = Sanic('a', load_env=False)

async def up(request):
    return text(str(await request.stream.get()))
for uri, h in {"/x": up}.items():
    app.add_route(h, uri, methods=["POST"], stream=True)
