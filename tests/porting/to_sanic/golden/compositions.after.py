from sanic import Sanic
from sanic.response import text


def as_text(body, status=200, headers=None, content_type="text/plain; charset=utf-8"):
    """A response with text, with bytes, or with anything as text."""
    from sanic.response import HTTPResponse

    if not isinstance(body, (str, bytes)):
        body = "" if body is None else str(body)
    return HTTPResponse(body, status, headers, content_type)


app = Sanic("compositions")


async def show(request, name):
    return text("show " + name)


async def upload(request, name):
    size = 0
    async for body in request.stream:
        size += len(body)
    return text(name + str(size))


async def export(request):
    async def streaming(response):
        await response.send("a,b")

    response = await request.respond(content_type="text/plain; charset=utf-8")
    await streaming(response)
    await response.eof()


app.add_route(show, "/files/<name:str>", unquote=True, methods=["GET"], name="view_get")
app.add_route(upload, "/files/<name:str>", unquote=True, methods=["POST", "PUT"], name="view_post_put", stream=True)
app.add_route(lambda request, name: as_text(name), "/files/<name:str>", unquote=True, methods=["DELETE"], name="view_delete")


def setup():
    # Downloads alone.
    app.add_route(export, uri="/export", methods=["GET"], name="exports_get")


setup()


@app.get("/first")
async def first(request):
    return text(str(sorted({name: values[0] for name, values in request.args.items()}.items())))
