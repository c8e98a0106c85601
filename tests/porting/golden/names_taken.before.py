from sanic import Sanic
from sanic.response import stream

Mach9 = "a name that is taken"
content = encoded = message = None
app = Sanic("taken", load_env=False)


@app.stream("/a")
async def a(request):
    async def write(response):
        channel = message
        while True:
            body = await request.stream.get()
            if body is None:
                break
            response.write(body)
        response.write(channel)
        response.write(await request.stream.get())

    return stream(write)
