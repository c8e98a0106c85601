import sanic
import sanic.response as r
from sanic import exceptions, response

app = sanic.Sanic("modules", load_env=False)
part = sanic.Blueprint("part")


@app.route("/a")
async def a(request):
    async def write(out):
        out.write("a")

    return r.stream(write)


@app.route("/b")
async def b(request):
    async def write(response):
        response.write("b")

    return response.stream(write)


@part.route("/c")
async def c(request):
    if request.args:
        raise exceptions.NotFound("c")
    return sanic.response.text("c")
