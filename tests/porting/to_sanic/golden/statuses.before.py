from sanic import Sanic
from sanic.exceptions import InvalidUsage, NotFound, ServerError
from sanic.exceptions import abort as fail
from sanic.response import json, text

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
    fail(403, "no")


@app.get("/server/<status:int>")
async def server(request, status):
    raise ServerError("boom", status_code=status)


@app.exception(NotFound, InvalidUsage)
def not_found(request, exception):
    return json({"why": str(exception)}, status=exception.status_code)


@app.exception(ServerError)
def server_error(request, exception):
    return text("server error", status=exception.status_code)


@app.post("/bytes")
async def as_bytes(request):
    return text(request.body)


@app.get("/nothing")
async def nothing(request):
    return text(request.args.get("word"))
