from functools import partial

from mach9 import Mach9
from mach9.response import stream, text
from mach9.exceptions import ClientDisconnected

app = Mach9("partials")


async def upload(kind, request):
    size = 0
    while True:
        message = await request.stream.receive()
        if message["closed"]:
            raise ClientDisconnected
        if message["more_content"] is False:
            break
        body = message["content"]
        size += len(body)
    return text(kind + str(size))


async def download(line, request, *, times):
    async def streaming(channel):
        for _ in range(times):
            await channel.send(line.encode())

    return stream(streaming)


app.add_route(partial(upload, "photo"), "/photos", methods=["POST"], stream=True)
app.add_route(partial(download, "a", times=2), "/a")
app.get("/b")(partial(download, "b", times=1))
