from sanic import Sanic
from sanic.response import text


class Server:
    app = Sanic("server", load_env=False)
    count = 0

    @staticmethod
    @app.stream("/inside")
    async def inside(request):
        return text(str(await request.stream.get()))


app = Server.app


@Server.app.stream("/outside")
async def outside(request):
    return text(str(await request.stream.get()))


@app.stream("/named")
async def named(request):
    return text(str(await request.stream.get()))
