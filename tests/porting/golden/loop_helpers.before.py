from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__)


async def pieces_of(incoming):
    found = []
    while True:
        piece = await incoming.get()
        if piece is None:
            break
        found.append(piece)
    return found


async def whole(req):
    return b"".join(await pieces_of(req.stream))


@app.stream("/whole")
async def handler(request):
    async def local():
        return await whole(request)

    return text((await local()).decode())
