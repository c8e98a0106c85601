from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


@app.get("/a")
async def a(request):
    if request.args:
        response = await request.respond()
        await response.send("a")
        return
    return text("b")
