from mach9 import Mach9
from mach9.response import stream
from streamcompat.ported import content

app = Mach9(__name__, load_env=False)


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(channel):
        while (body := content(await request.stream.receive())) is not None:
            await channel.send(body)

    return stream(streaming)
