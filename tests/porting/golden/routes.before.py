from sanic import Sanic
from sanic.response import stream, text

app = Sanic(__name__)


METHODS = ["PUT", "PATCH"]


@app.stream("/post")
async def post(request):
    return text(str(await request.stream.get()))


@app.stream("/put", methods=["PUT"])
async def put(request):
    return text(str(await request.stream.get()))


@app.stream("/two", ["POST", "PUT"], strict_slashes=True)
async def two(request):
    return text(str(await request.stream.get()))


@app.stream("/named", methods=METHODS)
async def named(request):
    return text(str(await request.stream.get()))


@app.stream(
    "/lines",
    methods=("PATCH",),
    host="a.example",
)
async def lines(request):
    return text(str(await request.stream.get()))


async def called(request):
    return text(str(await request.stream.get()))


app.stream("/called")(called)
app.add_route(called, "/added", methods=["POST"], stream=True)
