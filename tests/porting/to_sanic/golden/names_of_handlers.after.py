from functools import partial, wraps

from sanic import Sanic
from sanic.response import text


def as_text(body, status=200, headers=None, content_type="text/plain; charset=utf-8"):
    """A response with text, with bytes, or with anything as text."""
    from sanic.response import HTTPResponse

    if not isinstance(body, (str, bytes)):
        body = "" if body is None else str(body)
    return HTTPResponse(body, status, headers, content_type)


app = Sanic("names")


def checked(handler):
    async def inner(request):
        return await handler(request)

    return inner


def named(handler):
    @wraps(handler)
    async def inner(request):
        return await handler(request)

    return inner


def marked(handler):
    handler.is_marked = True
    return handler


def made(said):
    async def handler(request):
        return as_text(said)

    return handler


class Says:
    def __init__(self, said):
        self.said = said

    async def __call__(self, request):
        return as_text(self.said)


async def says(said, request):
    return as_text(said)


@app.get("/a", name="a")
@checked
async def a(request):
    return text("a")


@app.get("/b", name="b")
@checked
async def b(request):
    return text("b")


@app.get("/c")
@named
@marked
async def c(request):
    return text("c")


app.add_route(made("1"), "/1", name="handler")
app.add_route(made("2"), "/2", name="handler_2")
app.add_route(Says("3"), "/3", name="Says")
app.add_route(partial(says, "4"), "/4", name="says")
