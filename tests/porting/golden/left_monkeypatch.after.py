from sanic.response import StreamingHTTPResponse

from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


def patched(self, data):
    pass


StreamingHTTPResponse.write = patched


@app.get("/a")
async def a(request):
    async def streaming(response):
        response.write("a")

    return stream(streaming)
