from sanic import Sanic
from sanic.response import stream

app = Sanic(__name__, load_env=False)


@app.stream("/echo")
async def echo(request):
    async def streaming(response):
        count = 0
        while True:
            count += 1
            body = await request.stream.get()
            if body == None:
                response.write(str(count))
                return
            await response.write(body)

    return stream(streaming)
