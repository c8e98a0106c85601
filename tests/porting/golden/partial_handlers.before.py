from functools import partial

from sanic import Sanic
from sanic.response import stream, text

app = Sanic("partials")


async def upload(kind, request):
    size = 0
    while True:
        body = await request.stream.get()
        if body is None:
            break
        size += len(body)
    return text(kind + str(size))


async def download(line, request, *, times):
    async def streaming(response):
        for _ in range(times):
            response.write(line.encode())

    return stream(streaming)


app.add_route(partial(upload, "photo"), "/photos", methods=["POST"], stream=True)
app.add_route(partial(download, "a", times=2), "/a")
app.get("/b")(partial(download, "b", times=1))
