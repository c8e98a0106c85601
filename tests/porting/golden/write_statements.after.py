from mach9 import Mach9
from mach9.response import stream, text
import asyncio
from streamcompat.ported import content
app = Mach9('a', load_env=False)

@app.get("/x")
async def x(request):
    async def s(channel):
        await channel.send(b"a"); await channel.send(b"b")
        if request.args: await channel.send(str(1).encode())
        x = await channel.send(b"c")
        await channel.send(b"d") if request.args else None
        request.args and await channel.send(b"f")
        await (channel.send(b"g") if request.args else channel.send(b"h"))
        await asyncio.wait_for(channel.send(b"i") if request.args else channel.send(b"j"), 5)
        task = asyncio.ensure_future(channel.send(b"k"))
        await task
        return await channel.send(b"e")
    return stream(s)
@app.post("/y", stream=True)
async def y(request):
    while True: b = content(await request.stream.receive()); break
    return text(str(b))
