from sanic import Sanic
from sanic.response import stream

app = Sanic(__name__, load_env=False)


@app.stream("/echo")
async def echo(request):
    async def streaming(response):
        body = None
        async for body in request.stream:
            if body == b"stop":
                break
            response.write(body)
        else:
            response.write("all\n")
        response.write(repr(body))

    return stream(streaming)
