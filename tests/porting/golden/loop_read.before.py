from sanic import Sanic
from sanic.response import stream

app = Sanic(__name__, load_env=False)


@app.stream("/echo")
async def echo(request):
    async def streaming(response):
        while True:
            body = await request.stream.read()
            if body is None:
                break
            await response.write(body.decode("utf-8").replace("1", "A"))

    return stream(streaming)
