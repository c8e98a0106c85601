from mach9 import Mach9
from mach9.response import stream, text
from mach9.exceptions import ClientDisconnected

app = Mach9(__name__)


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(channel):
        while True:
            message = await request.stream.receive()
            if message["closed"]:
                raise ClientDisconnected
            if message["more_content"] is False:
                break
            body = message["content"]
            await channel.send(body)
        await channel.send(b"end")

    return stream(streaming)
