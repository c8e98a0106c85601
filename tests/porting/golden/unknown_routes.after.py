import sanic
from sanic.response import stream, text

Made = sanic.Sanic
app = Made("unknown_routes")


@app.get("/plain")
async def plain(request):
    return text("plain")


@app.get("/stream")
async def streams(request):
    async def streaming(response):
        response.write("x")

    return stream(streaming)
