from mach9 import Mach9
from mach9.response import stream
from streamcompat.ported import content, encoded

app = Mach9(__name__, load_env=False)


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(channel):
        while True:
            body = content(await request.stream.receive())
            if body is None:
                break
            await channel.send(encoded(body))
        await channel.send(str(body).encode())

    return stream(streaming)
