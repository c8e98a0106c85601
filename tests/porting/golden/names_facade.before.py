from streamcompat import sanic_api
from streamcompat.sanic_api import Sanic
from streamcompat.sanic_api.response import stream

app = Sanic("facade", load_env=False)


@app.get("/a")
async def a(request):
    async def write(response):
        response.write("a")

    return stream(write)


@app.get("/b")
async def b(request):
    return sanic_api.response.text("b")
