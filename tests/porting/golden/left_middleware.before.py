from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


@app.middleware("request")
async def look(request):
    if request.json:
        return text("json")


@app.get("/a")
async def a(request):
    return text("a")
