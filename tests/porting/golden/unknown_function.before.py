from sanic import Sanic
from sanic.response import stream

app = Sanic(__name__, load_env=False)

from elsewhere import writer


@app.get("/a")
async def a(request):
    return stream(writer)
