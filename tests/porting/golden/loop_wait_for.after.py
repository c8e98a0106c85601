import asyncio

from mach9 import Mach9
from mach9.response import stream
from mach9.exceptions import ClientDisconnected

app = Mach9(__name__, load_env=False)


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(channel):
        while True:
            message = await asyncio.wait_for(request.stream.receive(), 5)
            if message["closed"]:
                raise ClientDisconnected
            if message["more_content"] is False:
                break
            body = message["content"]
            await asyncio.wait_for(channel.send(body), timeout=5)

    return stream(streaming)
