from sanic_cors import CORS

from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


CORS(app)


@app.stream("/echo")
async def echo(request):
    return text(str(await request.stream.get()))
