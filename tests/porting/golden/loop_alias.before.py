from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__)


@app.stream("/count")
async def count(request):
    body = request.stream
    total = 0
    while True:
        piece = await body.get()
        if piece is None:
            break
        total += len(piece)
    return text(str(total))
