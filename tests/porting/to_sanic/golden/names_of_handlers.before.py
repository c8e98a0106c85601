from functools import partial, wraps

from sanic import Sanic
from sanic.response import text

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
        return text(said)

    return handler


class Says:
    def __init__(self, said):
        self.said = said

    async def __call__(self, request):
        return text(self.said)


async def says(said, request):
    return text(said)


@app.get("/a")
@checked
async def a(request):
    return text("a")


@app.get("/b")
@checked
async def b(request):
    return text("b")


@app.get("/c")
@named
@marked
async def c(request):
    return text("c")


app.add_route(made("1"), "/1")
app.add_route(made("2"), "/2")
app.add_route(Says("3"), "/3")
app.add_route(partial(says, "4"), "/4")
