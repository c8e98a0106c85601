from mach9 import Mach9
from mach9.response import stream
from streamcompat.ported import content, encoded

app = Mach9(__name__, load_env=False)


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(channel):
        body = None
        while (message := content(await request.stream.receive())) is not None:
            body = message
            if body == b"stop":
                break
            await channel.send(encoded(body))
        else:
            await channel.send(b"all\n")
        await channel.send(repr(body).encode())

    return stream(streaming)
