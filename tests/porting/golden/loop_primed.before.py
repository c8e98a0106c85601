from sanic import Sanic
from sanic.response import stream

app = Sanic(__name__, load_env=False)


@app.stream("/echo")
async def echo(request):
    async def streaming(response):
        body = await request.stream.get()
        while body:
            await response.write(body)
            body = await request.stream.get()

    return stream(streaming)
