from functools import partial

from sanic import Sanic
from sanic.request import Request
from sanic.response import json, stream, text


class NiceRequest(Request):
    @property
    def wants_json(self):
        return "json" in self.headers.get("accept", "")


class Application(Sanic):
    """An application that knows its version."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.release = "1.2"

    def page(self, uri):
        return self.route(uri, methods=["GET", "POST"])


class Health:
    def __init__(self):
        self.asked = 0
        self.__name__ = "health"

    def __call__(self, request):
        self.asked += 1
        return json({"asked": self.asked})


app = Application("extended", request_class=NiceRequest)


def cors(request, response):
    # As the CORS extensions do, on every kind of response.
    response.headers["Access-Control-Allow-Origin"] = request.headers.get("origin", "*")
    response.headers["Vary"] = "Origin"


app.middleware("response")(cors)


@app.page("/")
async def index(request):
    if request.wants_json:
        return json({"release": app.release})
    return text("release " + app.release)


@app.route("/stream")
async def streaming(request):
    async def write(response):
        written = response.write("streamed")
        if written is not None:
            await written
    return stream(write)


async def greet(greeting, request, name):
    return text("{} {}".format(greeting, name))


hello = partial(greet, "hello")
hello.__name__ = "hello"
app.add_route(hello, "/hello/<name>")
app.add_route(Health(), "/health")
app.add_task(lambda app: task(app))


async def task(app):
    app.task_ran = True


@app.route("/task")
async def ran(request):
    return text(str(app.task_ran))
