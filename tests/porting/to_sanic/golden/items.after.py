from functools import wraps

from sanic import Sanic
from sanic.response import json, text


def as_text(body, status=200, headers=None, content_type="text/plain; charset=utf-8"):
    """A response with text, with bytes, or with anything as text."""
    from sanic.response import HTTPResponse

    if not isinstance(body, (str, bytes)):
        body = "" if body is None else str(body)
    return HTTPResponse(body, status, headers, content_type)


app = Sanic("items", env_prefix=None)
app.ctx.counter = 0


def tagged(handler):
    @wraps(handler)
    async def wrapper(request, *args, **kwargs):
        request.ctx.tag = "x"
        return await handler(request, *args, **kwargs)

    return wrapper


@app.middleware("request")
async def count(request):
    app.ctx.counter += 1
    request.ctx.number = app.ctx.counter


@app.route("/")
@tagged
async def index(request):
    if hasattr(request.ctx, "tag") and not hasattr(request.ctx, "other"):
        return json([request.ctx.tag, request.ctx.number, getattr(request.ctx, "other", None), getattr(request.ctx, "a", "b")])
    return text("no")


@app.route("/gone")
async def gone(request):
    del request.ctx.number
    return text(str(getattr(request.ctx, "number", None)) + request.args.get("q", "-"))


@app.route("/app")
async def of_app(request):
    return as_text(request.app.ctx.counter)
