from sanic import Sanic
from sanic.response import text


def sendable(data):
    """What `response.send` takes."""
    return data if isinstance(data, (bytes, bytearray, memoryview, str)) else str(data)


app = Sanic("body_loops")


@app.post("/plain", stream=True)
async def plain(request):
    result = b""
    async for body in request.stream:
        result += body
    return text(result.decode())


@app.post("/returns", stream=True)
async def returns(request):
    size = 0
    while True:
        body = await request.stream.read()
        if not body:
            return text(str(size))
        size += len(body)


@app.post("/commented", stream=True)
async def commented(request):
    count = 0
    while True:
        body = await request.stream.read()
        if body is None:  # the end
            break
        count += 1
    return text("chunks" if count else "nothing")


async def all_of(incoming):
    parts = []
    part = await incoming.read()
    while part is not None:
        parts.append(part)
        part = await incoming.read()
    return b"".join(parts)


@app.put("/helper", stream=True)
async def helper(request):
    data = await all_of(request.stream)

    async def streaming(response):
        await response.send(sendable(data.upper()))

    response = await request.respond(content_type="text/plain; charset=utf-8")
    await streaming(response)
    await response.eof()


@app.post("/each", stream=True)
async def each(request):
    async def streaming(response):
        async for body in request.stream:
            await response.send(body[::-1])

    response = await request.respond(content_type="text/plain; charset=utf-8")
    await streaming(response)
    await response.eof()
