from sanic import Sanic
from sanic.exceptions import InvalidUsage, NotFound, ServerError, Forbidden
from sanic.response import json, text


def fail(status_code, message=None):
    """Raise the exception of a status."""
    import sanic.exceptions as known

    classes = [known.InvalidUsage, known.Unauthorized, known.Forbidden, known.NotFound]
    classes += [known.RequestTimeout, known.PayloadTooLarge]
    classes += [known.ServerError, known.ServiceUnavailable]
    for one in classes:
        if one.status_code == status_code:
            raise one(message)
    raise known.SanicException(message, status_code=status_code)


def as_text(body, status=200, headers=None, content_type="text/plain; charset=utf-8"):
    """A response with text, with bytes, or with anything as text."""
    from sanic.response import HTTPResponse

    if not isinstance(body, (str, bytes)):
        body = "" if body is None else str(body)
    return HTTPResponse(body, status, headers, content_type)


def with_status(exception, status_code):
    """An exception whose class takes no `status_code`."""
    exception.status_code = status_code
    return exception


app = Sanic("statuses")


def check(holds, status=400, why=None):
    holds or fail(status, why)


@app.get("/checked/<status:int>")
async def checked(request, status):
    check(status > 500, status, "why")
    return text("fine")


@app.get("/plain")
async def plain(request):
    check(False)


@app.get("/literal")
async def literal(request):
    raise Forbidden("no")


@app.get("/server/<status:int>")
async def server(request, status):
    raise with_status(ServerError("boom"), status)


@app.exception(NotFound, InvalidUsage)
def not_found(request, exception):
    return json({"why": str(exception)}, status=exception.status_code)


@app.exception(ServerError)
def server_error(request, exception):
    return text("server error", status=exception.status_code)


@app.post("/bytes")
async def as_bytes(request):
    return as_text(request.body)


@app.get("/nothing")
async def nothing(request):
    return as_text(request.args.get("word"))
