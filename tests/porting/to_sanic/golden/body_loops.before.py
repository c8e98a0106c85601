from sanic import Sanic
from sanic.response import stream, text

app = Sanic("body_loops")


@app.post("/plain", stream=True)
async def plain(request):
    result = b""
    while True:
        body = await request.stream.get()
        if body is None:
            break
        result += body
    return text(result.decode())


@app.post("/returns", stream=True)
async def returns(request):
    size = 0
    while True:
        body = await request.stream.get()
        if not body:
            return text(str(size))
        size += len(body)


@app.stream("/commented")
async def commented(request):
    count = 0
    while True:
        body = await request.stream.get()
        if body is None:  # the end
            break
        count += 1
    return text("chunks" if count else "nothing")


async def all_of(incoming):
    parts = []
    part = await incoming.get()
    while part is not None:
        parts.append(part)
        part = await incoming.get()
    return b"".join(parts)


@app.put("/helper", stream=True)
async def helper(request):
    data = await all_of(request.stream)

    async def streaming(response):
        response.write(data.upper())

    return stream(streaming)


@app.post("/each", stream=True)
async def each(request):
    async def streaming(response):
        async for body in request.stream:
            response.write(body[::-1])

    return stream(streaming)
