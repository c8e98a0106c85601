from functools import partial

from mach9 import Mach9
from mach9.response import StreamHTTPResponse, stream
from mach9.http import ReplyChannel
from streamcompat.ported import encoded

app = Mach9("parameter", load_env=False)


async def sample(channel: ReplyChannel) -> None:
    await channel.send(b"a")


async def other(channel):
    await channel.send(b"b")


async def third(out, *, channel=None):
    await out.send(b"c")


async def fourth(prefix, channel):
    await channel.send(encoded(prefix))


def make(prefix):
    async def streaming(channel):
        await channel.send((prefix + "\n").encode())

    return streaming


@app.get("/a")
async def a(request):
    return StreamHTTPResponse(sample, status=201, headers={"X": "y"})


@app.get("/b")
async def b(request):
    return stream(handler=other, content_type="text/csv")


@app.get("/c")
async def c(request):
    return stream(third)


@app.get("/d")
async def d(request):
    return stream(partial(fourth, "d"))


@app.get("/e")
async def e(request):
    return stream(make("e"))
