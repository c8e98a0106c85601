from sanic import Sanic
from sanic.response import stream, text
from sanic.views import CompositionView

app = Sanic("compositions")


async def show(request, name):
    return text("show " + name)


async def upload(request, name):
    size = 0
    while True:
        body = await request.stream.get()
        if body is None:
            break
        size += len(body)
    return text(name + str(size))


async def export(request):
    async def streaming(response):
        response.write("a,b")

    return stream(streaming)


view = CompositionView()
view.add(["GET"], show)
view.add(("POST", "PUT"), upload, stream=True)
view.add(["DELETE"], lambda request, name: text(name))
app.add_route(view, "/files/<name:string>")


def setup():
    # Downloads alone.
    exports = CompositionView()
    exports.add(methods=["GET"], handler=export)
    app.add_route(exports, uri="/export")


setup()


@app.get("/first")
async def first(request):
    return text(str(sorted(request.raw_args.items())))
