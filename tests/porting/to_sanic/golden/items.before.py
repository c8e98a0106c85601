from functools import wraps

from sanic import Sanic
from sanic.response import json, text

app = Sanic("items", load_env=False)
app.counter = 0


def tagged(handler):
    @wraps(handler)
    async def wrapper(request, *args, **kwargs):
        request["tag"] = "x"
        return await handler(request, *args, **kwargs)

    return wrapper


@app.middleware("request")
async def count(request):
    app.counter += 1
    request["number"] = app.counter


@app.route("/")
@tagged
async def index(request):
    if "tag" in request and "other" not in request:
        return json([request["tag"], request["number"], request.get("other"), request.get("a", "b")])
    return text("no")


@app.route("/gone")
async def gone(request):
    del request["number"]
    return text(str(request.get("number")) + request.raw_args.get("q", "-"))


@app.route("/app")
async def of_app(request):
    return text(request.app.counter)
