from sanic import Blueprint, Sanic
from sanic.response import stream, text

app = Sanic("left_blueprint")
part = Blueprint("part")
PATH = "/<name>"


class Own(Sanic):
    pass


@part.middleware("request")
async def tag(request):
    request["tag"] = 1


@part.exception(KeyError)
async def failed(request, exception):
    return text("failed")


def logged(handler):
    async def wrapper(request):
        response = await handler(request)
        response.headers["X-Logged"] = "1"
        return response

    return wrapper


@part.get("/logged")
@logged
async def streamed(request):
    async def streaming(response):
        response.write("x")

    return stream(streaming)


@part.get(PATH)
async def named(request, name):
    return text(name)


@app.get("/unseen")
async def other(request):
    other_request = request.copy()
    return text(getattr(app, "db"))


app.blueprint(part)
app.run("127.0.0.1", 8000, stop_event=None)
