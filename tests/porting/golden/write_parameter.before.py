from functools import partial

from sanic import Sanic
from sanic.response import StreamingHTTPResponse, stream

app = Sanic("parameter", load_env=False)


async def sample(response: StreamingHTTPResponse) -> None:
    response.write("a")


async def other(channel):
    channel.write("b")


async def third(out, *, channel=None):
    await out.write("c")


async def fourth(prefix, response):
    response.write(prefix)


def make(prefix):
    async def streaming(response):
        response.write(prefix + "\n")

    return streaming


@app.get("/a")
async def a(request):
    return StreamingHTTPResponse(sample, status=201, headers={"X": "y"})


@app.get("/b")
async def b(request):
    return stream(streaming_fn=other, content_type="text/csv")


@app.get("/c")
async def c(request):
    return stream(third)


@app.get("/d")
async def d(request):
    return stream(partial(fourth, "d"))


@app.get("/e")
async def e(request):
    return stream(make("e"))
