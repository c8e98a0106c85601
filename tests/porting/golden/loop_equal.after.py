from mach9 import Mach9
from mach9.response import stream
from mach9.exceptions import ClientDisconnected

app = Mach9(__name__, load_env=False)


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(channel):
        count = 0
        while True:
            count += 1
            message = await request.stream.receive()
            if message["closed"]:
                raise ClientDisconnected
            if message["more_content"] is False:
                await channel.send(str(count).encode())
                return
            body = message["content"]
            await channel.send(body)

    return stream(streaming)
