from mach9 import Mach9
from mach9.response import stream, text

app = Mach9(__name__)


@app.get("/events")
async def events(request):
    async def streaming(channel):
        await channel.send(b"")
        await channel.send(b"data: 1\n\n")

    return stream(streaming, content_type="text/event-stream")
