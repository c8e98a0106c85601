from sanic import Sanic
from sanic.response import text

app = Sanic("paths")


@app.get("/files/<name:path>")
async def files(request, name):
    """Names a file."""
    return text(name)


async def other(request, rest):
    return text(rest)


app.add_route(other, "/other/<rest:path>")


@app.get(r"/words/<word:[a-z %0-9]+>")
async def words(request, word):
    return text(word)
