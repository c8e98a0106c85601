from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__)


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(response):
        while True:
            body = await request.stream.read()
            if body is None:
                break
            await response.write(body)
        await response.write("end")
        await response.eof()

    return stream(streaming, chunked=True)
