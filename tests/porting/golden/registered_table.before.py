from sanic import Sanic
from sanic.response import text

app = Sanic("table", load_env=False)


async def up(request):
    return text(str(await request.stream.get()))


async def down(request):
    return text("down")


ROUTES = [("/up", up, ["POST"]), ("/down", down, ["GET"])]

for uri, handler, methods in ROUTES:
    app.add_route(handler, uri, methods=methods, stream="POST" in methods)

for uri, h in {"/a": up, "/b": up}.items():
    app.add_route(h, uri, methods=["PUT"], stream=True)

for one in (down,):
    app.add_route(one, "/one")
