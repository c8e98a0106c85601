from mach9 import Mach9
from mach9.response import stream
from streamcompat.ported import content, encoded

app = Mach9(__name__, load_env=False)


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(channel):
        body = content(await request.stream.receive())
        while body:
            await channel.send(encoded(body))
            body = content(await request.stream.receive())

    return stream(streaming)
