"""`abort` of statuses that the app's own exceptions are registered for."""

from sanic import Sanic, exceptions
from sanic.exceptions import NotFound, SanicException, Unauthorized, abort, add_status_code
from sanic.response import text

app = Sanic("errors_registered")


@add_status_code(418)
class Teapot(SanicException):
    """Short and stout."""


@add_status_code(410)
class Gone(NotFound):
    def __str__(self):
        return "gone " + super().__str__()


@add_status_code(419)
class Kettle(Teapot):
    pass


@add_status_code(498)
class Expired(Unauthorized):
    pass


@app.exception(Teapot)
def poured(request, exception):
    kind = type(exception).__name__
    return text("{}: {}".format(kind, exception), exception.status_code)


@app.exception(SanicException)
def other(request, exception):
    kind = type(exception).__name__
    return text("other {}: {}".format(kind, exception), exception.status_code)


def check(holds, status, *why):
    holds or abort(status, *why)


@app.get("/given/<status:int>")
async def given(request, status):
    check(not 400 <= status < 500, status, "why")
    return text("fine")


@app.get("/literal/<name>")
async def literal(request, name):
    if name == "tea":
        abort(418, "no coffee")
    if name == "there":
        abort(423, "there")
    if name == "no":
        abort(status_code=403, message="no")
    if name == "value":
        fails = abort
        fails(419, message="too hot")
    exceptions.abort(503, "later")


@app.get("/caught/<status:int>")
async def caught(request, status):
    try:
        abort(status if 400 <= status < 500 else 404, "in vain")
    except Gone as error:
        return text("caught: {}".format(error))
    except NotFound:
        return text("never")
