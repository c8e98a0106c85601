from sanic import Blueprint, Sanic
from sanic.handlers import ErrorHandler
from sanic.response import HTTPResponse, empty, json, stream, text
from sanic.server import HttpProtocol


class Protocol(HttpProtocol):
    """A slow client gets more time."""

    def __init__(self, *args, **kwargs):
        kwargs["request_timeout"] = 90
        super().__init__(*args, **kwargs)


class Errors(ErrorHandler):
    def default(self, request, exception):
        status = getattr(exception, "status_code", 500)
        return json({"error": type(exception).__name__}, status=status)


class Traced(Sanic):
    """Counts the requests, and marks each response that does not stream."""

    handled = 0

    async def handle_request(self, request, write_callback, stream_callback):
        self.handled += 1
        number = self.handled

        def write(response):
            response.headers["X-Number"] = str(number)
            write_callback(response)

        await super().handle_request(request, write, stream_callback)


app = Traced("timed", error_handler=Errors())
admin = Blueprint("admin", url_prefix="/admin")


@admin.middleware("request")
async def guarded(request):
    if request.token != "secret":
        return text("who are you?", status=401)


@admin.route("/")
async def admin_index(request):
    return text("admin")


@app.route("/")
async def index(request):
    return text("index")


@app.route("/echo", methods=["POST"])
async def echo(request):
    return json({"json": request.json, "ctx": hasattr(request, "ctx")})


@app.route("/stream")
async def streamed(request):
    async def write(response):
        await response.write("a")
        await response.write("b")

    return stream(write)


@app.post("/upload", stream=True)
async def upload(request):
    size = 0
    while True:
        body = await request.stream.read()
        if body is None:
            break
        size += len(body)
    return text(str(size))


@app.route("/nothing")
async def nothing(request):
    return empty()


@app.route("/args")
async def args(request):
    return json({"query": request.query_args, "blank": request.get_args(keep_blank_values=True)})


@app.route("/fails")
async def fails(request):
    raise RuntimeError("on purpose")


@app.route("/endpoint")
async def endpoint(request):
    return text(request.endpoint)


app.blueprint(admin)
