from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


@app.websocket("/feed")
async def feed(request, ws):
    await ws.send("hello")


@app.stream("/echo")
async def echo(request):
    return text(str(await request.stream.get()))
