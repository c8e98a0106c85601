import csv

from mach9 import Mach9, exceptions as mach9_exceptions
from sanic import exceptions
from mach9.response import text
from sanic.response import stream
from streamcompat.ported import WholeResponse, abort

app = Mach9("errors", load_env=False)


def found(name):
    return name or text("none", 404)


@app.get("/left/<name>")
async def left(request, name):
    row = found(name)
    if isinstance(row, WholeResponse):
        return row
    if name == "no":
        exceptions.abort(404)

    async def rows(response):
        csv.writer(response).writerow([row])

    return stream(rows)


@app.get("/ported/<name>")
async def ported(request, name):
    row = found(name)
    if isinstance(row, WholeResponse):
        return row
    if name == "no":
        abort(404)
    raise mach9_exceptions.NotFound(name)
