"""`abort` of statuses that the app's own exceptions are registered for."""

from sanic import Sanic, exceptions
from sanic.exceptions import NotFound, SanicException, Unauthorized, Forbidden, ServiceUnavailable
from sanic.response import text


def abort(status_code, message=None):
    """Raise the exception of a status."""
    import sanic.exceptions as known

    classes = [known.InvalidUsage, known.Unauthorized, known.Forbidden, known.NotFound]
    classes += [known.RequestTimeout, known.PayloadTooLarge]
    classes += [known.ServerError, known.ServiceUnavailable]
    classes = [Teapot, Gone, Kettle, Expired, *classes]
    for one in classes:
        if one.status_code == status_code:
            raise one(message)
    raise known.SanicException(message, status_code=status_code)


app = Sanic("errors_registered")


class Teapot(SanicException):
    """Short and stout."""
    status_code = 418


class Gone(NotFound):
    status_code = 410
    def __str__(self):
        return "gone " + super().__str__()


class Kettle(Teapot):
    status_code = 419


class Expired(Unauthorized):
    status_code = 498


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


@app.get("/literal/<name>", unquote=True)
async def literal(request, name):
    if name == "tea":
        abort(418, "no coffee")
    if name == "there":
        raise SanicException("there", status_code=423)
    if name == "no":
        raise Forbidden("no")
    if name == "value":
        fails = abort
        fails(419, message="too hot")
    raise ServiceUnavailable("later")


@app.get("/caught/<status:int>")
async def caught(request, status):
    try:
        abort(status if 400 <= status < 500 else 404, "in vain")
    except Gone as error:
        return text("caught: {}".format(error))
    except NotFound:
        return text("never")
