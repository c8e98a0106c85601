from sanic import Sanic
from sanic.response import stream

app = Sanic(__name__, load_env=False)


@app.stream("/echo")
async def echo(request):
    async def streaming(response):
        while True:
            body = await request.stream.get()
            if body is not None:
                await response.write(body)
            else:
                break

    return stream(streaming)
