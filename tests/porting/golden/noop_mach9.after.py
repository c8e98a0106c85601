from mach9 import Mach9
from mach9.response import stream

app = Mach9("already")


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(channel):
        while True:
            message = await request.stream.receive()
            if message["more_content"] is False:
                break
            await channel.send(message["content"])

    return stream(streaming)
