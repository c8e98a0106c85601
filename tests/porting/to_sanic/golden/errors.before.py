from sanic import Sanic
from sanic.exceptions import InvalidUsage, NotFound, SanicException, ServerError, abort, add_status_code
from sanic.response import text

app = Sanic("errors")


@add_status_code(418)
class Teapot(SanicException):
    pass


@add_status_code(409)
class Conflict(SanicException):
    """It is there already."""


@app.exception(NotFound)
def missing(request, exception):
    return text("missing: {}".format(exception), 404)


@app.exception(SanicException)
def other(request, exception):
    return text("other: {}".format(exception), exception.status_code)


@app.get("/<name>")
async def raised(request, name):
    if name == "teapot":
        raise Teapot("short and stout")
    if name == "conflict":
        raise Conflict("there")
    if name == "missing":
        abort(404)
    if name == "forbidden":
        abort(403, "not you")
    if name == "quota":
        abort(507)
    if name == "server":
        raise ServerError("bad", status_code=500)
    if name == "usage":
        raise InvalidUsage("wrong", 400)
    return text(name)
