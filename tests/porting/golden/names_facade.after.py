from streamcompat import mach9_api
from streamcompat.mach9_api import Mach9
from streamcompat.mach9_api.response import stream

app = Mach9("facade", load_env=False)


@app.get("/a")
async def a(request):
    async def write(channel):
        await channel.send(b"a")

    return stream(write)


@app.get("/b")
async def b(request):
    return mach9_api.response.text("b")
