from sanic import Blueprint, Sanic
from sanic.exceptions import NotFound
from sanic.response import stream, text

app = Sanic("left_blueprint")
part = Blueprint("the.part")
second = Sanic("left_blueprint")
PATH = "/<name>"


class Own(Sanic):
    pass


class Gone(NotFound):
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
    if request.args:
        raise Gone("gone", status_code=410)
    other_request = request.copy()
    return text(getattr(app, "db"))


app.blueprint(part)
app.run("127.0.0.1", 8000, stop_event=None)
