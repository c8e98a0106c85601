import parser

from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__, load_env=False)


@app.stream("/parse")
async def parse(request):
    return text(await parser.parse(request.stream))
