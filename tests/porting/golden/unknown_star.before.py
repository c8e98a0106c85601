from sanic.response import *
from sanic import Sanic

app = Sanic("star", load_env=False)


@app.get("/a")
async def a(request):
    return text("a")
