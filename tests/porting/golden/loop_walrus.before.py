from sanic import Sanic
from sanic.response import stream

app = Sanic(__name__, load_env=False)


@app.stream("/echo")
async def echo(request):
    async def streaming(response):
        while (body := await request.stream.get()) is not None:
            await response.write(body)

    return stream(streaming)
