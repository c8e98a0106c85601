from mach9 import Mach9
from mach9.response import stream, text
from mach9.exceptions import ClientDisconnected

app = Mach9(__name__)


async def lines(request):
    rest = b""
    while True:
        message = await request.stream.receive()
        if message["closed"]:
            raise ClientDisconnected
        if message["more_content"] is False:
            break
        piece = message["content"]
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line
    yield rest


@app.post("/lines", stream=True)
async def handler(request):
    async def streaming(channel):
        async for line in lines(request):
            await channel.send(line.upper() + b"\n")

    return stream(streaming)
