import csv

from sanic import Sanic, exceptions
from sanic.response import HTTPResponse, stream, text

app = Sanic("errors", load_env=False)


def found(name):
    return name or text("none", 404)


@app.get("/left/<name>")
async def left(request, name):
    row = found(name)
    if isinstance(row, HTTPResponse):
        return row
    if name == "no":
        exceptions.abort(404)

    async def rows(response):
        csv.writer(response).writerow([row])

    return stream(rows)


@app.get("/ported/<name>")
async def ported(request, name):
    row = found(name)
    if isinstance(row, HTTPResponse):
        return row
    if name == "no":
        exceptions.abort(404)
    raise exceptions.NotFound(name)
