from mach9 import Mach9
from mach9.response import text
from streamcompat.ported import content

app = Mach9("table", load_env=False)


async def up(request):
    return text(str(content(await request.stream.receive())))


async def down(request):
    return text("down")


ROUTES = [("/up", up, ["POST"]), ("/down", down, ["GET"])]

for uri, handler, methods in ROUTES:
    app.add_route(handler, uri, methods=methods, stream="POST" in methods)

for uri, h in {"/a": up, "/b": up}.items():
    app.add_route(h, uri, methods=["PUT"], stream=True)

for one in (down,):
    app.add_route(one, "/one")
