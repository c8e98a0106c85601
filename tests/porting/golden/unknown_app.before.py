from main import app, request_log
from sanic.response import stream


@app.stream("/echo")
async def echo(request):
    async def streaming(response):
        while True:
            body = await request.stream.get()
            if body is None:
                break
            response.write(body)

    return stream(streaming)
