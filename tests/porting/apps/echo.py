"""An echo with a transformation, in every way of writing the loop."""

from sanic import Sanic
from sanic.response import stream

app = Sanic("echo", is_request_stream=True)


@app.stream("/replace")
async def replace(request):
    async def streaming(response):
        while True:
            body = await request.stream.get()
            if body is None:
                break
            body = body.decode("utf-8", "replace").replace("1", "A")
            response.write(body)

    return stream(streaming)


@app.stream("/upper", methods=["PUT"])
async def upper(request):
    async def streaming(response):
        while (body := await request.stream.get()) is not None:
            await response.write(body.upper())

    return stream(streaming)


@app.stream("/each")
async def each(request):
    async def streaming(response):
        async for body in request.stream:
            for byte in body[:4]:
                response.write(byte)
                response.write(" ")
        else:
            response.write("end")

    return stream(streaming)


@app.post("/primed", stream=True)
async def primed(request):
    async def streaming(response):
        body = await request.stream.get()
        while body:
            response.write(body)
            body = await request.stream.get()
        response.write(body)

    return stream(streaming)
