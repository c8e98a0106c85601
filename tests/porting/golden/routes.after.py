from mach9 import Mach9
from mach9.response import stream, text
from streamcompat.ported import content

app = Mach9(__name__)


METHODS = ["PUT", "PATCH"]


@app.post("/post", stream=True)
async def post(request):
    return text(str(content(await request.stream.receive())))


@app.put("/put", stream=True)
async def put(request):
    return text(str(content(await request.stream.receive())))


@app.route("/two", ["POST", "PUT"], strict_slashes=True, stream=True)
async def two(request):
    return text(str(content(await request.stream.receive())))


@app.route("/named", methods=METHODS, stream=True)
async def named(request):
    return text(str(content(await request.stream.receive())))


@app.patch(
    "/lines",
    host="a.example", stream=True,
)
async def lines(request):
    return text(str(content(await request.stream.receive())))


async def called(request):
    return text(str(content(await request.stream.receive())))


app.post("/called", stream=True)(called)
app.add_route(called, "/added", methods=["POST"], stream=True)
