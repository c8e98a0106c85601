from sanic import Sanic


def sendable(data):
    """What `response.send` takes."""
    return data if isinstance(data, (bytes, bytearray, memoryview, str)) else str(data)


app = Sanic("stream_response")


@app.get("/kinds/<count:int>")
async def kinds(request, count):
    async def streaming(response):
        await response.send("text")
        await response.send(b" bytes ")
        await response.send(sendable(count))
        await response.send(str(None))
        await response.send(str(12))
        await response.send((str((1, 2))))
        if count == 0:
            return
        for number in range(count):
            await response.send("%d," % number)

    if count > 3:
        response = await request.respond(
            status=202, headers={"X-Many": "yes"}, content_type="text/csv"
        )
        await streaming(response)
        await response.eof()
        return
    response = await request.respond(content_type="text/plain; charset=utf-8")
    await streaming(response)
    await response.eof()


@app.route("/sync")
async def sync(request):
    async def streaming(response):
        await response.send(sendable(request.args.get("word")))

    response = await request.respond(headers={"X-Sync": "1"}, content_type="text/plain")
    await streaming(response)
    await response.eof()


async def line(response, word):
    await response.send(sendable(word))
    await response.send("\n")


async def lines(response):
    await line(response, "a")
    await line(response, "b")


@app.route("/lines")
async def many(request):
    # in two lines
    response = await request.respond(status=203, content_type="text/plain; charset=utf-8")
    await lines(response)
    await response.eof()  # the end
