from sanic import Sanic


def sendable(data):
    """What `response.send` takes."""
    return data if isinstance(data, (bytes, bytearray, memoryview, str)) else str(data)


VERBOSE = False
app = Sanic("siblings")


if VERBOSE:

    async def log(response, line):
        await response.send(sendable(line))
else:

    async def log(response, line):
        pass


class Page:
    async def head(self, response):
        await response.send("<")

    async def say(self, response):
        await self.head(response)
        await response.send("page")


class Bare(Page):
    async def head(self, response):
        return None


@app.get("/log")
async def logs(request):
    async def streaming(response):
        await log(response, "begin")
        await response.send("end")

    response = await request.respond(content_type="text/plain; charset=utf-8")
    await streaming(response)
    await response.eof()


@app.get("/page")
async def page(request):
    async def streaming(response):
        await Page().say(response)
        await Bare().say(response)

    response = await request.respond(content_type="text/plain; charset=utf-8")
    await streaming(response)
    await response.eof()


@app.get("/inner")
async def inner(request):
    async def streaming(response):
        if request.args.get("loud"):

            async def emit(x):
                await response.send(sendable(x.upper()))
        else:

            async def emit(x):
                return x

        await emit("a")
        await response.send("b")

    response = await request.respond(content_type="text/plain; charset=utf-8")
    await streaming(response)
    await response.eof()
