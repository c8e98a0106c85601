"""Errors: `abort`, classes with a status of their own, and the handlers that catch both."""

from sanic import Sanic, exceptions
from sanic.exceptions import (
    Forbidden,
    InvalidUsage,
    NotFound,
    SanicException,
    ServerError,
    Unauthorized,
    abort,
    add_status_code,
)
from sanic.response import stream, text

app = Sanic("errors")


@add_status_code(418)
class Teapot(SanicException):
    pass


@app.exception(NotFound)
def missing(request, error):
    return text("missing: {}".format(error), 404)


@app.exception(ServerError, InvalidUsage)
def failed(request, error):
    return text("failed: {}".format(error), error.status_code)


@app.exception(SanicException)
async def other(request, error):
    headers = dict(getattr(error, "headers", {}))
    return text("other: {}".format(error), error.status_code, headers)


@app.get("/abort/<status:int>")
async def by_status(request, status):
    known = [400, 401, 403, 404, 408, 413, 416, 418, 429, 500, 503]
    abort(known[status % len(known)], request.args.get("why"))


@app.get("/raised/<name>")
async def raised(request, name):
    if name < "5":
        raise Unauthorized("who?", scheme="Basic", realm="all")
    if name < "c":
        raise Forbidden("not you")
    if name < "k":
        raise exceptions.ServiceUnavailable("later")
    exceptions.abort(404)


@app.get("/caught/<status:int>")
async def caught(request, status):
    try:
        abort(404 if status % 2 else 403, "in vain")
    except NotFound:
        return text("nothing there")
    except SanicException as error:
        return text("refused: {}".format(error))


@app.post("/limited", stream=True)
async def limited(request):
    size = 0
    while True:
        body = await request.stream.get()
        if body is None:
            break
        size += len(body)
        if size > 64:
            abort(413)

    async def streaming(response):
        response.write(size)

    return stream(streaming)
