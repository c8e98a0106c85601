from functools import partial

from sanic import Sanic
from sanic.response import text

app = Sanic("partials")


async def upload(kind, request):
    size = 0
    async for body in request.stream:
        size += len(body)
    return text(kind + str(size))


async def download(line, request, *, times):
    async def streaming(response):
        for _ in range(times):
            await response.send(line.encode())

    response = await request.respond(content_type="text/plain; charset=utf-8")
    await streaming(response)
    await response.eof()


app.add_route(partial(upload, "photo"), "/photos", methods=["POST"], stream=True, name="upload")
app.add_route(partial(download, "a", times=2), "/a", name="download")
app.get("/b", name="download_2")(partial(download, "b", times=1))
