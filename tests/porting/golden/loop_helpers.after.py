from mach9 import Mach9
from mach9.response import stream, text
from mach9.exceptions import ClientDisconnected

app = Mach9(__name__)


async def pieces_of(incoming):
    found = []
    while True:
        message = await incoming.receive()
        if message["closed"]:
            raise ClientDisconnected
        if message["more_content"] is False:
            break
        piece = message["content"]
        found.append(piece)
    return found


async def whole(req):
    return b"".join(await pieces_of(req.stream))


@app.post("/whole", stream=True)
async def handler(request):
    async def local():
        return await whole(request)

    return text((await local()).decode())
