from sanic import Sanic
from sanic.exceptions import InvalidUsage, NotFound, SanicException, ServerError, Forbidden
from sanic.response import text

app = Sanic("errors")


class Teapot(SanicException):
    status_code = 418


class Conflict(SanicException):
    """It is there already."""
    status_code = 409


@app.exception(NotFound)
def missing(request, exception):
    return text("missing: {}".format(exception), 404)


@app.exception(SanicException)
def other(request, exception):
    return text("other: {}".format(exception), exception.status_code)


@app.get("/<name>", unquote=True)
async def raised(request, name):
    if name == "teapot":
        raise Teapot("short and stout")
    if name == "conflict":
        raise Conflict("there")
    if name == "missing":
        raise NotFound()
    if name == "forbidden":
        raise Forbidden("not you")
    if name == "quota":
        raise SanicException(status_code=507)
    if name == "server":
        raise ServerError("bad")
    if name == "usage":
        raise InvalidUsage("wrong")
    return text(str(name))
