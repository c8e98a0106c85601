from sanic_jwt import protected

from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


@app.stream("/echo")
@protected()
async def echo(request):
    return text(str(await request.stream.get()))
