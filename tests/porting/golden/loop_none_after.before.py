from sanic import Sanic
from sanic.response import stream

app = Sanic(__name__, load_env=False)


@app.stream("/echo")
async def echo(request):
    async def streaming(response):
        while True:
            body = await request.stream.get()
            if body is None:
                break
            await response.write(body)
        response.write(str(body))

    return stream(streaming)
