from mach9 import Mach9
from mach9.response import text
from streamcompat.ported import content


class Server:
    app = Mach9("server", load_env=False)
    count = 0

    @staticmethod
    @app.post("/inside", stream=True)
    async def inside(request):
        return text(str(content(await request.stream.receive())))


app = Server.app


@Server.app.post("/outside", stream=True)
async def outside(request):
    return text(str(content(await request.stream.receive())))


@app.post("/named", stream=True)
async def named(request):
    return text(str(content(await request.stream.receive())))
