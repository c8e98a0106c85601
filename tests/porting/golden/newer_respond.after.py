from mach9 import Mach9
from mach9.response import stream
from streamcompat.ported import content

app = Mach9("newer")


@app.post("/echo", stream=True)
async def echo(request):
    async def streaming(channel):
        while (chunk := content(await request.stream.receive())) is not None:
            await channel.send(chunk)

    return stream(streaming, content_type="text/plain", headers={"X-Echo": "1"})


@app.get("/count/<n:int>")
async def count(request, n):
    total = 0
    async def streaming(channel):
        nonlocal total
        for number in range(n):
            total += number
            await channel.send(f"""{number}
then {total}
""".encode())
        await channel.send(b"")

    return stream(streaming, content_type=None)


@app.get("/maybe")
async def maybe(request):
    async def streaming(channel):
        if not request.args:
            await channel.send(b"nothing")
            return
        await channel.send(b"something")
        # that is all

    return stream(streaming, status=202, content_type=None)
