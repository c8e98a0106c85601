from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


@app.get("/head")
async def head(request):
    async def streaming(response):
        response.headers["X"] = "y"
        response.write("a")

    return stream(streaming)
