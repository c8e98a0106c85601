from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__)


@app.stream("/join")
async def join(request):
    return text(b"".join([piece async for piece in request.stream]).decode())
