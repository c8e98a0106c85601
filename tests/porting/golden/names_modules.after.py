import mach9
import mach9.response as r
from mach9 import exceptions, response

app = mach9.Mach9("modules", load_env=False)
part = mach9.Blueprint("part")


@app.route("/a")
async def a(request):
    async def write(channel):
        await channel.send(b"a")

    return r.stream(write)


@app.route("/b")
async def b(request):
    async def write(channel):
        await channel.send(b"b")

    return response.stream(write)


@part.route("/c")
async def c(request):
    if request.args:
        raise exceptions.NotFound("c")
    return mach9.response.text("c")
