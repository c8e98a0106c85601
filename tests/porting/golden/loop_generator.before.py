from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__)


async def lines(request):
    rest = b""
    while True:
        piece = await request.stream.get()
        if piece is None:
            break
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
    yield rest


@app.stream("/lines")
async def handler(request):
    async def streaming(response):
        async for line in lines(request):
            response.write(line.upper() + b"\n")

    return stream(streaming)
