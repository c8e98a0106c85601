from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__)


@app.get("/events")
async def events(request):
    async def streaming(response):
        response.write("")
        await response.write(b"data: 1\n\n")

    return stream(streaming, content_type="text/event-stream")
