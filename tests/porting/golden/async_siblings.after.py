from mach9 import Mach9
from mach9.response import stream
from streamcompat.ported import encoded

VERBOSE = False
app = Mach9("siblings")


if VERBOSE:

    async def log(response, line):
        await response.send(encoded(line))
else:

    async def log(response, line):
        pass


class Page:
    async def head(self, response):
        await response.send(b"<")

    async def say(self, response):
        await self.head(response)
        await response.send(b"page")


class Bare(Page):
    async def head(self, response):
        return None


@app.get("/log")
async def logs(request):
    async def streaming(channel):
        await log(channel, "begin")
        await channel.send(b"end")

    return stream(streaming)


@app.get("/page")
async def page(request):
    async def streaming(channel):
        await Page().say(channel)
        await Bare().say(channel)

    return stream(streaming)


@app.get("/inner")
async def inner(request):
    async def streaming(channel):
        if request.args.get("loud"):

            async def emit(x):
                await channel.send(encoded(x.upper()))
        else:

            async def emit(x):
                return x

        await emit("a")
        await channel.send(b"b")

    return stream(streaming)
