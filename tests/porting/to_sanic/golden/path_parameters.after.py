from sanic import Sanic
from sanic.response import text
from urllib.parse import unquote

app = Sanic("paths")


@app.get("/files/<name:path>", unquote=True)
async def files(request, name):
    """Names a file."""
    name = unquote(name)
    return text(str(name))


async def other(request, rest):
    rest = unquote(rest)
    return text(str(rest))


app.add_route(other, "/other/<rest:path>", unquote=True)


@app.get(r"/words/<word:[a-z %0-9]+>", unquote=True)
async def words(request, word):
    word = unquote(word)
    return text(str(word))
