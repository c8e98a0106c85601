from sanic import Sanic
from sanic.response import stream, text
import asyncio
app = Sanic('a', load_env=False)

async def up(request):
    return text(str(await request.stream.get()))
for uri, h in routes_of({"/x": up}):
    app.add_route(h, uri, methods=["POST"], stream=True)

ROUTES = [("/a", up)]
ROUTES.append(("/b", other))
for uri, h2 in ROUTES:
    app.add_route(h2, uri)
